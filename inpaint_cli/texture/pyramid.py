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
ENOUGH = 30
"""Fewer whole source patches than this are too little to take texture from."""


@dataclass(frozen=True)
class Level:
    """One size of the window; what does not change while completions are drawn."""

    picture: Array
    """float32 [H, W, C] on 0..255: made of visible pixels alone, and of nothing in `hole`."""
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
    return levels


def repainted(levels: Sequence[Level], picture: Array) -> list[Level]:
    """Return the levels of the same holes in another `picture`, 0 in them."""
    finest = levels[0]
    pictures = [picture] + [
        _picture(picture, finest.hole, level.hole.shape) for level in levels[1:]
    ]
    return [replace(level, picture=p) for level, p in zip(levels, pictures, strict=True)]


def resized(image: Array, size: tuple[int, int]) -> Array:
    """Return float32 `image` [H, W] or [H, W, C] reduced to `size`, (height, width), by area."""
    area = cv2.INTER_AREA
    values = np.asarray(image, np.float32)
    small = cv2.resize(values, (size[1], size[0]), interpolation=area)
    return small.reshape(*size, *image.shape[2:])


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
