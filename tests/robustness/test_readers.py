"""Whoever reads, or stops reading, what is printed: training goes on to its end."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.fake_runs import SCRIPT, TOP, environment


@pytest.mark.parametrize("reader", ["2>&1 | head -n 1", "2>&- >&-"])
def test_a_training_that_nobody_reads_ends_with_its_model(reader: str, tmp_path: Path) -> None:
    words = ["train", "--model", "fake", "--data", "noise", "--preset", "small"]
    command = [sys.executable, "-m", SCRIPT, *words, "-o", str(tmp_path / "runs")]
    shell = f'("$@"; echo $? >"$0") {reader}'
    subprocess.run(
        ["bash", "-c", shell, tmp_path / "code", *command],
        env=environment(),
        cwd=TOP,
        check=False,
        stdout=subprocess.DEVNULL,
    )
    assert (tmp_path / "code").read_text() == "0\n"
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "model.safetensors").is_file()
