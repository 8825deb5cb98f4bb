"""Where files go, and writing them so that nothing is half-written: temporary, flush, rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from inpaint_cli.errors import PlainError, ResourceError, UserError
from inpaint_cli.locking import hold
from inpaint_cli.parsing import too_long

NAME_BYTES = 255
"""So long a name may be on the file systems of Linux, macOS and Windows."""
PATH_BYTES = 4000
"""And so long a path, with room for the name of a temporary file."""
Stamp = tuple[int, int, int]
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}(\.[^.]*)?")
_started = time.time()
_cleaned: set[Path] = set()
"""Folders whose leftovers this process removed."""


def home() -> Path:
    """Return the folder of caches: INPAINT_HOME, else inpaint/ in XDG_CACHE_HOME or ~/.cache.

    Who has no home, or none to write to, as in many containers, gets a temporary folder of their
    own.
    """
    chosen = os.environ.get("INPAINT_HOME")
    if chosen:
        return expanded(chosen)
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return expanded(cache) / "inpaint"
    home = expanded("~")
    usual = home / ".cache" / "inpaint"
    known = home.is_absolute() and os.environ.get("HOME") != ""
    return usual if known and _can_be_made(usual) else _temporary_home()


def _can_be_made(folder: Path) -> bool:
    """Return whether a folder is there, or its home is and lets it be made."""
    if os.path.isdir(folder):  # unlike Path.is_dir, it is False too for the home of somebody else
        return True
    nearest = next(above for above in folder.parents if os.path.isdir(above))
    return nearest in folder.parents[:2] and os.access(nearest, os.W_OK | os.X_OK)


def expanded(path: str | Path) -> Path:
    """Return a path with ~ or ~NAME replaced by the home; as it is where there is none."""
    return Path(os.path.expanduser(path))


def absolute(path: Path) -> str:
    """Return the absolute path, the home folder as ~: it holds from whatever folder."""
    absolute, home = os.path.abspath(path), os.path.expanduser("~")
    is_home = len(home) > 1 and absolute.startswith(home + os.sep)
    return f"~{absolute[len(home) :]}" if is_home else absolute


def resolved(path: Path) -> Path:
    """Return where a path leads in the end; loops of links are no error, unlike in Path.resolve."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):  # ValueError: a zero byte, of a name in a damaged record
        return path


