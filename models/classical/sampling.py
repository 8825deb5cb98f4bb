"""Completes by OpenCV: Telea's fast marching (2004), or fluid flow (Bertalmio et al. 2001)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.models.method import Method

if TYPE_CHECKING:
    from inpaint_cli.models.classical.config import ClassicalConfig
    from inpaint_cli.randomness import Noise


class ClassicalModel(Method):
    """A deterministic method without weights."""

    config: ClassicalConfig
    stochastic = False

    def drawn(
        self,
        image: npt.NDArray[np.uint8],
        visible: npt.NDArray[np.bool_],
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> npt.NDArray[np.uint8]:
        """Complete one image; UserError if more than one is asked for, or nothing is visible."""
        if len(noise) != 1:
            raise UserError(
                f"{self.config.method} is deterministic: must be 1, got {len(noise)}.", setting="n"
            )
        if temperature is not None:
            raise UserError(
                f"{self.config.method} is deterministic and has none. Leave it out.",
                setting="temperature",
            )
        if options:
            raise UserError(f"{self.config.method}: takes no option '{next(iter(options))}'.")
        if not visible.any():
            raise UserError(
                f"nothing is visible, and {self.config.method} only continues what is. "
                "Take a model that draws, such as pcnn."
            )
        shown = np.where(visible[..., None], image, 0)
        return inpainted(shown.astype(np.uint8), visible, self.config)[None]


def inpainted(
    shown: np.ndarray[Any, np.dtype[np.uint8]],
    known: np.ndarray[Any, np.dtype[np.bool_]],
    config: ClassicalConfig,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return uint8 [H, W, C] with what is not `known` filled in.

    OpenCV leaves a frame of one pixel unfilled and reads what lies under the hole there: so the
    picture gets a border that repeats its edge and is hidden where the edge is.
    """
    import cv2

    method = cv2.INPAINT_TELEA if config.method == "telea" else cv2.INPAINT_NS
    border = int(np.ceil(config.radius)) + 1
    edges = (border,) * 4
    bordered = cv2.copyMakeBorder(shown, *edges, cv2.BORDER_REPLICATE)
    hidden = cv2.copyMakeBorder((~known).astype(np.uint8), *edges, cv2.BORDER_REPLICATE)
    channels = (
        [np.ascontiguousarray(bordered)]
        if shown.shape[2] in (1, 3)
        else [*bordered.transpose(2, 0, 1)]
    )
    filled = np.dstack([cv2.inpaint(part, hidden, config.radius, method) for part in channels])
    return np.ascontiguousarray(filled[border:-border, border:-border])
