"""Between a photo and a model: cutting a window out of it, pasting a picture into it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.photos.blending import reduce
from inpaint_cli.photos.windows import Box, Mask
from inpaint_cli.pictures.colours import Values as ColourValues
from inpaint_cli.pictures.colours import shown, stored
from inpaint_cli.pictures.inks import Inks
from inpaint_cli.pictures.picture import Picture, Samples


def window_colours(photo: Picture, visible: Mask, window: Box, channels: int) -> ColourValues:
    """Return the colours under a window, for a model of `channels`: 0 where hidden or beyond.

    visible: bool [H, W], of the whole photo. UserError where colours are to be grey.
    """
    inside = window.clipped(photo.height, photo.width)
    values = shown(photo, inside.slices)
    seen = visible[inside.slices]
    values *= seen[..., None]
    values = _for_model(values, seen, channels)
    if inside == window:
        return values
    padded = np.zeros((window.height, window.width, channels), np.float32)
    padded[inside.moved(-window.top, -window.left).slices] = values
    return padded


def model_input(values: ColourValues, seen: Mask, size: int) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Return a window as a model of `size` pixels takes it; 0 = any size.

    values, seen: the colours of the window and where they are known. The result is the image uint8
    [size, size, C] and visible bool [size, size].
    """
    return reduce(values, seen, size) if size else (np.rint(values).astype(np.uint8), seen)


def paste(
    samples: Samples,
    photo: Picture,
    box: Box,
    pixels: Mask,
    fill: ColourValues,
    opaque: bool = False,
    inks: Inks | None = None,
    corner: tuple[int, int] = (0, 0),
) -> None:
    """Fill pixels of a box in `samples`, a copy of a part of the photo's that begins at `corner`.

    pixels: bool [box.height, box.width]; fill: their colours in 0..255, with any channels. opaque:
    what is filled becomes opaque where the photo has alpha. inks: how black ink is used round the
    hole, for CMYK.
    """
    colours = _with_channels_of(photo, fill)
    drawn = stored(photo, colours, box.slices, inks=inks, opaque=opaque)
    region = samples[box.moved(-corner[0], -corner[1]).slices]
    region[..., : drawn.shape[2]][pixels] = drawn[pixels]
    if opaque and photo.alpha_channel is not None:
        region[..., photo.alpha_channel][pixels] = photo.opaque


def _for_model(values: ColourValues, visible: Mask, channels: int) -> ColourValues:
    """Return colours with as many channels as the model has: grey repeated, RGB if it is grey."""
    if values.shape[2] == channels:
        return values
    if channels == 3:
        return np.repeat(values, 3, axis=2)
    known = values[visible]
    if known.size and float(np.ptp(known, axis=1).max()) > 0:
        raise UserError(
            "a colour photo, but this model completes grey ones only. Take a model for colour, or "
            "turn the photo grey first."
        )
    return np.ascontiguousarray(values[..., :1])


def _with_channels_of(photo: Picture, fill: ColourValues) -> ColourValues:
    """Return a fill with the channels that `stored` takes: 1 for grey, else 3."""
    if photo.channels == 1 and fill.shape[2] == 3:
        return np.asarray(fill.mean(axis=2, keepdims=True), np.float32)
    if photo.channels > 1 and fill.shape[2] == 1:
        return np.repeat(fill, 3, axis=2)
    return fill
