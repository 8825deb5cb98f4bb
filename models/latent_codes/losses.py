"""Reconstruction terms: pixels, a perceptual distance, and what replaces it where none is given."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.device import full_precision

SCALES = (1, 2, 4)
"""Factors by which images are shrunk for the terms on structure."""
WINDOW = 7
"""Side of the windows of the structural similarity."""
BORDER = 1 / 16
"""Share of the side within which a visible pixel counts as next to a hole."""
BORDER_WEIGHT, FAR_WEIGHT = 0.5, 0.1
"""Weights of visible pixels in the pixel loss of the raw output, next to holes and elsewhere."""


def structure_loss(a: Tensor, b: Tensor) -> Tensor:
    """Return 0.5 x the error of gradients at three scales + 0.1 x (1 - SSIM), images in [-1, 1].

    What stands in for a perceptual distance where none was chosen.
    """
    total = a.new_zeros(())
    similarities = []
    for scale in SCALES:
        if min(a.shape[-2:]) // scale < 2:
            break
        small, other = F.avg_pool2d(a, scale), F.avg_pool2d(b, scale)
        for axis in (-2, -1):
            total = total + 0.5 * F.l1_loss(small.diff(dim=axis), other.diff(dim=axis))
        if min(small.shape[-2:]) >= WINDOW:
            similarities.append(_similarity(small, other))
    if similarities:
        total = total + 0.1 * (1 - torch.stack(similarities).mean())
    return total


def _similarity(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean SSIM over square windows (Wang et al. 2004), of images in [-1, 1]."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, WINDOW, stride=1)

    with full_precision(a.device):
        a, b = a.float(), b.float()
        ma, mb = mean(a), mean(b)
        va, vb, vab = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
        c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
        ratio = (2 * ma * mb + c1) * (2 * vab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
        return ratio.mean()


def feature_distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return the sum over levels of the mean absolute difference of normalised features."""
    terms = [
        (F.normalize(x.float(), dim=1) - F.normalize(y.float(), dim=1)).abs().mean()
        for x, y in zip(a, b, strict=True)
    ]
    return torch.stack(terms).sum()


def border_weights(visible: Tensor) -> Tensor:
    """Return the weight [N, 1, H, W] of each pixel in the pixel loss of the raw output."""
    reach = max(1, round(BORDER * visible.shape[-1]))
    hidden = (~visible).float()
    near = F.max_pool2d(hidden, 2 * reach + 1, stride=1, padding=reach)
    return torch.maximum(hidden, FAR_WEIGHT + (BORDER_WEIGHT - FAR_WEIGHT) * near)
