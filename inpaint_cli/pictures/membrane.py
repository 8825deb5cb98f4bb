"""Membrane interpolation: values carried smoothly from where they are known into what is free.

The discrete screened Laplace equation, solved from coarse to fine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SWEEPS = 8
"""Jacobi iterations at each scale. They start from the solution of the next coarser one, so a few
make a smooth field; it meets the known values exactly after any number."""


def membrane(values: Values, known: Mask, free: Mask, screen: float = 0.0) -> Values:
    """Return f with f = values where known, laplace f = screen * f where free, else 0.

    values: float32 [..., H, W], read only where known; known, free: bool [H, W], never both.
    screen: in 1/pixels^2; f falls to 1/e over 1/sqrt(screen) pixels. All is done element by
    element, so no plane depends on another.
    """
    field = np.where(known, values, np.float32(0))
    if not free.any():
        return field
    if max(free.shape) > 1:
        field = np.where(free, _from_coarser(field, known, free, screen), field)
    # Nothing beyond one pixel round what is free takes part.
    rows, columns = (_span(np.asarray(free.any(axis=axis))) for axis in (1, 0))
    inside, part = free[rows, columns], field[..., rows, columns]
    degree = _sum_of_neighbours((known | free)[rows, columns].astype(np.float32)) + screen
    degree[degree == 0] = 1  # alone, it stays 0
    for _ in range(SWEEPS):
        np.copyto(part, _sum_of_neighbours(part) / degree, where=inside)
    return field


def _from_coarser(field: Values, known: Mask, free: Mask, screen: float) -> Values:
    """Return the solution at half the size, where one known pixel fixes its block, enlarged."""
    count = _sum_of_blocks(known.astype(np.float32))
    some = count > 0
    means = np.asarray(_sum_of_blocks(field) / np.maximum(count, 1), np.float32)
    inside = (_sum_of_blocks(free.astype(np.float32)) > 0) & ~some
    coarse = membrane(means, some, inside, 4 * screen)
    height, width = field.shape[-2:]
    return coarse.repeat(2, axis=-1).repeat(2, axis=-2)[..., :height, :width]


def _span(some: npt.NDArray[np.bool_]) -> slice:
    """Return where some are True, and one more at each end."""
    (places,) = some.nonzero()
    return slice(max(0, int(places[0]) - 1), int(places[-1]) + 2)


def beside(mask: Mask) -> Mask:
    """Return which pixels have one of `mask` to the left, right, above or below."""
    return np.asarray(_sum_of_neighbours(mask.astype(np.float32)) > 0)


def _sum_of_neighbours(x: Values) -> Values:
    """Return the sum of the four neighbours of each pixel; those outside the picture count as 0."""
    total = np.zeros_like(x)
    total[..., 1:] += x[..., :-1]
    total[..., :-1] += x[..., 1:]
    total[..., 1:, :] += x[..., :-1, :]
    total[..., :-1, :] += x[..., 1:, :]
    return total


def _sum_of_blocks(x: Values) -> Values:
    """Return the sums of 2 x 2 blocks; a missing last row or column counts as 0."""
    ends: list[Any] = [(0, 0)] * (x.ndim - 2) + [(0, x.shape[-2] % 2), (0, x.shape[-1] % 2)]
    x = np.pad(x, ends)
    top, bottom = x[..., ::2, :], x[..., 1::2, :]
    return top[..., ::2] + top[..., 1::2] + bottom[..., ::2] + bottom[..., 1::2]
