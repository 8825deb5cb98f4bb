"""Writes completed photos losslessly: same mode, depth, profile and EXIF as the input."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from inpaint_cli.files import replacing
from inpaint_cli.photos.photo import Photo, Samples

PNG_LEVEL = 3
"""zlib's level: higher ones take three times as long for a few percent."""
TEXT_KEY = "inpaint"
DESCRIPTION = 270
"""The TIFF tag that takes the text where the photo has none of its own."""


def write_photo(path: Path, photo: Photo, samples: Samples, text: str | None = None) -> None:
    """Writes samples in the photo's mode to a PNG or TIFF file, by its suffix, in one piece.

    text: JSON about how it was made, kept in the PNG chunk `inpaint` or the TIFF description.
    """
    with replacing(path) as temporary, temporary.open("wb") as handle:
        if path.suffix == ".png":
            _write_png(handle, photo, samples, text)
        else:
            _write_tiff(handle, photo, samples, text)


def as_image(photo: Photo, samples: Samples) -> Image.Image:
    """Gives samples of 8 bits, or of one band, as a Pillow image of the photo's mode."""
    flat = np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if photo.mode == "1":
        return Image.fromarray(flat).convert("1", dither=Image.Dither.NONE)
    size = (samples.shape[1], samples.shape[0])
    if photo.mode in ("CMYK", "LAB"):
        return Image.frombytes(photo.mode, size, flat.tobytes())
    return Image.fromarray(flat)


def _write_png(handle: BinaryIO, photo: Photo, samples: Samples, text: str | None) -> None:
    chunks = PngImagePlugin.PngInfo()
    if text:
        chunks.add_itxt(TEXT_KEY, text)
    if photo.mode.endswith("A;16") or photo.mode == "RGB;16":
        _write_deep_png(handle, photo, samples, chunks)
        return
    as_image(photo, samples).save(
        handle,
        format="PNG",
        compress_level=PNG_LEVEL,
        pnginfo=chunks,
        exif=photo.exif,
        icc_profile=photo.icc,
        **({"dpi": photo.dpi} if photo.dpi else {}),
    )


def _write_deep_png(
    handle: BinaryIO, photo: Photo, samples: Samples, text: PngImagePlugin.PngInfo
) -> None:
    """Writes 16-bit colours, which Pillow cannot (PNG specification, sections 5 and 9)."""
    height, width, bands = samples.shape
    colour_type = {2: 4, 3: 2, 4: 6}[bands]
    handle.write(b"\x89PNG\r\n\x1a\n")
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    PngImagePlugin.putchunk(handle, b"IHDR", header)
    if photo.icc:
        PngImagePlugin.putchunk(handle, b"iCCP", b"ICC Profile\0\0" + zlib.compress(photo.icc))
    if photo.dpi:
        per_metre = (int(value / 0.0254 + 0.5) for value in photo.dpi)
        PngImagePlugin.putchunk(handle, b"pHYs", struct.pack(">IIB", *per_metre, 1))
    if photo.exif:
        PngImagePlugin.putchunk(handle, b"eXIf", photo.exif.removeprefix(b"Exif\0\0"))
    for name, content, *_ in text.chunks:
        PngImagePlugin.putchunk(handle, name, content)
    for part in _deflated(samples):
        PngImagePlugin.putchunk(handle, b"IDAT", part)
    PngImagePlugin.putchunk(handle, b"IEND", b"")


def _deflated(samples: Samples) -> Iterator[bytes]:
    """Yields the image data: each row as its difference from the row above (filter 2)."""
    packer = zlib.compressobj(PNG_LEVEL)
    above = np.zeros(samples.shape[1] * samples.shape[2] * 2, np.uint8)
    for start in range(0, len(samples), 64):
        rows = samples[start : start + 64].astype(">u2")
        rows = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
        before = np.vstack([above[None], rows[:-1]])
        above = rows[-1]
        marked = np.hstack([np.full((len(rows), 1), 2, np.uint8), rows - before])
        if part := packer.compress(marked.tobytes()):
            yield part
    yield packer.flush()


def _write_tiff(handle: BinaryIO, photo: Photo, samples: Samples, text: str | None) -> None:
    exif = Image.Exif()
    if photo.exif:
        exif.load(photo.exif)
    if text and DESCRIPTION not in exif:
        exif[DESCRIPTION] = text
    if photo.mode.endswith("A;16") or photo.mode == "RGB;16":
        _write_deep_tiff(handle, photo, samples, exif)
        return
    as_image(photo, samples).save(
        handle,
        format="TIFF",
        compression="tiff_adobe_deflate",
        exif=exif,
        icc_profile=photo.icc,
        **({"dpi": photo.dpi} if photo.dpi else {}),
    )


def _write_deep_tiff(handle: BinaryIO, photo: Photo, samples: Samples, exif: Image.Exif) -> None:
    """Writes 16-bit colours, which Pillow cannot (TIFF 6.0, sections 2 and 6)."""
    height, width, bands = samples.shape
    packed = zlib.compress(samples.astype("<u2").tobytes(), PNG_LEVEL)
    folder = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in exif.items():
        folder[tag] = exif.get_ifd(tag) if tag in (34665, 34853) else value
    folder[256], folder[257] = width, height
    folder[258] = (16,) * bands
    folder[259] = 8  # deflate
    folder[262] = 2 if bands >= 3 else 1  # RGB, or black is zero
    folder[277], folder[278], folder[284] = bands, height, 1
    if bands in (2, 4):
        folder[338] = 2  # the last band is alpha, not multiplied in
    folder[273], folder[279] = 0, len(packed)  # Pillow adds the folder's own length to 273
    if photo.icc:
        folder.tagtype[34675] = 7
        folder[34675] = photo.icc
    body = BytesIO()
    folder.save(body)
    handle.write(body.getvalue() + packed)
