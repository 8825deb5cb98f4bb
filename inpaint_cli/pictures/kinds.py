"""What kind of file it is, by its first bytes: never by its name, and never by trying readers."""

from __future__ import annotations

import re

HEAD_BYTES = 4096
"""So much of a file tells its kind."""

READ = (
    "PNG",
    "JPEG",
    "WEBP",
    "AVIF",
    "GIF",
    "TIFF",
    "BMP",
    "PNM",
    "TGA",
    "PCX",
    "ICO",
    "JPEG2000",
    "DDS",
    "HEIF",
)
"""Kinds that can be read; HEIF with pillow-heif alone."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"\xff\xd8\xff", "JPEG"),
    # In full: in other TIFF files the pixels of a picture may begin here.
    (rb"II\*\0\x10\0\0\0CR\x02\0", "a raw photo (CR2)"),
    (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"GIF8[79]a", "GIF"),
    (rb"BM", "BMP"),
    (rb"P[1-7fF]\s", "PNM"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG2000"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL"),
    (rb"\x00\x00\x01\x00", "ICO"),
    (rb"\x0a[\x00\x02\x03\x05][\x00\x01]", "PCX"),
    (rb"DDS ", "DDS"),
    (rb"....ftyp(heic|heix|hevc|hevx|heim|heis|hevm|hevs)", "HEIF"),
    (rb"....ftypcrx ", "a raw photo (CR3)"),
    (rb"FUJIFILMCCD-RAW", "a raw photo (RAF)"),
    (rb"IIU\x00", "a raw photo (RW2)"),
    (rb"II(RO|RS)", "a raw photo (ORF)"),
    (rb"FOVb", "a raw photo (X3F)"),
    (rb"8BPS", "a Photoshop document (PSD)"),
    (rb"gimp xcf", "a GIMP project (XCF)"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (rb"%PDF", "a PDF document"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg", "a drawing (SVG)"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (rb"#\?(RADIANCE|RGBE)", "a Radiance picture (HDR)"),
    (rb"qoif", "a QOI picture"),
    (rb"SIMPLE  =", "a FITS picture"),
    (rb".{128}DICM", "a DICOM picture"),
    (rb"....ftyp", "a video"),
    (rb"PK\x03\x04", "a zip archive"),
)
_COMPILED = [(re.compile(pattern, re.DOTALL), kind) for pattern, kind in _MAGIC]
_MIXED_BRANDS = (b"mif1", b"msf1", b"avif", b"avis")


def kind_of(head: bytes) -> str | None:
    """Return the kind of a file from its first bytes: one of `READ`, or a name; None = unknown.

    >>> kind_of(b"GIF89a..."), kind_of(b"%!PS-Adobe"), kind_of(b"hello")
    ('GIF', 'PostScript (EPS)', None)
    """
    if head[4:8] == b"ftyp" and head[8:12] in _MIXED_BRANDS:
        brands = head[8 : min(int.from_bytes(head[:4], "big"), len(head))]
        return "AVIF" if b"avif" in brands or b"avis" in brands else "HEIF"
    for pattern, kind in _COMPILED:
        if pattern.match(head):
            return kind
    return "TGA" if _is_targa(head) else None


def _is_targa(head: bytes) -> bool:
    """Return whether the bytes can be a Targa file, which has no mark of its own."""
    if len(head) < 18:
        return False
    palette, coding, depth = head[1], head[2], head[16]
    sides = int.from_bytes(head[12:14], "little"), int.from_bytes(head[14:16], "little")
    return (
        palette == (1 if coding in (1, 9) else palette)
        and palette in (0, 1)
        and coding in (1, 2, 3, 9, 10, 11)
        and depth in (1, 8, 15, 16, 24, 32)
        and min(sides) > 0
        and head[7] in (0, 15, 16, 24, 32)
    )


def advice(kind: str | None) -> str:
    """Return what to do with a file of a kind that is not read."""
    if kind is None:
        return "not an image, or of a kind that cannot be read. Give a PNG, JPEG or TIFF."
    if kind == "HEIF":
        return (
            "a HEIC photo, which needs another package. Install it with: pip install pillow-heif; "
            "or save the photo as JPEG."
        )
    if kind.startswith("a raw photo"):
        return f"{kind}, which has no colours yet. Develop it, and save it as TIFF of 16 bits."
    return f"{kind}, which is not read. Save it as PNG or TIFF."
