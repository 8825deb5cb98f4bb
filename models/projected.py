"""A discriminator on features of a frozen network (Projected GAN, Sauer et al. 2021).

What a discriminator of its own would first have to learn, to tell pictures apart, the trunk of a
perceptual distance knows already: only small heads are trained, one on each of several scales.
Fixed random projections mix the trunk's channels, and each scale with the coarser ones, so that a
head cannot rest on the few features that are easiest to tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.errors import UserError
from inpaint_cli.models.layers import GroupNorm, at_least_float32
from inpaint_cli.models.perceptual import PerceptualDistance
from inpaint_cli.randomness import stream

SCALES = 3
"""Levels of the trunk that are looked at, spread evenly from the finest to the coarsest."""


class ProjectedDiscriminator(nn.Module):
    """Judges [mask - 0.5, image in [-1, 1]] by the features of a trunk: `SCALES` maps of logits.

    The trunk is neither trained nor saved; `use_trunk` gives it. width: channels of projections and
    heads. The weights that are trained, and saved, do not depend on the trunk.
    """

    trunk: PerceptualDistance | None
    _drawn: dict[Any, Tensor]

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width + 1, width, 3, padding=1, bias=False),
                GroupNorm(math.gcd(width, 16), width),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 1, 3, padding=1),
            )
            for _ in range(SCALES)
        )
        # Random weights keep no scale: each map gets deviation 1, as the input of a first layer.
        self.even = GroupNorm(1, width, affine=False)
        self.use_trunk(None)

    def use_trunk(self, distance: PerceptualDistance | None) -> None:
        """Take the trunk of a perceptual distance, which stays as it is."""
        # Past nn.Module, which would make its weights this module's.
        object.__setattr__(self, "trunk", distance)
        object.__setattr__(self, "_drawn", {})

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return logits [N, 1, h, w] of each scale, the finest first."""
        mask, image = x[:, :1], x[:, 1:]
        logits = []
        for head, level in zip(self.heads, self.projected(image), strict=True):
            seen = F.interpolate(mask, level.shape[-2:], mode="area")
            logits.append(at_least_float32(head(torch.cat([seen.to(level.dtype), level], dim=1))))
        return logits

    def projected(self, image: Tensor) -> list[Tensor]:
        """Return the mixed features [N, width, h, w] of each scale, the finest first."""
        levels = self._chosen(image)
        mixed: list[Tensor] = []
        for scale in reversed(range(SCALES)):
            level = F.conv2d(levels[scale], self._weight(scale, levels[scale], 1))
            if mixed:
                coarser = F.interpolate(mixed[0], level.shape[-2:], mode="bilinear")
                level = F.conv2d(level + coarser, self._weight(scale, level, 3), padding=1)
            mixed.insert(0, self.even(level))
        return mixed

    def its_trunk(self) -> PerceptualDistance:
        """Return the trunk; UserError where none was given."""
        if self.trunk is None:
            raise UserError(
                "adversary: projected needs the trunk of a perceptual distance. Give one, such as "
                "lpips or classifier-cifar10, with the setting perceptual."
            )
        return self.trunk

    def _chosen(self, image: Tensor) -> Sequence[Tensor]:
        trunk = self.its_trunk()
        levels = trunk.features(image)
        if len(levels) < SCALES:
            raise UserError(
                f"{trunk.name} has {len(levels)} levels of features, and {SCALES} are needed.",
                setting="perceptual",
            )
        return [levels[round(i * (len(levels) - 1) / (SCALES - 1))] for i in range(SCALES)]

    def _weight(self, scale: int, like: Tensor, size: int) -> Tensor:
        """Return a fixed random convolution: the same in every run, on every machine."""
        channels = like.shape[1]
        key = (scale, channels, size, like.device, like.dtype)
        if key not in self._drawn:
            shape = (self.width, channels, size, size)
            draws = stream(0, "projection", scale, channels, size).standard_normal(math.prod(shape))
            weight = torch.from_numpy(draws).view(shape) / math.sqrt(channels * size**2)
            self._drawn[key] = weight.to(like)
        return self._drawn[key]
