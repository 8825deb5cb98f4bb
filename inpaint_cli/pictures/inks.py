"""CMYK: what it looks like, and fills that use black ink as their surroundings do."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from inpaint_cli.pictures.picture import Picture, as_floats

Array = npt.NDArray[Any]
Values = npt.NDArray[np.float32]

BINS = 17
"""Degrees of darkness for which the use of black ink is looked at."""
BLACK_ONLY = 0.02
"""Other inks below this share (of 1, at their 95th percentile) are none."""


@dataclass(frozen=True)
class Inks:
    """How a picture's colours become inks, and the other way round."""

    dtype: np.dtype[Any]
    most: float
    """The sample that is full ink."""
    icc: bytes
    """The profile, or b"": then inks are taken as ideal."""
    curve: Values
    """[BINS]: of as much black ink as a colour of each darkness could take, the share it has."""
    black_only: bool
    """The surroundings have no ink but black."""

    @classmethod
    def of(cls, picture: Picture, around: Array | None = None) -> Inks:
        """Return the inks of a picture; around: samples [n, 4] whose use of black is followed."""
        most = picture.opaque
        shares = np.zeros((0, 4)) if around is None else _shares(around, most)
        icc = picture.metadata.icc if _transforms(picture.metadata.icc) else b""
        others = shares[:, :3].max(axis=1) if len(shares) else np.ones(1)
        only = bool(np.percentile(others, 95) < BLACK_ONLY) and bool((shares[:, 3] > 0).any())
        return cls(picture.samples.dtype, most, icc, _use_of_black(shares), only)

    def shown(self, stored: Array) -> Values:
        """Return the RGB in 0..255 of stored inks [..., 4]."""
        shares = _shares(stored, self.most)
        if transforms := _transforms(self.icc):
            return _through(transforms[0], shares, "CMYK", "RGB")
        light = (1 - shares[..., :3]) * (1 - shares[..., 3:])
        return np.asarray(light * 255, np.float32)

    def stored(self, values: Values) -> Array:
        """Return RGB [h, w, 3] as inks of the picture's type."""
        transforms = _transforms(self.icc)
        if self.black_only:
            shares = self._in_black(values)
        elif transforms:
            shares = _through(transforms[1], values / 255, "RGB", "CMYK") / np.float32(255)
        else:
            shares = self._in_all(np.clip(values.astype(np.float64) / 255, 0, 1))
        scaled = np.clip(shares, 0, 1) * self.most
        return (
            scaled.astype(self.dtype)
            if self.dtype.kind == "f"
            else np.rint(scaled).astype(self.dtype)
        )

    def _in_black(self, values: Values) -> Array:
        """Return inks that have black alone, as light as the colours are."""
        grey = values.astype(np.float64).mean(axis=2)
        ladder = np.zeros((256, 1, 4))
        ladder[:, 0, 3] = np.linspace(0, 1, 256)
        light = np.maximum.accumulate(self.shown(ladder * self.most).mean(axis=(1, 2))[::-1])
        black = np.interp(grey, light, np.linspace(1, 0, 256))
        shares = np.zeros((*grey.shape, 4))
        shares[..., 3] = black
        return shares

    def _in_all(self, rgb: Array) -> Array:
        """Return ideal inks with the surroundings' share of black."""
        darkness = 1 - rgb.max(axis=2, keepdims=True)
        share = np.interp(darkness, np.linspace(0, 1, BINS), self.curve)
        black = darkness * share
        rest = np.maximum(1 - black, 1e-9)
        others = np.where(black >= 1 - 1e-9, 0, 1 - rgb / rest)
        return np.concatenate([others, black], axis=2)


def _shares(stored: Array, most: float) -> Array:
    return np.clip(np.nan_to_num(as_floats(stored) / most), 0, 1)


def _use_of_black(shares: Array) -> Values:
    """Return the median use of black at each darkness, carried on to where none was seen."""
    curve = np.zeros(BINS, np.float32)
    light = ((1 - shares[:, :3]) * (1 - shares[:, 3:])).max(axis=1, initial=0)
    darkness = 1 - light
    dark = darkness > 0.5 / (BINS - 1)
    if not dark.any():
        return curve
    use = np.clip(shares[dark, 3] / darkness[dark], 0, 1)
    places = np.rint(darkness[dark] * (BINS - 1)).astype(int)
    seen = np.unique(places)
    medians = [float(np.median(use[places == place])) for place in seen]
    return np.interp(np.arange(BINS), seen, medians).astype(np.float32)


@lru_cache(maxsize=4)
def _transforms(icc: bytes) -> tuple[Any, Any] | None:
    """Return the ways to sRGB and back through a profile; None where it is none for CMYK."""
    if not icc:
        return None
    try:
        profile, srgb = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
        if profile.profile.xcolor_space.strip() != "CMYK":
            return None
        there = ImageCms.buildTransform(profile, srgb, "CMYK", "RGB")
        return there, ImageCms.buildTransform(srgb, profile, "RGB", "CMYK")
    # A damaged profile raises whatever comes, and hides no sound picture.
    except Exception:
        return None


def _through(transform: Any, shares: Array, source: str, target: str) -> Values:
    """Return 0..1 in one colour space as 0..255 in another, by a profile of 8 bits."""
    flat = np.ascontiguousarray(np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8))
    image = Image.frombuffer(source, (flat.shape[1], flat.shape[0]), flat.tobytes())
    converted = ImageCms.applyTransform(image, transform)
    if converted is None or converted.mode != target:
        raise ValueError(f"no way from {source} to {target}")
    return np.asarray(converted).astype(np.float32)
