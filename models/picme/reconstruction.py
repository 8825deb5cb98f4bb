"""What the conditional VAE makes of whole pictures that only its posterior sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inpaint_cli.models.picme.networks import mask_at
from inpaint_cli.models.pixels import paste_visible, to_unit

if TYPE_CHECKING:
    from inpaint_cli.models.picme.networks import MixtureOfPrimitives

PACKED = (
    "was packed for completing, without the posterior that reconstructs. Take the run or the file "
    "that it was packed from."
)


def reconstruct(model: MixtureOfPrimitives, image: Tensor) -> Tensor:
    """Return uint8 [N, C, S, S] for whole pictures of that shape: what the latent variable holds.

    Nothing is visible, so the mean of p(z_c | picture) is all that g is told. One picture at a
    time: how a sum is rounded depends on the size of the batch.
    """
    return torch.cat([_of_one(model, part) for part in torch.split(image, 1)])


def _of_one(model: MixtureOfPrimitives, image: Tensor) -> Tensor:
    x = to_unit(image)
    nothing = torch.zeros_like(image[:, :1], dtype=torch.bool)
    features = model.encoder(torch.cat([torch.zeros_like(x), x]))
    z_m, e = model.seen([feature[:1] for feature in features])
    posterior = model.encoder.posterior(features[-1][1:])
    picture = model.decoder(z_m, posterior.mu, e, mask_at(nothing.to(e), e))[-1].float()
    return paste_visible(picture, image, nothing, model.levels)
