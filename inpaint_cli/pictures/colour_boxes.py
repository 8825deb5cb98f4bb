"""What colours mean in files made of boxes, where Pillow does not tell it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
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
    boxes = _boxes(data, b"meta", b"iprp", b"ipco", b"colr")
    codes = next((box[4:8] for box in boxes if box[:4] == b"nclx" and len(box) >= 8), None)
    if codes is None:
        return metadata
    primaries, transfer = struct.unpack(">HH", codes)
    if (primaries, transfer) in SAME_AS_SRGB or max(primaries, transfer) > 255:
        return metadata
    # Decoded to RGB of the full range: no matrix, and nothing is cut off.
    chunk = b"cICP", bytes((primaries, transfer, 0, 1))
    return replace(metadata, chunks=(*metadata.chunks, chunk))


def _profile(data: bytes) -> bytes:
    """Return the profile in the header of a JPEG 2000 file; b"" without one."""
    for box in _boxes(data, b"jp2h", b"colr"):
        profile = box[3:]
        if box[:1] == b"\x02" and profile[36:40] == b"acsp":
            return profile
    return b""


def _boxes(data: bytes, kind: bytes, *inner: bytes) -> Iterator[bytes]:
    """Yield the contents of all boxes at a path of kinds, in order (ISO 14496-12, 4.2).

    A box is its length, four letters and its contents; a length of 1 is followed by one of 8
    bytes, 0 means to the end. Nothing is yielded from where lengths make no sense.
    """
    at = 0
    while at + 8 <= len(data):
        length, head = int.from_bytes(data[at : at + 4]), 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16]), 16
        end = at + length if length else len(data)
        if end < at + head or end > len(data):
            return
        if data[at + 4 : at + 8] == kind:
            # A meta box begins with its version and flags.
            contents = data[at + head + (4 if kind == b"meta" else 0) : end]
            if inner:
                yield from _boxes(contents, *inner)
            else:
                yield contents
        at = end
