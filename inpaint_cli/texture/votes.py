"""From similar patches to a picture: each votes for its hole pixels (Wexler et al. 2007)."""

from __future__ import annotations

from typing import Any

import numpy as np

from inpaint_cli.machine_code import compiled
from inpaint_cli.texture.patchmatch import QUANTA, REACH

Array = np.ndarray[Any, np.dtype[Any]]

FALL = 1.3
"""How fast a patch's say falls, a pixel of its centre's depth in the hole."""
SHARPER = 0.2
"""Factor of sigma squared in the last round."""

_compiled = compiled(fastmath=False)


def confidence_of(depth: Array) -> Array:
    """Return float32 [N], the say of the patches with centres of some `depth_of` in the hole."""
    confidence: Array = (FALL ** -depth.astype(np.float64)).astype(np.float32)
    return np.maximum(confidence, np.float32(1e-30))


def variance_of(costs: Array) -> float:
    """Return sigma squared: the 75th percentile of all costs, at least one level squared."""
    return float(max(1.0 * QUANTA**2, np.percentile(costs, 75)))


@_compiled
def _falling(x: float) -> float:  # pragma: no cover
    """Return exp(-x), nearly; by multiplications alone, so the same on every machine."""
    y = 1.0 / (1.0 + x / 1024.0)
    for _ in range(10):
        y *= y
    return y


@_compiled
def _reached(targets: Array) -> tuple[int, int, int, int]:  # pragma: no cover
    """Return top, bottom, left and right of all that the patches of `targets` cover."""
    top, left, bottom, right = targets[0, 0], targets[0, 1], targets[0, 0], targets[0, 1]
    for n in range(1, targets.shape[0]):
        top, bottom = min(top, targets[n, 0]), max(bottom, targets[n, 0])
        left, right = min(left, targets[n, 1]), max(right, targets[n, 1])
    return top - REACH, bottom + REACH + 1, left - REACH, right + REACH + 1


@_compiled
def vote(  # pragma: no cover
    picture: Array, hole: Array, hidden: Array, confidence: Array,
    targets: Array, field: Array, costs: Array, variance: float,
) -> None:  # fmt: skip
    """Give every hole pixel the weighted mean of what the patches over it say.

    picture: float32 [H, W, C], changed in `hole`; hidden: bool [H, W], what no patch may give.
    """
    channels = picture.shape[2]
    top, bottom, left, right = _reached(targets)
    sums = np.zeros((bottom - top, right - left, channels), np.float32)
    weights = np.zeros((bottom - top, right - left), np.float32)
    for n in range(targets.shape[0]):
        ty, tx = targets[n, 0], targets[n, 1]
        sy, sx = field[ty, tx, 0], field[ty, tx, 1]
        w = np.float32(confidence[n] * (_falling(costs[n] / (2 * variance)) + 1e-20))
        for y in range(-REACH, REACH + 1):
            for x in range(-REACH, REACH + 1):
                if hole[ty + y, tx + x] and not hidden[sy + y, sx + x]:
                    weights[ty + y - top, tx + x - left] += w
                    for c in range(channels):
                        sums[ty + y - top, tx + x - left, c] += w * picture[sy + y, sx + x, c]
    for y in range(top, bottom):
        for x in range(left, right):
            weight = weights[y - top, x - left]
            if hole[y, x] and weight > 0:
                for c in range(channels):
                    picture[y, x, c] = sums[y - top, x - left, c] / weight


@_compiled
def choose(  # pragma: no cover
    picture: Array, hole: Array, hidden: Array, confidence: Array,
    targets: Array, field: Array, costs: Array, variance: float,
) -> None:  # fmt: skip
    """Give every hole pixel the colour of the one patch that weighs most, near centres more."""
    channels = picture.shape[2]
    top, bottom, left, right = _reached(targets)
    chosen = np.full((bottom - top, right - left, 2), -1, np.int32)
    weights = np.zeros((bottom - top, right - left), np.float32)
    for n in range(targets.shape[0]):
        ty, tx = targets[n, 0], targets[n, 1]
        sy, sx = field[ty, tx, 0], field[ty, tx, 1]
        w = confidence[n] * (_falling(costs[n] / (2 * SHARPER * variance)) + 1e-20)
        for y in range(-REACH, REACH + 1):
            for x in range(-REACH, REACH + 1):
                if not hole[ty + y, tx + x] or hidden[sy + y, sx + x]:
                    continue
                weight = np.float32(w / (1 + y * y + x * x))
                row, column = ty + y - top, tx + x - left
                if weight > weights[row, column]:
                    weights[row, column] = weight
                    chosen[row, column, 0], chosen[row, column, 1] = sy + y, sx + x
    for y in range(top, bottom):
        for x in range(left, right):
            sy, sx = chosen[y - top, x - left, 0], chosen[y - top, x - left, 1]
            if sy >= 0:
                for c in range(channels):
                    picture[y, x, c] = picture[sy, sx, c]
