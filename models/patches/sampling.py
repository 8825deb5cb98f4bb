"""Completes by patches of the image itself; see inpaint_cli/texture."""

from __future__ import annotations

from collections.abc import Callable
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

    has_temperature = False

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
        draw = drawing_of(image, ~visible, noise.seed)
        drawn = np.stack([draw(key) for key in noise.keys])
        return np.asarray(np.clip(np.rint(drawn), 0, self.levels - 1), np.uint8)


def drawing_of(
    samples: np.ndarray[Any, np.dtype[np.uint8]],
    hole: np.ndarray[Any, np.dtype[np.bool_]],
    seed: int,
) -> Callable[[int | tuple[int, ...]], np.ndarray[Any, np.dtype[Any]]]:
    """Return what draws the completion of a key: without enough patches, single pixels do."""
    try:
        filler = Filler(samples, hole, seed=seed)
    except TooLittleTexture:
        return Scraps(samples, hole, seed=seed).draw
    if not filler.left.any():
        return filler.draw
    left, scraps = np.zeros_like(hole), Scraps(samples, hole, seed=seed)
    left[hole] = filler.left
    return lambda key: np.where(left[..., None], scraps.draw(key), filler.draw(key))
