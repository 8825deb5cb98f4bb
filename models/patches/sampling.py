"""Completes by patches of the image itself; see inpaint_cli/texture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.models.method import Method
from inpaint_cli.texture import Filler, Scraps, TooLittleTexture

if TYPE_CHECKING:
    from inpaint_cli.randomness import Noise


class PatchesModel(Method):
    """A stochastic method without weights."""

    def drawn(
        self,
        image: npt.NDArray[np.uint8],
        visible: npt.NDArray[np.bool_],
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> npt.NDArray[np.uint8]:
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
        filler = filler_of(image, ~visible, noise.seed)
        drawn = np.stack([filler.draw(key) for key in noise.keys])
        return np.asarray(np.clip(np.rint(drawn), 0, self.levels - 1), np.uint8)


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
