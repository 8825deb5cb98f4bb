"""Parts: the hidden pixels of a photo, cut so that none is much longer than wide.

A model sees a square window round each part, reduced to its own size: so a wire becomes a row of
short pieces, each seen at the resolution that its width needs, and holes far apart never share a
window. Texture is drawn part by part too, so that memory grows with a hole's length, not its box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from inpaint_cli.photos.windows import FREE_MARGIN, Box, Mask, bounds

LENGTH = 3.0
"""A part is at most about this many times as long as its widest place..."""
NATIVE_SHARE = 0.5
"""...or, for a model, this share of its side, if that is more: its window needs no reduction."""
MOST_GROUPS = 1024
"""More holes than this are grouped with their neighbours first."""


@dataclass(frozen=True)
class Part:
    """Some hidden pixels, and the window in which they are completed."""

    box: Box
    """The tight box round the part."""
    pixels: Mask
    """bool [box.height, box.width], True for the part's own pixels."""
    touches: tuple[int, ...] = ()
    """Numbers of earlier parts of the same hole that this one adjoins."""

    @property
    def radius(self) -> float:
        """The distance in pixels from the part's innermost pixel to what is not hidden."""
        return radius_of(self.pixels)


def holes_in_parts(hidden: Mask, cell: int, least: float) -> list[list[Part]]:
    """Return the holes, each as its parts; every hidden pixel is in exactly one part.

    hidden: bool [H, W], at least one True. Hidden pixels nearer than about `cell` are one hole.
    least: no part is cut that is shorter than this, in pixels.
    """
    holes = []
    for box, pixels in groups_of(hidden, cell):
        parts: list[Part] = []
        for piece_box, piece in _pieces(box, pixels, cell, least):
            part = Part(piece_box, piece)
            parts.append(replace(part, touches=tuple(_beside(parts, part))))
        holes.append(parts)
    return holes


def holes_for_model(hidden: Mask, size: int) -> list[list[Part]]:
    """Return the holes as parts for a model of `size` pixels; 0 = any size: one part a hole."""
    least = NATIVE_SHARE * size if size else math.inf
    return holes_in_parts(hidden, max(1, (size or FREE_MARGIN) // 4), least)


def whole_hole(hidden: Mask) -> Part:
    """Return all that is hidden as one part."""
    box = bounds(hidden)
    return Part(box, np.ascontiguousarray(hidden[box.slices]))


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


def _pieces(box: Box, pixels: Mask, cell: int, least: float) -> Iterator[tuple[Box, Mask]]:
    """Yield a hole, or the pieces of one that is too long for its width."""
    longest = max(box.height, box.width)
    allowed = least
    if longest > 1.5 * least:
        allowed = max(least, LENGTH * 2 * radius_of(pixels))
    if longest <= 1.5 * allowed:
        yield box, pixels
        return
    for piece_box, piece in _cut(box, pixels, math.ceil(longest / allowed), cell):
        yield from _pieces(piece_box, piece, cell, least)


def _cut(box: Box, pixels: Mask, count: int, cell: int) -> Iterator[tuple[Box, Mask]]:
    """Yield the connected pieces of a hole cut into `count` slices across its longer side."""
    along = 0 if box.height >= box.width else 1
    edges = np.linspace(0, pixels.shape[along], count + 1).astype(int)
    for start, stop in pairwise(edges.tolist()):
        piece = pixels[start:stop] if along == 0 else pixels[:, start:stop]
        top = box.top + (start if along == 0 else 0)
        left = box.left + (start if along == 1 else 0)
        if not piece.any():
            continue
        for part, inside in groups_of(piece, cell):
            yield part.moved(top, left), inside


def _tight(area: Box, pixels: Mask) -> tuple[Box, Mask]:
    """Return the tight box round the pixels of an area, and the pixels in it."""
    inner = bounds(pixels)
    return inner.moved(area.top, area.left), np.ascontiguousarray(pixels[inner.slices])


def in_order(parts: Sequence[Part], sees: Callable[[Part], bool]) -> list[Part]:
    """Return the parts of a hole, each behind one that it adjoins unless it sees something itself.

    Those that are in such an order stay in theirs.
    """
    ordered: list[Part] = []
    left = list(parts)
    while left:
        following = next((part for part in left if sees(part) or _beside(ordered, part)), left[0])
        left = [part for part in left if part is not following]
        ordered.append(replace(following, touches=tuple(_beside(ordered, following))))
    return ordered


def _beside(parts: Sequence[Part], part: Part) -> list[int]:
    """Return the places in `parts` of those that adjoin a part."""
    if not parts:
        return []
    edges = np.array([[p.box.top, p.box.left, p.box.bottom, p.box.right] for p in parts])
    box = part.box
    near = (edges[:, 0] <= box.bottom) & (edges[:, 2] >= box.top)
    near &= (edges[:, 1] <= box.right) & (edges[:, 3] >= box.left)
    return [place for place in np.flatnonzero(near).tolist() if _adjoin(parts[place], part)]


def _adjoin(first: Part, second: Part) -> bool:
    """Return whether a pixel of one part lies beside one of the other."""
    common = first.box.grown(1).common(second.box)
    if not common.height or not common.width:
        return False
    return bool((pasted(second, common) & _widened(pasted(first, common.grown(1)))).any())


def pasted(part: Part, frame: Box) -> Mask:
    """Return the pixels of a part inside a frame of the photo, bool [frame.height, width]."""
    pixels = np.zeros((frame.height, frame.width), np.bool_)
    common = part.box.common(frame)
    inside = common.moved(-part.box.top, -part.box.left).slices
    pixels[common.moved(-frame.top, -frame.left).slices] = part.pixels[inside]
    return pixels


def _widened(pixels: Mask) -> Mask:
    """Return where a pixel or one of its eight neighbours is set, without the outermost ring."""
    height, width = pixels.shape
    near = np.zeros((height - 2, width - 2), np.bool_)
    for down in range(3):
        for across in range(3):
            near |= pixels[down : height - 2 + down, across : width - 2 + across]
    return near
