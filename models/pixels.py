"""Bytes to the scale of networks that paint, [-1, 1], and their pictures back to bytes."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_cli.models.quantise import continuing


def to_unit(image: Tensor) -> Tensor:
    """Return uint8 values as float in [-1, 1].

    >>> to_unit(torch.tensor([0, 255], dtype=torch.uint8)).tolist()
    [-1.0, 1.0]
    """
    return image.float() / 127.5 - 1


def from_unit(x: Tensor) -> Tensor:
    """Return values in [-1, 1] as uint8, rounded half to even and clamped.

    >>> from_unit(torch.tensor([-1.0, 0.0, 1.2])).tolist()
    [0, 128, 255]
    """
    return torch.round(127.5 * x.float() + 127.5).clamp(0, 255).to(torch.uint8)


def paste_visible(picture: Tensor, image: Tensor, visible: Tensor, levels: int) -> Tensor:
    """Return uint8 [n, C, H, W]: bytes of the image where visible, else of the picture.

    picture: float [n, C, H, W] on [-1, 1]. With fewer than 256 levels hidden bytes are the nearest
    ones that stand for a level beside this image. The choice is made between integers, so visible
    pixels are exact and nothing under them shows, not even NaN.
    """
    if levels == 256:
        return torch.where(visible, image, from_unit(picture))
    image, visible = image.cpu(), visible.cpu()
    table = continuing(torch.arange(levels), levels, image, visible)
    between = (table[:-1].double() + table[1:].double()) / 2
    level = torch.bucketize(127.5 * picture.cpu().double() + 127.5, between)
    return torch.where(visible, image, table[level])
