"""The base of all networks that complete: the facts of their config, and a module of torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import torch
from torch import nn

from inpaint_cli.family import Config, Model


class CompletionModel(Model, nn.Module):
    """The base of a family's network; `inpaint_cli.family.Model` says what each part must do.

    A subclass defines `complete`, and overrides what its family has more of.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.describe(config)

    def changed(self, **settings: Any) -> Self:
        """Return the model under another config, its weights shared; what that lacks is left out.

        settings: of the config, by name; they add no weights.
        """
        with torch.device("meta"):
            model = type(self)(replace(self.config, **settings))
        weights = self.state_dict()
        model.load_state_dict({name: weights[name] for name in model.state_dict()}, assign=True)
        return model.train(self.training)
