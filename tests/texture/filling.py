"""One completion of one picture, as the tests ask for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.texture import Filler


def fill(
    samples: npt.NDArray[Any],
    hole: npt.NDArray[np.bool_],
    *,
    seed: int,
    key: int | tuple[int, ...] = 0,
    scale: float = 255.0,
) -> npt.NDArray[Any]:
    """Return completion `key` of `samples`; `Filler` says what all this is, and draws several."""
    return Filler(samples, hole, seed=seed, scale=scale).draw(key)
