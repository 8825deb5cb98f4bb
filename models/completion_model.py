"""The base of all families' models: the facts of their config, and defaults for optional parts."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor, nn

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions, Config
from inpaint_cli.randomness import Noise


class CompletionModel(nn.Module):
    """The base of a family's model; `inpaint_cli.family.Model` says what each part must do.

    A subclass defines `complete`, and overrides what its family has more of.
    """

    stochastic: bool = True
    has_log_prob: bool = False
    trained_stages: tuple[str, ...] | None = None

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
        raise NotImplementedError

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        raise UserError("this model has no likelihood. Take one with a likelihood, such as pcnn.")

    def for_completion(self) -> Self:
        return self

    def use_perceptual(self, distance: Any) -> None:
        raise UserError("perceptual: the losses of this model take no perceptual distance.")
