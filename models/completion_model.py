"""The base of all families' models: the facts of their config, and defaults for optional parts."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from torch import Tensor, nn

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions, Config
from inpaint_cli.randomness import Noise


class CompletionModel(nn.Module):
    """The base of a family's model (`inpaint_cli.family.Model`), with its optional parts.

    A subclass defines `complete`, and overrides what its family has more of.
    """

    stochastic: bool = True
    has_log_prob: ClassVar[bool] = False
    """Whether `log_prob` gives a likelihood, exact or a bound of one."""
    trained_stages: tuple[str, ...] | None = None
    """The stages that a converted file holds; None = all of the family's."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.size, self.channels, self.levels = config.size, config.channels, config.levels

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete ONE image len(noise) times; see `inpaint_cli.family.Model.complete`."""
        raise NotImplementedError

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        """Return log p(hidden | visible), float64 [N], nats, 0 where nothing is hidden.

        UserError where the family has none.
        """
        raise UserError("this model has no likelihood. Take one with a likelihood, such as pcnn.")

    def for_completion(self) -> Self:
        """Return the model without what only training needs, its weights shared: what ships."""
        return self

    def use_perceptual(self, distance: Any) -> None:
        """Take a perceptual distance for the losses, where the family has a place for one."""
        raise UserError("perceptual: the losses of this model take no perceptual distance.")
