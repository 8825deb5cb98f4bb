"""What a window looks like from far and near: the levels on which patches are searched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from inpaint_cli.texture.frequency import depth_of
from inpaint_cli.texture.patchmatch import REACH, SIDE
from inpaint_cli.texture.votes import confidence_of

Array = np.ndarray[Any, np.dtype[Any]]

THIN = 14.0
"""A hole of at most this inscribed radius is filled on one level."""
START = 8.0
"""Inscribed radius of the hole on the coarsest level, about."""
NARROWEST = 24
"""No level is narrower than about this."""
SEEN_ONE, SEEN_SEVERAL = 0.6, 1.0
"""Least visible share of a source patch, with one level and with several."""
ROUGHNESS = 7.0
"""Factor of the channels of roughness beside those of colour: its square, the weight of squared
differences, is 50 in Newson et al. (2014), about."""
ENOUGH = 30
"""Fewer whole source patches than this are too little to take texture from."""


@dataclass(frozen=True)
class Level:
    """One size of the window; what does not change while completions are drawn."""

    picture: Array
    """float32 [H, W, C] on 0..255: made of visible pixels alone, and of nothing in `hole`. On all
    levels but the finest, two channels more say how rough it is there, see `_roughness`."""
    hole: Array
    """bool [H, W], what is to be drawn."""
    hidden: Array
    """bool [H, W], what no patch may give: the hole, and what was filled before."""
    targets: Array
    """int32 [N, 2], centres of the patches that touch the hole, in raster order."""
    sources: Array
    """int32 [M], centres of the patches that may be taken: row times width plus column."""
    share: Array
    """float32 [H, W], the visible share of each source patch, 0 where there is no source."""
    seen: Array
    """int16 [H, W * F] of 0 and -1 where sources may be partly hidden; else [0, 0]."""
    confidence: Array
    """float32 [N], of each target, see `confidence_of`."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, bottom, left and right of the hole, and one pixel more."""
        rows, columns = np.nonzero(self.hole.any(1))[0], np.nonzero(self.hole.any(0))[0]
        height, width = self.hole.shape
        top, bottom = max(0, int(rows[0]) - 1), min(height, int(rows[-1]) + 2)
        return top, bottom, max(0, int(columns[0]) - 1), min(width, int(columns[-1]) + 2)


def whole_patches(hidden: Array) -> int:
    """Return how many patches lie inside the picture and hold nothing hidden."""
    return int((_visible_share(hidden) >= 1).sum())


def levels_of(picture: Array, hole: Array, hidden: Array) -> list[Level]:
    """Return the levels, the finest first.

    picture: float32 [H, W, C], 0 in the hole; hole: what is to be drawn; hidden: what no patch may
    give, which includes the hole.
    """
    radius = float(depth_of(hole).max())
    if radius <= THIN:
        return [_level(picture, hole, hidden, SEEN_ONE)]
    smallest = min(hole.shape) / NARROWEST
    steps = math.log(max(1.0, min(radius / START, smallest))) / math.log(math.sqrt(2))
    levels = [_level(picture, hole, hidden, SEEN_SEVERAL)]
    for k in range(1, math.floor(steps + 0.5) + 1):
        level = _reduced(picture, hole, hidden, math.sqrt(2) ** k)
        if len(level.sources) < ENOUGH or not len(level.targets):
            break
        levels.append(level)
    return _with_roughness(levels, picture, hidden)


def repainted(levels: Sequence[Level], picture: Array) -> list[Level]:
    """Return the levels of the same holes in another `picture`, 0 in them."""
    finest = levels[0]
    pictures = [picture] + [
        _picture(picture, finest.hole, level.hole.shape) for level in levels[1:]
    ]
    changed = [replace(level, picture=p) for level, p in zip(levels, pictures, strict=True)]
    return _with_roughness(changed, picture, finest.hole)


def resized(image: Array, size: tuple[int, int]) -> Array:
    """Return float32 `image` [H, W] or [H, W, C] reduced to `size`, (height, width), by area."""
    area = cv2.INTER_AREA
    values = np.asarray(image, np.float32).reshape(*image.shape[:2], -1)
    # OpenCV reduces no more than four channels at once.
    parts = [
        cv2.resize(values[..., first : first + 4], (size[1], size[0]), interpolation=area)
        for first in range(0, values.shape[2], 4)
    ]
    return np.dstack(parts).reshape(*size, *image.shape[2:])


