"""Pipes in place of files: nobody writes into them, so whoever opens one waits for ever."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inpaint_cli import archives
from inpaint_cli.errors import UserError
from inpaint_cli.posterior import ood_reference
from tests.robustness.test_names import draw, inpaint

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes among files")


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """Ends a test that waits."""

    def late(number: int, frame: Any) -> None:
        raise TimeoutError("it waits for the pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe_at(path: Path) -> Path:
    os.mkfifo(path)
    return path


def test_a_pipe_is_no_place_for_a_result(tmp_path: Path) -> None:
    photo, pipe = draw(tmp_path / "b.png"), pipe_at(tmp_path / "pipe.png")
    words = ["--box", "4,4,5,5", "--model", "telea", "-n", "1"]
    assert inpaint("complete", photo, *words, "-o", tmp_path / "out").exit_code == 0
    for refused in (
        inpaint("complete", photo, *words, "-o", pipe),
        inpaint("pick", tmp_path / "out" / "b-0.png", "-o", pipe),
    ):
        assert refused.exit_code == 2
        assert "not an ordinary file" in refused.stderr
        assert pipe.is_fifo()


def opened(path: Path) -> None:
    with archives.open_zip(path):
        pass


def unpacked(path: Path) -> None:
    with archives.open_tar(path):
        pass


@pytest.mark.parametrize("read", [opened, unpacked, ood_reference.load])
def test_a_pipe_is_not_read(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a regular file"):
        read(pipe_at(tmp_path / "pipe"))
