"""stdout and stderr: readers that leave do not end the work, and names cannot steer a terminal."""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

_UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, what turns the direction of writing, and bytes that are no text."""
_ESCAPED_BYTES = 0xDC00
"""Python keeps the byte B of a name that is no text as the character 0xDC00 + B (PEP 383)."""


def shown(text: object) -> str:
    r"""Return a text, or a path, as it may stand in a message: one line of printable characters.

    >>> print(shown("a\x1b[31m.png"), shown(os.fsdecode(b"caf\xe9.png")), shown("été.png"))
    a\x1b[31m.png caf\xe9.png été.png
    """
    return _UNSHOWN.sub(_escaped, str(text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0x80 <= code - _ESCAPED_BYTES <= 0xFF:
        code -= _ESCAPED_BYTES
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def whole_json(text: str) -> str:
    r"""Return a JSON document as valid UTF-8: bytes of names that are no text become `\udcXX`.

    Reading it gives the same names back.
    """
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


class _Outliving(io.FileIO):
    """The raw end of a standard stream, silent once nobody reads it.

    heeded: what is written is a result, so the first other error, such as a full disk, is raised.
    """

    def __init__(self, handle: int, heeded: bool) -> None:
        super().__init__(handle, "w", closefd=False)
        self._heeded, self._gone = heeded, False

    def write(self, data: Any, /) -> int:
        """Write to the reader, or nowhere if there is none."""
        if not self._gone:
            try:
                return super().write(data)
            except OSError as error:
                self._gone = True
                if self._heeded and not isinstance(error, BrokenPipeError):
                    raise OSError(error.errno, error.strerror, sys.stdout.name) from error
        return memoryview(data).nbytes


def outlive_readers() -> None:
    """Make stdout and stderr of this process such that no reader who left ends the work.

    A stream that was closed before the start (`2>&-`) leads nowhere: otherwise the next file that
    is opened would get its number, and the remarks.
    """
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = _outliving(sys.stdout, 1, heeded=True)
    sys.stderr = _outliving(sys.stderr, 2, heeded=False)


def _outliving(stream: TextIO | None, handle: int, heeded: bool) -> TextIO:
    """Return a stream to the same place; consoles of Windows and captured streams stay."""
    if stream is None:
        encoding, by_line = "utf-8", True
    elif isinstance(stream, io.TextIOWrapper) and type(_raw(stream)) is io.FileIO:
        with suppress(OSError):
            stream.flush()
        handle, encoding, by_line = stream.fileno(), stream.encoding, stream.line_buffering
    else:
        return stream
    raw = _Outliving(handle, heeded)
    raw.name = f"<{'stdout' if heeded else 'stderr'}>"
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding,
        # File names that are no text come back out of stdout as the bytes they are.
        "surrogateescape" if heeded else "backslashreplace",
        line_buffering=by_line,
        write_through=not heeded,
    )


def _raw(stream: io.TextIOWrapper) -> object:
    return getattr(stream.buffer, "raw", stream.buffer)  # itself, with PYTHONUNBUFFERED
