"""A lock that one process holds at a time, by way of a file that stays empty."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError


@contextmanager
def locked(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of the file `path` inside the block; UserError(`refusal`) if it is taken.

    The system lifts the lock however this process ends. Where the file system knows no locks, the
    block runs without one.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _lock(handle)
        except (BlockingIOError, PermissionError):
            raise UserError(refusal) from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    """Take the lock of an open file; PermissionError or BlockingIOError if another has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        msvcrt: Any = importlib.import_module("msvcrt")
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        # Not flock: a process that prepares batches would inherit that, and outlive this one.
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
