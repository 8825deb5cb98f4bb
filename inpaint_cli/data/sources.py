"""Where images come from: what every source tells, folders, sources of sources.

Archives are in packed.py.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Protocol

import numpy.typing as npt

from inpaint_cli.data import folders, label_table
from inpaint_cli.data.image_set import Split
from inpaint_cli.data.split_words import NO_SPLIT_MAP, SplitMap
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


@dataclass(frozen=True)
class Listing:
    """The images of a source, and what else it holds."""

    members: list[Member]
    ignored: int = 0
    """Other files."""
    odd: tuple[str, ...] = ()
    """What is neither a file nor a link to one, each with what it is."""
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

    def size_bytes(self) -> int:
        """Return about how much there is to read."""

    def listing(self) -> Listing:
        """Return all images. UserError if the source itself is broken."""

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        """Yield `members`, in an order of the source's own; one that fails with its exception."""


@dataclass(frozen=True)
class PackedFile:
    """A source that is one file; `kind` tells the caches what sort of file it is."""

    kind: ClassVar[str]

    path: Path
    split_map: SplitMap = NO_SPLIT_MAP

    @property
    def name(self) -> str:
        return stem(self.path)

    def fingerprint(self) -> list[Any]:
        return [self.kind, *identity(self.path)]

    def size_bytes(self) -> int:
        return self.path.stat().st_size


@dataclass(frozen=True)
class Folder:
    """Images in a folder and its sub-folders; hidden files and folders are left out."""

    path: Path
    split_map: SplitMap = NO_SPLIT_MAP

    @property
    def name(self) -> str:
        return resolved(self.path).name

    @cached_property
    def _files(self) -> list[tuple[str, int, int, str]]:
        """All files as (relative name, bytes, time of change, "" or why it is none), by name."""
        files = list[tuple[str, int, int, str]]()
        folders, others = _folders(self.path)
        files += [(link.relative_to(self.path).as_posix(), 0, 0, why) for link, why in others]
        for folder in folders:
            below = folder.relative_to(self.path).as_posix()
            prefix = "" if below == "." else f"{below}/"
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.name.startswith(".") and (facts := _facts(entry)):
                        files.append((prefix + entry.name, *facts))
        return sorted(files)

    def fingerprint(self) -> list[Any]:
        return ["folder", str(resolved(self.path)), self._files]

    def size_bytes(self) -> int:
        return sum(size for _, size, _, _ in self._files)

    def listing(self) -> Listing:
        odd = {name: why for name, _, _, why in self._files if why}
        names = [name for name, _, _, why in self._files if not why]
        return listing_of(
            names,
            odd,
            split_map=self.split_map,
            read=lambda name: read_few(self.path / name),
        )

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        for member in members:
            try:
                yield member, (self.path / member.key).read_bytes()
            except OSError as error:
                yield member, error


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
    # ctime as well: a file that becomes readable, or is replaced by one of the same age, changes
    # that alone, and it may lie before an mtime of a camera whose clock is ahead.
    return facts.st_size, facts.st_mtime_ns + facts.st_ctime_ns


def listing_of(
    names: Sequence[str],
    odd: Mapping[str, str],
    *,
    split_map: SplitMap,
    read: Callable[[str], bytes],
) -> Listing:
    """Return the images among the files of a source, with the labels of a table of them.

    odd: what is no file, and what it is. read: returns the content of the table.
    """
    images = [name for name in names if _is_image(name)]
    placed = folders.sort(images, split_map)
    shown = [name for name in names if not _is_hidden(name)]
    table, remarks = label_table.table_of(shown, read)
    members = placed.members
    if table:
        members, remarks = table.attached(members)
    others = len(shown) - len(images) - bool(table) + placed.beside
    strange = tuple(f"{name} ({why})" for name, why in odd.items() if not _is_hidden(name))
    return Listing(members, others, strange, (*placed.remarks, *remarks), placed.used)


