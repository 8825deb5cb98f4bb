"""Images in zip and tar files: what stands for what, links and doubles included."""

from __future__ import annotations

import posixpath
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from inpaint_cli.archives import open_tar, open_zip, read_member
from inpaint_cli.data import label_table
from inpaint_cli.data.sources import Listing, PackedFile, Raw, listing_of
from inpaint_cli.data.splits import Member

P = TypeVar("P")
"""Where an archive keeps the content of a file."""
LARGEST_FILE_BYTES = 1 << 28
"""A larger file inside an archive is skipped unread: several are held at a time."""
OUTSIDE = re.compile(r"(?:[A-Za-z]:)?[/\\]|\.\.(?:[/\\]|$)")
"""How a name begins that leads out of where the archive is unpacked."""
LONGEST_LINK = 4096
MOST_LINKS = 40
"""Links that lead from one to the next; more are a circle."""


@dataclass
class Contents(Generic[P]):
    """The files of an archive by name. Of two with one name the last counts, as when unpacking."""

    places: dict[str, P] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)
    """Name -> what it is, of what is neither a file nor a link to one."""

    def file(self, name: str, place: P) -> None:
        """Add a file."""
        if self._stays(name):
            self.places[name] = place

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link to a file that may be anywhere, also further on."""
        if not self._stays(name):
            return
        self.links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))

    def hard_link(self, name: str, target: str) -> None:
        """Add another name of a file that came before."""
        place = self.places.get(posixpath.normpath(target))
        if not self._stays(name):
            return
        if place is None:
            self.odd[name] = "a broken link"
        else:
            self.places[name] = place

    def other(self, name: str) -> None:
        """Add what is no file: a pipe, a device."""
        if self._stays(name):
            self.odd[name] = "no ordinary file"

    def follow(self) -> None:
        """Put what links lead to in their place."""
        for name in self.links:
            target = name
            for _ in range(MOST_LINKS):
                target = self.links.get(target, target)
            if target in self.places:
                self.places[name] = self.places[target]
            elif not any(path.startswith(f"{target}/") for path in self.places):
                self.odd[name] = "a broken link"
            else:
                self.odd[name] = "a link to a folder"
        self.links.clear()

    def _stays(self, name: str) -> bool:
        """Forget what had this name; return whether it stays inside when it is unpacked."""
        for table in (self.places, self.links, self.odd):
            table.pop(name, None)
        if OUTSIDE.match(name):
            self.odd[name] = "leads out of the archive"
            return False
        return True


@dataclass(frozen=True)
class Zip(PackedFile):
    """Images in a zip file."""

    kind = "zip"

    def listing(self) -> Listing:
        with open_zip(self.path) as archive:
            contents = _of_zip(archive)
            return listing_of(
                list(contents.places),
                contents.odd,
                split_map=self.split_map,
                read=lambda name: read_member(
                    archive, contents.places[name], label_table.LARGEST_BYTES
                ),
            )

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        with open_zip(self.path) as archive:
            places = _of_zip(archive).places
            for member in members:
                yield member, _member_of_zip(archive, places.get(member.key))


@dataclass(frozen=True)
class Tar(PackedFile):
    """Images in a tar file, compressed or not; read in the order of the file."""

    kind = "tar"

    @cached_property
    def _contents(self) -> Contents[int]:
        """The files, each by its number in the archive."""
        contents = Contents[int]()
        with open_tar(self.path) as members:
            for number, (_, info) in enumerate(members):
                name = posixpath.normpath(info.name)
                if info.isfile():
                    contents.file(name, number)
                elif info.issym():
                    contents.link(name, info.linkname)
                elif info.islnk():
                    contents.hard_link(name, info.linkname)
                elif not info.isdir():
                    contents.other(name)
        contents.follow()
        return contents

    def listing(self) -> Listing:
        return listing_of(
            list(self._contents.places),
            self._contents.odd,
            split_map=self.split_map,
            read=self._read_table,
        )

    def _read_table(self, name: str) -> bytes:
        place = self._contents.places[name]
        with open_tar(self.path) as files:
            archive, info = next(entry for number, entry in enumerate(files) if number == place)
            handle = archive.extractfile(info)
            if handle is None or info.size > label_table.LARGEST_BYTES:
                raise ValueError(f"{name}: larger than {label_table.LARGEST_BYTES >> 20} MiB")
            return handle.read()

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        wanted: dict[int, list[Member]] = {}
        for member in members:
            wanted.setdefault(self._contents.places.get(member.key, -1), []).append(member)
        with open_tar(self.path) as files:
            for number, (archive, info) in enumerate(files):
                if number in wanted:
                    content = _member_of_tar(archive, info)
                    for member in wanted.pop(number):
                        yield member, content
        for left in wanted.values():
            for member in left:
                yield member, ValueError("gone from the archive while it was read")


def _of_zip(archive: zipfile.ZipFile) -> Contents[zipfile.ZipInfo]:
    contents = Contents[zipfile.ZipInfo]()
    for info in archive.infolist():
        name, kind = posixpath.normpath(info.filename), stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if kind == stat.S_IFLNK and info.create_system == 3:  # Unix: the content is the target
            contents.link(name, _target(archive, info))
        elif kind in (0, stat.S_IFREG) or info.create_system != 3:
            contents.file(name, info)
        else:
            contents.other(name)
    contents.follow()
    return contents


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    try:
        return read_member(archive, info, LONGEST_LINK).decode("utf-8", "surrogateescape")
    except MemoryError:
        raise
    except Exception:  # a link that cannot be read leads nowhere
        return ""


def _member_of_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None) -> Raw:
    if info is None:
        return ValueError("gone from the archive while it was read")
    try:
        return read_member(archive, info, LARGEST_FILE_BYTES)
    except MemoryError:
        raise
    # Encrypted, damaged, unknown: RuntimeError, zlib.error, LZMAError, NotImplementedError, ...
    except Exception as error:
        return error


def _member_of_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Raw:
    if info.size > LARGEST_FILE_BYTES:
        return ValueError(f"larger than {LARGEST_FILE_BYTES >> 20} MiB")
    handle = archive.extractfile(info)
    return handle.read() if handle else ValueError("no ordinary file")
