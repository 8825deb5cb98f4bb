"""Removing the seam round a hole: what the picture lacks at its edge, carried smoothly inwards."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 0.25
"""The correction falls to 1/e over about this share of the image's side."""
SWEEPS = 8
"""Jacobi iterations at each scale. They start from the solution of the next coarser one, so a few
make a smooth field; it meets the edge exactly after any number."""


def without_seams(picture: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Return the picture with its hidden part shifted so that it meets the visible one.

    picture: float [n, C, H, W], over the whole image; target: float [1, C, H, W], read only where
    visible; visible: bool [1, 1, H, W]. The shift f is target - picture on the visible pixels
    beside the hole and solves laplace f = f / (REACH * side)^2 inside. Nothing else changes, and
    all is done element by element, so no picture of a batch depends on the others.
    """
    edge = visible & _beside(~visible)
    if not edge.any():
        return picture
    residual = torch.where(edge, target - picture, 0.0)
    screen = (REACH * max(picture.shape[-2:])) ** -2
    shift = _screened(residual, edge, ~visible, screen)
    return torch.where(visible, picture, picture + shift)


def _screened(values: Tensor, fixed: Tensor, free: Tensor, screen: float) -> Tensor:
    """Return the solution of laplace f = screen * f where free, f = values where fixed, else 0."""
    field = torch.where(fixed, values, 0.0)
    if not free.any():
        return field
    if max(free.shape[-2:]) > 1:
        field = torch.where(free, _from_coarser(values, fixed, free, screen), field)
    domain = (fixed | free).to(values.dtype)
    degree = _sum_of_neighbours(domain) + screen
    for _ in range(SWEEPS):
        field = torch.where(free, _sum_of_neighbours(field) / degree, field)
    return field


def _from_coarser(values: Tensor, fixed: Tensor, free: Tensor, screen: float) -> Tensor:
    """Return the solution at half the size, where one fixed pixel fixes its block, enlarged."""
    count = _sum_of_blocks(fixed.to(values.dtype))
    some = count > 0
    means = _sum_of_blocks(torch.where(fixed, values, 0.0)) / count.clamp_min(1)
    inside = (_sum_of_blocks(free.to(values.dtype)) > 0) & ~some
    coarse = _screened(means, some, inside, 4 * screen)
    height, width = values.shape[-2:]
    enlarged = coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
    return enlarged[..., :height, :width]


def _beside(mask: Tensor) -> Tensor:
    """Return which pixels have one of `mask` to the left, right, above or below."""
    return _sum_of_neighbours(mask.float()) > 0


def _sum_of_neighbours(x: Tensor) -> Tensor:
    """Return the sum of the four neighbours of each pixel; those outside the image count as 0."""
    padded = F.pad(x, (1, 1, 1, 1))
    rows, columns = padded[..., 1:-1, :], padded[..., :, 1:-1]
    return rows[..., :-2] + rows[..., 2:] + columns[..., :-2, :] + columns[..., 2:, :]


def _sum_of_blocks(x: Tensor) -> Tensor:
    """Return the sums of 2 x 2 blocks; a missing last row or column counts as 0."""
    x = F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))
    top, bottom = x[..., ::2, :], x[..., 1::2, :]
    return top[..., ::2] + top[..., 1::2] + bottom[..., ::2] + bottom[..., 1::2]
