"""Windows: the squares of a photo, with context round the holes, that a model completes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

NATIVE_SLACK = 1.25
"""A window up to this many times the model's side is cut down to it, if its hole fits in well."""
FREE_MARGIN = 16
"""Pixels round a hole, at least, for methods that take any size."""


@dataclass(frozen=True)
class Box:
    """Rows top..bottom and columns left..right, ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def clipped(self, height: int, width: int) -> Box:
        """Return the part inside a photo."""
        return Box(
            max(self.top, 0), max(self.left, 0), min(self.bottom, height), min(self.right, width)
        )

    def grown(self, by: int) -> Box:
        """Return the box with `by` more pixels on each side."""
        return Box(self.top - by, self.left - by, self.bottom + by, self.right + by)

    def moved(self, down: int, right: int) -> Box:
        """Return the box so many rows further down and columns to the right."""
        return Box(self.top + down, self.left + right, self.bottom + down, self.right + right)

    def joined(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        return Box(top, left, max(self.bottom, other.bottom), max(self.right, other.right))

    def common(self, other: Box) -> Box:
        """Return what both share; no height or width where they do not meet."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Box(top, left, max(top, bottom), max(left, right))


def middle_square(height: int, width: int) -> Box:
    """Return the largest square in the middle of a photo."""
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return Box(top, left, top + side, left + side)


def window_round(hole: Box, shape: tuple[int, ...], size: int, context: float) -> Box:
    """Return the window of one hole, shifted inside the photo as far as it fits."""
    height, width = shape[:2]
    if size == 0:
        margin = max(FREE_MARGIN, math.ceil(context * max(hole.height, hole.width)))
        return hole.grown(margin).clipped(height, width)
    side = side_for(hole, (height, width), size, context)
    top = _place(hole.top, hole.bottom, side, height)
    left = _place(hole.left, hole.right, side, width)
    return Box(top, left, top + side, left + side)


def side_for(hole: Box, shape: tuple[int, int], size: int, context: float) -> int:
    """Return the side of a hole's window.

    The hole with its context, at least the model's side; but no more than the photo's shorter side
    as long as a quarter of the context remains, and never more than its longer side, so that a
    photo smaller than the model is enlarged.
    """
    longest = max(hole.height, hole.width)
    side = max(size, math.ceil(longest * (1 + 2 * context)))
    if side < NATIVE_SLACK * size and longest <= size * 3 // 4:
        side = size
    enough = math.ceil(longest * (1 + context / 2))
    return min(side, max(min(shape), enough), max(shape))


def cut(array: npt.NDArray[Any], window: Box) -> npt.NDArray[Any]:
    """Return the part of an array [H, W, ...] under a window; zeros (False) beyond its edges."""
    inside = window.clipped(*array.shape[:2])
    if inside == window:
        return array[window.slices]
    padded = np.zeros((window.height, window.width, *array.shape[2:]), array.dtype)
    padded[inside.moved(-window.top, -window.left).slices] = array[inside.slices]
    return padded


def bounds(hidden: Mask) -> Box:
    """Return the tight box round all True pixels; there must be one."""
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _place(start: int, end: int, side: int, limit: int) -> int:
    """Return where a window of `side` begins round start..end: centred, but inside 0..limit."""
    if side >= limit:
        return -((side - limit) // 2)
    return min(max(0, (start + end - side) // 2), limit - side)
