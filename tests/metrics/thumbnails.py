"""Features that need no network: thumbnails of 8x8 grey areas, for tests of whole scores."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from inpaint_cli.metrics.features import FeatureExtractor
from inpaint_cli.models.classifier.networks import with_channels

SIDE = 8


def thumbnails(images: Tensor) -> Tensor:
    """Return the mean grey of 8x8 areas in 0..1, [N, 64], of uint8 images [N, 1 or 3, H, W]."""
    grey = with_channels(images.double(), 1)
    return (functional.adaptive_avg_pool2d(grey, SIDE) / 255).flatten(1).float()


def extractor() -> FeatureExtractor:
    """Return the extractor called pixels8; it has no classes."""
    return FeatureExtractor(
        "pixels8",
        SIDE**2,
        "mean of 8x8 areas, grey by Rec. 601",
        None,
        False,
        torch.device("cpu"),
        0,
        lambda images: (thumbnails(images), None),
    )
