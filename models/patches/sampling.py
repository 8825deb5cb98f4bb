"""Completes by patches of the image itself; see inpaint_cli/texture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.texture import Filler, Scraps, TooLittleTexture

if TYPE_CHECKING:
    from inpaint_cli.randomness import Noise


class PatchesModel(CompletionModel):
    """A stochastic method without weights, in the form of the other models."""

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete one image; UserError for a temperature, or if nothing is visible."""
        if temperature is not None:
            raise UserError("patches has none. Leave it out.", setting="temperature")
        if options:
            raise UserError(f"patches: takes no option '{next(iter(options))}'.")
        if not visible.any():
            raise UserError(
                "nothing is visible, and patches only continues what is. "
                "Take a model that draws, such as pcnn."
            )
        samples = image[0].permute(1, 2, 0).cpu().numpy()
        filler = filler_of(samples, ~visible[0, 0].cpu().numpy(), noise.seed)
        drawn = np.stack([filler.draw(key) for key in noise.keys])
        levels = np.clip(np.rint(drawn), 0, self.levels - 1).astype(np.uint8)
        images = torch.from_numpy(np.ascontiguousarray(levels.transpose(0, 3, 1, 2)))
        return Completions(torch.where(visible.cpu(), image.cpu(), images))


def filler_of(
    samples: np.ndarray[Any, np.dtype[np.uint8]],
    hole: np.ndarray[Any, np.dtype[np.bool_]],
    seed: int,
) -> Filler | Scraps:
    """Return what draws the completions: without enough whole patches, single pixels do."""
    try:
        return Filler(samples, hole, seed=seed)
    except TooLittleTexture:
        return Scraps(samples, hole, seed=seed)
