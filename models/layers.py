"""Layers that more than one family uses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint_cli.device import world_size


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation whose batch is that of all processes of a distributed run.

    In one process, and in eval mode, it is torch's. torch's own SyncBatchNorm refuses the CPU. Maps
    [N, C, H, W] to the same shape.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or world_size() == 1:
            return super().forward(input)
        from torch.distributed.nn.functional import all_reduce

        x = input.float()
        count = x.numel() // x.shape[1] * world_size()
        mean: Tensor = all_reduce(x.sum((0, 2, 3))) / count  # type: ignore[no-untyped-call]
        centred = x - mean[:, None, None]
        squares = centred.square().sum((0, 2, 3))
        variance: Tensor = all_reduce(squares) / count  # type: ignore[no-untyped-call]
        self._track(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normed: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normed.to(input.dtype)

    def _track(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            return
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased_variance, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
