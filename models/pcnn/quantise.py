"""Levels 0..K-1 from bytes and back, exactly as the authors quantise (their `quantize`)."""

from __future__ import annotations

import torch
from torch import Tensor


def to_levels(image: Tensor, levels: int) -> Tensor:
    """Gives the level of each byte, int64: floor(v * (K-1) / 255); for K = 2 v >= 128.

    The top level is v = 255 alone unless K = 2, where the authors threshold at one half.

    >>> to_levels(torch.tensor([0, 8, 9, 255], dtype=torch.uint8), 32).tolist()
    [0, 0, 1, 31]
    """
    if levels == 2:
        return (image >= 128).long()
    return image.long() * (levels - 1) // 255


def to_bytes(level: Tensor, levels: int) -> Tensor:
    """Gives the canonical byte of each level, uint8: ceil(255 * l / (K-1)).

    The authors show 255 * l / (K-1), which their own floor does not bring back (l = 1 of 32 -> 8 ->
    0); this byte is within 1 of theirs and round-trips.

    >>> to_levels(to_bytes(torch.arange(32), 32), 32).equal(torch.arange(32))
    True
    """
    return ((level.long() * 255 + levels - 2) // (levels - 1)).to(torch.uint8)
