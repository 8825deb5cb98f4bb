"""Runs of the fake families inside the test's own process, and comparisons of what they left."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from inpaint_cli.reporting import Reporter
from inpaint_cli.training.folder import RunFolder, create, open_existing
from inpaint_cli.training.recipe import RecipeChoices
from inpaint_cli.training.run import Machine, TrainingRun
from inpaint_cli.training.stopping import TIME_IS_UP, Stop

SCRIPT = "tests.training.fake_data"
TOP = Path(__file__).parents[2]
CPU = Machine("cpu")


class StopAt(Stop):
    """Stops after so many steps of this sitting."""

    def __init__(self, steps: int, reason: int = TIME_IS_UP) -> None:
        super().__init__()
        self.steps, self.why = steps, reason

    @property
    def reason(self) -> int:
        self.steps -= 1
        return self.why if self.steps <= 0 else 0


def session(
    runs: Path, *settings: str, model: str = "fake", machine: Machine = CPU, seed: int = 0
) -> TrainingRun:
    choices = RecipeChoices(model, ["noise"], "small", settings=settings, seed=seed)
    recipe = choices.recipe()
    return TrainingRun(recipe, create(runs, recipe), machine, Reporter(quiet=True))


def resumed(folder: RunFolder, machine: Machine = CPU) -> TrainingRun:
    same_folder, recipe = open_existing(folder.path)
    return TrainingRun(recipe, same_folder, machine, Reporter(quiet=True))


def log_of(folder: RunFolder, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in folder.log.read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def assert_same_files(one: RunFolder, other: RunFolder) -> None:
    """Every tensor of every file is the same, bit for bit."""
    files = sorted(path.relative_to(one.path) for path in one.path.rglob("*.safetensors"))
    assert files == sorted(p.relative_to(other.path) for p in other.path.rglob("*.safetensors"))
    for file in files:
        a, b = load_file(one.path / file), load_file(other.path / file)
        assert a.keys() == b.keys()
        differing = [name for name in a if not a[name].equal(b[name])]
        assert not differing, f"{file}: {differing}"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1"}


def command(*arguments: str, launcher: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Starts `inpaint train` with the fakes in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", SCRIPT, "train", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def torchrun(processes: int) -> list[str]:
    """Return the words that start a command in so many processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        *("-m", "torch.distributed.run", "--nnodes=1", f"--nproc-per-node={processes}"),
        *("--master-addr=127.0.0.1", f"--master-port={port}"),
    ]
