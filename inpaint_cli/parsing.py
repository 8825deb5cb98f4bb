"""JSON and TOML from files that anybody may have written: one sentence for whatever is wrong."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import tomllib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

from inpaint_cli.errors import UserError

MOST_BYTES = 1 << 28
"""A text file above this is not read: no record or config comes near it."""
MOST_DIGITS = 4300
"""Python reads no whole number of more digits, which would take for ever."""
BYTE_ORDER_MARK = "\ufeff"
"""What editors on Windows put before a text."""


def open_regular(path: Path) -> BinaryIO:
    """Return a file opened for reading; OSError for a pipe or a device, which might never end."""
    # Without O_NONBLOCK the opening of a pipe waits until somebody writes.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def check_regular(path: Path) -> None:
    """Raise OSError where `open_regular` does, before a library opens the file and waits."""
    open_regular(path).close()


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what is in a regular file; OSError for another, and above `most` bytes."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB", str(path))
        return file.read()


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return a text file; UserError where it is none, or above `most` bytes."""
    try:
        return read_bytes(path, most).decode("utf-8")
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise too_long(path) from error
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file ({error}).") from error


def json_of(text: str | bytes, where: str | Path, complaint: str = "damaged JSON") -> Any:
    """Return what a JSON text says; UserError about `where` if it says nothing."""
    return _parsed(json.loads, text, f"{where}: {complaint}")


def toml_of(text: str, where: str | Path) -> dict[str, Any]:
    """Return what a TOML text says; UserError about `where` if it says nothing."""
    table: dict[str, Any] = _parsed(
        tomllib.loads, text.removeprefix(BYTE_ORDER_MARK), f"{where}: not a TOML file"
    )
    return table


P = ParamSpec("P")
R = TypeVar("R")


def too_long(name: object) -> UserError:
    """Return the error for a name that no file can have."""
    return UserError(f"{brief(name)}: no file can have so long a name.")


def telling_long_names(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function so that a name that no file can have is a UserError.

    Where such a name is met depends on what else is looked for, and no system says it but this way.
    """

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise too_long(error.filename) from None

    return call


def brief(value: object, most: int = 60) -> str:
    """Return a value as a message quotes it: on one line, and cut where it is long.

    >>> brief("9" * 100, 8)
    '99999999...'
    """
    try:
        text = str(value)
    except ValueError:  # a whole number of too many digits
        return f"a number of more than {MOST_DIGITS} digits"
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}..."


def _parsed(loads: Callable[[Any], Any], text: str | bytes, complaint: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:  # both kinds of DecodeError are ValueErrors
        plain = text if isinstance(text, str) else text.decode("utf-8", "replace")
        reason = _too_long(plain) or brief(error, 200)
        raise UserError(f"{complaint} ({reason}).") from error


def _too_long(text: str) -> str:
    """Return which setting has a number of too many digits; "" where none has."""
    digits = re.search(rf"\d{{{MOST_DIGITS + 1}}}", text)
    if not digits:
        return ""
    names = re.findall(
        r"([\w-]+)\\?[\"']?\s*[=:]", text[max(digits.start() - 1000, 0) : digits.start()]
    )
    what = f"{names[-1]} is " if names else ""
    return f"{what}a number of more than {MOST_DIGITS} digits"
