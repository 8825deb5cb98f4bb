"""From samples to the colours that a model sees, and back; the fill is stored as its surroundings.

Colours are float32 in 0..255, [h, w, 1] of grey pictures, else RGB. CIE L*a*b* is as TIFF stores it
(white D50), sRGB that of IEC 61966-2-1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.pictures.inks import Inks
from inpaint_cli.pictures.picture import Mask, Picture, Samples, as_floats

Values = npt.NDArray[np.float32]
Region = tuple[slice, slice]
WHOLE: Region = (slice(None), slice(None))
Array = npt.NDArray[Any]

WHITE = np.array([0.9642, 1.0, 0.8249])
"""D50, the white of profiles (ICC.1, section 7.2.16)."""
RGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
"""sRGB's primaries under D50, by Bradford's adaptation."""
XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ)
_KNEE = 6 / 29


def shown(picture: Picture, region: Region = WHOLE) -> Values:
    """Return the colours of a region, what lies beyond black and white clipped.

    Colours that are multiplied by their alpha are divided by it again.
    """
    whole = picture.samples[region]
    stored = whole[..., : picture.channels]
    if picture.colours == "cmyk":
        return Inks.of(picture).shown(stored)
    if picture.colours in ("lab", "icclab"):
        return rgb_of_lab(stored, picture.bits, picture.colours)
    if picture.bits == 8 and (picture.low, picture.high) == (0.0, 255.0):
        values = stored.astype(np.float32)
    else:
        values = _scaled(stored, picture.low, picture.high)
    if not picture.is_multiplied:
        return values
    alpha = _alpha(picture, whole)
    return np.asarray(np.minimum(values / np.maximum(alpha, 1e-6), 255), np.float32)


def _scaled(stored: Samples, low: float, high: float) -> Values:
    # Halves, since the difference of two large floats may be infinite.
    span = high * 0.5 - low * 0.5
    scaled = (as_floats(stored) * 0.5 - low * 0.5) * (255.0 / span)
    return np.nan_to_num(np.clip(scaled, 0, 255)).astype(np.float32)


def _alpha(picture: Picture, whole: Samples) -> Values:
    """Return the alpha channel [h, w, 1] in 0..1."""
    channel = picture.alpha_channel
    if channel is None:
        raise ValueError("no alpha")
    alpha = as_floats(whole[..., channel : channel + 1]) / picture.opaque
    return np.clip(np.nan_to_num(alpha), 0, 1).astype(np.float32)


def stored(
    picture: Picture,
    values: Values,
    region: Region = WHOLE,
    *,
    inks: Inks | None = None,
    opaque: bool = False,
) -> Samples:
    """Return colours as samples [h, w, colours] of this picture, without its further channels.

    inks: how black ink is used round the hole (`Inks.of` with the visible samples), for CMYK.
    opaque: the hole will be made opaque, so colours are not multiplied by the alpha in it.
    """
    if picture.colours == "cmyk":
        return (inks or Inks.of(picture)).stored(values)
    if picture.colours in ("lab", "icclab"):
        return stored_lab(values, picture.samples.dtype, picture.bits, picture.colours)
    if picture.is_multiplied and not opaque:
        values = values * _alpha(picture, picture.samples[region])
    dtype = picture.samples.dtype
    if picture.bits == 1:
        return np.where(values >= 128, picture.high, picture.low).astype(dtype)
    low, high = picture.low, picture.high
    if (low, high) == (0.0, 255.0):
        scaled = values.astype(np.float64)
    else:
        share = values.astype(np.float64) / 255.0
        scaled = low * (1 - share) + high * share
    if dtype.kind == "f":
        return scaled.astype(dtype)
    return np.rint(np.clip(scaled, min(low, high), max(low, high))).astype(dtype)


def display(picture: Picture, region: Region = WHOLE) -> npt.NDArray[np.uint8]:
    """Return a region as it looks on a screen: uint8 [h, w, 3], transparency ignored."""
    values = np.rint(shown(picture, region)).astype(np.uint8)
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values


def in_bytes(picture: Picture) -> npt.NDArray[np.uint8]:
    """Return the whole picture in 8 bits with its alpha, if it has one: [H, W, 1 to 4]."""
    values = np.rint(shown(picture)).astype(np.uint8)
    if picture.alpha_channel is None:
        return values
    alpha = np.rint(_alpha(picture, picture.samples) * 255).astype(np.uint8)
    return np.concatenate([values, alpha], axis=2)


def inks_of(picture: Picture, visible: Mask) -> Inks | None:
    """Return how the visible part of a picture uses its inks; None where it has none."""
    if picture.colours != "cmyk":
        return None
    return Inks.of(picture, picture.samples[visible][:, :4])


def rgb_of_lab(stored: Array, bits: int, kind: str) -> npt.NDArray[np.float32]:
    """Return the colours in 0..255 of stored L*a*b* [h, w, 3]; kind: "lab" or "icclab"."""
    lab = stored.astype(np.float64) if stored.dtype.kind == "f" else _from_steps(stored, bits, kind)
    middle = (lab[..., :1] + 16) / 116
    parts = np.concatenate(
        [middle + lab[..., 1:2] / 500, middle, middle - lab[..., 2:3] / 200], axis=-1
    )
    xyz = np.where(parts > _KNEE, parts**3, 3 * _KNEE**2 * (parts - 4 / 29)) * WHITE
    linear = np.clip(xyz @ XYZ_TO_RGB.T, 0, 1)
    curved = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return np.asarray(np.clip(np.nan_to_num(curved), 0, 1) * 255, np.float32)


def stored_lab(values: Array, dtype: np.dtype[Any], bits: int, kind: str) -> Array:
    """Return colours in 0..255 as stored L*a*b* of a type."""
    share = np.clip(values.astype(np.float64) / 255, 0, 1)
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    ratio = (linear @ RGB_TO_XYZ.T) / WHITE
    parts = np.where(ratio > _KNEE**3, np.cbrt(ratio), ratio / (3 * _KNEE**2) + 4 / 29)
    lab = np.stack(
        [
            116 * parts[..., 1] - 16,
            500 * (parts[..., 0] - parts[..., 1]),
            200 * (parts[..., 1] - parts[..., 2]),
        ],
        axis=-1,
    )
    return lab.astype(dtype) if dtype.kind == "f" else _in_steps(lab, dtype, bits, kind)


def _steps(bits: int) -> tuple[float, float]:
    """Return the steps of L and of a and b in a unit of L*a*b*."""
    return (2**bits - 1) / 100, 2.0 ** (bits - 8)


def _from_steps(stored: Array, bits: int, kind: str) -> npt.NDArray[np.float64]:
    light, colour = _steps(bits)
    scaled = stored.astype(np.float64)
    if kind == "icclab":
        scaled[..., 1:] -= 128 * colour
    else:
        scaled[..., 1:] -= (scaled[..., 1:] >= 2 ** (bits - 1)) * 2.0**bits
    scaled[..., 0] /= light
    scaled[..., 1:] /= colour
    return scaled


def _in_steps(lab: Array, dtype: np.dtype[Any], bits: int, kind: str) -> Array:
    light, colour = _steps(bits)
    half = 2.0 ** (bits - 1)
    lightness = np.clip(np.rint(lab[..., :1] * light), 0, 2**bits - 1)
    sides = np.clip(np.rint(lab[..., 1:] * colour), -half, half - 1)
    sides = sides + half if kind == "icclab" else np.mod(sides, 2**bits)
    return np.concatenate([lightness, sides], axis=-1).astype(np.int64).astype(dtype)
