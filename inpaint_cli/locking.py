"""Locks that one process holds at a time, and that the system lifts however it ends."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError


@contextmanager
def locked(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of the file `path` inside the block; UserError(`refusal`) if it is taken.

    The system lifts the lock however this process ends. Where the file system knows no locks, the
    block runs without one.
    """
    # Not through a link: a file somewhere else would be made, or be locked.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
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


@contextmanager
def alone_in(folder: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Let one process at a time, and one of its threads, into such a block; the others wait.

    The lock lies on the folder itself, so it leaves no file. waiting: called once if another
    process is in. Where the system knows no such locks, the block runs without one.
    """
    key = threading.get_ident(), os.path.realpath(folder)
    _let_go(key, _holds.get(key))
    held = _holds[key] = _Held(_opened(folder))
    try:
        if held.handle is not None and hold(held.handle, wait=False) is False:
            if waiting:
                waiting()
            hold(held.handle, wait=True)
        yield
    finally:
        _let_go(key, held)


@dataclass(eq=False)
class _Held:
    """A folder that is open, and may be locked."""

    handle: int | None
    state: os.stat_result | None = field(init=False)

    def __post_init__(self) -> None:
        self.state = None if self.handle is None else os.fstat(self.handle)


_holds: dict[tuple[int, str], _Held] = {}
"""What each thread holds of each folder.

A signal can come between the lock and its block, or before the block has let go. Whoever catches it
and wants the lock again would wait for himself, so what is left of an earlier block goes first.
"""


def _let_go(key: tuple[int, str], held: _Held | None) -> None:
    """Lift a lock, if it is still the one of its thread and folder."""
    if held is None or _holds.get(key) is not held:
        return
    if held.handle is not None and held.state is not None:
        # Closed by one who was stopped here, its number may be another file's by now.
        with suppress(OSError):
            if os.path.samestat(os.fstat(held.handle), held.state):
                os.close(held.handle)
    del _holds[key]


def hold(handle: int, wait: bool, shared: bool = False) -> bool | None:
    """Lock what is open as `handle` until it is closed; False if another process has the lock.

    shared: others may have such a lock as well. None where the system or the file system knows no
    such locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        # Not lockf: that lock would be lost with the first other handle that is closed.
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(handle, kind | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


class Shared:
    """A folder that this process uses, beside others perhaps; the last of them may remove it.

    Where the system knows no such locks, every process takes itself for the last.
    make: creates it, unless it is there.
    """

    def __init__(self, folder: Path, make: Callable[[Path], None]) -> None:
        self._handle: int | None = None
        while True:
            make(folder)
            self._handle = _opened(folder)
            if self._handle is None or hold(self._handle, wait=True, shared=True) is None:
                return
            # It may have been removed while this process waited.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._handle), folder.stat()):
                    return
            self.release()

    def is_last(self) -> bool:
        """Return whether no other process uses the folder, and let none in until it is released."""
        return self._handle is None or hold(self._handle, wait=False) is not False

    def release(self) -> None:
        """Use it no longer."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    __del__ = release


def _opened(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folder
        return None


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
