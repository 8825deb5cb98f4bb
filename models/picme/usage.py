"""Keeps components alive: exploration at the start, running usage, and new life for idle ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.device import sum_over_ranks
from inpaint_cli.randomness import standard_normal, stream

if TYPE_CHECKING:
    from inpaint_cli.models.picme.networks import MixtureOfPrimitives

EXPLORED = 0.5
"""How often a random component is trained in place of the nearest, at the first step."""
DECAY = 0.999
"""Of the running usage."""
IDLE_SHARE = 0.1
"""A component is idle below this share of an even usage."""
ROW_NOISE, OFFSET_NOISE = 0.1, 0.25
"""Deviation of a revived component from the most used one: over that of its rows, and of means."""


def explored(chosen: Tensor, draws: Tensor, primitives: int, step: int, steps: int) -> Tensor:
    """Return `chosen` [B], some of them replaced by a component drawn evenly.

    draws: uniform [B, 2]. The chance falls linearly from a half to none at `steps`.
    """
    if step >= steps:
        return chosen
    chance = EXPLORED * (1 - step / steps)
    drawn = (draws[:, 1] * primitives).long().to(chosen.device)
    return torch.where(draws[:, 0].to(chosen.device) < chance, drawn, chosen)


@torch.no_grad()
def follow(model: MixtureOfPrimitives, nearest: Tensor) -> None:
    """Take the nearest components of a batch, int64 [B], into account."""
    k = len(model.usage)
    counts = sum_over_ranks(F.one_hot(nearest, k).sum(0).to(model.usage))
    model.usage.lerp_(counts / counts.sum(), 1 - DECAY)
    model.idle.copy_(torch.where(model.usage < IDLE_SHARE / k, model.idle + 1, 0))


@torch.no_grad()
def revive_idle(model: MixtureOfPrimitives, step: int, seed: int) -> None:
    """Give new life to components that have been idle for long; before f runs in a step."""
    patience = model.config.revive_steps
    # Looked at rarely: each look waits for the device.
    if not patience or step % max(1, patience // 10) or model.idle.is_meta:
        return
    for index in (model.idle >= patience).nonzero().flatten().tolist():
        revive(model, index, step, seed)


@torch.no_grad()
def revive(model: MixtureOfPrimitives, index: int, step: int, seed: int) -> None:
    """Make component `index` a near copy of the most used one, which shares its weight with it."""
    head, rng = model.encoder.head, stream(seed, "revive", step, index)

    def noise(like: Tensor) -> Tensor:
        return torch.from_numpy(standard_normal(rng, tuple(like.shape))).to(like)

    best, mix = int(model.usage.argmax()), head.mix
    k, channels = mix.offset.shape
    for conv in (head.prior.conv2, head.prior.bypass):
        for parameter in (conv.weight, conv.bias):
            assert parameter is not None
            rows = parameter.view(2, k, channels, *parameter.shape[1:])
            source = rows[:, best]
            deviation = source.flatten(2).std(2, correction=0) if source.ndim > 2 else source * 0
            deviation = deviation.reshape(*deviation.shape, *[1] * (source.ndim - 2))
            rows[:, index] = source + ROW_NOISE * deviation * noise(source)
    mix.offset[index] = mix.offset[best] + OFFSET_NOISE * noise(mix.offset[best])
    mix.weight[index] = mix.weight[best]
    mix.bias[best] -= math.log(2)
    mix.bias[index] = mix.bias[best]
    model.usage[best] /= 2
    model.usage[index] = model.usage[best]
    model.idle[index] = 0
