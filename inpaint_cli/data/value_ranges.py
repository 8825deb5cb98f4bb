"""Black and white of pictures with more than 8 bits: decided once for all files of a source.

A picture alone does not tell: a dark one of 16 bits looks like one of 12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inpaint_cli.pictures.picture import Picture, Samples
from inpaint_cli.pictures.ranges import USED_SHARE

OVERSHOOT = 0.1
"""Resizing leaves floats a little beyond black and white: by this share of the range at most."""
SIGNED_BELOW = -0.5
"""A set of floats that is scaled to -1..1 reaches below this."""
LEAST_USED = 0.1
"""Pictures that use less than this share of black to white are warned of."""
MOST = 65535.0
"""White of the largest integers that are read."""


@dataclass(frozen=True, order=True)
class SampleKind:
    """The type of samples, whatever their byte order."""

    type: str
    """numpy's letter: u, i or f."""
    bits: int

    def __str__(self) -> str:
        words = {"u": "unsigned integers", "i": "signed integers", "f": "floats"}
        return f"{words[self.type]} of {self.bits} bits"


@dataclass(frozen=True)
class ValueRange:
    """The samples that are black and white, and what was guessed about them."""

    low: float
    high: float
    guess: str = ""


class Undecided(Exception):
    """Raised for a picture whose kind has no range yet; holds the samples that it reaches."""

    def __init__(self, kind: SampleKind, low: float, high: float) -> None:
        super().__init__(f"the range of {kind} is not decided")
        self.kind, self.low, self.high = kind, low, high


def kind_of(picture: Picture) -> SampleKind | None:
    """Return the kind of a picture; None for unsigned 8 bits and less, whose range is known."""
    letter = picture.samples.dtype.kind
    return SampleKind(letter, picture.bits) if picture.bits > 8 or letter in "if" else None


def undecided(picture: Picture, kind: SampleKind) -> Undecided:
    """Return the extent of a picture. ValueError where it holds values that are no numbers."""
    colours: Samples = picture.samples[..., : picture.channels]
    if kind.type == "f" and not np.isfinite(colours).all():
        raise ValueError("holds values that are no numbers (NaN or infinite)")
    return Undecided(kind, float(colours.min()), float(colours.max()))


def decide(kind: SampleKind, low: float, high: float) -> ValueRange:
    """Return black and white for samples of a kind that reach from `low` to `high`.

    ValueError, as the end of a sentence about them, where there is no telling.
    """
    if kind.type == "f":
        return _of_floats(low, high)
    if low < 0:
        return _of_signed(low, high)
    top = min(2.0 ** (kind.bits - (kind.type == "i")) - 1, MOST)
    if high > MOST:
        raise ValueError("more than 16 bits hold")
    if high <= 255:
        return ValueRange(0, 255, "0 (black) to 255 (white)")
    if high >= USED_SHARE * top:
        return ValueRange(0, top)
    white = 2.0 ** int(high).bit_length() - 1
    return ValueRange(0, white, f"{int(high).bit_length()} bits, 0 (black) to {white:g} (white)")


def _of_signed(low: float, high: float) -> ValueRange:
    if low >= -1 and high <= 1:
        return ValueRange(-1, 1, "-1 (black) to 1 (white)")
    if high - low > MOST:
        raise ValueError("more than 16 bits hold")
    white = max(high, low + 255)
    return ValueRange(low, white, f"{low:g} (black) to {white:g} (white), the range of all of them")


def _of_floats(low: float, high: float) -> ValueRange:
    beyond = low < 0 or high > 1
    if low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
        return ValueRange(
            0, 1, "0 (black) to 1 (white), what lies beyond cut off" if beyond else ""
        )
    if -1 - OVERSHOOT <= low <= SIGNED_BELOW and high <= 1 + OVERSHOOT:
        return ValueRange(-1, 1, "-1 (black) to 1 (white)")
    if low >= -255 * OVERSHOOT and 255 * LEAST_USED <= high <= 255 * (1 + OVERSHOOT):
        return ValueRange(0, 255, "0 (black) to 255 (white)")
    raise ValueError("neither 0..1, nor -1..1, nor 0..255")
