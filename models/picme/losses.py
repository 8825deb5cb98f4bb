"""The terms of the objective: L_F, L_BM, L_ELBO of latent variables, L_R and L_A of images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.picme.config import MixtureConfig
from inpaint_cli.models.picme.mixture import (
    Gaussian,
    Mixture,
    kl,
    kl_literal,
    kl_to_standard,
)


def frequency(weights: Tensor, chosen: Tensor) -> Tensor:
    """Return L_F (eq. 4): the mean over images of sum_i (v_i - weight_i)^2, v one-hot.

    Its minimum is the share of the images to which each component is the nearest.
    """
    v = F.one_hot(chosen, weights.shape[1]).to(weights.dtype)
    return (v - weights).square().sum(1).mean()


def backpropagate_max(q: Gaussian, p: Gaussian, config: MixtureConfig) -> Tensor:
    """Return the elements of L_BM (eq. 5) between the chosen component and the posterior.

    The gradient at the posterior is multiplied by `posterior_share`; the values stay.
    """
    divergence = kl_literal if config.divergence == "literal" else kl

    def between(a: Gaussian, b: Gaussian) -> Tensor:
        return divergence(a, b) if config.divergence_order == "component" else divergence(b, a)

    share = config.posterior_share
    if share == 1:
        return between(q, p)
    posterior_side = between(q.stopped(), p)
    return between(q, p.stopped()) + share * (posterior_side - posterior_side.detach())


def element_mean(elements: Tensor, free_bits: float = 0.0) -> Tensor:
    """Return the mean of [B, ...] over images and elements, in nats.

    free_bits: an element whose mean over the images is less counts as much, without a gradient.
    """
    means = elements.mean(0)
    return (means.clamp_min(free_bits) if free_bits else means).mean()


def to_standard(q: Mixture, chosen: Tensor, config: MixtureConfig) -> Tensor:
    """Return the elements [B, ...] of KL_0 of L_ELBO: to N(0, I), in nats.

    By weight (whose gradient is stopped): an upper bound of the mixture's own KL.
    """
    if config.elbo_divergence == "chosen":
        return kl_to_standard(q.component(chosen))
    elements = kl_to_standard(Gaussian(q.mu, q.sigma))
    weights = q.weights.detach().reshape(*q.weights.shape, *[1] * (elements.ndim - 2))
    return (weights * elements).sum(1)


def hole_prior(visible: Tensor, like: Gaussian) -> Gaussian:
    """Return PIC's N(0, s^2) for the posterior: s grows with the visible share of each image."""
    share = visible.to(like.mu.dtype).flatten(1).mean(1) - 1e-5
    deviation = 1 / (1 + torch.exp(8 * (share - 0.8)))
    shape = (-1, *[1] * (like.mu.ndim - 1))
    sigma = deviation.view(shape).expand_as(like.mu)
    return Gaussian(torch.zeros_like(like.mu), sigma)


def at_sides(x: Tensor, images: Sequence[Tensor]) -> list[Tensor]:
    """Return x [N, C, S, S] at the sides of `images`: bilinear, corners aligned (PIC)."""
    return [
        x
        if x.shape[-1] == image.shape[-1]
        else F.interpolate(x, image.shape[-2:], mode="bilinear", align_corners=True)
        for image in images
    ]


def reconstruction(images: Sequence[Tensor], x: Tensor) -> Tensor:
    """Return the first half of L_R (eq. 6): mean |image - x| at each side, added up."""
    pairs = zip(images, at_sides(x, images), strict=True)
    return torch.stack([(image - wanted).abs().mean() for image, wanted in pairs]).sum()


def visible_reconstruction(images: Sequence[Tensor], x: Tensor, m: Tensor) -> Tensor:
    """Return the second half of L_R: the same between visible pixels; hidden ones count 0."""
    triples = zip(images, at_sides(x, images), at_sides(m, images), strict=True)
    return torch.stack([(m_s * (a - x_s)).abs().mean() for a, x_s, m_s in triples]).sum()


def adversarial(
    generated: Tensor,
    original: Tensor,
    reconstructed: Tensor,
    original_rec: Tensor,
    config: MixtureConfig,
) -> Tensor:
    """Return L_A (eq. 7) from scores of D (generated, original) and of D_rec (the other two).

    Paper: the generated image is to score like the original and the reconstruction 1; PIC: the
    other way round. Scores of originals carry no gradient.
    """
    if config.adversarial == "paper":
        return one(reconstructed) + (generated - original.detach()).square().mean()
    return (reconstructed - original_rec.detach()).square().mean() + one(generated)


def one(scores: Tensor) -> Tensor:
    """Return the mean squared distance of scores from 1."""
    return (scores - 1).square().mean()


def discrimination(original: Tensor, fake: Tensor) -> Tensor:
    """Return a discriminator's loss from its scores (least squares, Mao et al. 2017)."""
    return 0.5 * (one(original) + fake.square().mean())
