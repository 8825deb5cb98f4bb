"""Photos among several that fail: the others go on, and what failed is told at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from inpaint_cli.errors import PlainError, ResourceError
from inpaint_cli.photos.memory import is_out_of_memory
from inpaint_cli.photos.pairing import PhotoTask


@dataclass(frozen=True)
class FailedPhoto:
    """One of several photos that could not be completed."""

    photo: Path
    error: Exception

    @classmethod
    def of(cls, task: PhotoTask, error: Exception, several: bool) -> Self:
        """Return what failed; raise it where it is the only photo, or where it ends all."""
        plain = _plain(error, task.photo)
        if several and not (isinstance(error, PlainError) and error.ends_batch):
            return cls(task.photo, plain)
        if plain is error:
            raise error
        raise plain from error


def _plain(error: Exception, photo: Path) -> Exception:
    """Return an error that names the photo where it is one that people see; others as they are."""
    if is_out_of_memory(error):
        return ResourceError("out of memory. Free some, or reduce the photo.", where=photo)
    return error.within(photo) if isinstance(error, PlainError) else error