def read_few(path: Path) -> bytes:
    """Return the content of a table of labels; UserError if it cannot be read, or is too large."""
    try:
        if path.stat().st_size > label_table.LARGEST_BYTES:
            raise UserError(f"{path}: larger than {label_table.LARGEST_BYTES >> 20} MiB.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}.", setting="data") from error


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES and not _is_hidden(name)


def _is_hidden(name: str) -> bool:
    # __MACOSX/ holds resource forks that are called like the images.
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any((part[:1] == "." and part != "..") or part == "__MACOSX" for part in parts)


def _facts(entry: os.DirEntry[str]) -> tuple[int, int, str] | None:
    """Return bytes, time of change and what is odd about a file; None for a folder."""
    try:
        facts = entry.stat()
    except OSError:
        return (0, 0, "a broken link") if entry.is_symlink() else (0, 0, "cannot be read")
    if stat.S_ISDIR(facts.st_mode):
        return None
    return (*_state(facts), "" if stat.S_ISREG(facts.st_mode) else "no ordinary file")


def _folders(root: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return `root` and the folders under it, and the links to folders that are left out, and why.

    Links are followed, but no folder counts twice: its own place comes before any link to it.
    """
    folders, others, seen = list[Path](), list[tuple[Path, str]](), set[str]()
    around = {str(above) for above in resolved(root).parents}
    links = [root]
    while links:
        start = links.pop(0)
        real = os.path.realpath(start)
        if real in seen or real in around:
            others.append((start, "a link to a folder that is here already, or around it"))
            continue
        below_it = list[Path]()
        for folder, below, _ in os.walk(start, onerror=_raise):
            real = os.path.realpath(folder)
            if real in seen:
                below.clear()
                continue
            seen.add(real)
            folders.append(Path(folder))
            below[:] = sorted(name for name in below if not name.startswith("."))
            below_it += [path for name in below if (path := Path(folder, name)).is_symlink()]
        links += sorted(below_it)
    return folders, others


def _raise(error: OSError) -> None:
    raise error


@dataclass(frozen=True)
class RenamedSource:
    """A source under the name of the set that it holds."""

    name: str
    source: Source

    def fingerprint(self) -> list[Any]:
        return [self.name, *self.source.fingerprint()]

    def size_bytes(self) -> int:
        return self.source.size_bytes()

    def listing(self) -> Listing:
        return self.source.listing()

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        return self.source.read(members)


@dataclass(frozen=True)
class ConcatenatedSource:
    """Sources as one, each with the split of what has none; ids begin with the source's key."""

    name: str
    parts: Mapping[str, tuple[Source, Split | None]]

    def fingerprint(self) -> list[Any]:
        return [[key, split, *part.fingerprint()] for key, (part, split) in self.parts.items()]

    def size_bytes(self) -> int:
        return sum(part.size_bytes() for part, _ in self.parts.values())

    def listing(self) -> Listing:
        listings = [(key, part.listing(), split) for key, (part, split) in self.parts.items()]
        members = [  # found again by the number of the part: its key may hold any sign
            replace(m, key=f"{number}:{m.key}", id=f"{key}/{m.id}", split=m.split or split)
            for number, (key, listing, split) in enumerate(listings)
            for m in listing.members
        ]
        return Listing(
            members,
            sum(listing.ignored for _, listing, _ in listings),
            tuple(f"{key}/{text}" for key, listing, _ in listings for text in listing.odd),
            tuple(f"{key}: {text}" for key, listing, _ in listings for text in listing.remarks),
            frozenset().union(*(listing.used for _, listing, _ in listings)),
        )

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        wanted: dict[str, dict[str, Member]] = {}
        for member in members:
            number, _, inner = member.key.partition(":")
            wanted.setdefault(number, {})[inner] = member
        sources = [source for source, _ in self.parts.values()]
        for number, members_of in wanted.items():
            source = sources[int(number)]
            for member, raw in source.read(
                [replace(m, key=inner) for inner, m in members_of.items()]
            ):
                yield members_of[member.key], raw
