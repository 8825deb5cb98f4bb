"""However a run ends, all its processes are gone soon after, with the right code and sentence."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inpaint_cli.training.folder import RunFolder
from tests.training.failing_data import SENTENCE
from tests.training.fake_runs import environment, torchrun

SOON = 10.0
"""Seconds within which every process is gone; on a busy machine, as long as it took to start."""
FAKE = ("--model", "fake", "--data", "noise", "--preset", "small", "-q")
SETTINGS = ("dropout=0", "norm=group", "steps=40", "checkpoint_every=1", "validate_every=100")
TORCHRUN = 2


def start(tmp_path: Path, fault: str, workers: int, processes: int = 1) -> subprocess.Popen[str]:
    """Starts a run that meets `fault`; torchrun starts it where there are several processes."""
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    launcher = torchrun(processes) if processes > 1 else []
    (tmp_path / "started").touch()
    return subprocess.Popen(
        [
            *(sys.executable, *launcher, "-m", "tests.training.failing_data", "train", *FAKE),
            *(*settings, "--workers", str(workers), "-o", str(tmp_path)),
        ],
        env={**environment(), "FAULT": fault, "FAULT_AT": str(tmp_path / "fault-at")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ending(tmp_path: Path, process: subprocess.Popen[str]) -> str:
    """Waits until nobody holds the pipe any more, workers included; returns what was said."""
    _, errors = process.communicate(timeout=120)
    fault = float((tmp_path / "fault-at").read_text())
    started = (tmp_path / "started").stat().st_mtime
    assert time.time() - fault < max(SOON, fault - started), errors
    return errors


def wait_for_fault(tmp_path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not (tmp_path / "fault-at").exists() and time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


KINDS = {
    "user": (2, f"error: --masks: {SENTENCE}"),
    "memory": (1, "error: out of memory."),
    "unportable": (1, "internal error: "),
}
QUICK = [("user", 1, 1)]
ALL = [(kind, workers, n) for kind in KINDS for workers in (0, 1, 2) for n in (1, TORCHRUN)]


@pytest.mark.parametrize(
    ("kind", "workers", "processes"),
    [case if case in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in ALL],
)
def test_an_error_in_a_batch_is_told_in_its_own_words_and_ends_every_process(
    tmp_path: Path, kind: str, workers: int, processes: int
) -> None:
    process = start(tmp_path, kind, workers, processes)
    errors = ending(tmp_path, process)
    code, sentence = KINDS[kind]
    assert process.returncode == (code if processes == 1 else 1), errors
    assert sentence in errors
    assert "Original Traceback" not in errors
    if processes == 1:
        assert len(errors.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("workers", "processes"),
    [
        (1, 1),
        pytest.param(2, 1, marks=pytest.mark.slow),
        pytest.param(1, TORCHRUN, marks=pytest.mark.slow),
        pytest.param(2, TORCHRUN, marks=pytest.mark.slow),
    ],
)
def test_a_killed_worker_ends_the_run_with_a_sentence_and_what_was_done_is_kept(
    tmp_path: Path, workers: int, processes: int
) -> None:
    process = start(tmp_path, "killed", workers, processes)
    errors = ending(tmp_path, process)
    assert process.returncode == 1, errors
    folder = RunFolder(tmp_path / "0001-fake-noise")
    if processes == 1:
        assert len(errors.strip().splitlines()) == 1, errors
    assert "a process that prepares batches was killed" in errors
    assert f"inpaint train --resume {folder.path} --workers 0" in errors
    assert max(p.name for p in folder.checkpoints.iterdir()) >= "paint-00000005"


@pytest.mark.slow
def test_torchrun_cannot_silence_the_process_that_failed(tmp_path: Path) -> None:
    process = start(tmp_path, "user@1+slow", 0, TORCHRUN)
    errors = ending(tmp_path, process)
    assert process.returncode == 1
    assert f"error: --masks: {SENTENCE}" in errors


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_where_one_of_two_processes_fails_the_other_ends_and_says_why(
    tmp_path: Path, workers: int
) -> None:
    process = start(tmp_path, "user@1", workers, TORCHRUN)
    errors = ending(tmp_path, process)
    assert process.returncode == 1
    assert f"error: --masks: {SENTENCE}" in errors
    assert "internal error" not in errors


@pytest.mark.parametrize(
    ("workers", "processes"),
    [
        *(pytest.param(workers, 1, marks=pytest.mark.slow) for workers in (0, 2)),
        *(pytest.param(workers, TORCHRUN, marks=pytest.mark.slow) for workers in (0, 1, 2)),
        (1, 1),
    ],
)
def test_a_second_ctrl_c_ends_at_once_though_a_batch_does_not_come(
    tmp_path: Path, workers: int, processes: int
) -> None:
    process = start(tmp_path, "busy", workers, processes)
    wait_for_fault(tmp_path, process)
    time.sleep(1)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.5)
    (tmp_path / "fault-at").write_text(str(time.time()))
    errors = ending(tmp_path, process)
    assert process.returncode == (130 if processes == 1 else 1), errors


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_do_not_outlive_a_trainer_that_is_killed(tmp_path: Path, workers: int) -> None:
    process = start(tmp_path, "busy", workers)
    wait_for_fault(tmp_path, process)
    process.kill()
    (tmp_path / "fault-at").write_text(str(time.time()))
    ending(tmp_path, process)


@pytest.mark.slow
def test_a_process_without_held_out_pictures_validates_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys.modules[__name__],
        "SETTINGS",
        (*SETTINGS[:2], "steps=2", "validate_images=1"),
    )
    process = start(tmp_path, "none", 0, TORCHRUN)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 0, errors
