"""TIFF files of every layout that holds a picture (TIFF 6.0 and BigTIFF)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import exif
from inpaint_cli.pictures.ifd import DamagedError, Directory, Layout
from inpaint_cli.pictures.opening import check_size
from inpaint_cli.pictures.picture import (
    Metadata,
    Picture,
    Samples,
    first_of,
    natural_range,
    upright,
)
from inpaint_cli.pictures.tiff_layout import (
    COLOURS,
    JPEG,
    PALETTE,
    WHITE_IS_ZERO,
    YCBCR,
    TiffLayout,
    layout_of,
)
from inpaint_cli.pictures.tiff_strips import samples_of

LAYERS = 37724
"""Photoshop's layers, which hold the picture as it was."""
PAGE = 297
MOST_PAGES = 65536
ICC, XMP, IPTC, PHOTOSHOP = 34675, 700, 33723, 34377


def first_folder(data: bytes, name: str) -> tuple[Directory, int, str]:
    """Return the first directory of a TIFF, how many pages there are, and its byte order."""
    try:
        layout = Layout.of(data)
        folder, following = layout.folder(data, layout.first)
    except DamagedError as error:
        raise UserError(
            f"damaged or truncated, it cannot be read ({error}).", where=name
        ) from error
    return folder, _pages(layout, data, following), layout.order


def _pages(layout: Layout, data: bytes, following: int) -> int:
    """Return the number of pages; damage behind the first one ends the count."""
    seen, pages = {layout.first}, 1
    while following and following not in seen and len(seen) < MOST_PAGES:
        seen.add(following)
        try:
            folder, following = layout.folder(data, following)
        except DamagedError:
            break
        pages += 0 if folder.integer(254, 0) & 1 else 1
    return pages


def read(data: bytes, name: str, huge: bool) -> Picture:
    """Return the first page of a TIFF file; UserError where it is damaged or cannot be held."""
    folder, pages, order = first_folder(data, name)
    layout = layout_of(folder, order, name)
    check_size(layout.width, layout.height, name, huge)
    cleaned = exif.clean_folder(folder.without((LAYERS, PAGE) if pages > 1 else (LAYERS,)))
    orientation = cleaned.orientation or 1
    notes = first_of(pages)
    stored = samples_of(layout, data, name)
    picture = _held(layout, upright(stored, orientation), folder, name)
    kept = cleaned.folder
    if orientation != 1 and exif.PLACES & kept.tags.keys():
        kept = kept.without(exif.PLACES)
        notes.append("turned upright, so its tie to places on the earth is left out")
    return replace(
        picture,
        metadata=_metadata(folder, replace(cleaned, folder=kept)),
        notes=(*notes, *picture.notes),
        lossless=layout.compression != JPEG,
    )


def _metadata(folder: Directory, cleaned: exif.CleanExif) -> Metadata:
    def raw(number: int) -> bytes:
        tag = folder.tags.get(number)
        return b"" if tag is None else tag.data

    photoshop = exif.clean_photoshop(raw(PHOTOSHOP))
    return Metadata(
        folder=cleaned.folder,
        icc=raw(ICC),
        xmp=exif.clean_xmp(raw(XMP))[0],
        iptc=raw(IPTC) or exif.iptc_of(photoshop),
        photoshop=photoshop,
        density=cleaned.density,
    )


def _held(layout: TiffLayout, samples: Samples, folder: Directory, name: str) -> Picture:
    """Return the picture of upright samples as stored."""
    bits, notes, indices = layout.bits, list[str](), None
    if layout.photometric == PALETTE:
        return _coloured(layout, samples, folder, name)
    if layout.photometric == YCBCR and layout.compression != JPEG:
        samples = _rgb_of_ycbcr(samples)
        notes.append("stored as YCbCr, taken as RGB, as it is shown")
    if bits < 8 and (bits > 1 or layout.channels > 1):
        indices = samples[..., 0] if layout.channels == 1 else None
        samples = (samples.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
        notes.append(f"samples of {bits} bits, taken as 8, in the same shades")
        bits = 8
    low, high = natural_range(samples.dtype, bits)
    if layout.photometric == WHITE_IS_ZERO:
        low, high = high, low
    colours = COLOURS[layout.photometric]
    return Picture(
        samples,
        colours,
        bits,
        low,
        high,
        layout.extras,
        "TIFF",
        notes=tuple(notes),
        indices=indices,
    )


def _rgb_of_ycbcr(samples: Samples) -> Samples:
    """Return the samples with their first three channels as RGB (ITU-T T.871)."""
    brightness = np.ascontiguousarray(samples[..., :3])
    shown = Image.fromarray(brightness, "YCbCr").convert("RGB")
    return np.concatenate([np.asarray(shown), samples[..., 3:]], axis=2)


def _coloured(layout: TiffLayout, samples: Samples, folder: Directory, name: str) -> Picture:
    """Return the colours of a palette, in 8 bits if these hold them, beside further channels."""
    table = np.array(folder.integers(320), np.uint16)
    if layout.kind != "u" or len(table) != 3 * 2**layout.bits:
        raise UserError(f"damaged, its palette has {len(table)} values.", where=name)
    indices, further = samples[..., 0], samples[..., 1:]
    bits, table = _table_bits(table)
    if layout.extras and layout.bits > 8 and bits == 8:
        bits, table = 16, table * np.uint16(257)
    dtype, top = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    flat = table.reshape(3, -1).T.astype(dtype)[indices]
    further = (further.astype(np.int64) * top // (2**layout.bits - 1)).astype(dtype)
    return Picture(
        np.concatenate([flat, further], axis=2),
        "rgb",
        bits,
        0.0,
        float(top),
        layout.extras,
        "TIFF",
        notes=("a palette image, taken as RGB, since the fill needs other colours",),
        indices=indices,
    )


def _table_bits(table: Samples) -> tuple[int, Samples]:
    """Return 8 bits and the table as such where no colour has more, else 16 bits."""
    if table.max(initial=0) < 256:  # as old programs wrote them, and libtiff reads them
        return 8, table
    high = table >> 8
    narrow = not ((table & 255) * (table & 255 != high)).any()
    return (8, high) if narrow else (16, table)
