"""From one partly visible image to n completions (Algorithm 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inpaint_cli.bounds import NOT_NEGATIVE
from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions
from inpaint_cli.models.evaluation import filled_up
from inpaint_cli.models.picme.mixture import Mixture, drawn_components
from inpaint_cli.models.picme.networks import mask_at
from inpaint_cli.models.pixels import paste_visible, to_unit
from inpaint_cli.randomness import Noise

if TYPE_CHECKING:
    from inpaint_cli.models.picme.networks import MixtureOfPrimitives

CPU_BATCH, DEVICE_BATCH = 1, 6
"""Completions that go through g together. A product of another size may round otherwise; so a batch
always has this size, the last one filled up with copies, and completion i is the same whatever n
is. On a CPU one at a time takes no longer."""

PROJECTION = "pca"
"""How latent variables come to two dimensions where nothing is said."""


@dataclass(frozen=True)
class MixtureContext:
    """What depends on the visible pixels only: f runs once per image."""

    z_m: Tensor
    """[1, C, h, w]"""
    e: Tensor
    """[1, C_e, H, W], features for the attention of g."""
    m: Tensor
    """[1, 1, H, W], the mask at their side."""
    mixture: Mixture
    """Of one image."""


def complete(
    model: MixtureOfPrimitives,
    image: Tensor,
    visible: Tensor,
    noise: Noise,
    *,
    temperature: float | None = None,
    primitive: int | None = None,
    stratify: bool = False,
    by_primitive: bool = False,
    projection: str = PROJECTION,
) -> Completions:
    """Complete one image len(noise) times; the model is in eval mode and gradients are off.

    temperature: factor of the deviations, 1 by default; 0 gives the mean of the component of the
    largest weight, or of the one asked for. primitive: the component that all are drawn from.
    stratify: completion i is drawn from component i mod k.
    `details`: "primitive" int64 [n] and "weight" float64 [n], per completion; with by_primitive
    also what `pictures.by_primitive` gives.
    """
    NOT_NEGATIVE.require(temperature, "temperature")
    if projection != PROJECTION and not by_primitive:
        raise UserError(
            f"'{projection}' belongs to the setting by_primitive. Give both.", setting="projection"
        )
    context = encode_context(model, image, visible)
    factor = 1.0 if temperature is None else temperature
    index, images = [], []
    size = CPU_BATCH if image.device.type == "cpu" else DEVICE_BATCH
    for part in noise.split(size):
        uniform = part.uniform(1)[:, 0]
        chosen = components(context.mixture, uniform, part, primitive, stratify)
        if factor == 0 and primitive is None and not stratify:
            chosen = torch.full_like(chosen, int(context.mixture.weights[0].argmax()))
        z = latents_of(context.mixture, chosen, part, factor)
        picture = picture_of(model, context, z, size)
        images.append(paste_visible(picture, image, visible, model.levels))
        index.append(chosen)
    primitives = torch.cat(index).cpu()
    weights = context.mixture.weights[0].double().cpu()
    details = {"primitive": primitives, "weight": weights[primitives]}
    if by_primitive:
        from inpaint_cli.models.picme.pictures import by_primitive as drawn

        details |= drawn(model, context, image, visible, noise, factor, projection)
    return Completions(torch.cat(images), details=details)


def encode_context(model: MixtureOfPrimitives, image: Tensor, visible: Tensor) -> MixtureContext:
    """Run f on what is visible of image uint8 [1, C, S, S]."""
    # Not by multiplication: nothing under the mask may show.
    features = model.encoder(torch.where(visible, to_unit(image), 0))
    z_m, e = model.seen(features)
    return MixtureContext(z_m, e, mask_at(visible.to(e), e), model.encoder.mixture(z_m))


def components(
    mixture: Mixture, uniform: Tensor, noise: Noise, primitive: int | None, stratify: bool
) -> Tensor:
    """Return int64 [n], the component of each completion; uniform: [n]."""
    k = mixture.primitives
    if primitive is not None:
        if stratify:
            raise UserError(
                "contradicts the setting stratify. Give one of them.", setting="primitive"
            )
        if not 0 <= primitive < k:
            raise UserError(
                f"this model has the primitives 0 to {k - 1}, got {primitive}.", setting="primitive"
            )
        return torch.full_like(uniform, primitive, dtype=torch.int64)
    if stratify:
        # By its number, so that a completion does not depend on which ones it is made with.
        return torch.tensor([key[-1] % k for key in noise.keys])
    return drawn_components(mixture.weights, uniform[None])[0].cpu()


def latents_of(mixture: Mixture, index: Tensor, noise: Noise, temperature: float) -> Tensor:
    """Return z_c [n, C, h, w] from the components `index` [n] of one image's mixture."""
    many = Mixture(mixture.mu[0], mixture.sigma[0], mixture.weights)
    index = index.to(many.mu.device)
    normal = noise.normal(*many.mu.shape[1:]).to(many.mu)
    return many.mu[index] + temperature * many.sigma[index] * normal


def picture_of(model: MixtureOfPrimitives, context: MixtureContext, z: Tensor, size: int) -> Tensor:
    """Return whole pictures [n, C, S, S] in [-1, 1]; g runs on exactly `size` >= n at once."""

    def drawn(latents: Tensor) -> Tensor:
        images: list[Tensor] = model.decoder(context.z_m, latents, context.e, context.m)
        return images[-1]

    return filled_up(drawn, size, z).float()
