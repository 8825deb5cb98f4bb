"""Signals, sudden death and several processes: what only real processes can show."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from inpaint_cli.training.folder import RunFolder
from tests.training import rank_gradients
from tests.training.fake_runs import (
    assert_same_files,
    command,
    environment,
    log_of,
    session,
    torchrun,
)

FAKE = ("--model", "fake", "--data", "noise", "--preset", "small")
LONG = (*FAKE, "-q", "--set", "checkpoint_every=1")


def wait_for(folder: RunFolder, process: subprocess.Popen[str], steps: int) -> None:
    """Waits until a run has done so many steps, or has ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if folder.checkpoints.is_dir():
            names = [p.name for p in folder.checkpoints.glob("paint-0*.safetensors")]
            if names and int(max(names)[6:14]) >= steps:
                return
        time.sleep(0.01)
    assert process.poll() is not None, "the run does not get on"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_gives_its_exit_code(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = command(*LONG, "-o", str(tmp_path), "--set", "steps=100000", "--workers", "1")
    folder = RunFolder(tmp_path / "0001-fake-noise")
    wait_for(folder, process, 3)
    os.killpg(process.pid, number)  # as a terminal and torchrun do
    output, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    assert output == ""
    assert "--resume" in errors
    assert folder.weights.is_file()


def test_a_run_killed_at_any_moment_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    settings = ("steps=120", "validate_every=10", "checkpoint_every=1")
    whole = session(tmp_path / "whole", *settings)
    whole.train()
    arguments = (*FAKE, "-q", *(word for setting in settings for word in ("--set", setting)))
    process = command(*arguments, "-o", str(tmp_path / "killed"))
    folder = RunFolder(tmp_path / "killed" / "0001-fake-noise")
    moments = random.Random(0)
    for step in (5, 40, 80):
        wait_for(folder, process, step)
        time.sleep(moments.random() * 0.05)
        process.kill()
        process.wait()
        process = command("-q", "--resume", str(folder.path))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert_same_files(whole.folder, folder)
    assert [x["step"] for x in log_of(folder, "step")] == list(range(2, 121, 2))
    assert not list(folder.path.rglob(".*.safetensors"))


@pytest.fixture(scope="module")
def gradients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs rank_gradients.py in two processes."""
    folder = tmp_path_factory.mktemp("gradients")
    script = ["-m", "tests.training.rank_gradients", str(folder)]
    line = [sys.executable, *torchrun(2), *script]
    subprocess.run(line, env=environment(), check=True, capture_output=True, timeout=120)
    return folder


@pytest.mark.parametrize("parts", [1, 2])
def test_two_processes_get_the_gradients_of_one_with_the_joined_batch(
    gradients: Path, parts: int
) -> None:
    rank_gradients.gradients(gradients, parts)
    one, *two = (
        load_file(gradients / f"{name}-{parts}.safetensors") for name in ("1-0", "2-0", "2-1")
    )
    assert not two[0]["image"].equal(two[1]["image"])
    assert not two[0]["visible"].equal(two[1]["visible"])
    for name in ("image", "visible"):
        assert torch.cat([rank[name] for rank in two]).equal(one[name][: 8 // parts])
    for name in (name for name in one if name.startswith(("gradient/", "buffer/"))):
        assert two[0][name].equal(two[1][name])
        # float32 sums in another order; the bias before the normalisation is all rounding.
        assert torch.allclose(two[0][name], one[name], rtol=1e-3, atol=1e-5), name


def test_torchrun_trains_one_run_and_prints_the_division_of_the_batch(tmp_path: Path) -> None:
    settings = (*FAKE, "--set", "dropout=0", "--set", "norm=group", "--workers", "0")
    process = command(*settings, "-o", str(tmp_path / "two"), launcher=torchrun(2))
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 0, errors
    assert output.split() == [str(tmp_path / "two" / "0001-fake-noise" / "model.safetensors")]
    assert "4 = 2 images x 2 processes" in errors
    alone = session(tmp_path / "one", "dropout=0", "norm=group")
    alone.train()
    folders = (alone.folder, RunFolder(tmp_path / "two" / "0001-fake-noise"))
    assert_same_losses(*folders)


def assert_same_losses(one: RunFolder, other: RunFolder) -> None:
    """Every loss of every logged step is the same but for sums in another order."""
    losses = [[line["loss"] for line in log_of(folder, "step")] for folder in (one, other)]
    assert len(losses[0]) == len(losses[1]) == 6
    for a, b in zip(*losses, strict=True):
        assert a == pytest.approx(b, abs=4e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_a_run_goes_on_with_another_number_of_processes_as_the_same_run(
    tmp_path: Path, before: int, after: int
) -> None:
    alone = session(tmp_path / "alone", "dropout=0", "norm=group")
    alone.train()
    settings = (*FAKE, "--set", "dropout=0", "--set", "norm=group", "--workers", "0")
    # A time that is up after the first step, whatever the machine.
    stop = ("--stop-after", "1e-9", "-o", str(tmp_path / "other"))
    other = RunFolder(tmp_path / "other" / "0001-fake-noise")
    sittings = [(before, (*settings, *stop)), (after, ("--resume", str(other.path)))]
    for processes, arguments in sittings:
        launcher = torchrun(processes) if processes > 1 else []
        _, errors = command(*arguments, launcher=launcher).communicate(timeout=90)
        assert "Traceback" not in errors
    assert "resumed after step 1" in errors
    assert_same_losses(alone.folder, other)
    validations = [log_of(folder, "validation") for folder in (alone.folder, other)]
    for a, b in zip(*validations, strict=True):
        assert a["figures"] == pytest.approx(b["figures"], abs=4e-6)
    facts = json.loads((other.path / "environment.json").read_text())
    assert [sitting["processes"] for sitting in facts["sittings"]] == [before, after]


def test_batch_normalisation_over_two_processes_is_refused_on_a_cpu(tmp_path: Path) -> None:
    process = command(*FAKE, "--workers", "0", "-o", str(tmp_path), launcher=torchrun(2))
    _, errors = process.communicate(timeout=90)
    assert process.returncode != 0
    assert "batch normalisation on CUDA devices only. Use one process here." in errors
