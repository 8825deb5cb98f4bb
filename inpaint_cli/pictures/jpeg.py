"""JPEG files as a row of segments, so that damaged metadata hide no sound picture (ITU T.81, B)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import JpegImagePlugin

from inpaint_cli.pictures import exif
from inpaint_cli.pictures.ifd import DamagedError, Layout
from inpaint_cli.pictures.opening import UnreadError
from inpaint_cli.pictures.picture import Density, LossyCoding, Metadata

APP0, APP1, APP2, APP13, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE
START_OF_SCAN = 0xDA
EXIF_MARK, ICC_MARK, MPF_MARK = b"Exif\0\0", b"ICC_PROFILE\0", b"MPF\0"
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
LONG_XMP_MARK = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP_MARK = b"Photoshop 3.0\0"
UNREAD_FRAMES = {
    **dict.fromkeys((0xC3, 0xCB), "a lossless JPEG"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG"),
    0xF7: "a JPEG-LS picture",
}
"""By the marker of the frame (ITU T.81, table B.1); JPEG-LS is another standard, T.87."""
READ_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
LONGEST = 65533
"""Bytes that one segment can hold."""


@dataclass
class Segments:
    """A JPEG file taken apart: metadata on one side, a plain file for the decoder on the other."""

    plain: bytes
    """The file without application segments, but for JFIF's and Adobe's, which say how it looks."""
    metadata: Metadata = field(default_factory=Metadata)
    orientation: int = 1
    frames: int = 1
    damaged: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Application segments of meanings that are not known here, so that they may show the hole."""


def taken_apart(data: bytes) -> Segments:
    """Return the segments of a JPEG file; the file as it is where they cannot be told apart.

    UnreadError for kinds of JPEG that the decoder does not know.
    """
    try:
        parts, scan = _walked(data)
    except (struct.error, IndexError, ValueError):
        return Segments(data)
    for marker, raw in parts:
        if marker in UNREAD_FRAMES:
            raise UnreadError(UNREAD_FRAMES[marker])
        if marker in READ_FRAMES and raw[4:5] not in (b"\x08", b""):
            raise UnreadError(f"a JPEG of {raw[4]} bits")
    kept = [raw for marker, raw in parts if not 0xE1 <= marker <= 0xEF or marker == APP14]
    kept = [raw for raw in kept if raw[1] != COMMENT]
    plain = b"".join([b"\xff\xd8", *kept, data[scan:]])
    segments = Segments(plain)
    payloads = [(marker, raw[4:]) for marker, raw in parts if len(raw) > 4]
    _add_metadata(segments, payloads)
    return segments


