"""Loss, training step and validation of the Pixel Constrained CNN."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.family import Batch, ParameterGroup, Stage, StepResult
from inpaint_cli.models.means import masked_mean
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from inpaint_cli.models.pcnn.sampling import log_prob
from inpaint_cli.models.quantise import to_levels
from inpaint_cli.randomness import Noise


def cross_entropy(logits: Tensor, levels: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return the mean cross entropy in nats of `levels` [N, C, H, W] under logits [N, K, C, H, W].

    counted: bool [N, 1, H, W], the pixels that count; the mean is over those of the whole batch, of
    all processes. None: all pixels (the authors' code; eq. 4 of the paper counts hidden ones).
    """
    if counted is None:
        return F.cross_entropy(logits, levels)
    entries = F.cross_entropy(logits, levels, reduction="none")
    return masked_mean(entries, counted.expand_as(levels))


class PixelStage(Stage[PixelConstrainedCNN]):
    """The only stage: both networks together."""

    name = "pixels"

    def trainable(self, model: PixelConstrainedCNN) -> list[ParameterGroup]:
        """Return one group with every parameter."""
        return [ParameterGroup("all", list(model.parameters()))]

    def loss(self, model: PixelConstrainedCNN, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return CE(logits) + alpha CE(cond logits) + beta CE(prior logits)."""
        config = model.config
        levels = to_levels(batch.image, config.levels)
        prior, cond = model(levels, batch.visible)
        counted = ~batch.visible if config.loss_pixels == "hidden" else None
        terms = {
            "ce": cross_entropy(prior + cond, levels, counted),
            "ce_cond": cross_entropy(cond, levels, counted),
        }
        total = terms["ce"] + config.alpha * terms["ce_cond"]
        if config.beta:
            terms["ce_prior"] = cross_entropy(prior, levels, counted)
            total = total + config.beta * terms["ce_prior"]
        return StepResult({"all": total}, {k: v.detach() for k, v in terms.items()})

    def validate(
        self, model: PixelConstrainedCNN, batch: Batch, noise: Noise
    ) -> Mapping[str, Tensor]:
        """Return minus log p per hidden entry in nats, and in bits; NaN where nothing is hidden."""
        log_probs = log_prob(model, batch.image, batch.visible)
        hidden = (~batch.visible).sum((1, 2, 3)).to(log_probs.device) * model.channels
        nats = torch.where(hidden > 0, -log_probs / hidden, torch.nan)
        return {"nats_per_hidden": nats, "bits_per_hidden": nats / math.log(2)}


STAGES = (PixelStage(),)
