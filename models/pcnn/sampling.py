"""From a partly visible image to n completions with their exact log-probabilities."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from inpaint_cli.bounds import NOT_NEGATIVE
from inpaint_cli.family import Completions
from inpaint_cli.models.quantise import continuing, to_bytes, to_levels
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

    NOT_NEGATIVE.require(temperature, "temperature")
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
        details["trace"] = frames(model, samples[:1], visible, TRACE_FRAMES)
    return Completions(images, torch.cat([part.log_prob for part in parts]), details)


def revealed_at(visible: Tensor, steps: int) -> Tensor:
    """Return what is revealed at steps 0..S-1, bool [S, 1, H, W].

    At step k the mask united with the first k * (H * W // S) pixels in raster order.
    """
    _, _, height, width = visible.shape
    order = torch.arange(height * width).view(1, 1, height, width)
    counts = torch.arange(steps).view(-1, 1, 1, 1) * (height * width // steps)
    return visible.cpu() | (order < counts)


@torch.no_grad()
def probabilities(
    model: PixelConstrainedCNN, sample: Tensor, visible: Tensor, revealed: Tensor
) -> Tensor:
    """Return softmax(logits) at each step, float32 [S, K, C, H, W], in eval mode on the CPU.

    sample: levels [1, C, H, W]. The prior network sees sample * revealed; the conditioning network
    the original mask throughout. Ahead of the frontier this is no marginal but the next-pixel
    distribution as if every unrevealed pixel before it were 0.
    """
    network = copy.deepcopy(model).cpu().float().eval()
    prior = network.prior_logits(sample * revealed)
    return torch.softmax(prior + network.cond_logits(sample, visible), dim=1)


def frames(model: PixelConstrainedCNN, sample: Tensor, visible: Tensor, steps: int) -> Tensor:
    """Return the progression as pictures, uint8 [S + 1, H, W, 3]; the last is the sample.

    Unrevealed pixels show the probability of level 1, for more than two levels the expected level
    over K - 1 averaged over the colours, on OpenCV's plasma map over [0, 1]; revealed ones the
    sample.
    """
    steps = min(steps, sample.shape[2] * sample.shape[3])
    revealed = revealed_at(visible, steps)
    scale = torch.linspace(0, 1, model.levels).view(1, -1, 1, 1, 1)
    expected = (probabilities(model, sample, visible, revealed) * scale).sum(1).mean(1)
    shown = to_bytes(sample, model.levels)[0].permute(1, 2, 0).expand(-1, -1, 3).numpy()
    pictures = []
    for step in range(steps):
        grey = np.rint(255 * expected[step].numpy()).astype(np.uint8)
        plasma = cv2.applyColorMap(grey, cv2.COLORMAP_PLASMA)[..., ::-1]
        pictures.append(np.where(revealed[step, 0, :, :, None].numpy(), shown, plasma))
    return torch.from_numpy(np.stack([*pictures, shown]))
