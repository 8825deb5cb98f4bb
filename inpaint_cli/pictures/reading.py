"""Reads pictures of any kind: samples as their header says, upright, with all that stands beside.

The one reader for photos, masks and training pictures.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import exif, jpeg, kinds, png, png_metadata, pnm, tiff, tiff_layout
from inpaint_cli.pictures.colour_boxes import with_colours
from inpaint_cli.pictures.opening import (
    Source,
    check_size,
    content,
    explained,
    frames_of,
    lazily,
)
from inpaint_cli.pictures.picture import (
    Colours,
    Extra,
    Metadata,
    Picture,
    Samples,
    first_of,
    upright,
)

_OWN: dict[str, Callable[[bytes, str, bool], Picture]] = {
    "PNG": png.read,
    "TIFF": tiff.read,
    "PNM": pnm.read,
}
_MODES: dict[str, tuple[Colours, tuple[Extra, ...]]] = {
    "1": ("grey", ()),
    "L": ("grey", ()),
    "LA": ("grey", ("alpha",)),
    "RGB": ("rgb", ()),
    "RGBA": ("rgb", ("alpha",)),
    "CMYK": ("cmyk", ()),
    "LAB": ("lab", ()),
    "I;16": ("grey", ()),
    "I": ("grey", ()),
    "F": ("grey", ()),
}
BOXED = ("AVIF", "HEIF", "JPEG2000")
LOSSY = ("JPEG", "AVIF", "HEIF")


@dataclass(frozen=True)
class HeaderFacts:
    """What the header of a picture tells: its upright sides, whether it is in colour, its depth."""

    height: int
    width: int
    grey: bool
    deep: bool = False
    """Its samples have more than 8 bits."""


def name_of(source: Source) -> str:
    """Return how messages call a source: its path, or "image"."""
    return str(source) if isinstance(source, Path) else "image"


def read(source: Source, *, name: str = "", huge: bool = False) -> Picture:
    """Return the first frame of a picture file, its orientation applied.

    huge: take more than 400 megapixels. UserError, in one sentence, for all that is not a picture,
    is damaged, or has samples that cannot be held.
    """
    name = name or name_of(source)
    data, kind = content(source, name)
    with explained(name):
        if kind in _OWN:
            return _OWN[kind](data, name, huge)
        if kind == "JPEG":
            return _read_jpeg(data, name, huge)
        return _read_other(data, kind, name, huge)


def of_image(image: Image.Image, name: str = "image") -> Picture:
    """Return the picture of a Pillow image, upright; UserError where its pixels cannot be had.

    An image that was opened and not loaded yet is its file still, which says more than Pillow does.
    """
    if (file := _file_of(image)) is not None:
        with contextlib.suppress(UserError):
            picture = read(file, name=name, huge=True)
            if image.size in ((picture.width, picture.height), (picture.height, picture.width)):
                return picture
    with explained(name):
        count = frames_of(image)
        image.load()
        return _of_loaded(_upright_image(image), image.format or "", first_of(count))


def _file_of(image: Image.Image) -> Path | None:
    """Return the file of which an image is the first frame; None once its pixels are loaded."""
    name, waiting = getattr(image, "filename", ""), getattr(image, "tile", ())
    if not waiting or not isinstance(name, str | Path) or not str(name) or image.tell():
        return None
    return Path(name) if Path(name).is_file() else None


def look(source: Source) -> HeaderFacts:
    """Return sides and colour of a picture from its header alone; UserError if it has none."""
    name = name_of(source)
    data, kind = content(source, name)
    with explained(name):
        if kind == "PNG":
            file = png.opened(data, name, huge=True)
            orientation = png_metadata.of_chunks(file.others, file)[1]
            grey, deep = file.coding in (0, 4), file.depth > 8
            return _look(file.height, file.width, orientation, grey, deep)
        if kind == "TIFF":
            folder, _, order = tiff.first_folder(data, name)
            layout = tiff_layout.layout_of(folder, order, name)
            grey, deep = layout.photometric in (0, 1), layout.bits > 8
            orientation = folder.integer(exif.ORIENTATION, 1)
            return _look(layout.height, layout.width, orientation, grey, deep)
        if kind == "PNM":
            head = pnm.header_of(data)
            return _look(head.height, head.width, 1, head.channels < 3, not 0 < head.most < 256)
        orientation = 1
        if kind == "JPEG":
            segments = jpeg.taken_apart(data)
            data, orientation = segments.plain, segments.orientation
        with lazily(data, kind, name, huge=True) as image:
            if kind != "JPEG":
                orientation = _metadata_of(image)[1]
            grey = image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")
            deep = image.mode.startswith(("I", "F"))
            return _look(image.height, image.width, orientation, grey, deep)


def _look(height: int, width: int, orientation: int, grey: bool, deep: bool) -> HeaderFacts:
    sides = (width, height) if 5 <= orientation <= 8 else (height, width)
    return HeaderFacts(*sides, grey, deep)


def reduced_jpeg(data: bytes, name: str, side: int) -> Image.Image | None:
    """Return a JPEG decoded at a reduced scale that leaves `side` pixels; None for other kinds.

    Upright, as a Pillow image; for training, where most of a photo's pixels go anyway.
    """
    if kinds.kind_of(data[: kinds.HEAD_BYTES]) != "JPEG":
        return None
    with explained(name):
        segments = jpeg.taken_apart(data)
    with explained(name), lazily(segments.plain, "JPEG", name) as image:
        image.draft(None, (side, side))
        image.load()
        exif_block = Image.Exif()
        exif_block[exif.ORIENTATION] = segments.orientation
        image.info["exif"] = exif_block.tobytes()
        return ImageOps.exif_transpose(image)


def _upright_image(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF hides no sound picture
        return image


def _read_jpeg(data: bytes, name: str, huge: bool) -> Picture:
    segments = jpeg.taken_apart(data)
    notes = first_of(segments.frames)
    if segments.damaged:
        notes.append(f"damaged, so left out: {', '.join(segments.damaged)}")
    if segments.others:
        notes.append(f"not kept: {', '.join(segments.others)}")
    with lazily(segments.plain, "JPEG", name, huge) as image:
        coding = jpeg.coding_of(image)
        image.load()
        colours, extras = _MODES[image.mode]
        stored = np.array(image)
    stored = stored[..., None] if stored.ndim == 2 else stored
    return Picture(
        upright(stored, segments.orientation),
        colours,
        8,
        0.0,
        255.0,
        extras,
        "JPEG",
        segments.metadata,
        tuple(notes),
        coding=coding and coding.upright(segments.orientation),
        lossless=False,
    )


def _read_other(data: bytes, kind: str, name: str, huge: bool) -> Picture:
    """Return the first frame of a kind that Pillow alone reads."""
    with lazily(data, kind, name, huge) as image:
        _refuse(image, kind, name)
        count = frames_of(image)
        notes = first_of(count)
        if count > 1 or kind == "GIF":
            image.seek(0)
        image.load()
        check_size(*image.size, name, huge)  # icons hold several sizes
        metadata, orientation = _metadata_of(image)
        if kind in BOXED:
            metadata = with_colours(metadata, data, kind)
        notes += _changes(data, kind, image)
        picture = _of_loaded(_true_alpha(image, data, kind), kind, notes)
    indices = None if picture.indices is None else upright(picture.indices, orientation)
    lossless = kind not in LOSSY and (kind != "WEBP" or is_exact_webp(data))
    return replace(
        picture,
        samples=upright(picture.samples, orientation),
        indices=indices,
        metadata=metadata,
        lossless=lossless and kind != "JPEG2000",
    )


def _refuse(image: Image.Image, kind: str, name: str) -> None:
    """Refuse textures of half floats, which Pillow would cut to 8 bits."""
    tiles = getattr(image, "tile", ())
    if kind == "DDS" and any("BC6" in str(tile.args) for tile in tiles):
        raise UserError("a DDS texture of half floats. Save it as TIFF or PNG.", where=name)


def _changes(data: bytes, kind: str, image: Image.Image) -> list[str]:
    """Return notes on what Pillow makes of samples that it cannot hold as they are."""
    bits, signed = header_bits(data, kind, image)
    held = 16 if image.mode.startswith("I;16") else 8
    notes = ["its signed samples are stored without sign, black at zero"] if signed else []
    if bits > held:
        notes.append(f"its samples of {bits} bits are cut to {held}")
    elif bits < held and kind == "JPEG2000":
        notes.append(f"its samples of {bits} bits are stored in {held}, times {2 ** (held - bits)}")
    if kind == "ICO" and (sizes := len(image.info.get("sizes", ()))) > 1:
        notes.append(f"the largest of its {sizes} sizes is taken")
    return notes


def _true_alpha(image: Image.Image, data: bytes, kind: str) -> Image.Image:
    """Return a Targa image without the alpha that its header does not state: a bit left over."""
    if kind == "TGA" and image.mode == "RGBA" and data[16] == 16 and not data[17] & 15:
        return image.convert("RGB")
    return image


def is_exact_webp(data: bytes) -> bool:
    """Return whether the first frame is coded without loss (RFC 9649, section 2)."""
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[place : place + 8])
        if kind in (b"VP8L", b"VP8 "):
            return bool(kind == b"VP8L")
        # A frame of an animation holds chunks of its own, behind 16 bytes.
        place += 24 if kind == b"ANMF" else 8 + length + length % 2
    return False


def header_bits(data: bytes, kind: str, image: Image.Image) -> tuple[int, bool]:
    """Return the bits of a sample as the file's header states them, and whether it has a sign."""
    if kind == "JPEG2000":
        at = data.find(b"\xff\x51")  # the sizes: 38 bytes, then three for each channel
        channels = int.from_bytes(data[at + 38 : at + 40])
        each = data[at + 40 : at + 40 + 3 * channels : 3] if at >= 0 else b""
        return max((size & 0x7F for size in each), default=7) + 1, any(s & 0x80 for s in each)
    return _bits(data, kind, image), False


