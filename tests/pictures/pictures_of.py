"""Pictures of every kind, made in memory; nothing here is read with what is tested."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
Packer = Callable[[bytes], bytes]

HEIGHT, WIDTH = 7, 10


def saved(image: Image.Image, format: str, **settings: Any) -> bytes:
    """A picture as Pillow writes it."""
    handle = io.BytesIO()
    image.save(handle, format=format, **settings)
    return handle.getvalue()


def samples(dtype: str, channels: int, bits: int | None = None, seed: int = 0) -> Array:
    """Random samples [H, W, C] over the whole range of a type, or of so many bits."""
    rng = np.random.default_rng(seed)
    shape = (HEIGHT, WIDTH, channels)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(0, 3, shape).astype(kind)
    info = np.iinfo(kind)
    top = info.max if bits is None else 2**bits - 1
    return rng.integers(max(info.min, -top - 1), top, shape, endpoint=True, dtype=kind)


def oriented(array: Array, orientation: int) -> Array:
    """An EXIF orientation applied by its definition (EXIF 2.3, section 4.6.4 A)."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    rows, columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return array[:: -1 if rows else 1, :: -1 if columns else 1]


def chunk(kind: bytes, content: bytes, sound: bool = True) -> bytes:
    crc = zlib.crc32(kind + content) ^ (0 if sound else 1)
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", crc)


def png(
    array: Array,
    depth: int,
    coding: int,
    *,
    before: Iterable[bytes] = (),
    after: Iterable[bytes] = (),
    interlaced: bool = False,
) -> bytes:
    """A PNG of samples [H, W, C] as stored, rows filtered by turns with all five filters."""
    height, width = array.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, coding, 0, 0, interlaced)
    steps = (
        ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2)) if interlaced else ((0, 0, 1, 1),)
    )  # fmt: skip
    rows = b"".join(filtered(array[y::dy, x::dx], depth) for x, y, dx, dy in steps)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *before,
            chunk(b"IDAT", zlib.compress(rows)),
            *after,
            chunk(b"IEND", b""),
        ]
    )


