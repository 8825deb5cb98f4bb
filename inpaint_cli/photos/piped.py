"""The photo that comes by standard input, PHOTO `-`: kept among the results, as any other file."""

from __future__ import annotations

import filecmp
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing

STDIN = "-"
NAME = "stdin"
"""What the photo is called, and so its results: stdin-0.png, stdin-sheet.png."""


def with_stdin(photos: Sequence[str], folder: Path, *, overwrite: bool) -> tuple[str, ...]:
    """Return the arguments with `-` replaced by a file in `folder` that holds standard input.

    folder: that of the results, so that the record names what was filled, and the same command
    goes on. UserError where nothing comes in, or where another photo has that name.
    """
    if STDIN not in photos:
        return tuple(photos)
    path = folder / NAME
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError(
            "nothing comes by standard input. Write `cat photo.png | inpaint complete - ...`, or "
            "./- for a file of that name.",
            where=STDIN,
        )
    placing = replacing(path, announce=lambda new: _check(new, path, overwrite))
    with placing as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return tuple(str(path) if photo == STDIN else photo for photo in photos)


def _check(new: Path, path: Path, overwrite: bool) -> None:
    """Raise UserError for an empty stream, or one that is not the photo that came before."""
    if not new.stat().st_size:
        raise UserError("standard input is empty: no photo came in.", where=STDIN)
    if path.exists() and not overwrite and not filecmp.cmp(new, path, shallow=False):
        raise UserError(
            "it holds another photo that came by standard input. Give another output folder, or "
            "replace it with the setting overwrite.",
            where=path,
        )