def check_utf8(path: str | Path, setting: str = "") -> None:
    """Raise UserError for a path that is no UTF-8: neither TOML nor safetensors knows others."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{path}: the path of a model, a run or its data must be UTF-8. Rename it, or give a "
            "symbolic link to it.",
            setting=setting,
        ) from None


def check_length(folder: Path, names: Iterable[str]) -> None:
    """Raise UserError where a file system cannot hold one of the names below a folder."""
    for name in names:
        for part in Path(name).parts:
            if len(os.fsencode(part)) > NAME_BYTES:
                raise UserError(
                    f"{part[:20]}...{part[-20:]}: a result would have this name of "
                    f"{len(os.fsencode(part))} bytes, and no file may have more than {NAME_BYTES}. "
                    "Give the photo a shorter name.",
                )
        if len(os.fsencode((folder / name).absolute())) > PATH_BYTES:
            raise UserError(
                f"results would have paths of more than {PATH_BYTES} bytes. Choose another output "
                "folder.",
            )


def _temporary_home() -> Path:
    folder = Path(tempfile.gettempdir(), f"inpaint-{os.getuid() if hasattr(os, 'getuid') else 0}")
    # Others may write to the folder of temporary files: what they put there is not ours to load.
    if folder.is_symlink() or (folder.exists() and not _is_mine(folder)):
        raise UserError(
            f"no home folder is known, and {folder} is another user's. Set INPAINT_HOME to a "
            "folder for caches."
        )
    return folder


def _is_mine(folder: Path) -> bool:
    state = folder.stat()
    return not hasattr(os, "getuid") or (
        state.st_uid == os.getuid() and not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


@contextmanager
def replacing(path: Path, announce: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends well.

    The temporary file has the suffix of `path`. Folders are created. If the block raises, nothing
    of it stays; what a killed process left is removed by the next one that writes there. announce:
    called with the finished temporary file before it takes its place. ResourceError where the
    place cannot be written or is full.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}{path.suffix}"
    handle = None
    try:
        _prepare_place(path)
        # Not tempfile.mkstemp: that makes files for the owner alone.
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        hold(handle, wait=False)
        mode = temporary.stat().st_mode
        if sys.platform == "win32":  # which renames nothing that is open
            os.close(handle)
            handle = None
        yield temporary
        temporary.chmod(mode)  # a library may have put a private file of its own in the place
        _flush(temporary)
        if announce:
            announce(temporary)
        temporary.replace(path)
        # Some file systems cannot flush a folder; the file is complete all the same.
        with contextlib.suppress(OSError):
            _flush(path.parent)
    except Exception as error:
        if isinstance(error, OSError) and _is_about(error, temporary, path):
            raise write_error(path, error) from error
        # By name: importing safetensors here would cost every command its time.
        if type(error).__name__ == "SafetensorError":
            raise write_error(path, _system_error(error)) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _prepare_place(path: Path) -> None:
    """Make the folder of a file that will be written, without what killed processes left."""
    # Renaming onto /dev/null or a pipe would replace the device itself.
    if path.exists() and not path.is_file():
        raise ResourceError(f"{path}: not an ordinary file, so it is not replaced.")
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean_once(path.parent)


def writing_once(
    path: Path, in_the_way: Exception, note: Callable[[str], None]
) -> AbstractContextManager[Path]:
    """Write a file as `replacing` does; raise `in_the_way` if another than that is there.

    So a command that was killed after its last write, or that is given again, ends well. note:
    told that the same file was there.
    """

    def compare(temporary: Path) -> None:
        if path.exists():
            if hash_of(path) != hash_of(temporary):
                raise in_the_way
            note(f"{path}: exists, and is the same")

    return replacing(path, compare)


def remove_leftovers(folder: Path, alone: bool = False) -> None:
    """Remove the temporary files in `folder` of processes that were killed while they wrote.

    They are older than this process, and nobody holds them. alone: all others are kept out of the
    folder, so age says nothing.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                old = alone or entry.stat(follow_symlinks=False).st_mtime < _started
                if old and _is_free(Path(entry.path)):
                    os.unlink(entry.path)


def _clean_once(folder: Path) -> None:
    folder = folder.absolute()
    if folder not in _cleaned:
        _cleaned.add(folder)
        remove_leftovers(folder)


def _is_free(path: Path) -> bool:
    """Return whether no process holds a temporary file; its age alone tells on Windows."""
    if sys.platform == "win32":
        return True
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return hold(handle, wait=False) is True
    finally:
        os.close(handle)


def is_ours(folder: Path, name: str, says_so: Callable[[Path], bool]) -> bool:
    """Return whether `name`, which a record or manifest holds, is a file that we wrote in `folder`.

    It lies inside the folder, however links lead, is an ordinary file and no link, and its content
    says so. Nothing else is ever removed or replaced.
    """
    path = folder / name
    try:
        inside = resolved(path).is_relative_to(resolved(folder))
        return inside and not path.is_symlink() and path.is_file() and says_so(path)
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that none can have
        return False


def stamp_of(path: Path) -> Stamp | None:
    """Return what changes with a file; None where there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` in one piece (see `replacing`)."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, in one piece (see `replacing`)."""
    write_bytes(path, text.encode("utf-8"))


def make_folder(path: Path) -> None:
    """Create a folder and its parents; ResourceError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def _is_about(error: OSError, temporary: Path, path: Path) -> bool:
    """Return whether `error` came from writing `path`, not from something else in the block."""
    if isinstance(error, BrokenPipeError):
        return False
    named = {os.fspath(temporary), os.fspath(path)} | {os.fspath(p) for p in path.parents}
    return error.filename is None or os.fspath(error.filename) in named


def write_error(path: Path, error: OSError) -> PlainError:
    """Return the sentence for a file or folder that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"{path}: no space left on the disk. Free some, or write elsewhere.")
    if error.errno == errno.ENAMETOOLONG:
        return too_long(path)
    return ResourceError(f"{path}: cannot be written ({error.strerror or error}).")


def _system_error(error: Exception) -> OSError:
    """Return what the system said, which safetensors has in its text alone."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))


def _flush(path: Path) -> None:
    # Windows flushes only what is open for writing, and no folder.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
