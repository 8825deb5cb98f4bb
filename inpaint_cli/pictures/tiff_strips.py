"""Strips and tiles of a TIFF to samples: unpacked, predictors undone, put in their places.

JPEG and fax are unpacked strip by strip, by decoders that keep silent.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.pictures.ifd import Directory, long, packed, short
from inpaint_cli.pictures.lzw import unpacked_bits, unpacked_lzw
from inpaint_cli.pictures.opening import lazily
from inpaint_cli.pictures.picture import Samples
from inpaint_cli.pictures.tiff_layout import CCITT, JPEG, MOST_RATIO, RGB, YCBCR, TiffLayout

_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_INVERTED = bytes(range(255, -1, -1))


def samples_of(layout: TiffLayout, data: bytes, name: str) -> Samples:
    """Return all samples [H, W, C] of a layout, as stored."""
    segments = _segments(layout, data, name)
    row_bytes = _row_bytes(layout)
    result = np.empty((layout.height, layout.width, layout.channels), layout.dtype)
    groups = layout.channels if layout.planes else 1
    per_group = len(segments) // groups
    for group in range(groups):
        part = segments[group * per_group : (group + 1) * per_group]
        heights = _heights(layout, per_group)
        unpacked = _unpacked(layout, part, heights, row_bytes, name)
        target = result[..., group : group + 1] if layout.planes else result
        _place(layout, unpacked, heights, target)
    return result


def _segments(layout: TiffLayout, data: bytes, name: str) -> list[bytes]:
    """Return the packed bytes of each strip or tile; none of a sparse one.

    UserError where they are too short for what the header says.
    """
    row_bytes = _row_bytes(layout)
    heights = _heights(layout, len(layout.offsets) // (layout.channels if layout.planes else 1))
    segments, expected = [], 0
    for number, offset in enumerate(layout.offsets):
        size = heights[number % len(heights)] * row_bytes
        count = size if layout.compression == 1 else layout.counts[number]
        if not offset and number < len(layout.counts) and not layout.counts[number]:
            count = size = 0
        expected += size
        segments.append(data[offset : offset + count])
    ratio = MOST_RATIO[layout.compression]
    total = sum(map(len, segments))
    if total * ratio < expected or (layout.compression == 1 and total < expected):
        raise UserError("truncated, it has fewer pixels than its header says.", where=name)
    if layout.reversed_bits:
        segments = [segment.translate(_REVERSED) for segment in segments]
    return segments


def _row_bytes(layout: TiffLayout) -> int:
    width = layout.tile[1] if layout.tile else layout.width
    return (width * (1 if layout.planes else layout.channels) * layout.bits + 7) // 8


def _heights(layout: TiffLayout, count: int) -> list[int]:
    """Return the rows of each strip or tile; the last strip may be lower, tiles are not."""
    if layout.tile:
        return [layout.rows] * count
    return [min(layout.rows, layout.height - n * layout.rows) for n in range(count)]


def _unpacked(
    layout: TiffLayout, segments: Sequence[bytes], heights: Sequence[int], row: int, name: str
) -> list[bytes]:
    """Return the bytes of the rows of each segment."""
    width = layout.tile[1] if layout.tile else layout.width
    rows = []
    for segment, height in zip(segments, heights, strict=True):
        size = height * row
        if not segment:
            rows.append(bytes(size))
        elif layout.compression == JPEG:
            rows.append(jpeg_rows(layout, segment, height, width))
        elif layout.compression in CCITT:
            rows.append(fax_rows(layout, segment, height, width))
        else:
            rows.append(_one(layout.compression, segment, size))
        if len(rows[-1]) < size:
            raise UserError("truncated, it has fewer pixels than its header says.", where=name)
    return rows


def _one(compression: int, segment: bytes, size: int) -> bytes:
    if compression == 1:
        return segment
    if compression == 5:
        return unpacked_lzw(segment, size)
    if compression == 32773:
        return unpacked_bits(segment, size)
    if compression == 34925:
        return lzma.LZMADecompressor(memlimit=2**28).decompress(segment, size)
    return zlib.decompressobj().decompress(segment, size)


def _place(
    layout: TiffLayout, unpacked: Sequence[bytes], heights: Sequence[int], target: Samples
) -> None:
    """Put segments into the picture [H, W, channels of a segment]."""
    channels = target.shape[2]
    if not layout.tile:
        top = 0
        for rows, height in zip(unpacked, heights, strict=True):
            target[top : top + height] = _read(layout, rows, height, layout.width, channels)
            top += height
        return
    tile_height, tile_width = layout.tile
    across = -(-layout.width // tile_width)
    for number, rows in enumerate(unpacked):
        top, left = number // across * tile_height, number % across * tile_width
        part = target[top : top + tile_height, left : left + tile_width]
        whole = _read(layout, rows, tile_height, tile_width, channels)
        part[...] = whole[: part.shape[0], : part.shape[1]]


def _read(layout: TiffLayout, rows: bytes, height: int, width: int, channels: int) -> Samples:
    """Return the samples of one segment, [height, width, channels]."""
    row_bytes = len(rows) // height
    table = np.frombuffer(rows, np.uint8, row_bytes * height).reshape(height, row_bytes)
    if layout.bits not in (8, 16, 32, 64):
        return _narrow(table, layout.bits, width * channels).reshape(height, width, channels)
    size = layout.bits // 8
    if layout.predictor == 3:
        table = _float_differences_undone(table, width, channels, size)
        return table.view(f">f{size}").reshape(height, width, channels)
    stored = table.view(f"{layout.order}{layout.kind}{size}").reshape(height, width, channels)
    if layout.predictor == 2:
        native = stored.astype(f"{'u' if layout.kind == 'f' else layout.kind}{size}", copy=False)
        if layout.kind == "f":
            native = table.view(f"{layout.order}u{size}").reshape(stored.shape).astype(f"u{size}")
        return np.cumsum(native, axis=1, dtype=native.dtype).view(f"{layout.kind}{size}")
    return stored


def _float_differences_undone(table: Samples, width: int, channels: int, size: int) -> Samples:
    """Undo predictor 3: differences of bytes, the bytes of one significance together."""
    bytewise = table.reshape(len(table), -1, channels)
    summed = np.cumsum(bytewise, axis=1, dtype=np.uint8)
    planes = summed.reshape(len(table), size, width * channels)
    return np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(len(table), -1)


def _narrow(table: Samples, bits: int, count: int) -> Samples:
    """Return samples of an odd number of bits, packed without gaps but for the ends of rows."""
    dtype = np.uint8 if bits <= 8 else np.uint16
    result = np.empty((len(table), count), dtype)
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(dtype)
    for at in range(0, len(table), 64):  # a bit takes a byte here
        each = np.unpackbits(table[at : at + 64], axis=1)[:, : count * bits]
        each = each.reshape(len(each), count, bits)
        part = result[at : at + 64]
        part[...] = 0
        for number in range(bits):
            part |= each[..., number] * weights[number]
    return result


def jpeg_rows(layout: TiffLayout, segment: bytes, height: int, width: int) -> bytes:
    """Return the rows of a strip or tile of JPEG (TIFF Technical Note 2).

    ValueError where they are not what the header says.
    """
    tables = layout.tables.removeprefix(b"\xff\xd8").removesuffix(b"\xff\xd9")
    mark = b""
    if layout.photometric in (RGB, YCBCR) and not layout.planes:
        # Without Adobe's mark a decoder guesses what the colours are.
        colours = 1 if layout.photometric == YCBCR else 0
        mark = struct.pack(">HH5sHHHB", 0xFFEE, 14, b"Adobe", 100, 0, 0, colours)
    file = b"\xff\xd8" + mark + tables + segment.removeprefix(b"\xff\xd8")
    channels = 1 if layout.planes else layout.channels
    with lazily(file, "JPEG", "a strip", huge=True) as image:
        if len(image.getbands()) != channels or image.size != (width, height):
            raise ValueError(f"JPEG of {image.size} and {image.mode} in a TIFF")
        image.load()
        rows = image.tobytes()
    # Pillow takes JPEG's inks for those of Photoshop, which are the other way round.
    return rows.translate(_INVERTED) if channels == 4 else rows


def fax_rows(layout: TiffLayout, segment: bytes, height: int, width: int) -> bytes:
    """Return the rows of a strip of CCITT's codes, eight pixels a byte."""
    t4, t6 = layout.fax_options
    folder = Directory(
        {
            256: long(width),
            257: long(height),
            258: short(1),
            259: short(layout.compression),
            262: short(1),
            273: long(8),
            277: short(1),
            278: long(height),
            279: long(len(segment)),
            292: long(t4),
            293: long(t6),
        }
    )
    start = 8 + len(segment) + len(segment) % 2
    head = b"II*\0" + struct.pack("<I", start)
    file = head + segment + b"\0" * (len(segment) % 2) + packed(folder, start)
    with _silent():
        image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.size != height * width:
        raise ValueError("fax in a TIFF")
    return np.packbits(image.reshape(height, width) > 0, axis=1).tobytes()


@contextmanager
def _silent() -> Iterator[None]:
    """Keep OpenCV from writing to the terminal."""
    logging = cv2.utils.logging
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
