"""Writes TIFF: every kind of samples that is held, and all tags that it had (TIFF 6.0)."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import exif
from inpaint_cli.pictures.ifd import Directory, Tag, long, opaque, packed, rational, short, text
from inpaint_cli.pictures.picture import Metadata, Picture, Samples
from inpaint_cli.pictures.tiff import ICC, IPTC, PHOTOSHOP, XMP

LEVEL = 1
"""zlib's level, behind differences of neighbours: as small as level 3 without them, and faster."""
STRIP_BYTES = 2**20
DESCRIPTION = 270
DEFLATE = 8
LARGEST = 2**32 - 2**20
PHOTOMETRIC = {"grey": 1, "rgb": 2, "cmyk": 5, "lab": 8, "icclab": 9}
EXTRAS = {"unspecified": 0, "premultiplied": 1, "alpha": 2}
FORMATS = {"u": 1, "i": 2, "f": 3}
UNITS = {"none": 1, "inch": 2, "cm": 3}


def write(handle: BinaryIO, picture: Picture, samples: Samples, words: str | None = None) -> None:
    """Write samples of a picture as it was: depth, sign, kind of alpha, white at zero or not.

    words: a text for the description, where the picture has none of its own, nor a comment.
    """
    rows = max(1, STRIP_BYTES // max(samples[:1].nbytes, 1))
    handle.write(b"II*\0\0\0\0\0")
    offsets, counts, place = [], [], 8
    for top in range(0, len(samples), rows):
        strip = zlib.compress(_row_bytes(picture, samples[top : top + rows]), LEVEL)
        handle.write(strip)
        offsets.append(place)
        counts.append(len(strip))
        place += len(strip)
        if place > LARGEST:
            raise UserError("the picture takes more than the 4 GB that a TIFF can have.")
    handle.write(b"\0" * (place % 2))
    place += place % 2
    folder = _metadata(picture.metadata, words).joined(_layout(picture, samples, rows))
    folder = folder.joined({273: long(*offsets), 279: long(*counts)})
    handle.write(packed(folder, place))
    handle.seek(4)
    handle.write(struct.pack("<I", place))


def _has_differences(picture: Picture) -> bool:
    return picture.bits in (8, 16) and not picture.is_float


def _row_bytes(picture: Picture, samples: Samples) -> bytes:
    """Return the bytes of some rows, as differences where that is common."""
    if picture.bits not in (8, 16, 32, 64):
        return _narrow(samples.reshape(len(samples), -1), picture.bits)
    if _has_differences(picture):
        differences = samples.copy()
        np.subtract(samples[:, 1:], samples[:, :-1], out=differences[:, 1:])
        samples = differences
    return samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()


def _narrow(rows: Samples, bits: int) -> bytes:
    """Return samples of an odd number of bits without gaps but for the ends of rows."""
    shifts = np.arange(bits - 1, -1, -1, dtype=np.uint16)
    packed_rows = []
    for row in rows:  # a bit takes two bytes here
        each = (row.astype(np.uint16)[:, None] >> shifts) & 1
        packed_rows.append(np.packbits(each.astype(np.uint8).ravel()).tobytes())
    return b"".join(packed_rows)


def _layout(picture: Picture, samples: Samples, rows: int) -> dict[int, Tag]:
    height, width, channels = samples.shape
    white_is_zero = picture.colours == "grey" and picture.low > picture.high
    tags = {
        256: long(width),
        257: long(height),
        258: short(*[picture.bits] * channels),
        259: short(DEFLATE),
        262: short(0 if white_is_zero else PHOTOMETRIC[picture.colours]),
        277: short(channels),
        278: long(min(rows, height)),
        284: short(1),
        339: short(*[FORMATS[samples.dtype.kind]] * channels),
    }
    if _has_differences(picture):
        tags[317] = short(2)
    if picture.extras:
        tags[338] = short(*(EXTRAS[extra] for extra in picture.extras))
    return tags


def _metadata(metadata: Metadata, words: str | None) -> Directory:
    folder, tags = metadata.folder, dict[int, Tag]()
    density = metadata.density
    if density and not all(tag in folder.tags for tag in exif.RESOLUTIONS):
        tags[282], tags[283] = rational(density.across), rational(density.down)
        tags[296] = short(UNITS[density.unit])
    if metadata.icc:
        tags[ICC] = opaque(metadata.icc)
    if metadata.xmp:
        tags[XMP] = Tag(1, len(metadata.xmp), metadata.xmp)
    if metadata.iptc:
        tags[IPTC] = opaque(metadata.iptc)
    if metadata.photoshop:
        tags[PHOTOSHOP] = Tag(1, len(metadata.photoshop), metadata.photoshop)
    if DESCRIPTION not in folder.tags:
        comment = b"\n".join(metadata.comments).decode("utf-8", "replace")
        if words or comment:
            tags[DESCRIPTION] = text(comment or words or "")
    return folder.joined(tags)
