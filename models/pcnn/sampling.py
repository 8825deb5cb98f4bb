"""From a partly visible image to n completions with their exact log-probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions
from inpaint_cli.models.quantise import continuing, to_levels
from inpaint_cli.randomness import Noise

if TYPE_CHECKING:
    from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN

LARGEST_BATCH = 64
"""Completions sampled in lockstep; more are done in turn, which bounds memory."""
TRACE_FRAMES = 24


@torch.no_grad()
def log_prob(model: PixelConstrainedCNN, image: Tensor, visible: Tensor) -> Tensor:
    """Return the log-probability of the hidden values given the visible ones, float64 [N], nats.

    image: uint8 [N, C, H, W]; visible: bool [N, 1, H, W]. One forward pass of both networks as they
    are (in eval mode for a likelihood); every item with its own values (the authors' function
    scores a whole batch with the values of its first item, and adds 1e-9 inside the log).
    """
    levels = to_levels(image, model.levels)
    prior, cond = model(levels, visible)
    logits = prior + cond
    # MPS has no float64: there the sum alone is taken on the CPU.
    precise = logits.cpu() if logits.device.type == "mps" else logits
    log_probs = torch.log_softmax(precise.double(), dim=1)
    chosen = log_probs.gather(1, levels.to(precise.device)[:, None]).squeeze(1)
    return (chosen * ~visible.to(precise.device)).sum((1, 2, 3)).to(torch.float64)


@torch.no_grad()
def complete(
    model: PixelConstrainedCNN,
    image: Tensor,
    visible: Tensor,
    noise: Noise,
    *,
    temperature: float | None = None,
    trace: bool = False,
) -> Completions:
    """Complete one image len(noise) times, in float64 on the CPU (see `incremental`).

    temperature: divides the logits; 1 by default; 0 takes the likeliest level of every value, given
    those before it. The log-probability is that of temperature 1.
    trace: adds `details["trace"]`, uint8 [S, H, W, 3], the progression of completion 0.
    """
    from inpaint_cli.models.pcnn.incremental import IncrementalSampler

    if temperature is not None and temperature < 0:
        raise UserError(f"must not be negative, got {temperature}.", setting="temperature")
    heat = 1.0 if temperature is None else temperature
    image, visible = image.cpu(), visible.cpu()
    levels = to_levels(image, model.levels)
    sampler = IncrementalSampler(model, levels, visible)
    parts = [
        sampler.sample(part.uniform(*levels.shape[1:]), heat) for part in noise.split(LARGEST_BATCH)
    ]
    samples = torch.cat([part.levels for part in parts])
    images = torch.where(visible, image, continuing(samples, model.levels, image, visible))
    details = {}
    if trace:
        from inpaint_cli.models.pcnn.progression import frames

        details["trace"] = frames(model, samples[:1], visible, TRACE_FRAMES)
    return Completions(images, torch.cat([part.log_prob for part in parts]), details)
