"""CIE L*a*b* as TIFF stores it (white D50), and sRGB (IEC 61966-2-1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

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


def rgb_of_lab(stored: Array, bits: int, kind: str) -> npt.NDArray[np.float32]:
    """Return the colours in 0..255 of stored L*a*b* [h, w, 3]; kind: "lab" or "icclab"."""
    lab = stored.astype(np.float64) if stored.dtype.kind == "f" else _unscaled(stored, bits, kind)
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
    return lab.astype(dtype) if dtype.kind == "f" else _scaled(lab, dtype, bits, kind)


def _steps(bits: int) -> tuple[float, float]:
    """Return the steps of L and of a and b in a unit of L*a*b*."""
    return (2**bits - 1) / 100, 2.0 ** (bits - 8)


def _unscaled(stored: Array, bits: int, kind: str) -> npt.NDArray[np.float64]:
    light, colour = _steps(bits)
    scaled = stored.astype(np.float64)
    if kind == "icclab":
        scaled[..., 1:] -= 128 * colour
    else:
        scaled[..., 1:] -= (scaled[..., 1:] >= 2 ** (bits - 1)) * 2.0**bits
    scaled[..., 0] /= light
    scaled[..., 1:] /= colour
    return scaled


def _scaled(lab: Array, dtype: np.dtype[Any], bits: int, kind: str) -> Array:
    light, colour = _steps(bits)
    half = 2.0 ** (bits - 1)
    lightness = np.clip(np.rint(lab[..., :1] * light), 0, 2**bits - 1)
    sides = np.clip(np.rint(lab[..., 1:] * colour), -half, half - 1)
    sides = sides + half if kind == "icclab" else np.mod(sides, 2**bits)
    return np.concatenate([lightness, sides], axis=-1).astype(np.int64).astype(dtype)
