"""What the VQGAN makes of whole pictures: to codes and back, without the other networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.latent_codes.blocks import at_side
from inpaint_cli.models.pixels import paste_visible

if TYPE_CHECKING:
    from inpaint_cli.models.latent_codes.networks import LatentCodes

PACKED = (
    "was packed for completing, without the encoder and the decoder of its VQGAN. Take the run or "
    "the file that it was packed from."
)


def reconstruct(model: LatentCodes, image: Tensor) -> Tensor:
    """Return uint8 [N, C, S, S] for whole pictures of that shape: the decoded nearest codes.

    One picture at a time: how a sum is rounded depends on the size of the batch, and one rounding
    can turn one code.
    """
    return torch.cat([_of_one(model, part) for part in torch.split(image, 1)])


def _of_one(model: LatentCodes, image: Tensor) -> Tensor:
    nothing = torch.zeros_like(image[:, :1], dtype=torch.bool)
    x, _ = at_side(image, nothing, model.config.coarse_side)
    codes = model.vqgan.quantize.vectors(model.vqgan.tokens(x))
    picture = model.vqgan.decode(codes).float()
    if picture.shape[-1] != image.shape[-1]:  # what a refinement makes larger
        picture = F.interpolate(picture, image.shape[-2:], mode="bilinear")
    return paste_visible(picture, image, nothing, model.levels)
