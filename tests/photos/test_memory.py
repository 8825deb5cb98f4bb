"""Completions in batches that memory holds."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from inpaint_cli.errors import ResourceError
from inpaint_cli.photos.memory import Batches, is_out_of_memory
from inpaint_cli.randomness import Noise
from tests.pretend_model import PretendModel

IMAGE = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
HIDDEN = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
NOISE = Noise.of_completions(0, b"memory", range(5))


def test_what_did_not_fit_once_is_not_tried_again() -> None:
    model, batches = PretendModel(), Batches(8)
    model.largest_batch = 2
    for _ in range(2):
        batches.drawn(model, IMAGE, HIDDEN, NOISE)
    assert (batches.size, model.batches) == (2, [2, 2, 1, 2, 2, 1])


def test_a_memory_that_does_not_hold_one_ends_in_advice() -> None:
    model = PretendModel()
    model.largest_batch = 0
    with pytest.raises(ResourceError, match="even for one completion at a time"):
        Batches(8).drawn(model, IMAGE, HIDDEN, NOISE)


class SafetensorError(Exception):
    """Called like the error of safetensors, which is known by its name."""


def raised_over(first: Exception, second: Exception) -> Exception:
    """The second error, raised while the first one was handled."""
    try:
        try:
            raise first
        except Exception:
            raise second  # noqa: B904
    except Exception as error:
        return error


def in_a_ring() -> Exception:
    """An error over one whose cause it is."""
    one, other = OSError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    return one


UNMAPPED = OSError("libllvmlite.so: failed to map segment from shared object")
NOT_FOUND = "Could not find/load shared object file 'libllvmlite.so'"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("unable to mmap 9 bytes: Cannot allocate memory (12)"), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (SafetensorError("Cannot allocate memory (os error 12)"), True),
        (raised_over(UNMAPPED, OSError(NOT_FOUND)), True),
        (raised_over(FileNotFoundError(), OSError(NOT_FOUND)), False),
        (raised_over(MemoryError(), ValueError("no size")), False),
        (in_a_ring(), False),
        (RuntimeError("shapes do not fit"), False),
        (ImportError("no module named lpips"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (KeyError("out of memory"), False),
    ],
)
def test_a_full_memory_is_known_whoever_tells_it(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere addresses have no limit")
@pytest.mark.parametrize("megabytes", [350, 400, 450])
def test_few_addresses_are_told_as_a_full_memory(megabytes: int, tmp_path: Path, top: Path) -> None:
    Image.new("RGB", (60, 50), (90, 120, 80)).save(tmp_path / "a.png")
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({megabytes} << 20,) * 2); "
    done = subprocess.run(
        [
            *(sys.executable, "-c", f"{limit}from inpaint_cli.cli import run; run()"),
            *("complete", tmp_path / "a.png", "--box", "20,20,10,10", "--model", "patches"),
            *("-n", "1", "-o", tmp_path / "o"),
        ],
        cwd=top,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "internal error" not in done.stderr
    assert done.returncode in (0, 1)
    assert ("out of memory" in done.stderr) == (done.returncode == 1)
