"""Parts: the hidden pixels of a photo, cut so that each part fits a window of its own width.

A window is a square with context round a part, reduced to the model's size. So a part is never much
longer than wide: a wire becomes a row of short pieces, each seen at the resolution that its width
needs. Holes far apart never share a window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inpaint_cli.photos.windows import Box, Mask, bounds, window_round

LENGTH = 3.0
"""A part is at most about this many times as long as its widest place..."""
NATIVE_SHARE = 0.5
"""...or this share of the model's side, if that is more: such a window needs no reduction."""
MOST_GROUPS = 1024
"""More holes than this are grouped with their neighbours first."""


@dataclass(frozen=True)
class Part:
    """Some hidden pixels, and the window in which they are completed."""

    box: Box
    """The tight box round the part."""
    pixels: Mask
    """bool [box.height, box.width], True for the part's own pixels."""
    window: Box
    touches: tuple[int, ...] = ()
    """Numbers of earlier parts that this one adjoins: it sees what was completed there."""

    @property
    def radius(self) -> float:
        """The distance in pixels from the part's innermost pixel to what is not hidden."""
        return radius_of(self.pixels)


def parts_of(hidden: Mask, size: int, context: float) -> list[Part]:
    """Return the parts of the hidden pixels; every hidden pixel is in exactly one.

    hidden: bool [H, W], at least one True. size: side of the model; 0 = any size, where a hole is
    one part whatever its shape. context: share of a part's longer side shown on each side of it.
    """
    parts: list[Part] = []
    for box, pixels in groups_of(hidden, max(1, size // 4)):
        pieces = [(box, pixels)] if size == 0 else list(_pieces(box, pixels, size))
        first = len(parts)
        for piece_box, piece_pixels in pieces:
            window = window_round(piece_box, hidden.shape, size, context)
            part = Part(piece_box, piece_pixels, window)
            touched = _beside(parts[first:], part)
            parts.append(replace(part, touches=tuple(first + number for number in touched)))
    return parts


def groups_of(hidden: Mask, cell: int) -> list[tuple[Box, Mask]]:
    """Return the holes as (tight box, own pixels); those nearer than about `cell` are one."""
    import cv2

    while True:
        rows, columns = (np.arange(0, side, cell) for side in hidden.shape)
        coarse = np.logical_or.reduceat(hidden, rows, axis=0)
        coarse = np.logical_or.reduceat(coarse, columns, axis=1)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(coarse.astype(np.uint8))
        if count - 1 <= MOST_GROUPS:
            break
        cell *= 2
    groups = []
    for label in range(1, count):
        left, top, across, down = (int(value) for value in stats[label, :4])
        area = Box(top * cell, left * cell, (top + down) * cell, (left + across) * cell)
        area = area.clipped(*hidden.shape)
        cells = labels[top : top + down, left : left + across] == label
        inside = cells.repeat(cell, axis=0).repeat(cell, axis=1)[: area.height, : area.width]
        groups.append(_tight(area, hidden[area.slices] & inside))
    return groups


def radius_of(pixels: Mask) -> float:
    """Return the largest distance from one of the pixels to one that is none of them.

    The edge of the array counts as the edge of the pixels.
    """
    import cv2

    padded = np.pad(pixels.astype(np.uint8), 1)
    return float(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max())


def _pieces(box: Box, pixels: Mask, size: int) -> Iterator[tuple[Box, Mask]]:
    """Yield a hole, or the pieces of one that is too long for its width."""
    longest = max(box.height, box.width)
    width = max(2 * radius_of(pixels), 1.0)
    allowed = max(NATIVE_SHARE * size, LENGTH * width)
    if longest <= 1.5 * allowed:
        yield box, pixels
        return
    for piece_box, piece in _cut(box, pixels, math.ceil(longest / allowed), max(1, size // 4)):
        yield from _pieces(piece_box, piece, size)


def _cut(box: Box, pixels: Mask, count: int, cell: int) -> Iterator[tuple[Box, Mask]]:
    """Yield the connected pieces of a hole cut into `count` slices across its longer side."""
    along = 0 if box.height >= box.width else 1
    edges = np.linspace(0, pixels.shape[along], count + 1).astype(int)
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        piece = pixels[start:stop] if along == 0 else pixels[:, start:stop]
        top = box.top + (int(start) if along == 0 else 0)
        left = box.left + (int(start) if along == 1 else 0)
        if not piece.any():
            continue
        for part, own in groups_of(piece, cell):
            yield (
                Box(part.top + top, part.left + left, part.bottom + top, part.right + left),
                own,
            )


def _tight(area: Box, pixels: Mask) -> tuple[Box, Mask]:
    """Return the tight box round the pixels of an area, and the pixels in it."""
    inner = bounds(pixels)
    box = Box(
        area.top + inner.top, area.left + inner.left, area.top + inner.bottom,
        area.left + inner.right,
    )  # fmt: skip
    return box, np.ascontiguousarray(pixels[inner.slices])


def _beside(parts: Sequence[Part], part: Part) -> list[int]:
    """Return the places in `parts` of those that adjoin a part."""
    if not parts:
        return []
    edges = np.array([[p.box.top, p.box.left, p.box.bottom, p.box.right] for p in parts])
    box = part.box
    near = (edges[:, 0] <= box.bottom) & (edges[:, 2] >= box.top)
    near &= (edges[:, 1] <= box.right) & (edges[:, 3] >= box.left)
    return [int(place) for place in np.flatnonzero(near) if _adjoin(parts[place], part)]


def _adjoin(first: Part, second: Part) -> bool:
    """Return whether a pixel of one part lies beside one of the other."""
    near = first.box.grown(1)
    common = Box(
        max(near.top, second.box.top),
        max(near.left, second.box.left),
        min(near.bottom, second.box.bottom),
        min(near.right, second.box.right),
    )
    if common.height <= 0 or common.width <= 0:
        return False
    return bool((_pasted(second, common) & _widened(_pasted(first, common.grown(1)))).any())


def _pasted(part: Part, frame: Box) -> Mask:
    """Return the pixels of a part inside a frame of the photo, bool [frame.height, width]."""
    pixels = np.zeros((frame.height, frame.width), np.bool_)
    rows = slice(max(part.box.top, frame.top), min(part.box.bottom, frame.bottom))
    columns = slice(max(part.box.left, frame.left), min(part.box.right, frame.right))
    if rows.start < rows.stop and columns.start < columns.stop:
        pixels[
            rows.start - frame.top : rows.stop - frame.top,
            columns.start - frame.left : columns.stop - frame.left,
        ] = part.pixels[
            rows.start - part.box.top : rows.stop - part.box.top,
            columns.start - part.box.left : columns.stop - part.box.left,
        ]
    return pixels


def _widened(pixels: Mask) -> Mask:
    """Return where a pixel or one of its eight neighbours is set, without the outermost ring."""
    height, width = pixels.shape
    near = np.zeros((height - 2, width - 2), np.bool_)
    for down in range(3):
        for across in range(3):
            near |= pixels[down : height - 2 + down, across : width - 2 + across]
    return near
