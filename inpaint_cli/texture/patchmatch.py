"""The search for similar patches: PatchMatch (Barnes et al. 2009), with a cost for distance.

Features are int16, a quarter of a level each, so that sums of squares are exact and the field does
not depend on the width of a processor's registers. A picture's features lie as [H, W * F]: a row of
a patch is one run.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from inpaint_cli.machine_code import compiled

Array = np.ndarray[Any, np.dtype[Any]]

REACH = 3
SIDE = 2 * REACH + 1
"""Patches are 7x7."""
QUANTA = 4
"""Steps of a feature in a level."""
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_A, MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

_compiled = compiled(fastmath=False)


class Scene(NamedTuple):
    """What a search looks at; nothing in it is changed by searching."""

    features: Array
    """int16 [H, W * F], see `write_features`."""
    seen: Array
    """int16 [H, W * F] of 0 and -1 where sources may be partly hidden, else [0, 0]."""
    share: Array
    """float32 [H, W], the visible share of each source patch, 0 where there is no source."""
    each: int
    """F, features a pixel."""
    nearness: float
    """What a pixel of distance adds to a cost, as a share of it."""
    targets: Array
    """int32 [N, 2] in raster order."""


@_compiled
def below(state: Array, limit: int) -> int:  # pragma: no cover
    """Return the next number of [0, limit) of a SplitMix64 generator; state: uint64 [1]."""
    state[0] += GOLDEN
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * MIX_A
    z = (z ^ (z >> np.uint64(27))) * MIX_B
    z = z ^ (z >> np.uint64(31))
    return int(((z >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))


@_compiled
def write_features(  # pragma: no cover
    picture: Array, colours: int, guide: Array, box: tuple[int, int, int, int], features: Array
) -> None:
    """Write the features of a part of `picture`: channels, differences of grey, guide.

    picture: float32 [H, W, C] on 0..255; colours: how many of its channels make grey; guide: int16
    [H, W, G], ready; box: top, bottom, left, right; features: int16 [H, W * F].
    """
    top, bottom, left, right = box
    height, width, channels = picture.shape
    extra = guide.shape[2]
    each = channels + 2 + extra
    grey = np.zeros((height, width), np.float32)
    for y in range(max(0, top - 1), min(height, bottom + 1)):
        for x in range(max(0, left - 1), min(width, right + 1)):
            for c in range(colours):
                grey[y, x] += picture[y, x, c]
    half = QUANTA / (2.0 * colours)
    for y in range(top, bottom):
        above, beneath = max(0, y - 1), min(height - 1, y + 1)
        for x in range(left, right):
            at = x * each
            for c in range(channels):
                features[y, at + c] = np.int16(np.rint(picture[y, x, c] * QUANTA))
            across = grey[y, min(width - 1, x + 1)] - grey[y, max(0, x - 1)]
            down = grey[beneath, x] - grey[above, x]
            features[y, at + channels] = np.int16(np.rint(across * half))
            features[y, at + channels + 1] = np.int16(np.rint(down * half))
            for g in range(extra):
                features[y, at + channels + 2 + g] = guide[y, x, g]


@_compiled
def _row(first: Array, second: Array) -> np.int32:  # pragma: no cover
    """Return the squared distance of two runs of features."""
    total = np.int32(0)
    for j in range(first.shape[0]):
        step = np.int32(np.int32(first[j]) - np.int32(second[j]))
        total = np.int32(total + np.int32(step * step))
    return total


@_compiled
def _row_seen(first: Array, second: Array, seen: Array) -> np.int32:  # pragma: no cover
    """Return the squared distance where `seen`, int16 of 0 or -1, is not 0."""
    total = np.int32(0)
    for j in range(first.shape[0]):
        step = np.int32(np.int32(first[j]) - np.int32(second[j])) & np.int32(seen[j])
        total = np.int32(total + np.int32(step * step))
    return total


@_compiled
def cost(  # pragma: no cover
    scene: Scene, ty: int, tx: int, sy: int, sx: int, best: float
) -> float:
    """Return the cost of source (sy, sx) for target (ty, tx), or `best` if it is no less."""
    features, seen = scene.features, scene.seen
    far = np.sqrt(np.float64((ty - sy) * (ty - sy) + (tx - sx) * (tx - sx)))
    factor = (1.0 + scene.nearness * far) / scene.share[sy, sx]
    limit = best / factor
    a, b, run = (tx - REACH) * scene.each, (sx - REACH) * scene.each, SIDE * scene.each
    total = np.int64(0)
    for y in range(-REACH, REACH + 1):
        first, second = features[ty + y, a : a + run], features[sy + y, b : b + run]
        if seen.shape[0] > 0:
            total += _row_seen(first, second, seen[sy + y, b : b + run])
        else:
            total += _row(first, second)
        if total >= limit:
            return best
    return float(total * factor)


@_compiled
def sweep(  # pragma: no cover
    scene: Scene, field: Array, costs: Array, state: Array, forward: bool
) -> None:
    """Improve the field once: by the sources of two neighbours, then by random ones.

    field: int32 [H, W, 2], the source of each target, -1 elsewhere; costs: float64 [N].
    """
    share, targets = scene.share, scene.targets
    height, width = share.shape
    count = targets.shape[0]
    step = 1 if forward else -1
    for n in range(count):
        at = n if forward else count - 1 - n
        ty, tx = targets[at, 0], targets[at, 1]
        best, by, bx = costs[at], field[ty, tx, 0], field[ty, tx, 1]
        for k in range(2):
            dy, dx = (step, 0) if k == 0 else (0, step)
            ny, nx = ty - dy, tx - dx
            if ny < 0 or nx < 0 or ny >= height or nx >= width or field[ny, nx, 0] < 0:
                continue
            sy, sx = field[ny, nx, 0] + dy, field[ny, nx, 1] + dx
            if sy < 0 or sx < 0 or sy >= height or sx >= width or share[sy, sx] <= 0:
                continue
            if sy == by and sx == bx:
                continue
            new = cost(scene, ty, tx, sy, sx, best)
            if new < best:
                best, by, bx = new, sy, sx
        radius = max(height, width)
        while radius >= 1:
            low_y, high_y = max(0, by - radius), min(height - 1, by + radius)
            low_x, high_x = max(0, bx - radius), min(width - 1, bx + radius)
            sy = low_y + below(state, high_y - low_y + 1)
            sx = low_x + below(state, high_x - low_x + 1)
            if share[sy, sx] > 0:
                new = cost(scene, ty, tx, sy, sx, best)
                if new < best:
                    best, by, bx = new, sy, sx
            radius //= 2
        costs[at], field[ty, tx, 0], field[ty, tx, 1] = best, by, bx


@_compiled
def measure(scene: Scene, field: Array, costs: Array) -> None:  # pragma: no cover
    """Compute all costs anew, after the picture has changed."""
    for n in range(scene.targets.shape[0]):
        y, x = scene.targets[n, 0], scene.targets[n, 1]
        costs[n] = cost(scene, y, x, field[y, x, 0], field[y, x, 1], np.inf)


@_compiled
def scatter(targets: Array, sources: Array, field: Array, state: Array) -> None:  # pragma: no cover
    """Give every target a random source; sources: int32 [M], see `Level`."""
    width = field.shape[1]
    for n in range(targets.shape[0]):
        source = sources[below(state, sources.shape[0])]
        field[targets[n, 0], targets[n, 1], 0] = source // width
        field[targets[n, 0], targets[n, 1], 1] = source % width


@_compiled
def refine(  # pragma: no cover
    coarse: Array, targets: Array, sources: Array, share: Array, field: Array, state: Array
) -> None:
    """Carry a coarser field over: the offset of the nearest coarse target, scaled.

    A target whose scaled source is none gets a random one.
    """
    height, width = share.shape
    coarse_height, coarse_width = coarse.shape[:2]
    ratio_y, ratio_x = height / coarse_height, width / coarse_width
    for n in range(targets.shape[0]):
        ty, tx = targets[n, 0], targets[n, 1]
        cy = min(coarse_height - 1, int((ty + 0.5) / ratio_y))
        cx = min(coarse_width - 1, int((tx + 0.5) / ratio_x))
        near_y, near_x = _nearest_target(coarse, cy, cx)
        sy = sx = -1
        if near_y >= 0:
            sy = ty + int(np.rint((coarse[near_y, near_x, 0] - near_y) * ratio_y))
            sx = tx + int(np.rint((coarse[near_y, near_x, 1] - near_x) * ratio_x))
        if sy < 0 or sx < 0 or sy >= height or sx >= width or share[sy, sx] <= 0:
            source = sources[below(state, sources.shape[0])]
            sy, sx = source // width, source % width
        field[ty, tx, 0], field[ty, tx, 1] = sy, sx


@_compiled
def _nearest_target(field: Array, cy: int, cx: int) -> tuple[int, int]:  # pragma: no cover
    """Return the target of `field` nearest to (cy, cx) within 4 pixels, (-1, -1) if none is."""
    height, width = field.shape[:2]
    if field[cy, cx, 0] >= 0:
        return cy, cx
    best, near_y, near_x = 1000, -1, -1
    for y in range(max(0, cy - 4), min(height, cy + 5)):
        for x in range(max(0, cx - 4), min(width, cx + 5)):
            away = (y - cy) ** 2 + (x - cx) ** 2
            if field[y, x, 0] >= 0 and away < best:
                best, near_y, near_x = away, y, x
    return near_y, near_x
