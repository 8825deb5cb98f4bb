"""The base of what completes without a network: it works on arrays, so it needs no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions, Config, Model

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.randomness import Noise


def check_drawn(given: Any, wanted: tuple[int, ...], whose: str) -> None:
    """Raise UserError unless what a foreign model gave is uint8 of the wanted shape."""
    shape, kind = getattr(given, "shape", None), str(getattr(given, "dtype", ""))
    if shape is not None and tuple(shape) == wanted and kind in ("uint8", "torch.uint8"):
        return
    gave = f"{kind} {list(shape)}" if shape else type(given).__name__
    raise UserError(
        f"{whose} gave {gave}; uint8 {list(wanted)} is needed: as many completions as the noise "
        "has streams.",
        setting="model",
    )


class Method(Model, ABC):
    """A model without weights. A subclass defines `drawn`."""

    def __init__(self, config: Config) -> None:
        self.describe(config)

    @abstractmethod
    def drawn(
        self,
        image: npt.NDArray[np.uint8],
        visible: npt.NDArray[np.bool_],
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> npt.NDArray[np.uint8]:
        """Complete ONE image len(noise) times: uint8 [n, H, W, C]; what is visible may differ.

        image: uint8 [H, W, C]; visible: bool [H, W], True = known.
        """

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete ONE image as `drawn` does, for who works with tensors."""
        import torch

        here, known = image.cpu(), visible.cpu()
        samples = here[0].permute(1, 2, 0).numpy()
        drawn = self.drawn(samples, known[0, 0].numpy(), noise, temperature=temperature, **options)
        images = torch.from_numpy(np.ascontiguousarray(drawn.transpose(0, 3, 1, 2)))
        return Completions(torch.where(known, here, images))
