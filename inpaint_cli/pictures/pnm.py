"""PNM, PAM and PFM files: the stated maximum is white, whatever the values are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.pictures.opening import UnreadError, check_size
from inpaint_cli.pictures.picture import FIRST_OF, Colours, Extra, Picture, Samples

_TOKEN = re.compile(rb"(?:\s|#[^\n]*\n)*([^\s#]+)")
_COMMENT = re.compile(rb"#[^\n]*")
KINDS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}
"""Channels of each kind with a header of bare numbers."""
TUPLES = {1: (b"BLACKANDWHITE", b"GRAYSCALE"), 3: (b"RGB",)}
"""Of PAM, by the channels that are no alpha; another kind of samples would be read as these."""


@dataclass(frozen=True)
class Header:
    """What stands before the samples."""

    kind: bytes
    width: int
    height: int
    channels: int
    most: int
    """The largest value, which is white; 0 for floats."""
    start: int
    big_endian: bool = True

    @property
    def bits(self) -> int:
        return 32 if not self.most else 1 if self.most == 1 else 8 if self.most < 256 else 16


def header_of(data: bytes) -> Header:
    """Read the header; ValueError where it is damaged."""
    kind = data[:2]
    if kind == b"P7":
        return _pam_header(data)
    numbers, place = [], 2
    for _ in range(2 if kind in (b"P1", b"P4") else 3):
        match = _TOKEN.match(data, place)
        if match is None or len(match[1]) > 32:
            raise ValueError("no PNM header")
        numbers.append(match[1])
        place = match.end()
    width, height = int(numbers[0]), int(numbers[1])
    if kind in (b"Pf", b"PF"):
        return Header(kind, width, height, KINDS[kind], 0, place + 1, float(numbers[2]) > 0)
    most = int(numbers[2]) if len(numbers) > 2 else 1
    if data[place : place + 1] == b"#":  # a comment stands for the white space
        place = data.index(b"\n", place)
    return Header(kind, width, height, KINDS[kind], _sound(most), place + 1)


def _sound(most: int) -> int:
    if not 0 < most < 65536:
        raise ValueError(f"a maximum of {most}, not of 1 to 65535")
    return most


def _pam_header(data: bytes) -> Header:
    end = data.find(b"ENDHDR", 0, 65536)
    if end < 0:
        raise ValueError("no end of the PAM header")
    fields: dict[bytes, int] = {}
    kind = b""
    for line in data[2:end].split(b"\n"):
        name, _, value = line.strip().partition(b" ")
        if name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"):
            fields[name] = int(value[:32])
        elif name == b"TUPLTYPE":
            kind = value.strip()
    sides = fields[b"WIDTH"], fields[b"HEIGHT"], fields[b"DEPTH"]
    if not 1 <= sides[2] <= 4:
        raise ValueError(f"{sides[2]} channels, not 1 to 4")
    colours = kind.removesuffix(b"_ALPHA")
    if kind and colours not in TUPLES.get(sides[2] - (kind != colours), ()):
        what = kind[:32].decode("ascii", "replace")
        raise UnreadError(f"a PAM of {sides[2]} channels called {what}")
    return Header(b"P7", *sides, _sound(fields[b"MAXVAL"]), data.index(b"\n", end) + 1)


def read(data: bytes, name: str, huge: bool) -> Picture:
    """Return the picture of a PNM file; samples are stretched to 8 or 16 bits with a note."""
    head = header_of(data)
    check_size(head.width, head.height, name, huge)
    stored = _floats(head, data, name) if not head.most else _stored(head, data, name)
    samples, notes = (stored, list[str]()) if not head.most else _stretched(head, stored)
    extras: tuple[Extra, ...] = ("alpha",) if head.channels in (2, 4) else ()
    colours: Colours = "grey" if head.channels < 3 else "rgb"
    held = stored[..., 0] if notes and head.channels == 1 else None
    if _end(head) and data[_end(head) :].lstrip()[:2] in (*KINDS, b"P7"):
        notes.append(f"{FIRST_OF}several frames is taken")
    bits = 8 if head.bits == 1 and head.channels > 1 else head.bits
    high = 1.0 if not head.most else 2.0**bits - 1
    return Picture(
        samples, colours, bits, 0.0, high, extras, "PNM", notes=tuple(notes), indices=held
    )


def _end(head: Header) -> int:
    """Return where the samples end; 0 where they are written out in digits."""
    if head.kind in (b"P1", b"P2", b"P3"):
        return 0
    row = (head.width + 7) // 8 if head.kind == b"P4" else head.width * head.channels
    size = 4 if not head.most else 2 if head.most > 255 else 1
    return head.start + head.height * row * size


def _stretched(head: Header, stored: Samples) -> tuple[Samples, list[str]]:
    """Return samples whose white is that of 1, 8 or 16 bits, and a note on other values."""
    if head.kind in (b"P1", b"P4"):
        return (1 - stored).astype(np.uint8), []  # 1 is black
    stored = np.minimum(stored, head.most)
    top = 2**head.bits - 1
    if head.bits == 1 and head.channels > 1:
        return (stored * 255).astype(np.uint8), []
    dtype = np.uint16 if top > 255 else np.uint8
    if head.most == top:
        return stored.astype(dtype), []
    scaled = (stored.astype(np.uint64) * np.uint64(2 * top) + head.most) // (2 * head.most)
    note = f"its values of 0 to {head.most} are stretched to 0 to {top}, white to white"
    return scaled.astype(dtype), [note]


def _stored(head: Header, data: bytes, name: str) -> Samples:
    """Return the values as they stand in the file, [H, W, C]."""
    shape = (head.height, head.width, head.channels)
    count = head.height * head.width * head.channels
    if head.kind in (b"P1", b"P2", b"P3"):
        return _written_out(head, data, count, name).reshape(shape)
    if head.kind == b"P4":
        row = (head.width + 7) // 8
        bits = _bytes(data, head.start, row * head.height, name).reshape(head.height, row)
        return np.unpackbits(bits, axis=1)[:, : head.width, None]
    two_bytes = head.most > 255
    raw = _bytes(data, head.start, count * (2 if two_bytes else 1), name)
    return (raw.view(">u2").astype(np.uint16) if two_bytes else raw).reshape(shape)


def _written_out(head: Header, data: bytes, count: int, name: str) -> Samples:
    """Return values that are written as decimal digits."""
    text = _COMMENT.sub(b"", data[head.start - 1 :])
    if head.kind == b"P1":  # digits may stand without spaces
        values = np.frombuffer(b"".join(text.split()), np.uint8) - ord("0")
    else:
        if len(text) < count:
            raise _short(name)
        values = np.array(text.split(maxsplit=count)[:count], np.int64)
    if len(values) < count or (values[:count] < 0).any():
        raise _short(name)
    return np.asarray(values[:count])


def _floats(head: Header, data: bytes, name: str) -> Samples:
    count = head.height * head.width * head.channels
    raw = _bytes(data, head.start, 4 * count, name)
    values = raw.view(">f4" if head.big_endian else "<f4").astype(np.float32)
    return np.ascontiguousarray(values.reshape(head.height, head.width, head.channels)[::-1])


def _bytes(data: bytes, start: int, length: int, name: str) -> Samples:
    if len(data) - start < length:
        raise _short(name)
    return np.frombuffer(data, np.uint8, length, start)


def _short(name: str) -> UserError:
    return UserError("truncated, it has fewer samples than its header says.", where=name)
