"""Writes PNG fast: OpenCV packs the pixels, all chunks are ours (PNG specification, section 5)."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import cv2
import numpy as np

from inpaint_cli.pictures import png_metadata
from inpaint_cli.pictures.converting import Plain
from inpaint_cli.pictures.picture import Samples
from inpaint_cli.pictures.png import GREY, GREY_ALPHA, RGB, RGB_ALPHA, SIGNATURE

Setting = tuple[int, str]
"""zlib's level, and OpenCV's name of the filter of rows."""
FAST: Setting = (2, "IMWRITE_PNG_FILTER_AVG")
THOROUGH: Setting = (3, "IMWRITE_PNG_ALL_FILTERS")
"""Twice the time of FAST for 4 % fewer bytes."""
USUAL: Setting = (6, "IMWRITE_PNG_ALL_FILTERS")
"""What most programs take, for five times the time of FAST."""
DRAWING: Setting = (4, "IMWRITE_PNG_FILTER_UP")
"""Where many pixels equal those above: 0.8 of FAST's time, 15 % fewer bytes."""
EQUAL_SHARE = 0.3
LARGER = 1.05
"""So much larger than USUAL FAST's files may be."""
BAND, EACH = 16, 256
"""Of every EACH rows BAND tell how large the file will be."""
LEVEL = 6
LONGEST = 1_000_000
"""libpng, by which OpenCV writes, refuses longer sides."""
UP = 2
"""The filter that takes the row above from each row (PNG specification, section 9.2)."""
TYPES = {1: GREY, 2: GREY_ALPHA, 3: RGB, 4: RGB_ALPHA}


def write(handle: BinaryIO, form: Plain, text: tuple[str, str] | None = None) -> None:
    """Write a plain picture; text: a keyword and a text, put in as a chunk iTXt."""
    height, width, channels = form.samples.shape
    handle.write(SIGNATURE)
    header = struct.pack(">IIBBBBB", width, height, form.bits, TYPES[channels], 0, 0, 0)
    _put(handle, b"IHDR", header)
    for kind, content in png_metadata.chunks_of(form.metadata, text):
        _put(handle, kind, content)
    if form.bits == 1:
        rows = np.packbits(form.samples[..., 0] > 0, axis=1)
        filtered = np.pad(rows, ((0, 0), (1, 0)))
        _put(handle, b"IDAT", zlib.compress(filtered.tobytes(), LEVEL))
    elif max(height, width) > LONGEST:
        _put(handle, b"IDAT", zlib.compress(_rows_of(form.samples), LEVEL))
    else:
        _put_pixels(handle, _packed(form.samples))
    _put(handle, b"IEND", b"")


def _put(handle: BinaryIO, kind: bytes, content: bytes | memoryview) -> None:
    handle.write(struct.pack(">I4s", len(content), kind))
    handle.write(content)
    handle.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _rows_of(samples: Samples) -> bytes:
    """Return all rows as a PNG has them before they are packed, each less the one above."""
    stored = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder(">"), copy=False))
    rows = stored.view(np.uint8).reshape(len(samples), -1)
    filtered = np.pad(rows, ((0, 0), (1, 0)), constant_values=UP)
    filtered[1:, 1:] -= rows[:-1]
    return filtered.tobytes()


def _packed(samples: Samples) -> memoryview:
    """Return a whole PNG file by OpenCV, whose header is wrong for grey with alpha."""
    pixels = _as_opencv(samples)
    return _encoded(pixels, DRAWING if _is_drawing(samples) else _setting_for(pixels))


def _encoded(pixels: Samples, setting: Setting) -> memoryview:
    level, filter_name = setting
    settings = [cv2.IMWRITE_PNG_COMPRESSION, level]
    if hasattr(cv2, filter_name):  # older ones choose for themselves
        settings += [cv2.IMWRITE_PNG_FILTER, getattr(cv2, filter_name)]
    _, encoded = cv2.imencode(".png", pixels, settings)
    return memoryview(encoded.tobytes())


def _setting_for(pixels: Samples) -> Setting:
    """Return the fast setting, unless bands of the picture tell that its file would be large."""
    bands = np.concatenate([pixels[top : top + BAND] for top in range(0, len(pixels), EACH)])
    fast, usual = (len(_encoded(bands, setting)) for setting in (FAST, USUAL))
    return FAST if fast <= LARGER * usual else THOROUGH


def _is_drawing(samples: Samples) -> bool:
    """Return whether many pixels equal those above them, of every eighth row."""
    below = samples[1::8]
    return bool(below.size and np.mean(samples[:-1:8] == below) > EQUAL_SHARE)


def _as_opencv(samples: Samples) -> Samples:
    """Return samples in OpenCV's order of channels.

    It knows no grey with alpha: two samples of 8 bits are one of 16, two of 16 bits four of 8.
    """
    channels = samples.shape[2]
    if channels == 1:
        return np.ascontiguousarray(samples[..., 0])
    if channels == 3:
        return cv2.cvtColor(np.ascontiguousarray(samples), cv2.COLOR_RGB2BGR)
    if channels == 2 and samples.dtype == np.uint8:
        return samples[..., 0].astype(np.uint16) << 8 | samples[..., 1]
    if channels == 2:
        samples = np.ascontiguousarray(samples.astype(">u2")).view(np.uint8)
    return cv2.cvtColor(np.ascontiguousarray(samples), cv2.COLOR_RGBA2BGRA)


def _put_pixels(handle: BinaryIO, file: memoryview) -> None:
    """Copy the chunks of pixels out of a PNG file."""
    place = len(SIGNATURE)
    while place < len(file):
        length, kind = struct.unpack(">I4s", file[place : place + 8])
        if kind == b"IDAT":
            handle.write(file[place : place + 12 + length])
        place += 12 + length
