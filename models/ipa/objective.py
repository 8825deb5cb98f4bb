"""The two stages: the VAE by itself, then the partial encoder (or both together)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.family import Batch, ParameterGroup, Stage, StepResult
from inpaint_cli.models.ipa import elbo
from inpaint_cli.models.ipa.config import VaeConfig
from inpaint_cli.models.ipa.elbo import Bound, Draw
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.partial_encoder import (
    check_vae,
    drawing_and_photo,
    is_partial,
    is_untrained,
    load_vae,
    start_from_encoder,
)
from inpaint_cli.models.ipa.posterior import forward_bound, frozen_rate, reverse_bound
from inpaint_cli.models.ipa.vdvae import VdVae
from inpaint_cli.randomness import Noise, tag_of

HEAD = "decoder.out_net."
TRUNK = "part_encoder."
LOGGED_LAYERS = 3
"""Layers whose divergences are logged one by one, as the authors do."""
NO_VAE = (
    "'partial-encoder' stands on a trained VAE. Train the stage 'vae' first (no stage given does), "
    "name a trained one by vae=FILE, or train both by trained=all."
)


class VaeStage(Stage[CompletingVae]):
    """The VD-VAE: its negative evidence bound, in nats per dimension."""

    name = "vae"

    def check(self, config: VaeConfig, trained: Sequence[str]) -> None:
        """Refuse a VAE that the config names and that cannot be taken over."""
        if config.vae:
            check_vae(Path(config.vae), config)

    def begin(self, model: CompletingVae) -> None:
        """Go on from the VAE that the config names, if it names one."""
        if model.config.vae:
            load_vae(model, Path(model.config.vae))

    def trainable(self, model: CompletingVae) -> list[ParameterGroup]:
        """Return everything but the partial encoder, unless that is the only one."""
        named = model.named_parameters()
        return [ParameterGroup("vae", [p for n, p in named if _is_of_vae(model, n)])]

    def loss(self, model: CompletingVae, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return distortion + rate (spec of Child 2021, the negative ELBO per dimension)."""
        photo = _photo(model, batch.image)
        bound = elbo.bound(model, photo, training_draw(model, noise))
        return StepResult({"vae": bound.total.mean()}, _scalars(bound, photo))

    def validate(self, model: CompletingVae, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return bits per dimension, and the two terms in nats per dimension."""
        bound = elbo.bound(model, _photo(model, batch.image), noise.normal)
        return {
            "bits_per_dim": _wide(bound.total) / math.log(2),
            "distortion": _wide(bound.distortion),
            "rate": _wide(bound.rate),
        }


class PartialEncoderStage(Stage[CompletingVae]):
    """The partial encoder c(z|y): minus O_for or O_rev, in nats per dimension."""

    name = "partial-encoder"
    # Not ("vae",): with trained=all both are trained together from scratch, and `vae` may name a
    # file. `begin` refuses a VAE that nobody trained, so a finished stage says so of both.
    covers = ("vae",)

    def check(self, config: VaeConfig, trained: Sequence[str]) -> None:
        """Refuse to stand on no VAE, or on a file that cannot be taken over."""
        if VaeStage.name in trained:
            return
        if config.vae:
            check_vae(Path(config.vae), config)
        elif config.trained != "all":
            raise UserError(NO_VAE, setting="stage")

    def begin(self, model: CompletingVae) -> None:
        """Find the VAE, and starts the partial encoder as the config says."""
        config = model.config
        if config.vae and is_untrained(model):
            load_vae(model, Path(config.vae))
        if is_untrained(model) and config.trained != "all":
            raise UserError(NO_VAE, setting="stage")
        if config.start != "random":
            start_from_encoder(model, heads=config.start == "encoder")

    def trainable(self, model: CompletingVae) -> list[ParameterGroup]:
        """Return the partial encoder, and what else the config says."""
        named = [(n, p) for n, p in model.named_parameters() if _is_trained(model, n)]
        return [ParameterGroup("partial-encoder", [p for _, p in named])]

    def loss(self, model: CompletingVae, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return the loss; with a frozen VAE that of the forward objective is the rate alone."""
        if model.config.objective == "reverse":
            return self._reverse(model, batch, step, noise)
        if model.config.trained == "all":
            return self._joint(model, batch, noise)
        return self._frozen(model, batch, noise)

    def _reverse(self, model: CompletingVae, batch: Batch, step: int, noise: Noise) -> StepResult:
        sides = model.partial_sides(batch.image, batch.visible)
        bound = reverse_bound(
            model,
            batch.image,
            sides,
            training_draw(model, noise),
            batch.visible,
            sampled=model.config.noisy_kl,
            recompute=model.config.recompute,
        )
        weight = likelihood_weight(model.config.annealing, step)
        loss = (weight * bound.distortion + bound.rate).mean()
        scalars = {"bound": bound.total.mean().detach(), **_scalars(bound, batch.image)}
        return StepResult({self.name: loss}, scalars)

    def _joint(self, model: CompletingVae, batch: Batch, noise: Noise) -> StepResult:
        drawing, photo = _condition(model, batch.image)
        bound = forward_bound(
            model,
            photo,
            model.partial_sides(drawing, batch.visible),
            training_draw(model, noise),
            _counted(model, batch.visible),
            sampled=model.config.noisy_kl,
            recompute=model.config.recompute,
        )
        return StepResult({self.name: bound.total.mean()}, _scalars(bound, photo))

    def _frozen(self, model: CompletingVae, batch: Batch, noise: Noise) -> StepResult:
        drawing, photo = _condition(model, batch.image)
        masks = model.config.masks_per_image if model.config.condition == "mask" else 1
        # Each image takes the masks of its neighbours in the batch as well.
        visible = torch.cat([batch.visible.roll(shift, 0) for shift in range(masks)])
        sides = model.partial_sides(drawing.repeat(masks, 1, 1, 1), visible)
        rate = frozen_rate(
            model, photo, sides, training_draw(model, noise), sampled=model.config.noisy_kl
        )
        per_image = rate.nats / photo[0].numel()
        loss = rate.total / (len(visible) * photo[0].numel())
        distortion = torch.zeros_like(loss)
        if model.config.trained == "likelihood-head":
            nats = model.log_pixels(rate.px_z, photo)
            counted = _counted(model, batch.visible)
            nats = nats if counted is None else torch.where(counted[:, 0], nats, 0.0)
            distortion = -nats.sum() / photo.numel()
        bound = Bound(distortion.detach()[None], per_image)
        return StepResult({self.name: loss + distortion}, _scalars(bound, photo))

    def validate(self, model: CompletingVae, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return minus the bound of the objective and its terms, in nats per dimension.

        nats_per_hidden: minus the bound of log p(hidden | visible) over the hidden values, for both
        objectives, so that they compare; NaN where nothing is hidden.
        """
        drawing, photo = _condition(model, batch.image)
        sides = model.partial_sides(drawing, batch.visible)
        counted = _counted(model, batch.visible)
        hidden = ~batch.visible if model.config.condition == "mask" else None
        conditional = forward_bound(model, photo, sides, noise.normal, hidden)
        bound = conditional
        if model.config.objective == "reverse":
            bound = reverse_bound(model, photo, sides, noise.normal, batch.visible)
        elif counted is None and hidden is not None:
            bound = forward_bound(model, photo, sides, noise.normal, counted)
        return {
            "nats_per_dim": _wide(bound.total),
            "distortion": _wide(bound.distortion),
            "rate": _wide(bound.rate),
            "nats_per_hidden": _per_hidden(conditional, photo, hidden),
        }


def likelihood_weight(annealing: tuple[float, float, float], step: int) -> float:
    """Return the weight of the likelihood in the reverse objective at `step` (from 0).

    >>> [likelihood_weight((2, 0.25, 1.0), step) for step in (0, 1, 2, 3)]
    [0.25, 0.5, 1.0, 1.0]
    """
    steps, start, end = annealing
    if step >= steps:
        return end
    share = step / steps
    return float(start ** (1 - share) * end**share)


def _is_of_vae(model: CompletingVae, name: str) -> bool:
    shared = model.config.share_encoders and name.startswith(TRUNK)
    return shared or not is_partial(name)


def _is_trained(model: CompletingVae, name: str) -> bool:
    if is_partial(name):
        return True
    if model.config.trained == "all":
        # The reverse objective never looks at whole images.
        whole = name.startswith("encoder.") or ".enc." in name
        return model.config.objective == "forward" or not whole
    return model.config.trained == "likelihood-head" and name.startswith(HEAD)


def _condition(model: CompletingVae, image: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the partial encoder looks at, and the photo that is predicted."""
    if model.config.condition == "edges":
        return drawing_and_photo(image)
    return image, image


def _photo(model: CompletingVae, image: Tensor) -> Tensor:
    """Return the photo of a batch: the right half of pairs."""
    paired = model.config.condition == "edges" and image.shape[-1] == 2 * image.shape[-2]
    return drawing_and_photo(image)[1] if paired else image


def _counted(model: CompletingVae, visible: Tensor) -> Tensor | None:
    """Return the pixels whose likelihood the forward bound counts; None = all."""
    config = model.config
    return None if config.condition == "edges" or config.predicted == "whole" else ~visible


def _per_hidden(bound: Bound, photo: Tensor, hidden: Tensor | None) -> Tensor:
    """Return nats per hidden value, float64 [N], for nats per dimension."""
    pixels = photo[0, 0].numel()
    if hidden is None:
        return _wide(bound.total)
    share = _wide(hidden.flatten(1).sum(1)) / pixels
    return torch.where(share > 0, _wide(bound.total) / share, torch.nan)


def _wide(values: Tensor) -> Tensor:
    """Return float64, on the CPU: MPS has none."""
    return values.cpu().double()


def _scalars(bound: Bound, image: Tensor) -> dict[str, Tensor]:
    """Return what is logged: both terms in nats per dimension, the coarsest layers' in nats."""
    layers = bound.rates.mean(0).detach()[:LOGGED_LAYERS] * image[0].numel()
    return {
        "distortion": bound.distortion.mean().detach(),
        "rate": bound.rate.mean().detach(),
        **{f"layer{number}_nats": value for number, value in enumerate(layers, 1)},
    }


STAGES = (VaeStage(), PartialEncoderStage())


def training_draw(model: VdVae, noise: Noise) -> Draw:
    """Return the normals of a training step: those of `noise`, or on a GPU streams made there."""
    device = model.decoder.gain.device
    if device.type != "cuda":
        return noise.normal
    return OnDevice(noise, sum(z * h * w for z, h, w in model.config.latent_shapes), device)


class OnDevice:
    """One stream per training sample, with the keys of a `Noise`; drawn at once, given in turn.

    As with `Noise`, a sample's numbers do not depend on its batch; other kinds of devices give
    others.
    """

    def __init__(self, noise: Noise, count: int, device: torch.device) -> None:
        self.numbers = torch.empty(len(noise), count, device=device)
        self.used = 0
        generator = torch.Generator(device)
        for row, key in zip(self.numbers, noise.keys, strict=True):
            generator.manual_seed(tag_of(f"{noise.seed} {noise.tag!r} {key}") >> 1)
            row.normal_(generator=generator)

    def __call__(self, *shape: int) -> Tensor:
        """Return the next [N, *shape] of them."""
        size = torch.Size(shape).numel()
        self.used += size
        return self.numbers[:, self.used - size : self.used].view(-1, *shape)
