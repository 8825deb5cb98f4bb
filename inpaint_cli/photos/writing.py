"""Write completed photos losslessly: same mode, depth, profile and EXIF as the input."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, TiffTags
from PIL import TiffImagePlugin as tiff

from inpaint_cli.files import replacing
from inpaint_cli.photos.photo import COLOUR_BANDS, Photo, Samples

PNG_LEVEL = 3
"""zlib's level: higher ones take three times as long for a few percent."""
TEXT_KEY = "inpaint"
EXIF_FOLDERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
"""Tags whose value is a folder of its own: the camera's settings, and the place."""
TIFF_DEFLATE, TIFF_CHUNKY, TIFF_INCH = 8, 1, 2
"""Values of tags: compression, samples of a pixel side by side, unit of a resolution."""
TIFF_GREY, TIFF_RGB, TIFF_CMYK, TIFF_LAB = 1, 2, 5, 8
TIFF_STRAIGHT_ALPHA = 2
"""The last band is alpha, not multiplied in."""
TIFF_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}


def write_photo(path: Path, photo: Photo, samples: Samples, text: str | None = None) -> None:
    """Write samples in the photo's mode to a PNG or TIFF file, by its suffix, in one piece.

    text: JSON about how it was made, kept in the PNG chunk `inpaint` or the TIFF description.
    """
    with replacing(path) as temporary, temporary.open("wb") as handle:
        if path.suffix == ".png":
            _write_png(handle, photo, samples, text)
        else:
            _write_tiff(handle, photo, samples, text)


def _as_image(photo: Photo, samples: Samples) -> Image.Image:
    """Return samples that PNG and Pillow know as a Pillow image."""
    flat = np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if photo.mode == "1":
        return Image.fromarray(flat).convert("1", dither=Image.Dither.NONE)
    return Image.fromarray(flat)


def _write_png(handle: BinaryIO, photo: Photo, samples: Samples, text: str | None) -> None:
    chunks = PngImagePlugin.PngInfo()
    if text:
        chunks.add_itxt(TEXT_KEY, text)
    if photo.mode.endswith("A;16") or photo.mode == "RGB;16":
        _write_deep_png(handle, photo, samples, chunks)
        return
    _as_image(photo, samples).save(
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
    """Write 16-bit colours, which Pillow cannot (PNG specification, sections 5 and 9)."""
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
    for deflated in _deflated(samples):
        PngImagePlugin.putchunk(handle, b"IDAT", deflated)
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
        if deflated := packer.compress(marked.tobytes()):
            yield deflated
    yield packer.flush()


def _write_tiff(handle: BinaryIO, photo: Photo, samples: Samples, text: str | None) -> None:
    """Write any mode in one deflated strip (TIFF 6.0, sections 2, 3 and 8).

    Pillow writes no colours of 16 bits, and, compressed, no folder of EXIF.
    """
    exif = Image.Exif()
    if photo.exif:
        exif.load(photo.exif)
    if text and tiff.IMAGEDESCRIPTION not in exif:
        exif[tiff.IMAGEDESCRIPTION] = text
    folder = tiff.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag in exif:
        folder[tag] = dict(exif.get_ifd(tag)) if tag in EXIF_FOLDERS else exif[tag]
    packed = zlib.compress(_little_endian(photo.mode, samples), PNG_LEVEL)
    _describe_samples(folder, photo, samples)
    if photo.dpi:
        folder[tiff.X_RESOLUTION], folder[tiff.Y_RESOLUTION] = photo.dpi
        folder[tiff.RESOLUTION_UNIT] = TIFF_INCH
    folder.tagtype[tiff.STRIPOFFSETS] = TiffTags.LONG
    folder[tiff.STRIPOFFSETS] = 0  # Pillow adds the folder's own length
    folder[tiff.STRIPBYTECOUNTS] = len(packed)
    if photo.icc:
        folder.tagtype[tiff.ICCPROFILE] = TiffTags.UNDEFINED
        folder[tiff.ICCPROFILE] = photo.icc
    body = BytesIO()
    folder.save(body)
    handle.write(body.getvalue())
    handle.write(packed)


def _describe_samples(folder: tiff.ImageFileDirectory_v2, photo: Photo, samples: Samples) -> None:
    """Add the tags that say how the samples are laid out."""
    height, width, bands = samples.shape
    colours = COLOUR_BANDS[photo.mode]
    of_colours = TIFF_GREY if colours == 1 else TIFF_RGB
    folder[tiff.IMAGEWIDTH], folder[tiff.IMAGELENGTH] = width, height
    bits = 1 if photo.mode == "1" else samples.dtype.itemsize * 8
    folder[tiff.BITSPERSAMPLE] = (bits,) * bands
    folder[tiff.COMPRESSION] = TIFF_DEFLATE
    folder[tiff.PHOTOMETRIC_INTERPRETATION] = {"CMYK": TIFF_CMYK, "LAB": TIFF_LAB}.get(
        photo.mode, of_colours
    )
    folder[tiff.SAMPLESPERPIXEL], folder[tiff.ROWSPERSTRIP] = bands, height
    folder[tiff.PLANAR_CONFIGURATION] = TIFF_CHUNKY
    folder[tiff.SAMPLEFORMAT] = (TIFF_SAMPLE_FORMATS[samples.dtype.kind],) * bands
    if bands > colours:
        folder[tiff.EXTRASAMPLES] = TIFF_STRAIGHT_ALPHA


def _little_endian(mode: str, samples: Samples) -> bytes:
    if mode == "1":
        return np.packbits(samples[..., 0] > 0, axis=1).tobytes()
    return samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()
