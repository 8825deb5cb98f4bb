"""Frequency-selective reconstruction: a smooth first guess of what lies in a hole.

Each block of 4x4 is continued from the 32x32 window round it, which is modelled as a sum of few
waves (Seiler & Kaup 2010); blocks are done from the rim inwards (after Genser et al. 2018). All
channels share the chosen wave, which is better and faster than one model a channel.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from inpaint_cli.machine_code import compiled

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 4
WINDOW = 32
MARGIN = (WINDOW - BLOCK) // 2
ROWS = WINDOW // 2 + 1
"""Rows of the spectrum that are kept: the picture is real, so the others mirror them."""
WAVES = 160
LEAST = 1e-4
"""A wave with less than this share of the window's energy ends a block."""
STEP = 0.5
"""Share of a wave's estimate that is taken at once (gamma of Seiler & Kaup)."""
DECAY = 0.8
FILLED = 0.5
"""Weight of a pixel that an earlier block has filled; a visible one has 1."""

_compiled = compiled(fastmath=False)


def reconstruct(
    picture: Array, hole: Array, highest: float = 255.0, unknown: Array | None = None
) -> Array:
    """Return `picture` with the pixels of `hole` continued from the others.

    picture: float32 [H, W, C]; hole: bool [H, W]; unknown: bool [H, W], the hole and what else is
    not to be read. What is filled lies in [0, highest].
    """
    unknown = hole if unknown is None else unknown
    result = np.where(unknown[..., None], np.float32(0), picture).astype(np.float32)
    if not hole.any():
        return result
    weight = (~unknown).astype(np.float32)
    place = (np.arange(WINDOW) - (WINDOW - 1) / 2) ** 2
    decay = (DECAY ** np.sqrt(place[:, None] + place)).astype(np.float32)
    angle = 2 * math.pi * np.arange(WINDOW) / WINDOW
    waves = np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    fill_blocks(result, weight, hole, block_order(hole), decay, _preference(), waves, highest)
    return result


