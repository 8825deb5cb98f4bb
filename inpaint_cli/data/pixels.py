"""A file or an array becomes a square uint8 image of the size and channels asked for.

Bytes keep their eight bits whatever the number of levels of the model, except for two levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.data.preparation import Preparation
from inpaint_cli.data.value_ranges import SampleKind, ValueRange, kind_of, undecided
from inpaint_cli.errors import UserError
from inpaint_cli.pictures.picture import Picture, of_array
from inpaint_cli.pictures.plain import flat_image
from inpaint_cli.pictures.reading import read, reduced_jpeg

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]

NAME = "file"
"""What messages call a file here; whoever reads a data set names it."""
DRAFT = 4
"""JPEG files are decoded at a reduced scale that leaves this many times the size asked for."""


@dataclass(frozen=True)
class Decoded:
    """One image [C, H, W], and what had to be done to it."""

    pixels: Bytes
    enlarged: bool
    converted: bool
    uncropped: bool
    """The set's own crop did not apply."""


def decode(
    raw: bytes | Array,
    preparation: Preparation,
    ranges: Mapping[SampleKind, ValueRange] | None = None,
) -> Decoded:
    """Decode a file, or take an array [H, W] or [H, W, C], and prepare it.

    ranges: black and white of samples of more than 8 bits, by their kind; None = those of their
    type. `Undecided` for a kind that is not among them; UserError or ValueError for files that are
    broken or no images.
    """
    if isinstance(raw, bytes):
        if not raw:
            raise ValueError("empty file")
        image = _read(raw, preparation, ranges)
    else:
        image = from_array(raw, ranges)
    mode = "L" if preparation.channels == 1 else "RGB"
    plain = flatten(image)
    was_grey = plain.mode == "L"
    plain = plain if plain.mode == mode else plain.convert(mode)
    box, uncropped = _box(plain.size, preparation)
    enlarged = min(box[2] - box[0], box[3] - box[1]) < preparation.size
    pixels = np.asarray(_resize(plain, box, preparation))
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if preparation.binary:
        pixels = np.where(pixels >= 128, np.uint8(255), np.uint8(0))
    return Decoded(np.ascontiguousarray(pixels), enlarged, was_grey != (mode == "L"), uncropped)


def _read(
    raw: bytes, preparation: Preparation, ranges: Mapping[SampleKind, ValueRange] | None
) -> Image.Image:
    """Return the upright image of a file, of mode L or RGB."""
    try:
        if not (preparation.crop or preparation.right_half):
            reduced = reduced_jpeg(raw, NAME, DRAFT * preparation.size)
            if reduced is not None:
                return reduced
        return _flat(read(raw, name=NAME), ranges)
    except UserError as error:  # one bad file of a data set is left out, not an end
        raise ValueError(error.text.split(". ")[0].rstrip(".")) from error


def flatten(image: Image.Image) -> Image.Image:
    """Return an image of mode L or RGB: 8 bits, no palette, alpha composited on white."""
    if image.mode in ("L", "RGB"):
        if "transparency" not in image.info:
            return image
        image = image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    if image.mode in ("LA", "La", "RGBA", "RGBa"):
        grey = image.mode in ("LA", "La")
        straight = image.convert("LA" if grey else "RGBA")
        opaque = straight.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, opaque).convert("L" if grey else "RGB")
    return image.convert("RGB")


def from_array(array: Array, ranges: Mapping[SampleKind, ValueRange] | None) -> Image.Image:
    """Return the image of an array [H, W] or [H, W, C] with C = 1, 3 or 4, in any byte order.

    bool is black and white; for all but uint8 and bool, `ranges` says what black and white are (see
    `decode`).
    """
    if array.dtype == np.uint8:
        plain = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
        return Image.fromarray(np.ascontiguousarray(plain))
    native = array.astype(array.dtype.newbyteorder("="))
    if native.dtype == np.float16:
        native = native.astype(np.float32)
    return _flat(of_array(native), ranges)


def _flat(picture: Picture, ranges: Mapping[SampleKind, ValueRange] | None) -> Image.Image:
    """Return the picture in 8 bits. Undecided where its kind is not among `ranges`."""
    kind = kind_of(picture)
    if kind is None or ranges is None:
        return flat_image(picture)
    if kind not in ranges:
        raise undecided(picture, kind)
    if kind.type == "f" and not np.isfinite(picture.samples).all():
        raise ValueError("holds values that are no numbers (NaN or infinite)")
    return flat_image(picture, (ranges[kind].low, ranges[kind].high))


def _box(size: tuple[int, int], preparation: Preparation) -> tuple[tuple[int, int, int, int], bool]:
    """Return the part (left, top, right, bottom) to use, and whether the set's crop did not fit."""
    width, height = size
    left = 0
    if preparation.right_half and width == 2 * height:
        left, width = height, height
    crop = preparation.crop
    if crop and crop.of == size:
        return (crop.left, crop.top, crop.left + crop.width, crop.top + crop.height), False
    side = min(width, height)
    left, top = left + (width - side) // 2, (height - side) // 2
    return (left, top, left + side, top + side), crop is not None


def _resize(
    image: Image.Image, box: tuple[int, int, int, int], preparation: Preparation
) -> Image.Image:
    size = (preparation.size, preparation.size)
    # Cropped first: a box given to `resize` would let the filter see the pixels around it.
    cropped = image if box == (0, 0, *image.size) else image.crop(box)
    if cropped.size == size:
        return cropped
    resampling = Image.Resampling
    return cropped.resize(size, resampling.BILINEAR if preparation.bilinear else resampling.LANCZOS)
