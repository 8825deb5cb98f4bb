"""What colours mean in files made of boxes, where Pillow does not tell it."""

from __future__ import annotations

import struct
from dataclasses import replace

from inpaint_cli.pictures.picture import Metadata

SAME_AS_SRGB = {(1, 1), (1, 2), (1, 13), (2, 2), (2, 13)}
"""Code points of primaries and transfer (ITU-T H.273) that are shown as sRGB, or unspecified."""


def with_colours(metadata: Metadata, data: bytes, kind: str) -> Metadata:
    """Return metadata with the colours that a file states beside its pixels.

    Of JPEG 2000 that is a profile (ISO 15444-1, I.5.3.3), of AVIF and HEIC code points (ISO
    14496-12, 12.1.5), which become the chunk cICP that PNG has for them.
    """
    if metadata.icc:
        return metadata
    if kind == "JPEG2000":
        return replace(metadata, icc=_profile(data))
    at = data.find(b"colrnclx")
    codes = data[at + 8 : at + 12]
    if at < 0 or len(codes) < 4:
        return metadata
    primaries, transfer = struct.unpack(">HH", codes)
    if (primaries, transfer) in SAME_AS_SRGB or max(primaries, transfer) > 255:
        return metadata
    # Decoded to RGB of the full range: no matrix, and nothing is cut off.
    chunk = b"cICP", bytes((primaries, transfer, 0, 1))
    return replace(metadata, chunks=(*metadata.chunks, chunk))


def _profile(data: bytes) -> bytes:
    """Return the profile in the header of a JPEG 2000 file; b"" without one."""
    header = data[: max(data.find(b"jp2c"), 0)]
    at = header.find(b"colr\x02")
    if at < 4:
        return b""
    (length,) = struct.unpack(">I", header[at - 4 : at])
    profile = header[at + 7 : at - 4 + length]
    return profile if profile[36:40] == b"acsp" else b""
