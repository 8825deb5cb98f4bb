"""What every model has, with or without a network: facts of its config, defaults of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Typicality

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.randomness import Noise


NO_AUTOENCODER = (
    "has no autoencoder, so it reconstructs nothing. Take a model that has one, such as ipa."
)


class ModelDefaults:
    """The optional parts of `inpaint_cli.family.Model`, as they are where a family has none."""

    stochastic: bool = True
    has_log_prob: bool = False
    trained_stages: tuple[str, ...] | None = None
    sees_all: bool = False
    """It is shown a photo as a whole with all its holes, not window by window."""

    def describe(self, config: Config) -> None:
        """Take over the facts of a config."""
        self.config = config
        self.size, self.channels, self.levels = config.size, config.channels, config.levels

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        raise UserError("this model has no likelihood. Take one with a likelihood, such as pcnn.")

    def typicality_layers(self) -> int:
        return 0

    def typicality(
        self, image: Tensor, visible: Tensor, noises: Sequence[Noise], *, sampled: bool = False
    ) -> Typicality:
        raise UserError("this model has no layers of latents. Take one that has, such as ipa.")

    def no_reconstruction(self) -> str | None:
        return NO_AUTOENCODER

    def reconstruct(self, image: Tensor) -> Tensor:
        raise UserError(f"this model {self.no_reconstruction()}", setting="reconstruct")

    def for_completion(self) -> Self:
        return self

    def take_spent(self) -> dict[str, float]:
        """Return what was measured of the completions since the last call; nothing, for most."""
        return {}

    def use_perceptual(self, distance: Any) -> None:
        raise UserError("perceptual: the losses of this model take no perceptual distance.")
