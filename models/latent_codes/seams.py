"""Removing the seam round a hole: what the picture lacks at its edge, carried smoothly inwards."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_cli.pictures.membrane import beside, membrane

REACH = 0.25
"""The correction falls to 1/e over about this share of the image's side."""


def without_seams(picture: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Return the picture with its hidden part shifted so that it meets the visible one.

    picture: float [n, C, H, W], over the whole image; target: float [1, C, H, W], read only where
    visible; visible: bool [1, 1, H, W]. The shift f is target - picture on the visible pixels
    beside the hole and solves laplace f = f / (REACH * side)^2 inside. Nothing else changes, and
    no picture of a batch depends on the others.
    """
    seen = visible[0, 0].cpu().numpy()
    edge = seen & beside(~seen)
    if not edge.any():
        return picture
    screen = (REACH * max(picture.shape[-2:])) ** -2
    shift = membrane((target - picture).cpu().numpy(), edge, ~seen, screen)
    return torch.where(visible, picture, picture + torch.from_numpy(shift).to(picture.device))
