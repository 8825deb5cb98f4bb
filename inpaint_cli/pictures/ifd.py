"""Directories of tags, of TIFF files and of EXIF alike (TIFF 6.0, section 2; BigTIFF).

Values are kept as bytes in little-endian order, so unknown ones can be written again as they were.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

ITEM_SIZES = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}
"""Bytes of one value, by its type."""
NUMBERS = {
    1: "u1", 3: "<u2", 4: "<u4", 5: "<u4", 6: "i1", 8: "<i2", 9: "<i4", 10: "<i4",
    11: "<f4", 12: "<f8", 13: "<u4", 16: "<u8", 17: "<i8", 18: "<u8",
}  # fmt: skip
RATIONALS = (5, 10)
NESTED = (34665, 34853, 40965)
"""Tags whose value is the place of another directory: camera settings, location, rules."""
MOST_TAGS = 4096
DEEPEST = 3


@dataclass(frozen=True)
class Tag:
    """One value: its type (TIFF 6.0, page 15), how many items, and their bytes."""

    kind: int
    count: int
    data: bytes

    def numbers(self) -> tuple[float, ...]:
        """Return the items as numbers; of text and opaque bytes there are none."""
        if self.kind not in NUMBERS:
            return ()
        items = np.frombuffer(self.data, NUMBERS[self.kind])
        if self.kind in RATIONALS:
            pairs = items.reshape(-1, 2).astype(np.float64)
            return tuple(float(a / b) if b else 0.0 for a, b in pairs)
        return tuple(items.tolist())


@dataclass(frozen=True)
class Directory:
    """A directory: its tags by number, and the directories that some of them lead to."""

    tags: dict[int, Tag] = field(default_factory=dict)
    folders: dict[int, Directory] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tags or self.folders)

    def integers(self, number: int) -> tuple[int, ...]:
        """Return the whole numbers of a tag; none where it is missing or of another type."""
        tag = self.tags.get(number)
        if tag is None or tag.kind not in (1, 3, 4, 6, 8, 9, 13, 16, 17, 18):
            return ()
        return tuple(int(value) for value in tag.numbers())

    def integer(self, number: int, default: int) -> int:
        """Return the first whole number of a tag, or the default."""
        return next(iter(self.integers(number)), default)

    def without(self, numbers: Sequence[int] | frozenset[int]) -> Directory:
        """Return the directory without some of its tags."""
        tags = {number: tag for number, tag in self.tags.items() if number not in numbers}
        folders = {n: folder for n, folder in self.folders.items() if n not in numbers}
        return Directory(tags, folders)

    def joined(self, tags: dict[int, Tag]) -> Directory:
        """Return the directory with further tags in place of its own of the same numbers."""
        return Directory({**self.tags, **tags}, self.folders)


def short(*values: int) -> Tag:
    """Return whole numbers of 16 bits."""
    return Tag(3, len(values), struct.pack(f"<{len(values)}H", *values))


def long(*values: int) -> Tag:
    """Return whole numbers of 32 bits."""
    return Tag(4, len(values), struct.pack(f"<{len(values)}I", *values))


def rational(value: float) -> Tag:
    """Return a positive number as a fraction, whole numbers exactly."""
    below = 1 if value == int(value) else 10_000
    return Tag(5, 1, struct.pack("<II", min(round(value * below), 2**32 - 1), below))


def opaque(data: bytes) -> Tag:
    """Return bytes of any meaning."""
    return Tag(7, len(data), data)


def text(value: str) -> Tag:
    """Return a text."""
    data = value.encode("utf-8") + b"\0"
    return Tag(2, len(data), data)


class DamagedError(ValueError):
    """The bytes are no directory."""


@dataclass(frozen=True)
class Layout:
    """Byte order and pointer size of a file, and where its first directory lies."""

    order: str
    big: bool
    first: int

    @classmethod
    def of(cls, data: bytes) -> Layout:
        """Read the header; DamagedError if it is none."""
        order = {b"II": "<", b"MM": ">"}.get(data[:2], "")
        try:
            version = struct.unpack(order + "H", data[2:4])[0] if order else 0
            if version == 42:
                return cls(order, False, struct.unpack(order + "I", data[4:8])[0])
            if version == 43:
                return cls(order, True, struct.unpack(order + "Q", data[8:16])[0])
        except struct.error as error:
            raise DamagedError("cut off in the header") from error
        raise DamagedError("no TIFF header")

    def folder(self, data: bytes, offset: int, depth: int = 0) -> tuple[Directory, int]:
        """Return the directory at an offset and the offset of the next one, 0 = none.

        Tags whose values lie outside the file are left out. DamagedError if there is no directory.
        """
        count_format, entry = ("Q", 20) if self.big else ("H", 12)
        start = offset + struct.calcsize("<" + count_format)
        try:
            (count,) = struct.unpack(self.order + count_format, data[offset:start])
        except struct.error as error:
            raise DamagedError("a directory lies outside the file") from error
        if count > MOST_TAGS:
            raise DamagedError(f"a directory of {count} tags")
        folder = Directory()
        for place in range(start, start + count * entry, entry):
            self._add(folder, data, place, depth)
        pointer = "Q" if self.big else "I"
        end = start + count * entry
        tail = data[end : end + struct.calcsize("<" + pointer)]
        following = struct.unpack(self.order + pointer, tail)[0] if len(tail) in (4, 8) else 0
        return folder, following

    def _add(self, folder: Directory, data: bytes, place: int, depth: int) -> None:
        """Put the entry at `place` into a directory, if it is whole."""
        pointer, inline = ("Q", 8) if self.big else ("I", 4)
        raw = data[place : place + 4 + 2 * inline]
        if len(raw) < 4 + 2 * inline:
            return
        number, kind, count = struct.unpack(self.order + "HH" + pointer, raw[: 4 + inline])
        length = ITEM_SIZES.get(kind, 0) * count
        value = raw[4 + inline :]
        if length > inline:
            (offset,) = struct.unpack(self.order + pointer, value)
            value = data[offset : offset + length]
        if not length or len(value) < length or number in folder.tags:
            return
        tag = Tag(kind, count, self._little_endian(kind, bytes(value[:length])))
        if number in NESTED and kind in (4, 13, 16, 18):
            if depth < DEEPEST:
                self._nest(folder, number, data, tag, depth)
            return
        folder.tags[number] = tag

    def _nest(self, folder: Directory, number: int, data: bytes, tag: Tag, depth: int) -> None:
        """Put the directory that a tag leads to into another, if it can be read."""
        try:
            inner, _ = self.folder(data, int(tag.numbers()[0]), depth + 1)
        except DamagedError:
            return
        if inner:
            folder.folders[number] = inner

    def _little_endian(self, kind: int, raw: bytes) -> bytes:
        if self.order == "<" or kind not in NUMBERS:
            return raw
        size = 4 if kind in RATIONALS else ITEM_SIZES[kind]
        return np.frombuffer(raw, f">u{size}").astype(f"<u{size}").tobytes()


def packed(folder: Directory, start: int) -> bytes:
    """Return the bytes of a directory that begins at offset `start` of a little-endian TIFF."""
    entries = {**folder.tags, **dict.fromkeys(folder.folders)}
    head = 2 + 12 * len(entries) + 4
    table, body = [struct.pack("<H", len(entries))], bytearray()
    for number in sorted(entries):
        tag = entries[number]
        place = start + head + len(body)
        if tag is None:
            body += packed(folder.folders[number], place)
            table.append(struct.pack("<HHII", number, 4, 1, place))
        elif len(tag.data) <= 4:
            value = tag.data.ljust(4, b"\0")
            table.append(struct.pack("<HHI", number, tag.kind, tag.count) + value)
        else:
            body += tag.data
            table.append(struct.pack("<HHII", number, tag.kind, tag.count, place))
        body += b"\0" * (len(body) % 2)
    return b"".join(table) + b"\0\0\0\0" + bytes(body)


def block(folder: Directory) -> bytes:
    """Return a directory as a TIFF of its own without pictures, which is what EXIF is."""
    return b"II*\0\x08\0\0\0" + packed(folder, 8) if folder else b""
