"""Diagonal Gaussians and their mixtures: divergences, choice of a component, drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """A diagonal Gaussian per image."""

    mu: Tensor
    """[B, ...]"""
    sigma: Tensor
    """Standard deviations, of the shape of `mu`."""

    def stopped(self) -> Gaussian:
        """Return the same without gradients."""
        return Gaussian(self.mu.detach(), self.sigma.detach())


@dataclass(frozen=True)
class Mixture:
    """k diagonal Gaussians per image, and their weights (the primitives of the paper)."""

    mu: Tensor
    """[B, k, ...]"""
    sigma: Tensor
    """Standard deviations, of the shape of `mu`."""
    weights: Tensor
    """[B, k], they sum to 1."""

    @property
    def primitives(self) -> int:
        """K."""
        return int(self.weights.shape[1])

    def component(self, index: Tensor) -> Gaussian:
        """Return component `index`, int64 [B], of each image."""
        rows = torch.arange(len(index), device=index.device)
        return Gaussian(self.mu[rows, index], self.sigma[rows, index])

    def all_components(self) -> Gaussian:
        """Return every component as one Gaussian of B k images, those of one together."""
        return Gaussian(self.mu.flatten(0, 1), self.sigma.flatten(0, 1))


class _Clamp(torch.autograd.Function):
    """Clamps; outside, a gradient passes only where a step down it leads back inside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bounds = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        low, high = ctx.bounds
        gradient = gradients[0]
        outward = ((x < low) & (gradient > 0)) | ((x > high) & (gradient < 0))
        return gradient.masked_fill(outward, 0.0), None, None


def clamped(x: Tensor, low: float, high: float) -> Tensor:
    """Return x within [low, high]; gradients that lead back inside pass the bounds."""
    result: Tensor = _Clamp.apply(x, low, high)  # type: ignore[no-untyped-call]
    return result


def kl(q: Gaussian, p: Gaussian) -> Tensor:
    """Return KL(q || p) of each element, in nats; every one is at least 0."""
    # 1/2 (r - 1 - log r) with r = (sigma_q / sigma_p)^2 is exact at r = 1.
    square = ((q.mu - p.mu) / p.sigma).square()
    ratio = (q.sigma / p.sigma).square()
    return 0.5 * (ratio - 1 - ratio.log() + square)


def kl_literal(q: Gaussian, p: Gaussian) -> Tensor:
    """Return the elements of eq. 5 as printed: no divergence, and unbounded below."""
    square = ((q.mu - p.mu) / p.sigma).square()
    ratio = (q.sigma / p.sigma).square()
    return 0.5 * (ratio - ratio.log() - square)


def kl_to_standard(q: Gaussian) -> Tensor:
    """Return KL(q || N(0, 1)) of each element, in nats."""
    return 0.5 * (q.mu.square() + q.sigma.square() - 1) - q.sigma.log()


def divergences(q: Mixture, p: Gaussian) -> Tensor:
    """Return [B, k], KL(component i || p) in nats, summed over all elements."""
    each = Gaussian(p.mu[:, None], p.sigma[:, None])
    return kl(Gaussian(q.mu, q.sigma), each).flatten(2).sum(2)


@torch.no_grad()
def nearest(q: Mixture, p: Gaussian) -> Tensor:
    """Return int64 [B], the component of least KL to p; of equal ones the first."""
    values = divergences(q, p)
    return (values == values.amin(1, keepdim=True)).long().argmax(1)


def drawn_components(weights: Tensor, uniform: Tensor) -> Tensor:
    """Return int64 [B, n]: the smallest i with u < weight 0 + ... + weight i (Algorithm 2).

    weights: [B, k]; uniform: [B, n]. A component without weight is never drawn.
    """
    edges = weights.detach().double().cpu().cumsum(1)
    # The last with weight takes what rounding leaves beyond its edge.
    last = (weights.cpu() > 0).long().cumsum(1).argmax(1, keepdim=True)
    index = torch.searchsorted(edges, uniform.double().cpu(), right=True)
    return torch.minimum(index, last).to(weights.device)


def sample(q: Gaussian, normal: Tensor, temperature: float = 1.0) -> Tensor:
    """Return mu + temperature x sigma x normal; gradients flow to mu and sigma."""
    return q.mu + temperature * q.sigma * normal


def entropy(p: Tensor) -> Tensor:
    """Return the entropy of distributions over the last axis, in nats."""
    terms: Tensor = torch.special.entr(p)
    return terms.sum(-1)


@torch.no_grad()
def distances(q: Mixture) -> Tensor:
    """Return [B, k, k], the mean of both KL divergences between components, in nats."""
    one = Gaussian(q.mu[:, :, None], q.sigma[:, :, None])
    other = Gaussian(q.mu[:, None], q.sigma[:, None])
    return 0.5 * (kl(one, other) + kl(other, one)).flatten(3).sum(3)
