"""Bytes to the networks' scale and back."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_cli.models.quantise import continuing


def to_unit(image: Tensor) -> Tensor:
    """Gives uint8 levels as float in [-1, 1], the networks' scale."""
    return image.float() / 127.5 - 1


def to_bytes(x: Tensor) -> Tensor:
    """Gives values in [-1, 1] as uint8, rounded half to even and clamped."""
    return torch.round(127.5 * x.float() + 127.5).clamp(0, 255).to(torch.uint8)


def finished(picture: Tensor, image: Tensor, visible: Tensor, levels: int) -> Tensor:
    """Gives uint8 [n, C, H, W]: bytes of the image where visible, else of the picture.

    picture: float [n, C, H, W] on [-1, 1]. With fewer than 256 levels hidden bytes are the nearest
    ones that stand for a level beside this image. Visible pixels are exact.
    """
    if levels == 256:
        return torch.where(visible, image, to_bytes(picture))
    image, visible = image.cpu(), visible.cpu()
    table = continuing(torch.arange(levels), levels, image, visible)
    between = (table[:-1].double() + table[1:].double()) / 2
    level = torch.bucketize(127.5 * picture.cpu().double() + 127.5, between)
    return torch.where(visible, image, table[level])
