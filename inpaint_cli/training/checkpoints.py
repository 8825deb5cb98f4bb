"""Checkpoints: all that a resumed run needs, in one safetensors file that is written in one piece.

Random state is not among it: every stream is keyed by seed, epoch and sample.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from inpaint_cli import tensors as sealed
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.training.optimisation import Optimiser

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
    changes: int = 0
    """Sittings of the run with accepted changes, up to the one that `best` is of."""


@dataclass
class Checkpoint:
    """The tensors of a training: "model/...", "average/...", "optimiser/GROUP/..."."""

    progress: Progress
    tensors: Mapping[str, Tensor]
    weights_header: Mapping[str, str] = field(default_factory=dict)
    """What the run's weight file says of its stages, from which that can be made again."""
    is_whole: bool = False
    """Its digest was compared; files of earlier versions have none."""

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors below `prefix`, which is left out of their names."""
        cut = len(prefix) + 1
        return {n[cut:]: t for n, t in self.tensors.items() if n.startswith(f"{prefix}/")}


class DamagedCheckpoint(Exception):
    """A checkpoint that is not what was written; the text says what is wrong with it."""


def path_of(folder: Path, stage: str, step: int) -> Path:
    """Return the file of a checkpoint."""
    return folder / f"{stage}-{step:08d}.safetensors"


def best_path(folder: Path, stage: str) -> Path:
    """Return the file of the best weights, a model like any other."""
    return folder / f"{stage}-best.safetensors"


def paths(folder: Path, stage: str = "*") -> list[Path]:
    """Return the checkpoints of a stage, or of all, the newest last."""
    return sorted(folder.glob(f"{stage}-{'[0-9]' * 8}.safetensors"))


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint; the older ones but the last two go."""
    progress = checkpoint.progress
    path = path_of(folder, progress.stage, progress.step)
    tensors = {n: t.detach().cpu().contiguous() for n, t in checkpoint.tensors.items()}
    header = {
        "format": FORMAT,
        "progress": json.dumps(dataclasses.asdict(progress)),
        "weights": json.dumps(dict(checkpoint.weights_header)),
    }
    sealed.save(path, _unshared(tensors), header)
    prune(folder, progress.stage)
    return path


def prune(folder: Path, stage: str) -> None:
    """Remove the checkpoints of a stage but the last two."""
    for old in paths(folder, stage)[:-KEPT]:
        old.unlink(missing_ok=True)


def load_newest(
    folder: Path,
    stage: str,
    expected: Mapping[str, Tensor],
    optimisers: Sequence[Optimiser],
    reporter: Reporter,
) -> Checkpoint | None:
    """Return the newest whole checkpoint of a stage, None if there is none at all.

    expected, optimisers: the tensors of a training by the run's settings before its first step, and
    its optimisers, to which the file must fit. UserError where it does not, or none is whole.
    """
    saved = paths(folder, stage)
    for path in reversed(saved):
        try:
            checkpoint = load(path, reporter)
            if checkpoint.progress.stage != stage:
                raise DamagedCheckpoint(f"it is of the stage '{checkpoint.progress.stage}'")
            _check_fit(path, checkpoint, expected)
            _check_optimisers(path, checkpoint, optimisers)
            return checkpoint
        except DamagedCheckpoint as error:
            after = "; the checkpoint before it is taken" if path != saved[0] else ""
            reporter.warn(f"{path}: damaged ({error}){after}.")
    if saved:
        raise UserError(f"{folder}: no checkpoint of '{stage}' can be read. Start a new run.")
    return None


def load(path: Path, reporter: Reporter) -> Checkpoint:
    """Return a checkpoint whose own parts are right. DamagedCheckpoint where they are not."""
    if not path.is_file():
        raise DamagedCheckpoint("no ordinary file, nor a link to one")
    try:
        with safe_open(path, framework="pt") as handle:
            header: dict[str, Any] = handle.metadata() or {}
        if header.get("format", FORMAT) != FORMAT:
            raise UserError(f"{path}: a checkpoint of another version of inpaint.")
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DamagedCheckpoint(str(error)) from error
    try:
        sealed.check(path)
    except UserError as error:
        raise DamagedCheckpoint("its content is not what was written") from error
    if not is_finite(tensors):
        raise DamagedCheckpoint("it holds values that are no numbers")
    progress, unknown = _progress(header)
    if unknown:
        reporter.warn(f"{path}: {', '.join(unknown)}: left out, unknown to this version.")
    return Checkpoint(
        progress, tensors, _table(header.get("weights", "{}")), sealed.DIGEST in header
    )


def is_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether no floating tensor holds NaN or infinity."""
    return all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point())


def _progress(header: Mapping[str, str]) -> tuple[Progress, list[str]]:
    """Return the progress, and the names beside it that mean nothing here."""
    table = _table(header.get("progress", ""))
    names = {entry.name for entry in dataclasses.fields(Progress)}
    progress = Progress(**{"stage": "", **{n: v for n, v in table.items() if n in names}})
    numbers = [progress.step, progress.updates, progress.validated]
    numbers += [progress.best_step, progress.changes]
    best = 0.0 if progress.best is None else progress.best
    figures = [progress.seconds, best]
    if (
        not isinstance(progress.stage, str)
        or not all(type(number) is int and number >= 0 for number in numbers)
        or not all(type(figure) in (int, float) and math.isfinite(figure) for figure in figures)
    ):
        raise DamagedCheckpoint("its progress is not readable")
    return progress, sorted(table.keys() - names)


def _table(text: str) -> dict[str, Any]:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise DamagedCheckpoint("its header is not readable")
    return table


def _check_fit(path: Path, checkpoint: Checkpoint, expected: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and types.

    UserError where it is of other settings, DamagedCheckpoint where parts are missing.
    """
    there = {n: t for n, t in checkpoint.tensors.items() if not n.startswith("optimiser/")}
    for name in expected.keys() & there.keys():
        ours, theirs = expected[name], there[name]
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise _misfit(
                path, f"'{name}' is {_kind(theirs)} there, and {_kind(ours)} by the settings"
            )
    missing, beyond = sorted(expected.keys() - there.keys()), sorted(there.keys() - expected.keys())
    if beyond:
        raise _misfit(path, f"'{beyond[0]}' stands there, but in no model of these settings")
    if missing and checkpoint.is_whole:
        raise _misfit(path, f"'{missing[0]}' is missing there")
    if missing:
        raise DamagedCheckpoint(f"'{missing[0]}' is missing")


def _check_optimisers(path: Path, checkpoint: Checkpoint, optimisers: Sequence[Optimiser]) -> None:
    for optimiser in optimisers:
        state = checkpoint.part(f"optimiser/{optimiser.name}")
        if not state and checkpoint.progress.updates:
            raise DamagedCheckpoint(f"the state of the optimiser '{optimiser.name}' is missing")
        fault = optimiser.misfit(state)
        if fault and checkpoint.is_whole:
            raise _misfit(path, fault)
        if fault:
            raise DamagedCheckpoint(fault)


def _misfit(path: Path, what: str) -> UserError:
    return UserError(
        f"{path}: config.toml does not fit this checkpoint ({what}). Put back the settings with "
        "which the run began."
    )


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors that share memory (tied weights), which safetensors refuses."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        shared = tensor.untyped_storage().data_ptr() in seen
        seen.add(tensor.untyped_storage().data_ptr())
        result[name] = tensor.clone() if shared else tensor
    return result
