"""Black and white of pictures whose type says too little about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.pictures.picture import Mask, Picture, Samples, as_floats

USED_SHARE = 0.25
"""Integers that reach less than this share of their type's range have one of their own."""
FAINTEST = 0.02
"""A pixel of less alpha than this tells little of its colour."""


def ranged(picture: Picture, visible: Mask) -> Picture:
    """Return the picture with black and white from its visible samples, where they must be.

    Floats and integers of 32 bits have no fixed range: theirs is the visible one. Integers of up to
    16 bits keep their type's, unless the visible ones use less than a quarter of it (12 bits stored
    in 16): then it ends at the next power of two. Samples of 8 bits stay as they are.
    """
    if picture.bits <= 8:
        return picture
    known = picture.samples[..., : picture.channels][visible]
    if picture.is_float and not np.isfinite(known).all():
        raise UserError(
            "holds values that are no numbers (NaN or infinite) outside the hole. Replace them, or "
            "hide them as well."
        )
    if picture.is_multiplied and picture.alpha_channel is not None:
        known = _divided(known, picture.samples[..., picture.alpha_channel][visible], picture)
    if picture.is_float or picture.bits > 16:
        return _of_wide(picture, known)
    return _of_integers(picture, known)


def _divided(colours: Samples, alpha: Samples, picture: Picture) -> Samples:
    """Return colours [N, C] without the alpha [N] that they are multiplied by.

    Nearly transparent ones have no say where there are others: rounding decides what they become.
    """
    share = np.clip(as_floats(alpha) / picture.opaque, 0, 1)
    solid = share > FAINTEST
    if not solid.any():
        return colours
    divided = as_floats(colours[solid]) / share[solid, None]
    return divided if picture.is_float else np.minimum(divided, picture.opaque)


def range_of_all(pictures: Iterable[Picture]) -> tuple[float, float] | None:
    """Return black and white of pictures of up to 16 bits that together use little of their range.

    None where they use a quarter or more of it: then these are their type's.
    """
    most, top = 0, 0.0
    for picture in pictures:
        if 8 < picture.bits <= 16 and picture.samples.dtype.kind == "u":
            most = max(most, int(picture.samples[..., : picture.channels].max()))
            top = max(top, picture.container[1])
    if most >= USED_SHARE * top:
        return None
    return 0.0, float(max(2 ** most.bit_length() - 1, 255))


def ranged_whole(picture: Picture) -> Picture:
    """Return the picture with black and white from all its samples that are numbers."""
    colours = picture.samples[..., : picture.channels]
    return ranged(picture, np.asarray(np.isfinite(colours).all(axis=2)))


def ranged_as_trained(picture: Picture, visible: Mask) -> Picture:
    """Return the picture with black and white as training has them where one picture tells them.

    So floats in 0..1 and integers of 32 bits in 0..65535 keep that range; all else is `ranged`.
    """
    if picture.bits <= 16 and not picture.is_float:
        return ranged(picture, visible)
    known = picture.samples[..., : picture.channels][visible]
    low, high = (0.0, 1.0) if picture.is_float else (0.0, 65535.0)
    if not (known.size and low <= known.min() and known.max() <= high):
        return ranged(picture, visible)
    if picture.low > picture.high:
        low, high = high, low
    return replace(picture, low=low, high=high)


def _of_wide(picture: Picture, known: Samples) -> Picture:
    low, high = (float(known.min()), float(known.max())) if known.size else picture.container
    low = 0.0 if picture.is_multiplied else low
    low, high = _widened(low, high, picture)
    note = (
        f"its samples of {picture.bits} bits are seen by the model as {low:g} (black) to {high:g} "
        "(white), the range outside the hole"
    )
    return _with_range(picture, low, high, note)


def _widened(low: float, high: float, picture: Picture) -> tuple[float, float]:
    """Return a range that is wider than the spacing of the samples' type, at any magnitude."""
    if not picture.is_float:
        return (low, high) if high > low else (low, low + 1)
    info = np.finfo(picture.samples.dtype)
    step = max(16 * float(info.eps) * max(abs(low), abs(high)), 1e-6 if info.bits > 16 else 1e-3)
    if high - low >= step:
        return low, high
    most = float(info.max)
    return (low, low + step) if low + step <= most else (low - step, low)


def _of_integers(picture: Picture, known: Samples) -> Picture:
    if not known.size:
        return picture
    least, most = int(known.min()), int(known.max())
    bottom, top = picture.container
    signed = picture.samples.dtype.kind == "i"
    used = most - least if signed else most
    if used >= USED_SHARE * (top - bottom):
        return picture
    if signed:
        low, high = float(least), float(max(most, least + 255))
    else:
        low, high = 0.0, float(max(2 ** most.bit_length() - 1, 255))
    note = (
        f"its samples of {picture.bits} bits reach {most} alone, so the model sees {low:g} to "
        f"{high:g} as black to white"
    )
    return _with_range(picture, low, high, note)


def _with_range(picture: Picture, low: float, high: float, note: str) -> Picture:
    if picture.low > picture.high:
        low, high = high, low
    return replace(picture, low=low, high=high).with_notes(note)
