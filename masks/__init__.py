"""Masks of every published kind: bool arrays, True = visible, the same from the same seed.

`draw` and `draw_batch` are the door for families, commands and metrics; `files` reads and writes
the mask images of people, `sets` keeps whole sets with a manifest, `cache` serves training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from inpaint_cli.masks.kinds import KINDS, MINIMUM_SIDE, Kind, each, is_kind, parse
from inpaint_cli.masks.ranges import Enlarged, Mask, resize_nearest
from inpaint_cli.randomness import stream

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "KINDS",
    "Kind",
    "Mask",
    "draw",
    "draw_at_scale",
    "draw_batch",
    "each",
    "is_kind",
    "parse",
    "resize_nearest",
    "specification",
]


def specification(kind: str, height: int, width: int) -> str:
    """Return the canonical text of a kind at a size; it keys the random streams.

    >>> specification("blobs", 28, 28)
    'blobs(max=4;iterations=2:7;p=0.5)@28x28'
    """
    return parse(kind).specification(height, width)


def draw(
    kind: str,
    height: int,
    width: int,
    *,
    seed: int = 0,
    epoch: int = 0,
    index: int = 0,
    training: bool = False,
) -> Mask:
    """Draw mask `index` of a set: bool [height, width], True = visible.

    It depends on the arguments alone, never on other masks. Scoring sets use epoch 0. In a set, a
    mixture takes range index mod 5; with `training` it draws the range. UserError for an unknown
    kind, a size below 8 x 8, and a range that the kind cannot give.

    >>> int(draw("box-80", 256, 256).sum())
    23920
    """
    parsed = parse(kind)
    rng = stream(seed, parsed.specification(height, width), epoch, index)
    return parsed.draw(rng, height, width, stratum=None if training else index)


def draw_batch(
    kind: str,
    height: int,
    width: int,
    *,
    seed: int,
    epoch: int,
    indices: Sequence[int],
    training: bool = False,
) -> Tensor:
    """Draw the masks of `indices`: bool [N, 1, height, width] (see `draw`)."""
    import numpy as np
    import torch

    masks = np.empty((len(indices), 1, height, width), np.bool_)
    for place, index in enumerate(indices):
        masks[place, 0] = draw(
            kind, height, width, seed=seed, epoch=epoch, index=index, training=training
        )
    return torch.from_numpy(masks)


def draw_at_scale(
    kind: str, height: int, width: int, *, model_size: int, seed: int = 0, index: int = 0
) -> Mask:
    """Draw a mask for a photo that a model of side `model_size` completes.

    Kinds whose shapes are measured in pixels are drawn with as many pixels as the model has, in
    the photo's proportions, and scaled up by nearest neighbour; the others at the photo's own size.
    model_size 0: the model takes any size. A photo below 8 pixels gets a larger mask scaled down.
    """
    drawn_height, drawn_width = height, width
    side = (height * width) ** 0.5
    if parse(kind).absolute and 0 < model_size < side:
        drawn_height = round(height * model_size / side)
        drawn_width = round(width * model_size / side)
    drawn = max(drawn_height, MINIMUM_SIDE), max(drawn_width, MINIMUM_SIDE)
    if drawn == (height, width):
        return draw(kind, height, width, seed=seed, index=index)
    if drawn[0] > height or drawn[1] > width:
        return resize_nearest(draw(kind, *drawn, seed=seed, index=index), height, width)
    parsed = parse(kind)
    rng = stream(seed, parsed.specification(*drawn), 0, index)
    # A range is of the photo's pixels, of which nearest neighbour does not repeat all as often.
    enlarged = replace(parsed, distribution=Enlarged(parsed.distribution, *drawn))
    return enlarged.draw(rng, height, width, stratum=index)
