"""Killed anywhere, a command that is given again ends well and makes the same files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")

FORGETFUL = """
import sys
from inpaint_cli import files
from tests.robustness import kills
files.remove_leftovers = lambda folder, alone=False: None
sys.exit(kills.main(["--quick", "--kills", "1", "--only", "masks"]))
"""


WITHOUT_MOMENTS = """
import sys
from inpaint_cli.training.optimisation import Optimiser
from tests.robustness import kills
Optimiser.load = lambda self, *all: None
sys.exit(kills.main(["--quick", "--kills", "1", "--only", "train"]))
"""


def run(top: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Not in this process: it has threads, which do not go well with forks.
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=top,
        env={**os.environ, "PYTHONPATH": str(top)},
        capture_output=True,
        text=True,
    )


def test_no_kill_loses_a_result_or_leaves_a_file(top: Path) -> None:
    done = run(top, "-m", "tests.robustness.kills", "--quick", "--kills", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    kills, reruns, ended_well, identical, stray = map(int, done.stdout.split()[-5:])
    assert kills >= 20
    assert (ended_well, identical, stray) == (reruns, reruns, 0)


def test_a_command_that_forgets_its_temporary_files_would_be_seen(top: Path) -> None:
    done = run(top, "-c", FORGETFUL)
    assert done.returncode == 1
    assert "+['out/." in done.stdout


@pytest.mark.slow
def test_a_training_that_goes_on_without_its_moments_would_be_seen(top: Path) -> None:
    done = run(top, "-c", WITHOUT_MOMENTS)
    assert done.returncode == 1
    assert "model.safetensors" in done.stdout


@pytest.mark.slow
def test_a_thousand_kills_lose_nothing(top: Path) -> None:
    # A quarter of an hour.
    done = run(top, "-m", "tests.robustness.torture", "kills")
    assert done.returncode == 0, done.stdout + done.stderr
