"""The pixel-probability progression of the paper's figure 8, as frames to look at."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from inpaint_cli.models.quantise import to_bytes

if TYPE_CHECKING:
    from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN


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
