"""The commands that are killed, each with what it finds, and small models that they run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVE = """
import sys
from tests.file_server import serving
with serving() as server:
    print(server.address, flush=True)
    sys.stdin.read()
"""
INPUTS = {"photos", "pictures"}
"""Folders that no command writes to."""
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEF"
TOP = Path(__file__).parent.parent.parent


Snapshot = dict[str, bytes]


def every_file(folder: Path) -> Snapshot:
    """The content of every file, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _untimed(checkpoint: bytes) -> bytes:
    """A checkpoint without how long the training took, and so without the digest of all of it."""
    start = 8 + int.from_bytes(checkpoint[:8], "little")
    head = json.loads(checkpoint[8:start])
    progress = json.loads(head.pop("__metadata__")["progress"])
    del progress["seconds"]
    return json.dumps([head, progress]).encode() + checkpoint[start:]


def trained(folder: Path) -> Snapshot:
    """What the run that is finished holds, its log without times, and what else was left behind."""
    runs = sorted(folder.glob("runs/*"))
    done = next((run for run in reversed(runs) if (run / "model.safetensors").exists()), None)
    files = every_file(done) if done else {}
    # A signal saves a checkpoint of its own, which may be one of the two that are kept.
    *older, newest = sorted(name for name in files if name.startswith("checkpoints/pixels-0"))
    for name in older:
        del files[name]
    files[newest] = _untimed(files[newest])
    for name in ("environment.json", "config.toml", ".lock"):
        files.pop(name, None)
    lines = (json.loads(line) for line in files.pop("log.jsonl", b"").splitlines())
    steps = [(x["kind"], x["step"], x.get("loss"), x.get("figures")) for x in lines]
    told = [step for step in steps if step[0] in ("step", "validation")]
    unfinished = {
        path.relative_to(folder).as_posix(): b""
        for path in folder.rglob(".*")
        if path.name != ".lock" and path.parent != folder / "out"
    }
    return {**files, **unfinished, "log": json.dumps(told).encode()}


@dataclass(frozen=True)
class Scene:
    """One command, given in a folder that `furnish` made."""

    name: str
    command: tuple[str, ...]
    earlier: tuple[tuple[str, ...], ...] = ()
    """Commands that were given before, and ended well."""
    plain: bool = False
    """It runs without the models that `stage` brings along."""
    every: int = 1
    """The quick form is killed at each so many-th file operation only."""
    again: tuple[str, ...] = ()
    """What is given after a kill; where it is refused, or nothing stands here, the command."""
    outcome: Callable[[Path], Snapshot] = every_file
    """What of the folder is compared."""


def _complete(*more: str, n: int = 2) -> tuple[str, ...]:
    return (
        "complete",
        "--box",
        "3,3,9,9",
        "--model",
        "pretend",
        "--detail",
        "none",
        "-n",
        str(n),
        *more,
    )


RUN = ("--model", "pcnn", "--data", "pictures", "-o", "runs")
SETTINGS = (
    *("depth=2", "filters=3", "cond_filters=3", "batch_size=4", "steps=6", "ema_decay=0.9"),
    *("log_every=1", "checkpoint_every=2", "validate_every=3", "validate_images=1"),
    "sheet_images=1",
)
TINY = tuple(word for setting in SETTINGS for word in ("--set", setting))
TRACED = _complete("photos", "-r", "-o", "out", "--trace")
SCENES = (
    Scene("complete, a folder", TRACED, every=14),
    Scene(
        "complete, over other results",
        _complete("photos", "-r", "-o", "out", n=1),
        (TRACED,),
        every=14,
    ),
    Scene("complete, going on", (*TRACED, "--skip-existing"), every=14),
    Scene(
        "complete, JPEG, no text",
        _complete("photos/a.png", "-o", "out", "--format", "jpeg", "--no-metadata"),
        every=10,
    ),
    Scene("complete, one file", _complete("photos/a.png", "-o", "new/b.png", n=1), every=4),
    Scene(
        "complete, telea",
        ("complete", "photos", "--box", "3,3,9,9", "--model", "telea", "-o", "out"),
        plain=True,
        every=14,
    ),
    Scene("masks", ("masks", "-n", "3", "--size", "16", "-o", "out"), plain=True, every=10),
    Scene(
        "masks, over another set",
        ("masks", "-n", "2", "--size", "16", "--seed", "1", "-o", "out"),
        (("masks", "-n", "5", "--size", "16", "-o", "out"),),
        every=10,
    ),
    Scene("masks, one file", ("masks", "-n", "3", "--size", "16", "-o", "new/out.npz"), every=4),
    Scene(
        "score, a work folder",
        ("score", "out", "--metrics", "psnr", "--work", "work", "--json"),
        (_complete("photos", "-r", "-o", "out"),),
        every=6,
    ),
    Scene(
        "convert",
        ("convert", "--from", "tiny-foreign", "theirs.pt", "-o", "new/ours.safetensors"),
        every=4,
    ),
    Scene("models get", ("models", "get", "tried", "-o", "new"), every=6),
    Scene(
        "cache of a data set",
        ("train", "--model", "pcnn", "--data", "pictures", "--dry-run"),
        every=4,
    ),
    Scene(
        "train",
        ("train", *RUN, "--preset", "digits", "--workers", "0", "--device", "cpu", *TINY),
        plain=True,
        every=24,
        again=("train", "--resume", *RUN, "--workers", "0", "--device", "cpu"),
        outcome=trained,
    ),
)


def furnish(folder: Path) -> None:
    """Make what the commands work on, and files that are not ours and must stay."""
    import numpy as np
    from PIL import Image

    chance = np.random.default_rng(0)
    for name, count in (("photos", 1), ("photos/sub", 1), ("pictures", 30)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            values = chance.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(values).save(folder / name / f"{LETTERS[number]}.png")
    (folder / "out").mkdir()
    for name in ("out/notes.txt", "out/.mine", "out/.0123.dat"):
        (folder / name).write_text("mine")
    (folder / "theirs.pt").write_bytes(_foreign_weights())


def _foreign_weights() -> bytes:
    import io

    import torch

    from inpaint_cli import models

    torch.manual_seed(0)
    family = models.get("tiny")
    file = io.BytesIO()
    torch.save(family.build(family.presets["wide"]).state_dict(), file)  # type: ignore[attr-defined]
    return file.getvalue()


@contextmanager
def stage() -> Iterator[None]:
    """Load what commands need, once, and put quick models in the place of trained ones."""
    import cv2
    import pytest
    import torch

    from inpaint_cli import api, contestants
    from inpaint_cli.zoo.published import PUBLISHED, Published
    from tests import pretend_model, tiny_family

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        cwd=TOP,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    real = api.load_model

    def load_model(name: str, *more: str, **options: Any) -> api.LoadedModel:
        return pretend_model.loaded(16) if name == "pretend" else real(name, *more, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INPAINT_HOME", "home")
        tiny_family.register(patch)
        patch.setitem(PUBLISHED, "tried", Published("tried", "vdvae", "x/model.th", address))
        patch.setattr(api, "load_model", load_model)
        patch.setattr(contestants, "load_model", load_model)
        _warm()
        yield
    server.communicate()


def _warm() -> None:
    """Give most commands once, so that no child has to import or compile anything."""
    from click.testing import CliRunner

    from inpaint_cli.cli import main

    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        furnish(Path())
        for scene in SCENES:
            if scene.name != "models get":  # a connection does not outlive a fork
                for command in (*scene.earlier, scene.command):
                    CliRunner().invoke(main, command)
