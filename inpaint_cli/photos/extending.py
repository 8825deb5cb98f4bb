"""Outpainting: the canvas grows, and what is new is a hole."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.photos.windows import Mask
from inpaint_cli.pictures.claims import moved
from inpaint_cli.pictures.opening import check_size
from inpaint_cli.pictures.picture import Picture

SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Extension:
    """By how much the canvas grows at each side, as typed."""

    text: str
    amounts: tuple[tuple[str, Fraction, bool], ...]
    """Side, amount, whether it is in percent of the photo's width or height."""

    def pixels(self, height: int, width: int) -> dict[str, int]:
        """Return the pixels that are added at each of `SIDES`; UserError where that is none."""
        added = dict.fromkeys(SIDES, 0)
        for side, amount, percent in self.amounts:
            whole = width if side in ("left", "right") else height
            wanted = amount * whole / 100 if percent else amount
            added[side] = math.floor(wanted + Fraction(1, 2))
        if not any(added.values()):
            raise UserError(f"{self.text} adds no pixel.", setting="extend")
        return added


def parse_extension(text: str) -> Extension:
    """Read "left=100,right=20%".

    >>> parse_extension("left=100,bottom=20%").pixels(50, 80)
    {'left': 100, 'top': 0, 'right': 0, 'bottom': 10}
    """
    amounts: list[tuple[str, Fraction, bool]] = []
    for part in text.split(","):
        match = re.fullmatch(
            r"\s*(left|top|right|bottom)\s*=\s*(\d{1,6}(?:\.\d{1,6}(?=%))?)(%?)\s*", part, re.ASCII
        )
        if match is None or match[1] in [side for side, _, _ in amounts]:
            raise UserError(
                f"{text}: write each side once, with up to 999999 pixels or percent, such as "
                f"left=100,right=20%; sides are {', '.join(SIDES)}.",
                setting="extend",
            )
        amounts.append((match[1], Fraction(match[2]), bool(match[3])))
    return Extension(text, tuple(amounts))


def extended_mask(visible: Mask, extension: Extension, *, huge: bool) -> Mask:
    """Return a mask on the larger canvas: what is new is hidden."""
    height, width = visible.shape
    return np.pad(visible, _widths(extension, height, width, huge), constant_values=False)


def extended(photo: Picture, extension: Extension, *, huge: bool = False) -> Picture:
    """Return a photo on the larger canvas: what is new is black and opaque.

    Further channels of unknown meaning, which nothing fills, are continued from the edge.
    """
    widths = _widths(extension, photo.height, photo.width, huge)
    samples = np.pad(photo.samples, (*widths, (0, 0)))
    if (channel := photo.alpha_channel) is not None:
        new = np.pad(np.zeros((photo.height, photo.width), bool), widths, constant_values=True)
        samples[..., channel][new] = photo.opaque
    for channel, extra in enumerate(photo.extras, photo.channels):
        if extra == "unspecified":
            samples[..., channel] = np.pad(photo.samples[..., channel], widths, mode="edge")
    metadata = moved(photo.metadata, widths[0][0], widths[1][0])
    return replace(photo, samples=samples, indices=None, metadata=metadata)


def _widths(
    extension: Extension, height: int, width: int, huge: bool
) -> tuple[tuple[int, int], ...]:
    """Return what is added above and below, left and right; UserError where that is too much."""
    added = extension.pixels(height, width)
    vertical, horizontal = (added["top"], added["bottom"]), (added["left"], added["right"])
    check_size(width + sum(horizontal), height + sum(vertical), "extended", huge)
    return vertical, horizontal
