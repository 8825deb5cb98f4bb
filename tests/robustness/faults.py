"""Processes that end in the middle: a kill, or a full disk, at a file operation of one's choice.

A child is forked from a warm parent, so that a thousand kills take minutes, not hours. It is a
process of its own and is killed by the system.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link"}
"""Audit events of operations that alter a folder; `open` does so for some flags."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
Fault = Callable[[], None]
"""What a child does first, so that it comes to a bad end later."""


class Operations:
    """Counts the file operations below a folder, and calls `act` at number `at` (and after)."""

    def __init__(self, folder: Path, at: int, act: Callable[[str, str], None]) -> None:
        self.folder, self.at, self.act, self.count = str(folder), at, act, 0
        self._busy = False

    def install(self) -> None:
        """Listen from now on; there is no way back, so a child calls this."""
        sys.addaudithook(self._hear)
        flush = os.fsync

        def fsync(handle: int) -> None:
            self._next("fsync", "")
            flush(handle)

        os.fsync = fsync  # type: ignore[assignment]

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & WRITING:
                return
        elif event in CHANGING:
            path = arguments[0]
        else:
            return
        if not isinstance(path, int) and os.path.abspath(os.fsdecode(path)).startswith(self.folder):
            self._next(event, os.fsdecode(path))

    def _next(self, event: str, path: str) -> None:
        if not self._busy:
            self.count += 1
            self._busy = True
            try:
                if self.count >= self.at:
                    self.act(event, path)
            finally:
                self._busy = False


def kill_at(folder: Path, number: int) -> Fault:
    """Return the fault of a child that is killed before its operation `number` below a folder."""
    return Operations(folder, number, lambda *_: os.kill(os.getpid(), signal.SIGKILL)).install


def full_from(folder: Path, number: int) -> Fault:
    """Return the fault of a disk that is full from operation `number` on: nothing grows there."""

    def refuse(event: str, path: str) -> None:
        if event in ("open", "os.mkdir", "fsync"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path or None)

    return Operations(folder, number, refuse).install


def counting(folder: Path, into: Path) -> Fault:
    """Return what makes a child write down how many operations it took, and nothing worse."""
    operations = Operations(folder, sys.maxsize, lambda *_: None)

    def install() -> None:
        operations.install()
        end = os._exit

        def leave(code: int) -> None:
            operations._busy = True
            into.write_text(str(operations.count))
            end(code)

        os._exit = leave  # type: ignore[assignment]

    return install


def start(arguments: Sequence[str], folder: Path, log: Path, fault: Fault | None = None) -> int:
    """Run `inpaint ARGUMENTS` in a folder, in a child whose number is returned."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _redirect(log)
            os.chdir(folder)
            code = _run(arguments, fault)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child


def end_of(child: int) -> int:
    """Wait for a child; return its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _redirect(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def _run(arguments: Sequence[str], fault: Fault | None) -> int:
    from inpaint_cli import cli, files

    # As of a process that begins now, and has not cleaned anything.
    files._started = time.time()
    files._cleaned.clear()
    sys.argv = ["inpaint", *arguments]
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if fault:
        fault()
    try:
        cli.run()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0
