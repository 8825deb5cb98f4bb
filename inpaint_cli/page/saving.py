"""Saving a round: the files of `inpaint complete`, byte for byte, and the mask beside them."""

from __future__ import annotations

import filecmp
import hashlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inpaint_cli import zoo
from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.files import check_length, make_folder, replacing, resolved, write_bytes
from inpaint_cli.masks.files import read_mask, write_mask
from inpaint_cli.page.drawing import Round
from inpaint_cli.page.opened import OpenedPhoto
from inpaint_cli.photos import calibration
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.holes import HoleSource
from inpaint_cli.photos.results import ResultNames, ResultWriter
from inpaint_cli.photos.windows import Mask
from inpaint_cli.pictures.writing import suffix_for
from inpaint_cli.reporting import Reporter

DIGITS = 8
"""Of the hash of a mask in the name of its file."""


class InTheWay(UserError):
    """Files are in the way of a save; `elsewhere` is a folder where none is."""

    elsewhere: str = ""
    replaceable: bool = False
    """They are results of this photo, which may be replaced."""


@dataclass(frozen=True)
class SaveOrder:
    """How a round is to be saved."""

    folder: Path
    reporter: Reporter
    chosen: int | None = None
    replace: bool = False
    """Replace results of this photo that were made in another way."""
    overwrite: bool = False
    """Replace whatever is in the way, as `inpaint complete --overwrite` does."""
    device: str = "auto"
    inputs: frozenset[Path] = frozenset()
    """Photos of rounds that were saved, resolved: never replaced."""


def mask_file(folder: Path, stem: str, visible: Mask) -> Path:
    """Return the name of a mask's file: the same content has the same name.

    So no mask is ever replaced by another one, and none is ever taken for a result.
    """
    digest = hashlib.sha256(np.packbits(~visible).tobytes()).hexdigest()
    return folder / f"{stem}-mask-{digest[:DIGITS]}.png"


def free_mask_file(folder: Path, stem: str, visible: Mask) -> Path:
    """Return the name of `mask_file`, or the next one where that file holds something else."""
    first = mask_file(folder, stem, visible)
    names = (first.with_stem(f"{first.stem}-{number}") for number in itertools.count(2))
    return next(
        path
        for path in itertools.chain([first], names)
        if not os.path.lexists(path) or _holds(path, visible)
    )


def _holds(path: Path, visible: Mask) -> bool:
    try:
        return np.array_equal(read_mask(path), visible)
    except (OSError, PlainError):
        return False


def is_same(file: Path, other: Path) -> bool:
    """Return whether two files are there and have the same content."""
    try:
        return filecmp.cmp(file, other, shallow=False)
    except OSError:
        return False


def free_folder(folder: Path) -> Path:
    """Return the first of folder/2, folder/3 ... that does not exist."""
    return next(place for n in itertools.count(2) if not (place := folder / str(n)).exists())


def place_of_upload(photo: OpenedPhoto, folder: Path) -> Path:
    """Return where an uploaded photo is written or lies already: never over another file."""
    try:
        content = photo.source.read_bytes()
    except OSError as error:
        text = "the uploaded file is gone from the folder of temporary files. Open it again."
        raise UserError(text, where=photo.name) from error
    stem, suffix = photo.path.stem, photo.path.suffix
    for number in itertools.count(1):
        path = folder / (f"{stem}-{number}{suffix}" if number > 1 else f"{stem}{suffix}")
        if not os.path.lexists(path) or (path.is_file() and path.read_bytes() == content):
            return path
    raise AssertionError


def save_round(done: Round, photo: Path, order: SaveOrder) -> dict[str, Any]:
    """Write all files of a round, as `inpaint complete` would; return what was written.

    photo: the path that the record names. InTheWay where other files are.
    """
    completed, loaded = done.completed, done.loaded
    assert completed is not None
    assert loaded is not None
    mask = free_mask_file(order.folder, photo.stem, done.visible)
    suffix = suffix_for(completed.photo)
    names = ResultNames.of(photo, Path(photo.stem), suffix, done.order.n, done.order.seed)
    writer = _writer(done, photo, mask, order)
    if done.photo.changed:
        text = f"{photo}: changed or gone since it was opened; the command needs it as it was"
        order.reporter.warn(text)
    hole = HoleSource(path=mask).fields(mask, done.photo.size, done.order.seed)
    _check(writer, names, order, lambda: writer.is_done(names, hole, completed.request))
    check_length(order.folder, [*names.all, mask.name])
    make_folder(order.folder)
    if done.photo.uploaded and not photo.exists():
        write_bytes(photo, done.photo.source.read_bytes())
    if not mask.exists():
        write_mask(mask, done.visible)
    try:
        item = writer.write(names, hole, completed, lambda units=1, text="": None)
    finally:
        writer.finish()
    return {
        "folder": str(order.folder),
        "mask": str(mask),
        "photo": str(photo),
        "files": [str(order.folder / name) for name in names.completions],
        "sheet": str(order.folder / item["sheet"]),
        "chosen": order.chosen,
        "command": done.order.command(photo, mask, order.folder, order.device),
    }


def _writer(done: Round, photo: Path, mask: Path, order: SaveOrder) -> ResultWriter:
    assert done.loaded is not None
    return ResultWriter(
        order.folder,
        done.loaded.name,
        done.loaded.weights_sha256,
        order.reporter,
        order.inputs | {resolved(photo), resolved(mask)},
        overwrite=order.overwrite,
        calibration=_calibration(done),
        stale=done.photo.changed,
        chosen=order.chosen,
    )


def _calibration(done: Round) -> Calibration | None:
    """Return the calibration that ships for a round's model, as the command takes it by itself."""
    assert done.loaded is not None
    assert done.completed is not None
    path = zoo.calibration_of(done.loaded.name)
    if path is None:
        return None
    shipped = calibration.load(path)
    return None if done.loaded.calibrated_otherwise(shipped, done.completed.request) else shipped


def _check(
    writer: ResultWriter, names: ResultNames, order: SaveOrder, is_same: Callable[[], bool]
) -> None:
    """Raise InTheWay where saving would replace what the user did not mean to."""
    try:
        writer.check(names)
    except UserError as error:
        raise _in_the_way(error, order.folder) from error
    earlier = writer.record.of_files(names.all)
    if earlier and not (order.replace or order.overwrite or is_same()):
        text = "holds another round of this photo with this seed."
        refusal = _in_the_way(UserError(text, where=order.folder), order.folder)
        refusal.replaceable = True
        raise refusal


def _in_the_way(error: UserError, folder: Path) -> InTheWay:
    refusal = InTheWay(str(error))
    refusal.elsewhere = str(free_folder(folder))
    return refusal


def write_alone(done: Round, index: int, folder: Path) -> Path:
    """Write one completion with the name and the bytes that a save gives it; return its path."""
    completed, loaded = done.kept(), done.loaded
    assert loaded is not None
    path = done.photo.path
    suffix = suffix_for(completed.photo)
    names = ResultNames.of(path, Path(path.stem), suffix, done.order.n, done.order.seed)
    quiet = Reporter(quiet=True)
    writer = ResultWriter(folder, loaded.name, loaded.weights_sha256, quiet, overwrite=True)
    target = folder / names.completions[index]
    writer.write_file(target, path, completed, completed.samples(index), index, replacing)
    return target
