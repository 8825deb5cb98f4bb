"""Windows: the squares of a photo, with context round the holes, that a model completes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

MOST_WINDOWS = 64
"""More holes than this share windows, nearest first."""
MOST_HOLES = 256
"""More holes than this are grouped coarsely before anything else."""
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

    def joined(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def clipped(self, height: int, width: int) -> Box:
        """Return the part inside a photo."""
        return Box(
            max(self.top, 0), max(self.left, 0), min(self.bottom, height), min(self.right, width)
        )

    def grown(self, by: int) -> Box:
        return Box(self.top - by, self.left - by, self.bottom + by, self.right + by)


def plan(hidden: Mask, size: int, context: float) -> list[Box]:
    """Return the windows of a photo: each hidden pixel lies in exactly one of them.

    hidden: bool [H, W], at least one True. size: the model's side; 0 = any size, then windows are
    no squares and stay inside the photo. context: share of a hole's longer side that is added on
    each side of it. Square windows may reach beyond the photo: where it is too narrow for them.
    """
    holes = merged(holes_of(hidden, size), hidden.shape, size, context)
    return [window_round(hole, hidden.shape, size, context) for hole in holes]


def holes_of(hidden: Mask, size: int) -> list[Box]:
    """Return tight boxes round the holes; holes nearer than about half the model's side are one."""
    cell = max(1, (size or FREE_MARGIN) // 4)
    while True:
        boxes = _grouped(hidden, cell)
        if len(boxes) <= MOST_HOLES:
            return boxes
        cell *= 2


def merged(holes: list[Box], shape: tuple[int, ...], size: int, context: float) -> list[Box]:
    """Join holes until no window holds a part of another's hole and there are not too many."""
    holes = list(holes)
    while len(holes) > 1:
        pair = _meeting(holes, shape, size, context)
        if pair is None and len(holes) > MOST_WINDOWS:
            pair = _cheapest(holes)
        if pair is None:
            return holes
        first, second = pair
        joined = holes[first].joined(holes[second])
        holes = [hole for place, hole in enumerate(holes) if place not in pair] + [joined]
    return holes


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
    padded[shifted(inside, window).slices] = array[inside.slices]
    return padded


def shifted(box: Box, window: Box) -> Box:
    """Return a box of the photo in the window's own coordinates."""
    return Box(
        box.top - window.top,
        box.left - window.left,
        box.bottom - window.top,
        box.right - window.left,
    )


def bounds(hidden: Mask) -> Box:
    """Return the tight box round all True pixels; there must be one."""
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _grouped(hidden: Mask, cell: int) -> list[Box]:
    """Return tight boxes round what is connected once seen in cells of `cell` pixels."""
    import cv2

    height, width = hidden.shape
    rows = np.arange(0, height, cell)
    columns = np.arange(0, width, cell)
    coarse = np.logical_or.reduceat(np.logical_or.reduceat(hidden, rows, axis=0), columns, axis=1)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(coarse.astype(np.uint8))
    if count - 1 > MOST_HOLES:
        return [Box(0, 0, height, width)] * (count - 1)  # too many: the caller takes larger cells
    boxes = []
    for label in range(1, count):
        left, top, across, down = (int(value) for value in stats[label, :4])
        area = Box(top * cell, left * cell, (top + down) * cell, (left + across) * cell)
        area = area.clipped(height, width)
        member = labels[top : top + down, left : left + across] == label
        member = member.repeat(cell, axis=0).repeat(cell, axis=1)[: area.height, : area.width]
        tight = bounds(hidden[area.slices] & member)
        boxes.append(
            Box(
                area.top + tight.top,
                area.left + tight.left,
                area.top + tight.bottom,
                area.left + tight.right,
            )
        )
    return boxes


def _meeting(
    holes: Sequence[Box], shape: tuple[int, ...], size: int, context: float
) -> tuple[int, int] | None:
    """Return the first two holes of which one lies partly in the other's window."""
    windows = [window_round(hole, shape, size, context) for hole in holes]
    edges = np.array([[h.top, h.left, h.bottom, h.right] for h in holes])
    for first, window in enumerate(windows):
        met = (edges[:, 0] < window.bottom) & (edges[:, 2] > window.top)
        met &= (edges[:, 1] < window.right) & (edges[:, 3] > window.left)
        met[first] = False
        if met.any():
            return first, int(met.argmax())
    return None


def _cheapest(holes: Sequence[Box]) -> tuple[int, int]:
    """Return the two holes whose common box has the shortest longer side."""
    edges = np.array([[h.top, h.left, h.bottom, h.right] for h in holes])
    low = np.minimum(edges[:, None, :2], edges[None, :, :2])
    high = np.maximum(edges[:, None, 2:], edges[None, :, 2:])
    side = (high - low).max(axis=2)
    np.fill_diagonal(side, np.iinfo(side.dtype).max)
    first, second = divmod(int(side.argmin()), len(holes))
    return first, second


def _place(start: int, end: int, side: int, limit: int) -> int:
    """Return where a window of `side` begins round start..end: centred, but inside 0..limit."""
    if side >= limit:
        return -((side - limit) // 2)
    return min(max(0, (start + end - side) // 2), limit - side)
