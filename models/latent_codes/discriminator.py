"""The patch discriminators and the adversarial terms of both autoencoders."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.device import full_precision, sum_over_ranks, world_size
from inpaint_cli.models.layers import GroupNorm, at_least_float32

WIDEST = 8
"""The width of a layer is at most this many times that of the first."""


class PatchDiscriminator(nn.Module):
    """A classifier of overlapping patches: of real images, or made (Isola et al. 2017)."""

    def __init__(
        self, channels: int, width: int, layers: int, norm: Literal["batch", "group"]
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1)]
        parts.append(nn.LeakyReLU(0.2))
        before = width
        for layer in range(1, layers + 1):
            after = width * min(2**layer, WIDEST)
            stride = 2 if layer < layers else 1
            parts += [
                nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=False),
                # As many groups as divide any width.
                nn.BatchNorm2d(after) if norm == "batch" else GroupNorm(gcd(16, after), after),
                nn.LeakyReLU(0.2),
            ]
            before = after
        parts.append(nn.Conv2d(before, 1, 4, stride=1, padding=1))
        self.main = nn.Sequential(*parts)
        for module in self.main:
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return what each activation passes on, and last the logits [N, 1, h, w]."""
        outputs = []
        for module in self.main:
            x = module(x)
            if isinstance(module, nn.LeakyReLU):
                outputs.append(x)
        return [*outputs, x]


def hinge(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Return the discriminator's loss from its maps of logits, each of which counts alike."""
    pairs = zip(real, fake, strict=True)
    return torch.stack([F.relu(1 - a).mean() + F.relu(1 + b).mean() for a, b in pairs]).mean() / 2


def mean(logits: Sequence[Tensor]) -> Tensor:
    """Return the mean over maps of logits of each map's mean."""
    return torch.stack([scores.mean() for scores in logits]).mean()


def adaptive_weight(
    reconstruction: Tensor, adversarial: Tensor, last: Tensor, limit: float
) -> Tensor:
    """Return |grad reconstruction| / |grad adversarial| at the last layer, at most `limit`.

    Esser et al. 2021, eq. 7: both terms then pull equally at the output, whatever their scales. The
    norms are means over the processes of a run.
    """
    norms = [
        at_least_float32(torch.autograd.grad(loss, last, retain_graph=True)[0]).norm()
        for loss in (reconstruction, adversarial)
    ]
    first, second = sum_over_ranks(torch.stack(norms).detach()) / world_size()
    weight: Tensor = (first / (second + 1e-4)).clamp(0.0, limit)
    return weight


def gradient_penalty(
    discriminator: PatchDiscriminator, real: Tensor, channels: slice = slice(None)
) -> Tensor:
    """Return the mean over images of |d sum D(real) / d real|^2 over some input channels (R1)."""
    real = real.detach().requires_grad_(True)
    with full_precision(real.device):
        total = discriminator(real)[-1].sum()
        gradient: Tensor = torch.autograd.grad(total, real, create_graph=True)[0]
    penalty: Tensor = gradient[:, channels].square().sum((1, 2, 3)).mean()
    return penalty
