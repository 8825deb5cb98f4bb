"""The unconditional VD-VAE as a whole: its evidence bound, layer by layer, and its samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.gaussians import Gaussian
from inpaint_cli.models.ipa.vdvae import DecBlock, VdVae, recomputed

Draw = Callable[..., Tensor]
"""Gives standard normals [N, *shape] for `draw(*shape)`, as `Noise.normal` does."""


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
        """Gives the sum of the layers' divergences, [N]."""
        return self.rates.sum(1)

    @property
    def total(self) -> Tensor:
        """Gives distortion + rate, [N]; over ln 2 it is bits per dimension."""
        return self.distortion + self.rate


def bound(model: VdVae, image: Tensor, draw: Draw, *, keep: bool = False) -> Bound:
    """Gives the bound of uint8 [N, C, H, W] at latents drawn from the posterior.

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
    """Gives log p of every pixel of uint8 [N, C, H, W], in nats: [N, H, W]."""
    likelihood = model.config.likelihood
    return dmol.log_prob(params, dmol.to_target(image, likelihood, params.dtype), likelihood)


def like(drawn: Tensor, other: Tensor) -> Tensor:
    """Moves random numbers, made on the CPU in float64, to where `other` lies."""
    return drawn.to(other.device, other.dtype, non_blocking=True)


@dataclass(frozen=True)
class Sampled:
    """What walking down the prior gave."""

    px_z: Tensor
    """The decoder's last state, [N, width, size, size]."""
    latents: list[Tensor]


def sample_prior(
    model: VdVae,
    draw: Draw,
    temperature: float | Sequence[float] = 1.0,
    latents: Sequence[Tensor] = (),
) -> Sampled:
    """Draws from the prior; `latents` fixes the first (coarsest) groups.

    temperature: one factor on the standard deviations, or one for every group. `draw` is asked for
    the groups that are not fixed only.
    """
    blocks = model.decoder.blocks()
    factors = [temperature] * len(blocks) if isinstance(temperature, int | float) else temperature
    used = list(latents)
    batch = len(latents[0]) if latents else 0
    states: dict[int, Tensor] = {}
    for index, block in enumerate(blocks):
        fixed = index < len(latents)
        eps = None if fixed else draw(block.zdim, block.res, block.res)
        batch = batch or len(eps if eps is not None else ())
        states = states or model.decoder.start(batch)
        x = block.enter(states)
        seen = F.gelu(x)
        if eps is None:
            skip = block.skip(seen)
        else:
            prior, skip = block.describe(seen)
            used.append(prior.sample(like(eps, prior.mean), factors[index]))
        states[block.res] = block.leave(x, skip, used[index])
    return Sampled(model.decoder.finish(states), used)


def sample_pixels(model: VdVae, px_z: Tensor, uniform: Draw) -> Tensor:
    """Draws pixels in -1..1, [N, H, W, C]: first the numbers of the mixtures, then of the pixels.

    uniform: gives numbers in [0, 1), as `Noise.uniform` does. The temperature never enters here.
    """
    params = model.decoder.read(px_z)
    side = model.size
    u_mixture = like(dmol.bounded(uniform(side, side, model.config.mixtures)), params)
    u_logistic = like(dmol.bounded(uniform(side, side, model.channels)), params)
    return dmol.sample(params, u_mixture, u_logistic)
