"""Ranges of the visible fraction: bounded rejection, and the equal mixture of five ranges."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.parsing import brief

Mask = npt.NDArray[np.bool_]
"""bool [H, W], True = visible."""

ATTEMPTS = 2000
"""Most draws for one mask; enough for every range of freeform with probability 1 - 1e-21."""
NUMBER = r"[0-9]{1,3}(?:\.[0-9]{1,18})?"
"""A percentage, as typed."""


@dataclass(frozen=True)
class Range:
    """Which visible fractions are accepted: percent, both ends excluded."""

    low: Fraction
    high: Fraction

    def __str__(self) -> str:
        return f"{plain(self.low)}-{plain(self.high)}"

    def as_hole(self) -> str:
        """Return the range of the hole ratio as the specification writes it.

        >>> Range(Fraction(80), Fraction(100)).as_hole()
        '0:0.2'
        """
        return f"{plain(1 - self.high / 100)}:{plain(1 - self.low / 100)}"


MIXTURE = tuple(Range(Fraction(low), Fraction(low + 20)) for low in (80, 60, 40, 20, 0))
"""The five ranges of the equal mixture (IPA, Table 1); sample i of a set has range i mod 5."""

EVERY = Range(Fraction(0), Fraction(100))
"""Neither all hidden nor all visible."""


class Distribution(ABC):
    """A kind of mask, its parameters set. Sizes are at least 8 x 8."""

    @property
    def absolute(self) -> bool:
        """Whether shapes are measured in pixels, so that large images look different."""
        return False

    @property
    def is_random(self) -> bool:
        """Whether two draws may differ."""
        return True

    @abstractmethod
    def parameters(self, height: int, width: int) -> str:
        """Return name and parameters for the specification: "name(key=value;...)"."""

    @abstractmethod
    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask | None:
        """Draw one mask; None as soon as the mask is certain to fall outside `visible`."""


@dataclass(frozen=True)
class Enlarged(Distribution):
    """A kind that is drawn with fewer pixels, and scaled up by nearest neighbour."""

    small: Distribution
    drawn_height: int
    drawn_width: int

    def parameters(self, height: int, width: int) -> str:
        return self.small.parameters(self.drawn_height, self.drawn_width)

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask | None:
        mask = self.small.attempt(rng, self.drawn_height, self.drawn_width, visible)
        return None if mask is None else resize_nearest(mask, height, width)


def resize_nearest(mask: Mask, height: int, width: int) -> Mask:
    """Return `mask` at another size, each pixel from the one under its centre.

    >>> import numpy as np
    >>> resize_nearest(np.array([[True, False]]), 1, 4).tolist()
    [[True, True, False, False]]
    """
    rows = ((2 * np.arange(height) + 1) * mask.shape[0]) // (2 * height)
    columns = ((2 * np.arange(width) + 1) * mask.shape[1]) // (2 * width)
    return np.asarray(mask[rows[:, None], columns])


def plain(value: Fraction) -> str:
    """Write a number without trailing zeros.

    >>> plain(Fraction(1, 5)), plain(Fraction(20))
    ('0.2', '20')
    """
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.12g}"


def parse_range(text: str, kind: str) -> Range:
    """Read "LOW-HIGH", percent visible. UserError for anything else.

    >>> str(parse_range("20-40", "freeform"))
    '20-40'
    """
    match = re.fullmatch(f"({NUMBER})-({NUMBER})", text)
    if not match:
        raise UserError(
            f"{kind}@{brief(text)}: not a range. Write LOW-HIGH in percent visible, such as "
            f"{kind}@20-40, or {kind}@mixture."
        )
    low, high = (Fraction(part) for part in match.groups())
    if not low < high <= 100:
        raise UserError(f"{kind}@{text}: a range needs LOW < HIGH <= 100.")
    return Range(low, high)


@lru_cache(maxsize=256)
def bounds(visible: Range, pixels: int) -> tuple[int, int]:
    """Return the least and the greatest accepted count of visible pixels, both included.

    >>> bounds(Range(Fraction(20), Fraction(40)), 100)
    (21, 39)
    """
    least = (visible.low * pixels / 100).__floor__() + 1
    greatest = (visible.high * pixels / 100).__ceil__() - 1
    return least, greatest


def draw_within(
    distribution: Distribution,
    rng: np.random.Generator,
    height: int,
    width: int,
    visible: Range,
    name: str,
    advice: str = "Choose another range or size.",
) -> Mask:
    """Draw until the visible fraction lies in `visible`, ATTEMPTS times at most.

    UserError with `advice` after that: a mask outside the range is never given instead.
    """
    least, greatest = bounds(visible, height * width)
    # Between two neighbouring counts there is none to try for.
    attempts = ATTEMPTS if least <= greatest else 0
    for _ in range(attempts):
        mask = distribution.attempt(rng, height, width, visible)
        if mask is not None and least <= np.count_nonzero(mask) <= greatest:
            return mask
    why = f"tried {attempts} times" if attempts else "no number of pixels lies between"
    raise UserError(f"{name} cannot give {visible} % visible at {height}x{width} ({why}). {advice}")
