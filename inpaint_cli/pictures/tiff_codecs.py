"""JPEG and fax inside a TIFF: each strip or tile by a decoder that keeps silent."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from inpaint_cli.pictures.ifd import Directory, long, packed, short
from inpaint_cli.pictures.opening import lazily
from inpaint_cli.pictures.tiff_layout import RGB, YCBCR, TiffLayout

_INVERTED = bytes(range(255, -1, -1))


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
