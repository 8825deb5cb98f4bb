"""The base of all networks that complete: the facts of their config, and a module of torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from inpaint_cli.family import Config, Model
from inpaint_cli.models.evaluation import evaluating, one_thread


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

    def reconstruct(self, image: Tensor) -> Tensor:
        if self.no_reconstruction():
            return super().reconstruct(image)
        # One at a time: how a sum is rounded depends on the size of the batch.
        with evaluating(self), one_thread(self):
            return torch.cat([self.reconstructed(one) for one in torch.split(image, 1)])

    def reconstructed(self, image: Tensor) -> Tensor:
        """Return what the autoencoder makes of ONE whole image, uint8 [1, C, S, S], as uint8."""
        raise NotImplementedError