def filtered(array: Array, depth: int) -> bytes:
    """Rows as PNG stores them (PNG specification, section 9)."""
    if not array.size:
        return b""
    if depth == 16:
        rows = array.astype(">u2").view(np.uint8).reshape(len(array), -1)
    elif depth == 8:
        rows = array.astype(np.uint8).reshape(len(array), -1)
    else:
        each = (array.reshape(len(array), -1)[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        rows = np.packbits(each.reshape(len(array), -1).astype(np.uint8), axis=1)
    step = max(1, array.shape[2] * depth // 8)
    above = np.zeros(rows.shape[1], np.int64)
    packed = []
    for number, row in enumerate(rows.astype(np.int64)):
        left = np.concatenate([np.zeros(step, np.int64), row[:-step]])[: len(row)]
        corner = np.concatenate([np.zeros(step, np.int64), above[:-step]])[: len(row)]
        guess = left + above - corner
        distances = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        nearest = np.choose(distances.argmin(axis=0), [left, above, corner])
        kind = number % 5
        predicted = [0, left, above, (left + above) // 2, nearest][kind]
        packed.append(bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(packed)


def lzw(data: bytes) -> bytes:
    """LZW of TIFF (section 13) without any saving: the table is cleared before it grows."""
    codes = []
    for at in range(0, len(data), 200):
        codes += [256, *data[at : at + 200]]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def packbits(data: bytes) -> bytes:
    """PackBits of TIFF (section 9) in literal runs."""
    return b"".join(
        bytes([len(part) - 1]) + part
        for part in (data[a : a + 100] for a in range(0, len(data), 100))
    )


def tiff(
    array: Array,
    photometric: int,
    *,
    bits: int | None = None,
    order: str = "<",
    compression: int = 1,
    planar: bool = False,
    tile: int = 0,
    predictor: int = 1,
    rows: int = 3,
    extras: tuple[int, ...] = (),
    orientation: int = 1,
    big: bool = False,
    more: Iterable[tuple[int, str, tuple[int, ...]]] = (),
) -> bytes:
    """A TIFF of samples [H, W, C] as stored; `more`: tag, struct letter, values."""
    height, width, channels = array.shape
    depth = bits or array.dtype.itemsize * 8
    kind = {"u": 1, "i": 2, "f": 3}[array.dtype.kind]
    planes = [array[..., c : c + 1] for c in range(channels)] if planar else [array]
    parts = [part for plane in planes for part in pieces(plane, tile, rows)]
    packers: dict[int, Callable[[bytes], bytes]] = {
        1: bytes,
        5: lzw,
        8: zlib.compress,
        32773: packbits,
    }
    packed = [packers[compression](row_bytes(part, depth, order, predictor)) for part in parts]
    tags: list[tuple[int, str, tuple[int, ...]]] = [
        (256, "I", (width,)), (257, "I", (height,)), (258, "H", (depth,) * channels),
        (259, "H", (compression,)), (262, "H", (photometric,)), (274, "H", (orientation,)),
        (277, "H", (channels,)), (284, "H", (2 if planar else 1,)), (317, "H", (predictor,)),
        (339, "H", (kind,) * channels), *more,
    ]  # fmt: skip
    if extras:
        tags.append((338, "H", extras))
    places = (324, 325) if tile else (273, 279)
    tags += [(322, "I", (tile,)), (323, "I", (tile,))] if tile else [(278, "I", (rows,))]
    start = 16 if big else 8
    offsets = [start]
    for part in packed:
        offsets.append(offsets[-1] + len(part))
    tags += [(places[0], "I", tuple(offsets[:-1])), (places[1], "I", tuple(map(len, packed)))]
    mark = b"II" if order == "<" else b"MM"
    head = (
        mark + struct.pack(order + "HHHQ", 43, 8, 0, offsets[-1])
        if big
        else mark + struct.pack(order + "HI", 42, offsets[-1])
    )
    return head + b"".join(packed) + directory(sorted(tags), offsets[-1], order, big)


def directory(
    tags: list[tuple[int, str, tuple[int, ...]]], start: int, order: str, big: bool
) -> bytes:
    kinds = {"B": 1, "H": 3, "I": 4, "Q": 16}
    count, pointer, inline = ("Q", "Q", 8) if big else ("H", "I", 4)
    entry = 4 + 2 * inline
    body_at = start + struct.calcsize("<" + count) + entry * len(tags) + inline
    table, body = [struct.pack(order + count, len(tags))], b""
    for number, letter, values in tags:
        raw = struct.pack(f"{order}{len(values)}{letter}", *values)
        head = struct.pack(order + "HH" + pointer, number, kinds[letter], len(values))
        if len(raw) <= inline:
            table.append(head + raw.ljust(inline, b"\0"))
        else:
            table.append(head + struct.pack(order + pointer, body_at + len(body)))
            body += raw + b"\0" * (len(raw) % 2)
    return b"".join([*table, b"\0" * inline, body])


def pieces(plane: Array, tile: int, rows: int) -> list[Array]:
    """A plane in strips, or in tiles that are filled up."""
    height, width, channels = plane.shape
    if not tile:
        return [plane[top : top + rows] for top in range(0, height, rows)]
    parts = []
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            part = np.zeros((tile, tile, channels), plane.dtype)
            inside = plane[top : top + tile, left : left + tile]
            part[: inside.shape[0], : inside.shape[1]] = inside
            parts.append(part)
    return parts


def row_bytes(part: Array, depth: int, order: str, predictor: int) -> bytes:
    """Rows of a strip or tile as bytes, with differences (TIFF 6.0, 14; supplement 3)."""
    if depth not in (8, 16, 32, 64):
        flat = part.reshape(len(part), -1).astype(np.int64)
        each = (flat[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        return np.packbits(each.reshape(len(part), -1).astype(np.uint8), axis=1).tobytes()
    if predictor == 2:
        part = np.diff(part, axis=1, prepend=np.zeros_like(part[:, :1]))
    if predictor == 3:
        size, channels = part.dtype.itemsize, part.shape[2]
        bytewise = part.astype(part.dtype.newbyteorder(">")).view(np.uint8)
        planes = bytewise.reshape(len(part), -1, size).transpose(0, 2, 1).reshape(len(part), -1)
        lines = planes.reshape(len(part), -1, channels)
        return np.diff(lines, axis=1, prepend=np.zeros_like(lines[:, :1])).tobytes()
    return part.astype(part.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()
