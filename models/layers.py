"""Layers that more than one family uses."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def at_least_float32(x: Tensor) -> Tensor:
    """Return `x`, in float32 if it is of half precision: sums and logarithms need that.

    >>> at_least_float32(torch.zeros(1, dtype=torch.bfloat16)).dtype
    torch.float32
    >>> at_least_float32(torch.zeros(1, dtype=torch.float64)).dtype
    torch.float64
    """
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class GroupNorm(nn.GroupNorm):
    """Group normalisation that stays exact in channels_last on a CPU.

    There torch subtracts the square of the mean from the mean of the squares, which loses all
    figures where the mean is hundreds of deviations, as in plain surfaces: 0.04 of a deviation is
    wrong at 100, 0.5 at 300. A constant of each group, which changes nothing, is taken off first.
    Maps [N, C, H, W] to the same shape.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu" or input.is_contiguous():
            return super().forward(input)
        with torch.no_grad():
            means = input.mean((2, 3)).view(len(input), self.num_groups, -1).mean(2, keepdim=True)
            centre = means.expand(-1, -1, input.shape[1] // self.num_groups).flatten(1)
        return super().forward(input - centre[:, :, None, None])
