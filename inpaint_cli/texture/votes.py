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
    """Return float32 [H, W], the say of the patch with its centre there; depth: see `depth_of`."""
    confidence: Array = (FALL ** -depth.astype(np.float64)).astype(np.float32)
    return np.maximum(confidence, np.float32(1e-30))


def variance_of(costs: Array, targets: Array) -> float:
    """Return sigma squared: the 75th percentile of all costs, at least one level squared."""
    values = costs[targets[:, 0], targets[:, 1]]
    return float(max(1.0 * QUANTA**2, np.percentile(values, 75)))


@_compiled
def _falling(x: float) -> float:  # pragma: no cover
    """Return exp(-x), nearly; by multiplications alone, so the same on every machine."""
    y = 1.0 / (1.0 + x / 1024.0)
    for _ in range(10):
        y *= y
    return y


@_compiled
def vote(  # pragma: no cover
    picture: Array, hole: Array, hidden: Array, confidence: Array,
    targets: Array, field: Array, costs: Array, variance: float,
) -> None:  # fmt: skip
    """Give every hole pixel the weighted mean of what the patches over it say.

    picture: float32 [H, W, C], changed in `hole`; hidden: bool [H, W], what no patch may give.
    """
    height, width, channels = picture.shape
    sums = np.zeros((height, width, channels), np.float32)
    weights = np.zeros((height, width), np.float32)
    for n in range(targets.shape[0]):
        ty, tx = targets[n, 0], targets[n, 1]
        sy, sx = field[ty, tx, 0], field[ty, tx, 1]
        w = np.float32(confidence[ty, tx] * (_falling(costs[ty, tx] / (2 * variance)) + 1e-20))
        for y in range(-REACH, REACH + 1):
            for x in range(-REACH, REACH + 1):
                if hole[ty + y, tx + x] and not hidden[sy + y, sx + x]:
                    weights[ty + y, tx + x] += w
                    for c in range(channels):
                        sums[ty + y, tx + x, c] += w * picture[sy + y, sx + x, c]
    for y in range(height):
        for x in range(width):
            if hole[y, x] and weights[y, x] > 0:
                for c in range(channels):
                    picture[y, x, c] = sums[y, x, c] / weights[y, x]


@_compiled
def choose(  # pragma: no cover
    picture: Array, hole: Array, hidden: Array, confidence: Array,
    targets: Array, field: Array, costs: Array, variance: float,
) -> None:  # fmt: skip
    """Give every hole pixel the colour of the one patch that weighs most, near centres more."""
    height, width, channels = picture.shape
    chosen = np.full((height, width, 2), -1, np.int32)
    weights = np.zeros((height, width), np.float32)
    for n in range(targets.shape[0]):
        ty, tx = targets[n, 0], targets[n, 1]
        sy, sx = field[ty, tx, 0], field[ty, tx, 1]
        w = confidence[ty, tx] * (_falling(costs[ty, tx] / (2 * SHARPER * variance)) + 1e-20)
        for y in range(-REACH, REACH + 1):
            for x in range(-REACH, REACH + 1):
                if not hole[ty + y, tx + x] or hidden[sy + y, sx + x]:
                    continue
                weight = np.float32(w / (1 + y * y + x * x))
                if weight > weights[ty + y, tx + x]:
                    weights[ty + y, tx + x] = weight
                    chosen[ty + y, tx + x, 0], chosen[ty + y, tx + x, 1] = sy + y, sx + x
    for y in range(height):
        for x in range(width):
            if chosen[y, x, 0] >= 0:
                for c in range(channels):
                    picture[y, x, c] = picture[chosen[y, x, 0], chosen[y, x, 1], c]
