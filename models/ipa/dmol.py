"""Discretised mixture of logistics: the likelihood of a pixel, its draws and its mean.

Salimans et al. 2017 with the constants of the VD-VAE code. Per pixel there are K mixture logits,
then per colour K means, K log scales and (RGB only) K coefficients by which a colour's mean follows
the colours before it. Parameters and targets have the channels last, as in the authors' code; all
is computed in at least float32, and no branch gives a gradient that is not finite.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.layers import at_least_float32

Likelihood = Literal["8-bit", "5-bit", "5-bit-published"]
MIN_LOG_SCALE = -7.0
EDGE = 0.999
"""Targets beyond +-EDGE are those of the outermost bins, which reach to infinity."""
MIN_MASS = 1e-5
"""Bins of less mass take the density at their centre times their width."""
MARGIN = 1e-5
"""Uniform numbers stay this far from 0 and 1, so that their logarithms are finite."""


class LogisticMixture(NamedTuple):
    """Parameters of K logistics per pixel; `means`, `log_scales`, `coefficients` [..., C, K]."""

    logits: Tensor
    """[..., K], not normalised."""
    means: Tensor
    log_scales: Tensor
    coefficients: Tensor | None
    """tanh already applied; None for grey images."""

    @classmethod
    def of(cls, params: Tensor, channels: int) -> LogisticMixture:
        """Read [..., 10 K] (RGB) or [..., 3 K] (grey)."""
        count = params.shape[-1] // (10 if channels == 3 else 3)
        params = at_least_float32(params)
        colours = torch.unflatten(params[..., count:], -1, (channels, -1))
        parts = colours.chunk(3 if channels == 3 else 2, dim=-1)
        coefficients = torch.tanh(parts[2]) if channels == 3 else None
        log_scales = parts[1].clamp_min(MIN_LOG_SCALE)
        return cls(params[..., :count], parts[0], log_scales, coefficients)

    def of_pixels(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return means, log scales and coefficients [..., C] of one logistic a pixel, [...]."""
        colours = self.means.shape[-2]
        index = chosen[..., None, None].expand(*chosen.shape, colours, 1)
        means, log_scales = (t.gather(-1, index).squeeze(-1) for t in (self.means, self.log_scales))
        if self.coefficients is None:
            return means, log_scales, None
        return means, log_scales, self.coefficients.gather(-1, index).squeeze(-1)


def to_target(image: Tensor, likelihood: Likelihood, dtype: torch.dtype) -> Tensor:
    """Return what the likelihood looks at, [N, H, W, C] in -1..1, for uint8 [N, C, H, W]."""
    if likelihood == "8-bit":
        target = (image.to(dtype) - 127.5) / 127.5
    elif likelihood == "5-bit":
        target = (image // 8).to(dtype) / 15.5 - 1
    else:
        target = ((image // 8 * 8).to(dtype) - 127.5) / 127.5
    return target.permute(0, 2, 3, 1)


def log_prob(params: Tensor, target: Tensor, likelihood: Likelihood = "8-bit") -> Tensor:
    """Return log p of every pixel, all colours jointly, in nats: [N, H, W].

    params: [N, H, W, 10 K or 3 K]; target: [N, H, W, C] from `to_target`.
    """
    mixture = LogisticMixture.of(params, target.shape[-1])
    x = target.to(mixture.means.dtype)
    levels = 256 if likelihood == "8-bit" else 32
    entries = _log_mass(x[..., None], _conditional_means(mixture, x), mixture.log_scales, levels)
    joint = entries.sum(-2) + torch.log_softmax(mixture.logits, -1)
    return torch.logsumexp(joint, -1)


def _conditional_means(mixture: LogisticMixture, x: Tensor) -> Tensor:
    """Return the means [..., C, K], given the true colours before each."""
    k = mixture.coefficients
    if k is None:
        return mixture.means
    red, green = x[..., 0, None], x[..., 1, None]
    first, second, third = k.unbind(-2)
    shift = [torch.zeros_like(first), first * red, second * red + third * green]
    return mixture.means + torch.stack(shift, dim=-2)


def _log_mass(x: Tensor, means: Tensor, log_scales: Tensor, levels: int) -> Tensor:
    """Return the log mass of the bin round x under each logistic."""
    half = 1 / (levels - 1)
    inverse = torch.exp(-log_scales)
    upper, lower = (x - means + half) * inverse, (x - means - half) * inverse
    mass = torch.sigmoid(upper) - torch.sigmoid(lower)
    centre = (x - means) * inverse
    # log sigmoid(-c) = log sigmoid(c) - c spares one of two.
    density = 2 * F.logsigmoid(centre) - centre - log_scales
    inside = torch.where(
        mass > MIN_MASS, mass.clamp_min(1e-12).log(), density - math.log((levels - 1) / 2)
    )
    outermost = F.logsigmoid(torch.where(x > EDGE, -lower, upper))
    return torch.where(x.abs() > EDGE, outermost, inside)


def bounded(uniform: Tensor) -> Tensor:
    """Return uniform numbers in [0, 1) moved into [MARGIN, 1 - MARGIN), as `sample` wants them."""
    return MARGIN + uniform * (1 - 2 * MARGIN)


def sample(params: Tensor, u_mixture: Tensor, u_logistic: Tensor, *, noise: float = 1.0) -> Tensor:
    """Draw pixels in -1..1, [N, H, W, C], the colours one after the other.

    u_mixture: [N, H, W, K] chooses the logistic of a pixel, u_logistic: [N, H, W, C] the draw from
    it; both uniform and `bounded`. noise: factor on the deviation of that draw; 0 = its mean.
    """
    channels = u_logistic.shape[-1]
    mixture = LogisticMixture.of(params, channels)
    chosen = (mixture.logits - torch.log(-torch.log(u_mixture))).argmax(-1)
    means, log_scales, coefficients = mixture.of_pixels(chosen)
    drawn = means + noise * log_scales.exp() * (u_logistic.log() - torch.log1p(-u_logistic))
    return drawn.clamp(-1, 1) if coefficients is None else _in_turn(drawn, coefficients)


def likeliest(params: Tensor, channels: int) -> Tensor:
    """Return the mean of each pixel's likeliest logistic, the first of several: in -1..1."""
    mixture = LogisticMixture.of(params, channels)
    means, _, coefficients = mixture.of_pixels(mixture.logits.argmax(-1))
    return means.clamp(-1, 1) if coefficients is None else _in_turn(means, coefficients)


def _in_turn(shares: Tensor, k: Tensor) -> Tensor:
    """Add to each colour of [..., 3] what the clipped colours before it say."""
    red = shares[..., 0].clamp(-1, 1)
    green = (shares[..., 1] + k[..., 0] * red).clamp(-1, 1)
    blue = (shares[..., 2] + k[..., 1] * red + k[..., 2] * green).clamp(-1, 1)
    return torch.stack([red, green, blue], dim=-1)


def to_bytes(pixels: Tensor, quantise: Literal["round", "trunc"] = "round") -> Tensor:
    """Return uint8 [N, C, H, W] for pixels in -1..1, [N, H, W, C].

    The bins of the likelihood say `round`; the authors' code cuts (`trunc`), which is half a level
    darker.
    """
    scaled = ((pixels + 1) * 127.5).clamp(0, 255)
    whole = scaled.round() if quantise == "round" else scaled
    return whole.to(torch.uint8).permute(0, 3, 1, 2)
