"""Levels 0..K-1 from bytes and back, exactly as in the code of Dupont & Suresha 2018."""

from __future__ import annotations

import torch
from torch import Tensor


def to_levels(image: Tensor, levels: int) -> Tensor:
    """Return the level of each byte, int64: floor(v * (K-1) / 255); for K = 2 v >= 128.

    The top level is v = 255 alone unless K = 2, where that code thresholds at one half.

    >>> to_levels(torch.tensor([0, 8, 9, 255], dtype=torch.uint8), 32).tolist()
    [0, 0, 1, 31]
    """
    if levels == 2:
        return (image >= 128).long()
    return image.long() * (levels - 1) // 255


def to_bytes(level: Tensor, levels: int) -> Tensor:
    """Return the canonical byte of each level, uint8: ceil(255 * l / (K-1)).

    That code shows 255 * l / (K-1), which its own floor does not bring back (l = 1 of 32 -> 8 ->
    0); this byte is within 1 of theirs and round-trips.

    >>> to_levels(to_bytes(torch.arange(32), 32), 32).equal(torch.arange(32))
    True
    """
    return ((level.long() * 255 + levels - 2) // (levels - 1)).to(torch.uint8)


def to_centres(level: Tensor, levels: int) -> Tensor:
    """Return the middle byte of those that become each level, uint8; it round-trips too.

    The canonical byte is the smallest of them, so a photograph's values are darkened by 3.6 on
    average at K = 32; its middle is the best guess of what a photograph had there.

    >>> to_centres(torch.tensor([0, 1, 31]), 32).tolist()
    [4, 12, 255]
    """
    low = to_bytes(level, levels).long()
    high = to_bytes((level + 1).clamp(max=levels - 1), levels).long() - 1
    return torch.where(level < levels - 1, (low + high) // 2, low).to(torch.uint8)


def continuing(level: Tensor, levels: int, image: Tensor, visible: Tensor) -> Tensor:
    """Return the bytes of drawn levels that suit the visible part of `image`, uint8.

    A level that is visible somewhere is written as the mean of its visible bytes, so that black
    stays black; others as the canonical byte where all that is visible is canonical (a quantised
    data set), else as the middle one: beside a photograph canonical bytes would show as a darker
    patch. All round-trip. With K = 2 levels are black and white.
    """
    if levels == 2:
        return to_bytes(level, levels)
    shown = image[visible.expand_as(image)].double()
    at = to_levels(shown, levels).long()
    every = torch.arange(levels)
    quantised = bool((to_bytes(at, levels) == shown).all())
    table = (to_bytes if quantised else to_centres)(every, levels).double()
    sums, counts = torch.zeros(2, levels, dtype=torch.float64)
    sums.index_add_(0, at, shown)
    counts.index_add_(0, at, torch.ones_like(shown))
    means = torch.where(counts > 0, sums / counts.clamp_min(1), table)
    return means.round().to(torch.uint8)[level]
