"""Where images come from: a folder, a zip, a tar, all read in place; nothing is ever extracted."""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy.typing as npt

from inpaint_cli.data import folders
from inpaint_cli.data.split_words import NOTHING_SAID, SplitMap
from inpaint_cli.data.splits import Member
from inpaint_cli.errors import UserError
from inpaint_cli.files import resolved

Raw = bytes | npt.NDArray[Any] | Exception
"""A file, an array [H, W] or [H, W, C], or why there is neither."""

_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k")
_PLAIN = (".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".tga")
_PACKED = (".png", ".apng", ".webp", ".avif", ".gif", ".tif", ".tiff")
SUFFIXES = frozenset((*_JPEG, *_PLAIN, *_PACKED))
"""Files of other suffixes are not taken for images."""
ARCHIVES = (".zip", ".npz", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz")
DAMAGED = (zipfile.BadZipFile, zlib.error)
UNREADABLE = (tarfile.TarError, EOFError, OSError, lzma.LZMAError, *DAMAGED)
"""What a damaged tar file raises, here or further on."""
LARGEST_FILE_BYTES = 1 << 30
"""A larger file inside an archive is skipped unread: it would not fit beside the rest."""


@dataclass(frozen=True)
class Listing:
    """The images of a source, and how many other files it holds."""

    members: list[Member]
    ignored: int = 0
    remarks: tuple[str, ...] = ()
    """What was made of its folders or arrays, a sentence each."""
    used: frozenset[str] = frozenset()
    """The entries of the split map that were about something here."""


class Source(Protocol):
    """Images before they are decoded."""

    @property
    def name(self) -> str:
        """What people call it."""

    def fingerprint(self) -> list[Any]:
        """Return JSON-able data that changes when the content does; cheap, nothing is decoded."""

    def listing(self) -> Listing:
        """Return all images. UserError if the source itself is broken."""

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        """Yield `members`, in an order of the source's own; one that fails with its exception."""


@dataclass(frozen=True)
class Folder:
    """Images in a folder and its sub-folders; hidden files and folders are left out."""

    path: Path
    said: SplitMap = NOTHING_SAID

    @property
    def name(self) -> str:
        return resolved(self.path).name

    @cached_property
    def _files(self) -> list[tuple[str, int, int]]:
        """All files as (relative name, bytes, time of change), by name."""
        files = []
        for folder in _folders(self.path):
            below = folder.relative_to(self.path).as_posix()
            prefix = "" if below == "." else f"{below}/"
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.name.startswith(".") and _is_file(entry):
                        files.append((prefix + entry.name, *_state(entry.stat())))
        return sorted(files)

    def fingerprint(self) -> list[Any]:
        return ["folder", str(resolved(self.path)), self._files]

    def listing(self) -> Listing:
        return _listing([name for name, _, _ in self._files], unwrap=False, said=self.said)

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        for member in members:
            try:
                yield member, (self.path / member.key).read_bytes()
            except OSError as error:
                yield member, error


@dataclass(frozen=True)
class Zip:
    """Images in a zip file."""

    path: Path
    said: SplitMap = NOTHING_SAID

    @property
    def name(self) -> str:
        return stem(self.path)

    def fingerprint(self) -> list[Any]:
        return ["zip", *identity(self.path)]

    def listing(self) -> Listing:
        with open_zip(self.path) as archive:
            return _listing(
                [info.filename for info in archive.infolist() if not info.is_dir()],
                unwrap=True,
                said=self.said,
            )

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        with open_zip(self.path) as archive:
            for member in members:
                try:
                    if archive.getinfo(member.key).file_size > LARGEST_FILE_BYTES:
                        raise ValueError("larger than 1 GiB")
                    yield member, archive.read(member.key)
                # RuntimeError: encrypted; NotImplementedError: a compression not known here.
                except (OSError, ValueError, EOFError, RuntimeError, *DAMAGED) as error:
                    yield member, error


@dataclass(frozen=True)
class Tar:
    """Images in a tar file, compressed or not; read in the order of the file."""

    path: Path
    said: SplitMap = NOTHING_SAID

    @property
    def name(self) -> str:
        return stem(self.path)

    def fingerprint(self) -> list[Any]:
        return ["tar", *identity(self.path)]

    def listing(self) -> Listing:
        with self._open() as archive:
            return _listing(
                [info.name for info in archive if info.isfile()], unwrap=True, said=self.said
            )

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        wanted = {member.key: member for member in members}
        with self._open() as archive:
            for info in archive:
                member = wanted.pop(info.name, None) if info.isfile() else None
                if member:
                    yield member, _of_tar(archive, info)
        for member in wanted.values():
            yield member, ValueError("gone from the archive while it was read")

    def _open(self) -> _TarReader:
        return _TarReader(self.path)


class _TarReader:
    """A tar file opened as a stream, whose damage becomes a UserError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> tarfile.TarFile:
        try:
            # A stream: a seek backwards in a compressed file would start from its beginning.
            self._tar = tarfile.open(self.path, "r|*")
        except UNREADABLE as error:
            raise damaged(self.path, error) from error
        return self._tar

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._tar.close()
        if isinstance(error, UNREADABLE):
            raise damaged(self.path, error) from error


def stem(path: Path) -> str:
    """Return the name of an archive without its suffix.

    >>> stem(Path("a/cifar10-jpeg.tar.gz"))
    'cifar10-jpeg'
    """
    suffix = next((s for s in ARCHIVES if path.name.lower().endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]


def identity(path: Path) -> list[Any]:
    """Return what tells one state of a file from another: place, bytes, time of change."""
    return [str(resolved(path)), *_state(path.stat())]


def _state(facts: os.stat_result) -> tuple[int, int]:
    # ctime as well: a file that becomes readable changes that alone.
    return facts.st_size, max(facts.st_mtime_ns, facts.st_ctime_ns)


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip or npz file; UserError if it is none."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, *DAMAGED) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: BaseException) -> UserError:
    """Return the error for an archive that cannot be read."""
    return UserError(f"{path} cannot be read, or not to its end ({error}).", setting="data")


def _listing(names: Sequence[str], *, unwrap: bool, said: SplitMap) -> Listing:
    # A name may occur twice in an archive: the last one counts, as when extracting.
    images = [name for name in dict.fromkeys(names) if _is_image(name)]
    found = folders.sort(images, unwrap, said)
    others = sum(not _is_hidden(name) for name in names) - len(images)
    return Listing(found.members, max(others, 0) + found.beside, found.remarks, found.used)


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES and not _is_hidden(name)


def _is_hidden(name: str) -> bool:
    # __MACOSX/ holds resource forks that are called like the images.
    return any(part[:1] == "." or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _of_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Raw:
    if info.size > LARGEST_FILE_BYTES:
        return ValueError("larger than 1 GiB")
    handle = archive.extractfile(info)
    return handle.read() if handle else ValueError("no ordinary file")


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _folders(root: Path) -> Iterator[Path]:
    """Yield `root` and the folders under it; links are followed, but never round in a circle."""
    seen = set()
    for folder, below, _ in os.walk(root, followlinks=True, onerror=_raise):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if not name.startswith(".")]
        yield Path(folder)


def _raise(error: OSError) -> None:
    raise error
