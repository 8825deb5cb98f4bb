"""The unconditional VD-VAE as a whole: its evidence bound, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.gaussians import Gaussian
from inpaint_cli.models.ipa.vdvae import DecBlock, VdVae, recomputed

Draw = Callable[..., Tensor]
"""A source of standard normals [N, *shape]: `draw(*shape)`, such as `Noise.normal`."""


@dataclass(frozen=True)
class Layer:
    """What one block of the decoder did."""

    posterior: Gaussian
    prior: Gaussian
    z: Tensor
    kl: Tensor
    """KL(posterior || prior) of every element, nats."""
    state: Tensor
    """The state that the block left."""


@dataclass(frozen=True)
class Bound:
    """Minus the evidence lower bound of each image, in nats per dimension (of H * W * C)."""

    distortion: Tensor
    """[N], minus log p(x|z)."""
    rates: Tensor
    """[N, L], KL of every layer."""
    layers: list[Layer] = field(default_factory=list)

    @property
    def rate(self) -> Tensor:
        """The sum of the layers' divergences, [N]."""
        return self.rates.sum(1)

    @property
    def total(self) -> Tensor:
        """Distortion + rate, [N]; over ln 2 it is bits per dimension."""
        return self.distortion + self.rate


def bound(model: VdVae, image: Tensor, draw: Draw, *, keep: bool = False) -> Bound:
    """Return the bound of uint8 [N, C, H, W] at latents drawn from the posterior.

    With `keep` every layer is returned too, for tests and pictures; else nothing of it stays.
    """
    sides = model.full_sides(image)
    states, rates, layers = model.decoder.start(len(image)), [], []
    for block in model.decoder.blocks():
        x = block.enter(states)
        eps = like(draw(block.zdim, block.res, block.res), x)
        work, wanted = partial(_layer, block), model.config.recompute
        layer = recomputed(work, x, sides[block.res], eps, wanted=wanted)
        states[block.res] = layer.state
        rates.append(layer.kl.flatten(1).sum(1))
        if keep:
            layers.append(layer)
    params = model.decoder.read(model.decoder.finish(states))
    distortion = -log_likelihood(model, params, image).flatten(1).sum(1)
    dimensions = image[0].numel()
    return Bound(distortion / dimensions, torch.stack(rates, 1) / dimensions, layers)


def _layer(block: DecBlock, x: Tensor, side: Tensor, eps: Tensor) -> Layer:
    seen = F.gelu(x)
    posterior = block.enc(seen, block.enc.side(side))
    prior, skip = block.describe(seen)
    z = posterior.sample(eps)
    return Layer(posterior, prior, z, posterior.kl(prior), block.leave(x, skip, z))


def log_likelihood(model: VdVae, params: Tensor, image: Tensor) -> Tensor:
    """Return log p of every pixel of uint8 [N, C, H, W], in nats: [N, H, W]."""
    likelihood = model.config.likelihood
    return dmol.log_prob(params, dmol.to_target(image, likelihood, params.dtype), likelihood)


def like(drawn: Tensor, other: Tensor) -> Tensor:
    """Move random numbers, made on the CPU in float64, to where `other` lies."""
    return drawn.to(other.device, other.dtype, non_blocking=True)
