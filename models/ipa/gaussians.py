"""Diagonal Gaussians of the latents, described by mean and unclamped log standard deviation."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from inpaint_cli.models.layers import at_least_float32


class Gaussian(NamedTuple):
    """Independent normals; both tensors are [N, zdim, side, side]."""

    mean: Tensor
    log_std: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Gaussian:
        """Return the Gaussian whose mean and log standard deviation lie one after the other."""
        return cls(*at_least_float32(features).chunk(2, dim=1))

    def sample(self, eps: Tensor, temperature: float = 1.0) -> Tensor:
        """Return the draw that standard normal `eps` selects; 0 gives the mean."""
        return self.mean + self.log_std.exp() * temperature * eps

    def kl(self, other: Gaussian) -> Tensor:
        """Return KL(self || other) of every element, in nats."""
        # One exponential of the difference, not two: exp(2 a) / exp(2 b) overflows sooner.
        ratio = torch.exp(2 * (self.log_std - other.log_std))
        distance = (self.mean - other.mean) * torch.exp(-other.log_std)
        return other.log_std - self.log_std + 0.5 * (ratio + distance.square() - 1)

    def towards(self, other: Gaussian, weight: Tensor) -> Gaussian:
        """Return the normalised self^(1 - weight) * other^weight; weight 0..1, it broadcasts."""
        # Precisions add up; in logarithms, since exp(-2 log_std) overflows sooner.
        ours = torch.log1p(-weight) - 2 * self.log_std
        theirs = weight.log() - 2 * other.log_std
        precision = torch.logaddexp(ours, theirs)
        mean = (ours - precision).exp() * self.mean + (theirs - precision).exp() * other.mean
        return Gaussian(mean, -0.5 * precision)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return the log density of every element of `z`, in nats."""
        distance = (z - self.mean) * torch.exp(-self.log_std)
        return -0.5 * distance.square() - self.log_std - 0.5 * math.log(2 * math.pi)
