"""Holes in plain surfaces: paper, a table row, an even sky. They are continued, not searched for.

A hole counts as one in a surface if the ring round it is a polynomial of low order and grain that
has no pattern. What is drawn is the polynomial, with grain taken from the surroundings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[slice, slice]

REACH = 24
"""Pixels round the hole from which grain is taken."""
NEAR = 3
"""A ring this wide must hold no outlier at all; a constant one is continued as it is."""
ROUGH, ROUGHEST = 6.0, 24.0
"""Deviations of grain, in levels of 255: beyond the first it has to be white noise, or it is
texture; beyond the second all is."""
FEWEST = 24
"""A ring of fewer pixels says nothing."""
BLUR = 2.0
PATTERN = 0.35
"""Greatest share of its deviation that grain keeps when it is blurred by BLUR."""
FARTHEST = 8
"""Patterns of more pixels than this outlast the blur."""
AWAY, REPEATED = 3, 0.4
"""Greatest correlation of grain with itself at so many pixels and more."""
WHITE, ENOUGH = 0.15, 600
"""The same of white noise, from the next pixel on, and the pixels of a ring that can tell it."""
TILE = 8
"""Side of the tiles of grain that are copied."""
FINEST = 1e-4
"""Steps below this, in levels of 255, are lost in the rounding of float32."""
MOST_COMPARED = 1 << 18
"""So many samples tell by which steps they lie apart."""


@dataclass(frozen=True)
class Surface:
    """One hole and how its ring goes on over it."""

    span: Span
    """Where its crop lies in the picture."""
    hole: Array
    """bool [h, w] of the crop."""
    smooth: Array
    """float32 [h, w, C] of the crop."""
    grain: Array
    """float32 [h, w, C], what the visible pixels are beyond `smooth`; all 0 without grain."""
    corners: Array
    """int32 [N, 2], top left corners of the tiles of `grain` that hold only grain."""

    @property
    def grainy(self) -> bool:
        """Whether completions differ."""
        return bool(self.grain.any())

    def moved(self, down: int, right: int) -> Surface:
        """Return the same in a picture of which the old one is a crop at (down, right)."""
        rows, columns = self.span
        span = (
            slice(rows.start + down, rows.stop + down),
            slice(columns.start + right, columns.stop + right),
        )
        return replace(self, span=span)

    def drawn(self, rng: np.random.Generator) -> Array:
        """Return float32 [h, w, C], the surface with grain of its own."""
        if not self.grainy:
            return self.smooth
        height, width = self.hole.shape
        result = self.smooth.copy()
        shift = (rng.random(2) * TILE).astype(int)
        for top in range(-int(shift[0]), height, TILE):
            for left in range(-int(shift[1]), width, TILE):
                y, x = max(0, top), max(0, left)
                bottom, right = min(height, top + TILE), min(width, left + TILE)
                if self.hole[y:bottom, x:right].any():
                    row, column = self.corners[int(rng.random() * len(self.corners))]
                    tile = self.grain[row : row + bottom - y, column : column + right - x]
                    result[y:bottom, x:right] += tile
        return result


def step_of(known: Array, scale: float) -> float:
    """Return the step between samples on 0..255, of which `scale` was white.

    Samples of 8 bits are often kept in 16 bits or as floats: their steps are coarser than those of
    the type, and a smooth surface of such steps is no less smooth.
    """
    if scale == 255:
        return 1.0
    values = np.unique(known.ravel()[:: max(1, known.size // MOST_COMPARED)])
    least = float(np.diff(values).min()) if len(values) > 1 else 0.0
    return min(1.0, max(least, 255.0 / scale if scale > 1 else 0.0, FINEST))


def surface_of(picture: Array, part: Array, hole: Array, quantum: float) -> Surface | None:
    """Return how the ring round `part` goes on over it; None if that ring is no plain surface.

    picture: float32 [H, W, C] on 0..255; part: bool [H, W], one connected part of `hole`, which is
    all that is hidden; quantum: the step of the samples, in the same unit.
    """
    span = around(part, REACH)
    here, crop = part[span], picture[span]
    away = cv2.distanceTransform((~here).astype(np.uint8), cv2.DIST_L2, 5)
    known = ~hole[span]
    inner = known & (away <= NEAR)
    few = inner.sum() < FEWEST  # in a corner, or of specks among specks
    beside = known & (away <= REACH) if few else inner
    if beside.sum() < FEWEST:
        return None
    constant = crop[beside][0]
    if (crop[beside] == constant).all():
        smooth = np.broadcast_to(constant, crop.shape).astype(np.float32)
        return Surface(span, here, smooth, np.zeros_like(smooth), np.zeros((0, 2), np.int32))
    if few:
        return None
    depth = cv2.distanceTransform(np.pad(here, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)
    ring = known & (away <= np.clip(depth.max(), 8, 16))
    for order in range(3 if _surrounds(ring, here) else 1):
        smooth = _fitted(crop, ring, order)
        rest = crop - smooth
        if _is_grain(rest, ring, inner, quantum):
            return _with_grain(
                span, here, smooth, np.where(known[..., None], rest, 0), ring, quantum
            )
    return None


def around(part: Array, margin: int) -> Span:
    """Return the box of a part with a margin, which may reach beyond the lower right corner."""
    rows, columns = np.nonzero(part.any(1))[0], np.nonzero(part.any(0))[0]
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def _surrounds(ring: Array, here: Array) -> bool:
    """Return whether the ring lies on all four sides, so that a slope is not extrapolated."""
    return all(
        lines_of_ring[0] < lines_of_hole[0] and lines_of_ring[-1] > lines_of_hole[-1]
        for lines_of_ring, lines_of_hole in (
            (np.nonzero(ring.any(axis))[0], np.nonzero(here.any(axis))[0]) for axis in (0, 1)
        )
    )


def _fitted(crop: Array, ring: Array, order: int) -> Array:
    """Return float32 [h, w, C], the polynomial of `order` that fits the ring best.

    Outliers have little say: each point weighs by Tukey's function of its last residual.
    """
    height, width = ring.shape
    y = (np.arange(height) - height / 2)[:, None] / height + np.zeros((1, width))
    x = (np.arange(width) - width / 2)[None] / width + np.zeros((height, 1))
    terms = [x**i * y**j for i in range(order + 1) for j in range(order + 1 - i)]
    everywhere = np.stack(terms, -1)
    basis, values = everywhere[ring], crop[ring].astype(np.float64)
    result = np.empty(crop.shape, np.float32)
    for c in range(values.shape[1]):
        weight = np.ones(len(basis))
        factors = np.zeros(len(terms))
        for _ in range(6):
            scaled = basis * weight[:, None]
            factors = np.linalg.lstsq(scaled.T @ basis, scaled.T @ values[:, c], rcond=None)[0]
            rest = np.abs(values[:, c] - basis @ factors)
            width_of_noise = max(4.7 * 1.4826 * float(np.median(rest)), 1e-3)
            weight = np.maximum(0, 1 - (rest / width_of_noise) ** 2) ** 2
        result[..., c] = everywhere @ factors
    return result


def _is_grain(rest: Array, ring: Array, inner: Array, quantum: float) -> bool:
    """Return whether what the fit leaves over is grain: small, without outliers, patternless."""
    values = rest[ring]
    sigma = _deviation(values, quantum)
    if (sigma > ROUGHEST).any() or (np.abs(rest[inner]) > 5.5 * sigma + quantum).any():
        return False
    if (np.abs(values) > 4 * sigma + quantum).mean() > 0.005:
        return False
    share = cv2.GaussianBlur(ring.astype(np.float32), (0, 0), BLUR)[..., None]
    masked = np.where(ring[..., None], rest, 0).astype(np.float32)
    soft = cv2.GaussianBlur(masked, (0, 0), BLUR).reshape(rest.shape) / np.maximum(share, 1e-6)
    # White noise keeps 0.14 of its deviation under this blur, more near the ends of the ring.
    left = np.sqrt((soft[ring] ** 2).mean(0))
    most = np.abs(soft[ring]).max(0)
    floor = 0.1 * quantum
    calm = (left < PATTERN * sigma + floor).all() and (most < 4 * (PATTERN * sigma + floor)).all()
    if not calm:
        return False
    if (sigma > ROUGH).any():
        return len(values) >= ENOUGH and not _repeats(masked, ring, quantum, 1, WHITE)
    return not _repeats(masked, ring, quantum, AWAY, REPEATED)


def _repeats(rest: Array, ring: Array, quantum: float, nearest: int, most: float) -> bool:
    """Return whether residuals, 0 outside the ring, are like those `nearest` pixels away or more.

    So are stripes, a weave or a dither too fine to outlast the blur; grain of a camera is not.
    most: the correlation that is allowed, beside what chance makes.
    """
    inside = np.pad(ring, FARTHEST)
    at, width = np.flatnonzero(inside), inside.shape[1]
    inside = inside.ravel()
    values = np.pad(rest, ((FARTHEST,) * 2, (FARTHEST,) * 2, (0, 0))).reshape(len(inside), -1)
    here = values[at]
    lines = ((0, 1), (1, 0), (1, 1), (1, -1))
    for down, right in ((y * k, x * k) for k in range(nearest, FARTHEST + 1) for y, x in lines):
        partner = at + down * width + right
        paired = inside[partner]
        pairs = int(paired.sum())
        if pairs < FEWEST:
            continue
        alike = (here * values[partner]).sum(0)
        power = (here[paired] ** 2).sum(0)
        # Where all is rounding there is nothing to see.
        seen = power > pairs * (0.5 * quantum) ** 2
        limit = max(most, 5 / math.sqrt(pairs))
        if (np.abs(alike[seen]) > limit * power[seen]).any():
            return True
    return False


def _deviation(values: Array, quantum: float) -> Array:
    """Return [C], the robust deviation of residuals, of which rounding is a part."""
    deviation: Array = 1.4826 * np.median(np.abs(values), 0) + 0.1 * quantum
    return deviation


def _with_grain(
    span: Span, here: Array, smooth: Array, rest: Array, ring: Array, quantum: float
) -> Surface:
    none = np.zeros((0, 2), np.int32)
    if (np.abs(rest[ring]) <= 0.51 * quantum).all():  # rounding alone: nothing to add
        return Surface(span, here, smooth, np.zeros_like(rest), none)
    sigma = _deviation(rest[ring], quantum)
    calm = (np.abs(rest) <= 5.5 * sigma + quantum).all(-1) & (rest != 0).any(-1) | ring
    whole = cv2.erode(
        calm.astype(np.uint8), np.ones((TILE, TILE), np.uint8), anchor=(0, 0),
        borderType=cv2.BORDER_CONSTANT, borderValue=0,
    )  # fmt: skip
    corners = np.argwhere(whole > 0).astype(np.int32)
    if not len(corners):
        return Surface(span, here, smooth, np.zeros_like(rest), none)
    return Surface(span, here, smooth, rest.astype(np.float32), corners)