def _reduced(picture: Array, hole: Array, hidden: Array, factor: float) -> Level:
    height, width = hole.shape
    size = max(1, round(height / factor)), max(1, round(width / factor))
    small_hole, small_hidden = (resized(mask, size) > 1e-3 for mask in (hole, hidden))
    return _level(_picture(picture, hole, size), small_hole, small_hidden, SEEN_SEVERAL)


def _picture(picture: Array, hole: Array, size: tuple[int, int]) -> Array:
    """Return `picture`, 0 in the hole, reduced to `size`, of the pixels outside it alone."""
    small = resized(picture, size)
    small /= np.maximum(resized(~hole, size), 1e-6)[..., None]
    return small


def _with_roughness(levels: Sequence[Level], picture: Array, unknown: Array) -> list[Level]:
    """Return the levels with two channels of roughness on all but the finest.

    Reduced, a wall and a fog look alike: what tells them apart is how rough they were at full size
    (Newson et al. 2014). It is voted for like a colour.
    """
    finest, coarser = levels[0], levels[1:]
    if not coarser:
        return [finest]
    grey = picture.mean(2, dtype=np.float32)
    down = _roughness(grey, unknown, coarser)
    across = _roughness(grey.T, unknown.T, coarser, turned=True)
    rough = zip(coarser, down, across, strict=True)
    return [finest] + [replace(lv, picture=np.dstack([lv.picture, d, a])) for lv, d, a in rough]


def _roughness(
    grey: Array, unknown: Array, levels: Sequence[Level], turned: bool = False
) -> list[Array]:
    """Return `ROUGHNESS` times mean absolute differences of rows of `grey`, float32 [H, W] a level.

    The mean is over what is visible round each pixel, three pixels of the coarsest level; 0 in the
    hole. turned: grey and unknown are transposed, and what is returned is not.
    """
    known = ~(unknown[1:] | unknown[:-1])
    steps = np.where(known, np.abs(np.diff(grey, axis=0)), np.float32(0))
    coarsest, rough = levels[-1], []
    for level in levels:
        size = level.hole.T.shape if turned else level.hole.shape
        side = 2 * round(len(level.hole) / len(coarsest.hole)) + 1
        sums, share = (cv2.blur(resized(part, size), (side, side)) for part in (steps, known))
        mean = sums / np.maximum(share, np.float32(1e-6))
        mean = np.minimum(np.float32(ROUGHNESS) * mean, np.float32(255))
        mean = mean.T if turned else mean
        rough.append(np.where(level.hole, np.float32(0), mean))
    return rough


def _level(picture: Array, hole: Array, hidden: Array, least: float) -> Level:
    seen = _visible_share(hidden)
    inside = seen >= 0
    touching = cv2.dilate(hole.astype(np.uint8), np.ones((SIDE, SIDE), np.uint8)) > 0
    sources = (seen >= least) & ~hidden
    targets = np.argwhere(touching & inside).astype(np.int32)
    mask = np.zeros((0, 0), np.int16)
    if least < 1:
        mask = np.repeat(-(~hidden).astype(np.int16), picture.shape[2] + 2, 1)
    return Level(
        picture,
        hole,
        hidden,
        targets,
        np.flatnonzero(sources).astype(np.int32),
        np.where(sources, seen, 0).astype(np.float32),
        mask,
        confidence_of(depth_of(hole)[targets[:, 0], targets[:, 1]]),
    )


def _visible_share(hidden: Array) -> Array:
    """Return float32 [H, W], the visible share of the patch round each pixel; -1 at the border."""
    share = cv2.boxFilter((~hidden).astype(np.float32), -1, (SIDE, SIDE), normalize=False)
    share = np.rint(share) / SIDE**2
    result = np.full(hidden.shape, -1, np.float32)
    inner = (slice(REACH, -REACH), slice(REACH, -REACH))
    result[inner] = share[inner]
    return result
