"""What chunks of a PNG say beside its pixels, and chunks that say it again (PNG, section 11.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from inpaint_cli.pictures import exif
from inpaint_cli.pictures.ifd import block
from inpaint_cli.pictures.picture import Density, Metadata

if TYPE_CHECKING:
    from inpaint_cli.pictures.png import PngFile

Chunks = Sequence[tuple[bytes, bytes]]

PROFILE_LIMIT = 2**24
TEXT_LIMIT = 2**20
"""Bytes that a compressed profile or text may have when it is unpacked; bombs have more."""
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
XMP_KEY = b"XML:com.adobe.xmp"
LYING = (b"tIME", b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT", b"iDOT")
"""Chunks that speak of the file as it was, of its palette, or of its other frames; iDOT: Apple's,
of where its pixels lie."""
LIKE_SAMPLES = (b"sBIT", b"bKGD")
"""Chunks that hold a value for each channel."""
BEFORE_PIXELS = (b"gAMA", b"cHRM", b"cICP", b"sRGB", b"sBIT", b"mDCV", b"cLLI", b"bKGD", b"oFFs")
LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"pHYs": 9, b"oFFs": 9}
"""Bytes of the chunks that have a fixed length."""
METRE = 39.37007874015748
"""Inches."""


def of_chunks(others: Chunks, file: PngFile) -> tuple[Metadata, int, list[str], list[str]]:
    """Return the metadata of a file, its orientation, what of it is damaged, and what not kept."""
    gathered = _Gathered(file)
    for kind, content in others:
        gathered.add(kind, content)
    orientation = gathered.camera.orientation or gathered.stated or 1
    metadata, density = gathered.metadata, gathered.metadata.density
    if orientation >= 5 and density:
        density = replace(density, across=density.down, down=density.across)
    metadata = replace(
        metadata,
        folder=gathered.camera.folder,
        chunks=tuple(gathered.kept),
        density=density or gathered.camera.density,
    )
    return metadata, orientation, gathered.damaged, gathered.left_out


class _Gathered:
    """What has been found in the chunks so far."""

    def __init__(self, file: PngFile) -> None:
        self.file = file
        self.metadata = Metadata()
        self.camera = exif.clean(b"")
        self.stated: int | None = None
        """The orientation that XMP gives."""
        self.kept: list[tuple[bytes, bytes]] = []
        self.damaged: list[str] = []
        self.left_out: list[str] = []

    def add(self, kind: bytes, content: bytes) -> None:
        key = content.partition(b"\0")[0]
        if len(content) != LENGTHS.get(kind, len(content)):
            self.damaged.append(kind.decode())
        elif kind == b"iCCP":
            icc = _unpacked(content.partition(b"\0")[2][1:], PROFILE_LIMIT) or b""
            self.damaged += [] if icc else ["its colour profile"]
            self.metadata = replace(self.metadata, icc=icc)
        elif kind == b"pHYs":
            self.metadata = replace(self.metadata, density=_density(content))
        elif kind == b"eXIf":
            self._add_camera(content)
        elif kind not in TEXTS or not self._add_profile(kind, content, key):
            self._add_other(kind, content, key)

    def _add_camera(self, raw: bytes) -> None:
        self.camera = self.camera if self.camera.folder else exif.clean(raw)
        self.damaged += ["EXIF"] if self.camera.damaged else []

    def _add_profile(self, kind: bytes, content: bytes, key: bytes) -> bool:
        """Take in a text that other programs use for metadata; whether it was one."""
        if kind == b"iTXt" and key == XMP_KEY:
            self._add_xmp(_international(content))
        elif key == b"Raw profile type xmp":
            self._add_xmp(_raw_profile(kind, content))
        elif key in (b"Raw profile type exif", b"Raw profile type APP1"):
            self._add_camera(_raw_profile(kind, content))
        elif key in (b"Raw profile type iptc", b"Raw profile type 8bim"):
            raw = exif.clean_photoshop(_raw_profile(kind, content))
            self.metadata = replace(self.metadata, photoshop=raw, iptc=exif.iptc_of(raw))
        else:
            return False
        return True

    def _add_xmp(self, raw: bytes) -> None:
        self.damaged += [] if raw else ["XMP"]
        xmp, stated = exif.clean_xmp(raw)
        if xmp and not self.metadata.xmp:
            self.metadata, self.stated = replace(self.metadata, xmp=xmp), stated

    def _add_other(self, kind: bytes, content: bytes, key: bytes) -> None:
        if _may_stay(kind, content, self.file):
            self.kept.append((kind, content))
        elif kind in TEXTS:
            self.damaged.append(f"a text ({key.decode('latin-1')[:40]})")
        elif kind not in LYING:
            self.left_out.append(kind.decode("latin-1"))


def _may_stay(kind: bytes, content: bytes, file: PngFile) -> bool:
    """Return whether a chunk is true of completions too."""
    if kind in BEFORE_PIXELS:
        same = file.coding != 3 and not file.transparency and file.depth >= 8
        return same or kind not in LIKE_SAMPLES
    if kind in LYING:
        return False
    if kind == b"zTXt":
        return _unpacked(content.partition(b"\0")[2][1:], TEXT_LIMIT) is not None
    if kind == b"iTXt":
        _, _, rest = content.partition(b"\0")
        return rest[:1] != b"\1" or _unpacked(_after_tags(rest), TEXT_LIMIT) is not None
    # The case of the fourth letter says whether a chunk may be copied (section 5.4).
    return kind == b"tEXt" or (len(kind) == 4 and kind[0:1].islower() and kind[3:4].islower())


def _unpacked(data: bytes, limit: int) -> bytes | None:
    """Return unpacked data, or None where they are damaged or longer than the limit."""
    try:
        inflater = zlib.decompressobj()
        content = inflater.decompress(data, limit)
    except zlib.error:
        return None
    return content if inflater.eof else None


def _after_tags(rest: bytes) -> bytes:
    """Return the text of an iTXt, behind compression, language and translated keyword."""
    return rest[2:].partition(b"\0")[2].partition(b"\0")[2]


def _international(content: bytes) -> bytes:
    rest = content.partition(b"\0")[2]
    text = _after_tags(rest)
    return (_unpacked(text, TEXT_LIMIT) or b"") if rest[:1] == b"\1" else text


def _raw_profile(kind: bytes, content: bytes) -> bytes:
    """Return the bytes of a profile that ImageMagick wrote as a text of hexadecimal digits."""
    rest = content.partition(b"\0")[2]
    text = _unpacked(rest[1:], TEXT_LIMIT) if kind == b"zTXt" else rest
    lines = (text or b"").strip().split(b"\n")
    try:
        return bytes.fromhex(b"".join(lines[2:]).decode("ascii"))
    except ValueError:
        return b""


def _density(content: bytes) -> Density | None:
    across, down, unit = struct.unpack(">IIB", content)
    if unit == 1:
        return exif.sound(across / METRE, down / METRE)
    return exif.sound(across, down, "none") if across != down else None


def chunks_of(metadata: Metadata, text: tuple[str, str] | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks to write before the pixels, one after the other.

    text: a keyword and its text, in place of an older text of that keyword.
    """
    kept = [(k, c) for k, c in metadata.chunks if not (text and _key(k, c) == text[0].encode())]
    yield from ((kind, content) for kind, content in kept if kind in BEFORE_PIXELS)
    if metadata.icc:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)
    if metadata.density:
        yield b"pHYs", _physical(metadata.density)
    if metadata.folder:
        yield b"eXIf", block(exif.with_orientation(metadata.folder))
    yield from ((kind, content) for kind, content in kept if kind not in BEFORE_PIXELS)
    if metadata.xmp:
        yield b"iTXt", XMP_KEY + b"\0\0\0\0\0" + metadata.xmp
    if photoshop := metadata.photoshop or exif.photoshop_of(metadata.iptc):
        yield b"zTXt", _as_raw_profile(photoshop)
    for comment in metadata.comments:
        yield b"iTXt", b"Comment\0\0\0\0\0" + comment.decode("utf-8", "replace").encode()
    if text:
        yield b"iTXt", text[0].encode() + b"\0\0\0\0\0" + text[1].encode()


def _key(kind: bytes, content: bytes) -> bytes:
    return content.partition(b"\0")[0] if kind in TEXTS else b""


def _physical(density: Density) -> bytes:
    dots = density.per_inch
    if dots is None:
        whole = density.across == int(density.across) and density.down == int(density.down)
        scale = 1 if whole else 1000
        return struct.pack(">IIB", round(density.across * scale), round(density.down * scale), 0)
    return struct.pack(">IIB", *(round(value * METRE) for value in dots), 1)


def _as_raw_profile(photoshop: bytes) -> bytes:
    digits = photoshop.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    text = "\n".join(["", "iptc", f"{len(photoshop):8d}", *lines, ""])
    return b"Raw profile type iptc\0\0" + zlib.compress(text.encode())
