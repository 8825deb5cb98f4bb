"""Between a photo and a model: cutting a window out of it, pasting a picture into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.family import Model
from inpaint_cli.photos.blending import fill_of, reduce
from inpaint_cli.photos.photo import ColourValues, Photo, Samples
from inpaint_cli.photos.windows import Box, Mask, cut, shifted

if TYPE_CHECKING:
    import torch


def model_input(
    photo: Photo, visible: Mask, window: Box, model: Model
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a window as the model takes it: image [1, C, H, W] and visible [1, 1, H, W]."""
    import torch

    values, seen = _cut(photo, visible, window, model.channels)
    if model.size:
        image, small = reduce(values, seen, model.size)
    else:
        image, small = np.rint(values).astype(np.uint8), seen
    return (
        torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None],
        torch.from_numpy(np.ascontiguousarray(small))[None, None],
    )


def paste(
    samples: Samples,
    photo: Photo,
    visible: Mask,
    window: Box,
    picture: npt.NDArray[np.uint8],
    feather: float | None,
    opaque: bool = False,
) -> None:
    """Fill the hole in `samples`, a copy of the photo's, from a model's picture of a window.

    picture: uint8 [size, size, C]. opaque: what is filled becomes opaque where the photo has alpha.
    """
    inside = window.clipped(photo.height, photo.width)
    if picture.shape[:2] == (window.height, window.width):
        fill = picture.astype(np.float32)
    else:
        fill = fill_of(picture, *_cut(photo, visible, window, picture.shape[2]), feather)
    fill = _with_channels_of(photo, fill[shifted(inside, window).slices])
    stored = photo.stored(fill)
    region, hidden = samples[inside.slices], ~visible[inside.slices]
    region[..., : stored.shape[2]][hidden] = stored[hidden]
    if opaque and photo.has_alpha:
        region[..., -1][hidden] = photo.high


def _cut(photo: Photo, visible: Mask, window: Box, channels: int) -> tuple[ColourValues, Mask]:
    """Return the colours under a window and what is visible of it: 0 where hidden or beyond."""
    inside = window.clipped(photo.height, photo.width)
    values = photo.values(inside.slices)
    values *= visible[inside.slices][..., None]
    if inside != window:
        padded = np.zeros((window.height, window.width, values.shape[2]), np.float32)
        padded[shifted(inside, window).slices] = values
        values = padded
    seen = cut(visible, window)
    return _for_model(values, seen, channels), seen


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


def _with_channels_of(photo: Photo, fill: ColourValues) -> ColourValues:
    """Return a fill with the channels that `Photo.stored` takes: 1 for grey, else 3."""
    if photo.is_grey and fill.shape[2] == 3:
        return np.asarray(fill.mean(axis=2, keepdims=True), np.float32)
    if not photo.is_grey and fill.shape[2] == 1:
        return np.repeat(fill, 3, axis=2)
    return fill
