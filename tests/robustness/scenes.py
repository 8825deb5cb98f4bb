"""The commands that are killed, each with what it finds, and small models that they run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
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

    from inpaint_cli import api
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
