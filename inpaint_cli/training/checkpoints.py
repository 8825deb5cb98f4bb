"""Checkpoints: all that a resumed run needs, in one safetensors file that is written in one piece.

Random state is not among it: every stream is keyed by seed, epoch and sample.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.reporting import Reporter
from inpaint_cli.tensor_writing import write_tensors

FORMAT = "1"
KEPT = 2


@dataclass
class Progress:
    """How far a stage is."""

    stage: str
    step: int = 0
    """Optimiser steps done."""
    updates: int = 0
    """Steps that were not skipped."""
    validated: int = 0
    """The step of the last validation."""
    best: float | None = None
    """The lowest validation figure so far."""
    best_step: int = 0
    seconds: float = 0.0
    """Time trained, over all sittings."""


@dataclass
class Checkpoint:
    """The tensors of a training: "model/...", "average/...", "optimiser/GROUP/..."."""

    progress: Progress
    tensors: Mapping[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors below `prefix`, which is left out of their names."""
        cut = len(prefix) + 1
        return {n[cut:]: t for n, t in self.tensors.items() if n.startswith(f"{prefix}/")}


def path_of(folder: Path, stage: str, step: int) -> Path:
    """Return the file of a checkpoint."""
    return folder / f"{stage}-{step:08d}.safetensors"


def best_path(folder: Path, stage: str) -> Path:
    """Return the file of the best weights, a model like any other."""
    return folder / f"{stage}-best.safetensors"


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint; the older ones but the last two go."""
    progress = checkpoint.progress
    path = path_of(folder, progress.stage, progress.step)
    tensors = {n: t.detach().cpu().contiguous() for n, t in checkpoint.tensors.items()}
    header = {"format": FORMAT, "progress": json.dumps(dataclasses.asdict(progress))}
    with replacing(path) as temporary:
        write_tensors(temporary, _unshared(tensors), header)
    for old in _files(folder, progress.stage)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def load_newest(folder: Path, stage: str, reporter: Reporter) -> Checkpoint | None:
    """Return the newest checkpoint of a stage that can be read, None if there is none at all."""
    paths = _files(folder, stage)
    for path in reversed(paths):
        try:
            return _load(path)
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            reporter.warn(f"{path}: damaged ({error}); the checkpoint before it is taken.")
    if paths:
        raise UserError(f"{folder}: no checkpoint of '{stage}' can be read. Start a new run.")
    return None


def is_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether no floating tensor holds NaN or infinity."""
    return all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point())


def _load(path: Path) -> Checkpoint:
    with safe_open(path, framework="pt") as handle:
        header: dict[str, Any] = handle.metadata() or {}
    if header.get("format") != FORMAT:
        raise UserError(f"{path}: a checkpoint of another version of inpaint.")
    return Checkpoint(Progress(**json.loads(header["progress"])), load_file(path))


def _files(folder: Path, stage: str) -> list[Path]:
    return sorted(folder.glob(f"{stage}-{'[0-9]' * 8}.safetensors"))


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors that share memory (tied weights), which safetensors refuses."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        shared = tensor.untyped_storage().data_ptr() in seen
        seen.add(tensor.untyped_storage().data_ptr())
        result[name] = tensor.clone() if shared else tensor
    return result
