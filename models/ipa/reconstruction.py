"""What the VAE makes of whole pictures: encoded, and decoded again without chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.posterior import walk
from inpaint_cli.models.ipa.sampling import LARGEST_LOG_STD

if TYPE_CHECKING:
    from inpaint_cli.models.ipa.networks import CompletingVae


def reconstruct(model: CompletingVae, image: Tensor) -> Tensor:
    """Return uint8 [N, C, H, W] for whole pictures of that shape (AIPO, figure 7).

    Every layer takes the mean of q(z | picture), and every pixel that of its likeliest logistic.
    One picture at a time: how a sum is rounded depends on the size of the batch.
    """
    return torch.cat([_of_one(model, part) for part in torch.split(image, 1)])


def _of_one(model: CompletingVae, image: Tensor) -> Tensor:
    def mean(*shape: int) -> Tensor:
        return torch.zeros(1, *shape)

    sides = {"q": model.full_sides(image)}
    walked = walk(model, 1, sides, mean, ("q", "p"), ceiling=LARGEST_LOG_STD)
    params = model.decoder.read(model.decoder.finish(walked.states))
    return dmol.to_bytes(dmol.likeliest(params, model.config.channels))