def _walked(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return the segments before the first scan, each with its marker, and where that begins."""
    parts: list[tuple[int, bytes]] = []
    place = 2
    while True:
        if data[place] != 0xFF:
            raise ValueError("no marker")
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == START_OF_SCAN:
            return parts, place
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        parts.append((marker, data[place : place + 2 + length]))
        place += 2 + length


def _add_metadata(segments: Segments, payloads: list[tuple[int, bytes]]) -> None:
    """Fill in what the segments say beside the pixels."""
    first: dict[bytes, bytes] = {}
    profile, segments_of_profile = dict[int, bytes](), 0
    photoshop, comments, density, others = [], [], None, dict[str, None]()
    for marker, raw in payloads:
        if marker == APP1 and raw.startswith((EXIF_MARK, XMP_MARK)):
            mark = EXIF_MARK if raw.startswith(EXIF_MARK) else XMP_MARK
            first.setdefault(mark, raw.removeprefix(mark))
        elif marker == APP2 and raw.startswith(ICC_MARK) and len(raw) > 14:
            profile[raw[12]], segments_of_profile = raw[14:], raw[13]
        elif marker == APP2 and raw.startswith(MPF_MARK):
            segments.frames = _frames(raw[4:])
        elif marker == APP13 and raw.startswith(PHOTOSHOP_MARK):
            photoshop.append(raw.removeprefix(PHOTOSHOP_MARK))
        elif marker == COMMENT:
            comments.append(raw)
        elif marker == APP0 and raw.startswith(b"JFIF\0"):
            density = _jfif_density(raw)
        elif APP1 <= marker <= 0xEF and marker != APP14:
            long = raw.startswith(LONG_XMP_MARK)
            others["extended XMP" if long else f"segments APP{marker - APP0}"] = None
    segments.others = tuple(others)
    camera = exif.clean(first.get(EXIF_MARK, b""))
    xmp, stated = exif.clean_xmp(first.get(XMP_MARK, b""))
    whole = len(profile) == segments_of_profile
    segments.damaged = ("EXIF",) * camera.damaged + ("its colour profile",) * (not whole)
    segments.orientation = camera.orientation or stated or 1
    if density and segments.orientation >= 5:
        density = Density(density.down, density.across, density.unit)
    segments.metadata = Metadata(
        folder=camera.folder,
        icc=b"".join(profile[number] for number in sorted(profile)) if whole else b"",
        xmp=xmp,
        photoshop=exif.clean_photoshop(b"".join(photoshop)),
        comments=tuple(comments),
        density=density or camera.density,
    )
    iptc = exif.iptc_of(segments.metadata.photoshop)
    segments.metadata = replace(segments.metadata, iptc=iptc)


def _jfif_density(raw: bytes) -> Density | None:
    if len(raw) < 12:
        return None
    unit, across, down = struct.unpack(">BHH", raw[7:12])
    if unit == 0 and across == down:
        return None
    return exif.sound(across, down, {0: "none", 1: "inch", 2: "cm"}.get(unit, ""))


def _frames(raw: bytes) -> int:
    """Return how many pictures a multi-picture file states."""
    try:
        layout = Layout.of(raw)
        folder, _ = layout.folder(raw, layout.first)
    except DamagedError:
        return 1
    return max(1, folder.integer(0xB001, 1))


def coding_of(image: Any) -> LossyCoding | None:
    """Return how an opened JPEG is coded; None where that cannot be told."""
    try:
        numbers = [layer[3] for layer in image.layer[:2]]
        tables = tuple(tuple(image.quantization[number]) for number in numbers)
        sampling = int(JpegImagePlugin.get_sampling(image))
    except Exception:
        return None
    return LossyCoding(tables, sampling, bool(image.info.get("progressive")))


def with_metadata(plain: bytes, metadata: Metadata) -> tuple[bytes, list[str]]:
    """Return a JPEG file with metadata put in, and what did not fit."""
    parts, scan = _walked(plain)
    kept = [raw for marker, raw in parts if marker != APP0 or not raw[4:].startswith(b"JFIF\0")]
    jfif = any(marker == APP0 for marker, _ in parts)
    # The encoder leaves it out beside inks, which JFIF does not know; for a density it is read.
    before: list[bytes] = [_jfif(metadata.density)] if jfif or metadata.density else []
    lost = []
    for marker, raw, what in _payloads(metadata):
        if len(raw) > LONGEST:
            lost.append(what)
        else:
            before.append(struct.pack(">BBH", 0xFF, marker, len(raw) + 2) + raw)
    return b"".join([b"\xff\xd8", *before, *kept, plain[scan:]]), lost


def _jfif(density: Density | None) -> bytes:
    unit, across, down = 0, 1.0, 1.0
    if density:
        unit = {"none": 0, "inch": 1, "cm": 2}[density.unit]
        across, down = density.across, density.down
    sides = (min(max(round(value), 1), 65535) for value in (across, down))
    return b"\xff\xe0\0\x10JFIF\0\1\1" + struct.pack(">BHHBB", unit, *sides, 0, 0)


def _payloads(metadata: Metadata) -> Iterator[tuple[int, bytes, str]]:
    """Yield the segments to write: marker, content, and a name for it."""
    from inpaint_cli.pictures.ifd import block

    if metadata.folder:
        yield APP1, EXIF_MARK + block(exif.with_orientation(metadata.folder)), "EXIF"
    if metadata.xmp:
        yield APP1, XMP_MARK + metadata.xmp, "XMP"
    if photoshop := metadata.photoshop or exif.photoshop_of(metadata.iptc):
        yield APP13, PHOTOSHOP_MARK + photoshop, "IPTC"
    step = LONGEST - 14
    pieces = [metadata.icc[at : at + step] for at in range(0, len(metadata.icc), step)]
    for number, piece in enumerate(pieces, 1):
        yield APP2, ICC_MARK + bytes((number, len(pieces))) + piece, "its colour profile"
    for comment in metadata.comments:
        yield COMMENT, comment, "a comment"
