"""completions.part.jsonl: what was written to a folder of results since its record was.

One line a file and one a photo, appended and flushed before the file takes its place: a killed run
loses nothing, and the cost of a photo does not grow with their number. The end of a run moves the
lines into the record (`record.Record.finish`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.files import write_error, write_text
from inpaint_cli.parsing import open_regular

NAME = "completions.part.jsonl"
LONGEST_HEAD = 200
HEAD = {"inpaint": "what completions.json does not list yet", "schema": 1}
Line = Mapping[str, Any]


@dataclass
class Journal:
    """The journal of one folder, which several processes may append to in turn."""

    path: Path
    _inode: int | None = None
    _read: int = 0
    """Bytes that `unread` returned."""

    def append(self, line: Line) -> None:
        """Add a line, so that it is on the disk; all of it or nothing."""
        if not self.path.exists():
            write_text(self.path, _dump(HEAD))
        try:
            with self.path.open("r+b") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(end - 1)
                # A killed process may have left half a line.
                between = b"" if file.read() == b"\n" else b"\n"
                try:
                    file.write(between + _dump(line).encode())
                    file.flush()
                    os.fsync(file.fileno())
                except BaseException:
                    with suppress(OSError):
                        file.truncate(end)
                    raise
        except OSError as error:
            raise write_error(self.path, error) from error

    def open(self) -> None:
        """Begin at the first line. UserError if there is a file that is no journal of ours."""
        self._inode, self._read = None, 0
        try:
            with open_regular(self.path) as file:
                head = file.readline(LONGEST_HEAD)
                self._inode = os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            return
        except OSError as error:
            raise UserError(
                f"cannot be read ({error.strerror}). Choose another output folder.", where=self.path
            ) from error
        if self.path.is_symlink() or _load(head) != HEAD:
            raise UserError("not ours. Choose another output folder.", where=self.path)

    def unread(self) -> list[Line] | None:
        """Return the lines since the last call; None where it is another file than was opened."""
        try:
            with open_regular(self.path) as file:
                state = os.fstat(file.fileno())
                if state.st_ino != self._inode or state.st_size < self._read:
                    return None
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return [] if self._inode is None else None
        except OSError:
            return None  # `open` says why
        # Half a line is being written, or will never be whole.
        new = new[: new.rfind(b"\n") + 1]
        self._read += len(new)
        return [line for line in map(_load, new.splitlines()) if line]

    def rewrite(self, lines: Iterable[Line]) -> None:
        """Keep these lines alone; without any the file goes."""
        text = "".join(map(_dump, lines))
        if text:
            write_text(self.path, _dump(HEAD) + text)
        else:
            self.path.unlink(missing_ok=True)


def _dump(line: Line) -> str:
    return json.dumps(line) + "\n"


def _load(text: bytes) -> dict[str, Any]:
    """Return a line; an empty one where it is damaged."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}
