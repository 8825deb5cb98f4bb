"""The run folder: its numbered name, its files, and the lock that keeps two trainers apart."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint_cli import __version__
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.files import make_folder, write_text
from inpaint_cli.training.recipe import Recipe, from_file
from inpaint_cli.weights import read_header


@dataclass(frozen=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def config(self) -> Path:
        """Gives the file from which the run can be repeated."""
        return self.path / "config.toml"

    @property
    def log(self) -> Path:
        """Gives the log, one JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def samples(self) -> Path:
        """Gives the folder of the sheets of held-out completions."""
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        """Gives the folder of what a resumed run needs."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """Gives the file of the trained model."""
        return self.path / "model.safetensors"

    def finished_stages(self) -> list[str]:
        """Gives the stages that are finished, in their order."""
        return [name for name in self._header().get("stages", "").split(",") if name]

    def stage_trained_further(self) -> str | None:
        """Gives the stage that starts from the weight file, which holds it trained already."""
        return self._header().get("further")

    def stage_in_progress(self) -> str | None:
        """Gives the stage whose unfinished weights the weight file holds."""
        return self._header().get("in_progress")

    def _header(self) -> dict[str, str]:
        return read_header(self.weights) if self.weights.is_file() else {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second trainer out; the system lifts the lock however this process ends."""
        handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            # Not flock: a process that prepares batches would inherit that, and outlive this one.
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(handle)
            raise UserError(f"{self.path}: another process is training in this folder.") from None
        except OSError:
            pass  # a file system without locks
        try:
            yield
        finally:
            os.close(handle)

    def clean(self) -> None:
        """Removes the temporary files of a process that was killed while it wrote."""
        for folder in (self.path, self.checkpoints, self.samples):
            for pattern in (".*.safetensors", ".*.toml", ".*.json", ".*.jsonl", ".*.png"):
                for path in folder.glob(pattern):
                    path.unlink(missing_ok=True)


def create(runs: Path, recipe: Recipe) -> RunFolder:
    """Makes the next folder NNNN-MODEL-DATA of `runs`, with its config.toml."""
    make_folder(runs)
    label = "+".join(_label(source) for source in recipe.data)[:60]
    number = max((number for number, _ in _numbered(runs)), default=0) + 1
    while True:
        path = runs / f"{number:04d}-{recipe.model}-{label}"
        if not any(taken == number for taken, _ in _numbered(runs)):
            try:
                path.mkdir()
                break
            except FileExistsError:
                pass
            except OSError as error:
                raise ResourceError(f"{path}: cannot be made ({error.strerror}).") from error
        number += 1
    folder = RunFolder(path)
    write_text(folder.config, recipe.to_toml())
    return folder


def open_existing(path: Path) -> tuple[RunFolder, Recipe]:
    """Gives the run folder `path` and its recipe. UserError if it is not one."""
    folder = RunFolder(path)
    if not folder.config.is_file():
        raise UserError(f"--resume: {path} is not a run folder (it holds no config.toml).")
    return folder, from_file(folder.config)


def newest(runs: Path, model: str | None, data: Sequence[str]) -> Path:
    """Gives the newest run of that model and data in `runs`. UserError if there is none."""
    for _, path in sorted(_numbered(runs), reverse=True):
        try:
            recipe = from_file(path / "config.toml")
        except UserError:
            continue
        if model in (None, recipe.model) and tuple(data) in ((), recipe.data):
            return path
    what = " ".join(filter(None, [model, *data])) or "anything"
    raise UserError(f"--resume: no run of {what} in {runs}/. Start one without --resume.")


def write_environment(folder: RunFolder, device: str, facts: Mapping[str, Any]) -> None:
    """Writes environment.json: versions, machine, command line; the home folder appears as ~."""
    import numpy as np
    import torch

    home = os.path.expanduser("~")
    arguments = [a.replace(home, "~") if len(home) > 1 else a for a in sys.argv[1:]]
    environment = {
        "inpaint": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "device_name": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "command": ["inpaint", *arguments],
        **facts,
    }
    write_text(folder.path / "environment.json", json.dumps(environment, indent=2) + "\n")


def _numbered(runs: Path) -> list[tuple[int, Path]]:
    if not runs.is_dir():
        return []
    found = ((re.match(r"(\d{4,})-", path.name), path) for path in runs.iterdir())
    return [(int(match[1]), path) for match, path in found if match and path.is_dir()]


def _label(source: str) -> str:
    """Gives the part of a folder name that stands for a data source.

    >>> _label("/home/me/My photos.zip")
    'my-photos'
    """
    return re.sub(r"[^a-z0-9]+", "-", Path(source).stem.lower()).strip("-") or "data"
