"""Features that need no weight file: small thumbnails, and a network with random weights."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.classifier.networks import with_channels
from inpaint_cli.models.pixels import to_unit
from inpaint_cli.randomness import stream

SIDE = 8
RANDOM_WIDTHS = (3, 16, 32, 64)
"""Channels between the convolutions of the random network."""


def area_weights(size: int, side: int) -> Tensor:
    """Return float64 [side, size]: the share of each of `size` pixels in each of `side` areas.

    >>> area_weights(3, 2).tolist()
    [[0.6666666666666666, 0.3333333333333333, 0.0], [0.0, 0.3333333333333333, 0.6666666666666666]]
    """
    edges = torch.arange(side + 1, dtype=torch.float64) * size
    left, right = edges[:-1, None], edges[1:, None]
    pixels = torch.arange(size, dtype=torch.float64) * side
    overlap = torch.minimum(right, pixels + side) - torch.maximum(left, pixels)
    return overlap.clamp_min(0) / size


def pixels8(images: Tensor) -> Tensor:
    """Return the mean grey of 8x8 areas in 0..1, [N, 64], of uint8 images [N, 1 or 3, H, W]."""
    grey = with_channels(images.double(), 1)
    rows, columns = (area_weights(n, SIDE).to(images.device) for n in images.shape[2:])
    thumbnails = rows @ grey[:, 0] @ columns.T
    return (thumbnails / 255).flatten(1).float()


class RandomNetwork(nn.Module):
    """uint8 images [N, 3, H, W] -> averages of the last maps [N, 64]; the same weights always."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(_weight(i, inputs, outputs), requires_grad=False)
            for i, (inputs, outputs) in enumerate(pairwise(RANDOM_WIDTHS))
        )

    def forward(self, images: Tensor) -> Tensor:
        x = to_unit(images)
        for weight in self.weights:
            x = F.relu(F.conv2d(x, weight, stride=2, padding=1))
        return x.mean((2, 3))


def _weight(layer: int, inputs: int, outputs: int) -> Tensor:
    draws = stream(0, "random features", layer).random((outputs, inputs, 3, 3))
    return torch.from_numpy((2 * draws - 1) * math.sqrt(6 / (inputs * 9))).float()
