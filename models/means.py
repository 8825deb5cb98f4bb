"""Means over the values that count, such as hidden ones: of a batch for losses, of each image."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_cli.device import sum_over_ranks, world_size


def masked_mean(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean of `values` where `counted`, over all processes; 0 where nothing counts.

    counted: bool, of the shape of `values`.
    """
    total = sum_over_ranks(counted.sum().to(values.dtype))
    # DistributedDataParallel averages the gradients of the ranks, which must add up here.
    return torch.where(counted, values, 0).sum() * (world_size() / total.clamp_min(1))


def mean_per_image(values: Tensor, counted: Tensor) -> Tensor:
    """Return float64 [N], the mean of each image's values where counted; NaN where nothing is.

    counted: bool, of a shape that can be expanded to that of `values`.

    >>> mean_per_image(torch.tensor([[1.0, 3.0]]), torch.tensor([[True, False]])).tolist()
    [1.0]
    """
    counted = counted.expand_as(values)
    sums = torch.where(counted, values.double(), 0).flatten(1).sum(1)
    count = counted.flatten(1).sum(1)
    return torch.where(count > 0, sums / count, torch.nan)