def block_order(hole: Array) -> Array:
    """Return int32 [N, 2], the top left corners of all blocks that hold hole pixels, in order.

    From the rim inwards; among equally deep ones first those with much visible round them.
    """
    height, width = hole.shape
    shape = (-height % BLOCK, -width % BLOCK)
    depth = np.pad(depth_of(hole), ((0, shape[0]), (0, shape[1])))
    seen = cv2.GaussianBlur((~hole).astype(np.float32), (0, 0), 3)
    seen = np.pad(seen, ((0, shape[0]), (0, shape[1])))
    grid = (depth.shape[0] // BLOCK, BLOCK, depth.shape[1] // BLOCK, BLOCK)
    deepest = np.round(depth.reshape(grid).max((1, 3)))
    mean = np.round(seen.reshape(grid).mean((1, 3)), 3)
    rows, columns = np.nonzero(depth.reshape(grid).max((1, 3)) > 0)
    order = np.lexsort((columns, rows, -mean[rows, columns], deepest[rows, columns]))
    corners: Array = np.stack([rows, columns], -1)[order].astype(np.int32) * BLOCK
    return corners


def depth_of(hole: Array) -> Array:
    """Return float32 [H, W], the distance of each hole pixel to the nearest visible one.

    The border of the picture is no rim of the hole.
    """
    height, width = hole.shape
    if hole.all():
        return np.full(hole.shape, float(max(height, width)), np.float32)
    longest = max(height, width)
    rows, columns = np.nonzero(hole)
    if not len(rows):
        return np.zeros(hole.shape, np.float32)
    edges = (
        rows.min() == 0,
        rows.max() == height - 1,
        columns.min() == 0,
        columns.max() == width - 1,
    )
    top, bottom, left, right = (longest if edge else 0 for edge in edges)
    padded = np.pad(hole.astype(np.uint8), ((top, bottom), (left, right)), mode="edge")
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inner: Array = depth[top : top + height, left : left + width]
    return np.ascontiguousarray(inner)


def _preference() -> Array:
    """Return float32 [ROWS, WINDOW], how much low frequencies are preferred."""
    index = np.arange(WINDOW)
    folded = np.minimum(index, WINDOW - index)
    radius = math.sqrt(2) * np.hypot(folded[:ROWS, None], folded[None]) / WINDOW
    preferred: Array = (np.maximum(0.0, 1.0 - radius) ** 2).astype(np.float32)
    return preferred


@_compiled
def fill_blocks(  # pragma: no cover
    picture: Array,
    weight: Array,
    hole: Array,
    blocks: Array,
    decay: Array,
    preference: Array,
    waves: Array,
    highest: float,
) -> None:
    """Fill all blocks of `picture` in order; `weight` becomes FILLED where one has."""
    height, width, channels = picture.shape
    window = np.zeros((channels + 1, WINDOW, WINDOW), np.float32)
    spectra = np.zeros((channels, 2, ROWS, WINDOW), np.float32)
    kernel = np.zeros((2, 2 * WINDOW, 2 * WINDOW), np.float32)
    means = np.zeros(channels, np.float32)
    values = np.zeros((BLOCK, BLOCK, channels), np.float32)
    for n in range(blocks.shape[0]):
        top, left = blocks[n, 0], blocks[n, 1]
        _cut(picture, weight, decay, top - MARGIN, left - MARGIN, window, means)
        for c in range(channels):
            _transform(window[c], waves, spectra[c])
        _tile(window[channels], waves, kernel)
        values[:] = 0
        if kernel[0, 0, 0] > 0:
            _pick_waves(spectra, kernel, preference, waves, values)
        for y in range(min(BLOCK, height - top)):
            for x in range(min(BLOCK, width - left)):
                if hole[top + y, left + x]:
                    weight[top + y, left + x] = FILLED
                    for c in range(channels):
                        value = values[y, x, c] + means[c]
                        picture[top + y, left + x, c] = min(max(value, 0.0), highest)


@_compiled
def _cut(  # pragma: no cover
    picture: Array, weight: Array, decay: Array, top: int, left: int, window: Array, means: Array
) -> None:
    """Write the weighted window less its mean to `window[:-1]`, the weight to `window[-1]`."""
    height, width, channels = picture.shape
    window[:] = 0
    means[:] = 0
    total = np.float32(0)
    for y in range(max(0, -top), min(WINDOW, height - top)):
        for x in range(max(0, -left), min(WINDOW, width - left)):
            w = weight[top + y, left + x] * decay[y, x]
            window[channels, y, x] = w
            total += w
            for c in range(channels):
                means[c] += w * picture[top + y, left + x, c]
    if total > 0:
        for c in range(channels):
            means[c] /= total
    for y in range(max(0, -top), min(WINDOW, height - top)):
        for x in range(max(0, -left), min(WINDOW, width - left)):
            w = window[channels, y, x]
            for c in range(channels):
                window[c, y, x] = w * (picture[top + y, left + x, c] - means[c])


@_compiled
def _transform(window: Array, waves: Array, spectrum: Array) -> None:  # pragma: no cover
    """Write the discrete Fourier transform of a real window, rows 0..16, to `spectrum`."""
    lines = np.zeros((2, WINDOW, WINDOW), np.float32)
    turned = np.empty((2, WINDOW), np.float32)
    for x in range(WINDOW):
        for v in range(WINDOW):
            turned[0, v] = waves[0, (x * v) % WINDOW]
            turned[1, v] = waves[1, (x * v) % WINDOW]
        for y in range(WINDOW):
            value = window[y, x]
            if value != 0:
                for v in range(WINDOW):
                    lines[0, y, v] += value * turned[0, v]
                    lines[1, y, v] -= value * turned[1, v]
    spectrum[:] = 0
    for u in range(ROWS):
        for y in range(WINDOW):
            cosine, sine = waves[0, (u * y) % WINDOW], waves[1, (u * y) % WINDOW]
            for v in range(WINDOW):
                spectrum[0, u, v] += lines[0, y, v] * cosine + lines[1, y, v] * sine
            for v in range(WINDOW):
                spectrum[1, u, v] += lines[1, y, v] * cosine - lines[0, y, v] * sine


@_compiled
def _tile(window: Array, waves: Array, kernel: Array) -> None:  # pragma: no cover
    """Write the whole spectrum of the weight, tiled 2x2, so that shifted reads are runs."""
    half = np.empty((2, ROWS, WINDOW), np.float32)
    _transform(window, waves, half)
    for u in range(2 * WINDOW):
        for v in range(2 * WINDOW):
            row, column = u % WINDOW, v % WINDOW
            if row < ROWS:
                kernel[0, u, v] = half[0, row, column]
                kernel[1, u, v] = half[1, row, column]
            else:
                kernel[0, u, v] = half[0, WINDOW - row, (WINDOW - column) % WINDOW]
                kernel[1, u, v] = -half[1, WINDOW - row, (WINDOW - column) % WINDOW]


@_compiled
def _pick_waves(  # pragma: no cover
    spectra: Array, kernel: Array, preference: Array, waves: Array, values: Array
) -> None:
    """Take the strongest wave out of `spectra` again and again; add them up in `values`."""
    channels = spectra.shape[0]
    energy = np.zeros((ROWS, WINDOW), np.float32)
    for u in range(ROWS):
        _weigh(spectra, preference, energy, u)
    bits = energy.view(np.int32)
    least = np.float32(LEAST) * kernel[0, 0, 0] * kernel[0, 0, 0]
    amplitude = np.zeros((channels, 2), np.float32)
    for _ in range(WAVES):
        u, v = _strongest(bits)
        if energy[u, v] < least:
            break
        alone = u % (WINDOW // 2) == 0 and v % (WINDOW // 2) == 0
        for c in range(channels):
            amplitude[c, 0] = np.float32(STEP) * spectra[c, 0, u, v] / kernel[0, 0, 0]
            amplitude[c, 1] = np.float32(STEP) * spectra[c, 1, u, v] / kernel[0, 0, 0]
            if alone:  # its own mirror image: half of it twice is once
                amplitude[c, 0] *= np.float32(0.5)
                amplitude[c, 1] = 0
        _take_away(spectra, kernel, amplitude, u, v, preference, energy)
        for y in range(BLOCK):
            for x in range(BLOCK):
                phase = (u * (MARGIN + y) + v * (MARGIN + x)) % WINDOW
                for c in range(channels):
                    part = amplitude[c, 0] * waves[0, phase] - amplitude[c, 1] * waves[1, phase]
                    values[y, x, c] += np.float32(2) * part


@_compiled
def _strongest(bits: Array) -> tuple[int, int]:  # pragma: no cover
    """Return the place of the greatest energy; floats >= 0 are ordered as their bits are."""
    best, row = np.int32(-1), 0
    for u in range(ROWS):
        most = np.int32(0)
        line = bits[u]
        for v in range(WINDOW):
            most = max(most, line[v])
        if most > best:
            best, row = most, u
    for v in range(WINDOW):
        if bits[row, v] == best:
            return row, v
    return row, 0


@_compiled
def _weigh(spectra: Array, preference: Array, energy: Array, u: int) -> None:  # pragma: no cover
    """Write the preferred energy of one row, over all channels."""
    line, liked = energy[u], preference[u]
    line[:] = 0
    for c in range(spectra.shape[0]):
        real, imaginary = spectra[c, 0, u], spectra[c, 1, u]
        for v in range(WINDOW):
            line[v] += liked[v] * (real[v] * real[v] + imaginary[v] * imaginary[v])


@_compiled
def _take_away(  # pragma: no cover
    spectra: Array,
    kernel: Array,
    amplitude: Array,
    u: int,
    v: int,
    preference: Array,
    energy: Array,
) -> None:
    """Subtract the wave (u, v) and its mirror image, as the weight spreads them, from `spectra`."""
    both = np.empty((4, WINDOW), np.float32)
    for k in range(ROWS):
        near, far = k - u + WINDOW, k + u
        first = kernel[0, near, WINDOW - v : 2 * WINDOW - v]
        first_i = kernel[1, near, WINDOW - v : 2 * WINDOW - v]
        second, second_i = kernel[0, far, v : v + WINDOW], kernel[1, far, v : v + WINDOW]
        for j in range(WINDOW):
            both[0, j] = first[j] + second[j]
            both[1, j] = second_i[j] - first_i[j]
            both[2, j] = first_i[j] + second_i[j]
            both[3, j] = first[j] - second[j]
        for c in range(spectra.shape[0]):
            a, b = amplitude[c, 0], amplitude[c, 1]
            real, imaginary = spectra[c, 0, k], spectra[c, 1, k]
            for j in range(WINDOW):
                real[j] -= a * both[0, j] + b * both[1, j]
            for j in range(WINDOW):
                imaginary[j] -= a * both[2, j] + b * both[3, j]
        _weigh(spectra, preference, energy, k)
