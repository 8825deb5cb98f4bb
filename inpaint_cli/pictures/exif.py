"""EXIF and its kin, cleaned of what would lie about a completed picture."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from inpaint_cli.pictures.ifd import DamagedError, Directory, Layout, short
from inpaint_cli.pictures.picture import Density

ORIENTATION = 274
RESOLUTIONS, UNIT = (282, 283), 296
CAMERA = 34665
SIDES = (40962, 40963)
"""Width and height that the camera noted."""
PREVIEWS = frozenset((513, 514))
SEPARATE = frozenset((700, 33723, 34377, 34675))
"""XMP, IPTC, Photoshop's resources and the colour profile, which are carried on their own."""
LAYOUT = frozenset((
    *range(254, 260), *range(262, 267), 273, *range(277, 282), 284, 288, 289, 290, 291, 292, 293,
    317, 320, *range(322, 326), 330, 332, 334, 338, 339, 340, 341, 347, *range(512, 522),
    *range(529, 533),
))  # fmt: skip
"""Tags that say how a TIFF holds its pixels."""
PLACES = frozenset((33550, 33922, 34264))
"""Tags that tie the rows and columns of a GeoTIFF to places."""

_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)([1-8])")
_XMP_PREVIEWS = re.compile(
    rb"<([\w.-]+:Thumbnails|G(?:Image|Depth):Data)\b.*?</\1\s*>"
    rb"|\sG(?:Image|Depth):Data\s*=\s*([\"']).*?\2",
    re.DOTALL,
)
"""Adobe's thumbnails under any prefix (older files say "xap"), and the picture as a camera of
Google's took it."""
_TRAILERS = rb"hdrgm:\w+|GCamera:(?:MicroVideo|MotionPhoto)\w*"
_XMP_TRAILERS = re.compile(
    rb"<(Container:Directory|" + _TRAILERS + rb")\b.*?</\1\s*>|\s(?:" + _TRAILERS + rb")"
    rb"\s*=\s*([\"']).*?\2",
    re.DOTALL,
)
"""What stood behind the photo, in its file: a gain map for bright screens, a short film."""


@dataclass(frozen=True)
class CleanExif:
    """EXIF without orientation and previews, and what its orientation was."""

    folder: Directory
    orientation: int | None
    density: Density | None
    damaged: bool = False


def clean(raw: bytes) -> CleanExif:
    """Return what EXIF holds; nothing, and no error, where it is damaged."""
    raw = raw.removeprefix(b"Exif\0\0")
    if not raw:
        return CleanExif(Directory(), None, None)
    try:
        layout = Layout.of(raw)
        folder, _ = layout.folder(raw, layout.first)
    except DamagedError:
        return CleanExif(Directory(), None, None, damaged=True)
    return clean_folder(folder)


def clean_folder(folder: Directory) -> CleanExif:
    """Return the tags of a first directory without orientation, previews and layout."""
    orientation = folder.integer(ORIENTATION, 0)
    kept = folder.without(LAYOUT | PREVIEWS | SEPARATE | {ORIENTATION})
    known = orientation if 1 <= orientation <= 8 else None
    if known is not None and known >= 5:
        kept = _turned(kept)
    return CleanExif(kept, known, density_of(folder, swapped=(known or 1) >= 5))


def density_of(folder: Directory, swapped: bool) -> Density | None:
    """Return the resolution that the tags state, if they do."""
    values = [v for tag in RESOLUTIONS if tag in folder.tags for v in folder.tags[tag].numbers()]
    if len(values) != 2:
        return None
    across, down = reversed(values) if swapped else values
    units = {1: "none", 3: "cm"}
    return sound(across, down, units.get(folder.integer(UNIT, 2), "inch"))


def sound(across: float, down: float, unit: str = "inch") -> Density | None:
    """Return a resolution, or None where the numbers are none."""
    if not (0 < across < 1e6 and 0 < down < 1e6) or unit not in ("inch", "cm", "none"):
        return None
    return Density(float(across), float(down), unit)  # type: ignore[arg-type]


def _turned(folder: Directory) -> Directory:
    """Return tags that speak of width and height, exchanged for a picture turned by a quarter."""
    tags = _exchanged(folder, *RESOLUTIONS).tags
    folders = dict(folder.folders)
    if CAMERA in folders:
        folders[CAMERA] = _exchanged(folders[CAMERA], *SIDES)
    return Directory(tags, folders)


def _exchanged(folder: Directory, first: int, second: int) -> Directory:
    if first not in folder.tags or second not in folder.tags:
        return folder
    return folder.joined({first: folder.tags[second], second: folder.tags[first]})


def with_orientation(folder: Directory) -> Directory:
    """Return tags that say that the picture is upright."""
    return folder.joined({ORIENTATION: short(1)}) if folder else folder


def clean_xmp(xmp: bytes) -> tuple[bytes, int | None]:
    """Return XMP that says "upright" and of nothing that is gone, and the orientation it gave."""
    stated = _XMP_ORIENTATION.search(xmp)
    upright = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    true = _XMP_TRAILERS.sub(b"", _XMP_PREVIEWS.sub(b"", upright))
    return true, int(stated[2]) if stated else None


def clean_photoshop(raw: bytes) -> bytes:
    """Return Photoshop's resources ("8BIM" ...) without thumbnails; as far as they are whole."""
    kept, place = [], 0
    while raw[place : place + 4] == b"8BIM" and place + 12 <= len(raw):
        name = raw[place + 6]
        size_at = place + 6 + (name + 2) // 2 * 2
        if size_at + 4 > len(raw):
            break
        (size,) = struct.unpack(">I", raw[size_at : size_at + 4])
        end = size_at + 4 + (size + 1) // 2 * 2
        if size_at + 4 + size > len(raw):
            break
        if raw[place + 4 : place + 6] not in (b"\x04\x09", b"\x04\x0c"):
            kept.append(raw[place:end].ljust(end - place, b"\0"))
        place = end
    return b"".join(kept)


def iptc_of(photoshop: bytes) -> bytes:
    """Return the records of IPTC among Photoshop's resources."""
    place = photoshop.find(b"8BIM\x04\x04\0\0")
    if place < 0:
        return b""
    (size,) = struct.unpack(">I", photoshop[place + 8 : place + 12].rjust(4, b"\0"))
    return photoshop[place + 12 : place + 12 + size]


def photoshop_of(iptc: bytes) -> bytes:
    """Return records of IPTC as Photoshop's resource."""
    if not iptc:
        return b""
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
