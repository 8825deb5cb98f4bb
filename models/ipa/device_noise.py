"""Noise of training steps, made where the model is: a GPU would wait for millions of latents."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_cli.models.ipa.elbo import Draw
from inpaint_cli.models.ipa.vdvae import VdVae
from inpaint_cli.randomness import Noise, tag_of


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