def _bits(data: bytes, kind: str, image: Image.Image) -> int:
    if kind == "AVIF":
        at = data.find(b"av1C")
        flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
        return 12 if flags & 0x60 == 0x60 else 10 if flags & 0x40 else 8
    return int(image.info.get("bit_depth", 8)) if kind == "HEIF" else 8


def _metadata_of(image: Image.Image) -> tuple[Metadata, int]:
    """Return what Pillow found beside the pixels, and the orientation."""
    info = image.info
    camera = exif.clean(_as_bytes(info.get("exif")))
    xmp, stated = exif.clean_xmp(_as_bytes(info.get("xmp")))
    comment = _as_bytes(info.get("comment"))
    dpi = info.get("dpi")
    density = exif.sound(*dpi) if isinstance(dpi, tuple) and len(dpi) == 2 else None
    metadata = Metadata(
        folder=camera.folder,
        icc=_as_bytes(info.get("icc_profile")),
        xmp=xmp,
        comments=(comment,) if comment else (),
        density=density or camera.density,
    )
    return metadata, camera.orientation or (stated if image.format == "WEBP" else None) or 1


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _of_loaded(image: Image.Image, kind: str, notes: list[str]) -> Picture:
    """Return a Pillow image as a picture, without what its file says beside."""
    indices = None
    if image.mode in ("P", "PA"):
        indices = np.array(image.convert("P") if image.mode == "PA" else image)
        mode = "RGBA" if image.has_transparency_data else "RGB"
        notes = [
            *notes,
            f"a palette image, taken as {mode}, since the fill needs other colours",
        ]
        image = image.convert(mode)
    elif image.mode in ("1", "L", "RGB") and "transparency" in image.info:
        mode = "RGBA" if image.mode == "RGB" else "LA"
        notes = [
            *notes, f"its transparent colour becomes an alpha channel ({mode})",
        ]  # fmt: skip
        image = image.convert("RGBA")
        image = image if mode == "RGBA" else image.convert("LA")
    elif image.mode in ("RGBa", "La"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    elif not image.mode.startswith("I;16") and image.mode not in _MODES:
        notes = [*notes, f"of mode {image.mode}, taken as RGB"]
        image = image.convert("RGB")
    samples, bits = _plain_samples(image)
    colours, extras = _MODES["I;16" if image.mode.startswith("I;16") else image.mode]
    low, high = (0.0, 1.0) if samples.dtype.kind == "f" else (0.0, 2.0**bits - 1)
    if samples.dtype == np.int32:
        low, high = -(2.0**31), 2.0**31 - 1
    picture = Picture(samples, colours, bits, low, high, extras, kind, notes=tuple(notes))
    return replace(picture, indices=indices)


def _plain_samples(image: Image.Image) -> tuple[Samples, int]:
    """Return samples [H, W, C] in a type of our machine, and their bits."""
    stored = np.array(image)
    stored = stored[..., None] if stored.ndim == 2 else stored
    if image.mode == "1":
        return stored.astype(np.uint8), 1
    if image.mode.startswith("I;16"):
        return stored.astype(np.uint16), 16
    return stored, stored.dtype.itemsize * 8
