"""Hidden and visible rectangles: boxes, sides, borders, the rectangles of PIC, single pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from inpaint_cli.masks.chance import integer
from inpaint_cli.masks.ranges import Distribution, Mask, Range, plain

MAX_RECTANGLES = 5
MAX_VISIBLE_SIDE = 10


@dataclass(frozen=True)
class HiddenCentre(Distribution):
    """A hidden rectangle of half the height and half the width (PIC)."""

    is_random = False

    def parameters(self, height: int, width: int) -> str:
        return "centre()"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        mask = np.ones((height, width), np.bool_)
        mask[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = False
        return mask


@dataclass(frozen=True)
class ShareBox(Distribution):
    """A hidden box with a share of the height and of the width, in the middle or anywhere."""

    share: Fraction
    is_random: bool = False

    def parameters(self, height: int, width: int) -> str:
        place = "random" if self.is_random else "centre"
        return f"box(share={plain(self.share)};place={place})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        h, w = int(self.share * height), int(self.share * width)
        y, x = (height - h) // 2, (width - w) // 2
        if self.is_random:
            # The last position is never drawn, as in the latent codes' code.
            y, x = integer(rng, 0, height - h), integer(rng, 0, width - w)
        mask = np.ones((height, width), np.bool_)
        mask[y : y + h, x : x + w] = False
        return mask


@dataclass(frozen=True)
class HiddenSide(Distribution):
    """A share of the rows or columns hidden at one side."""

    side: Literal["left", "right", "top", "bottom"]
    share: Fraction = Fraction(1, 2)
    is_random = False

    def parameters(self, height: int, width: int) -> str:
        return f"hide-{self.side}(share={plain(self.share)})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        mask = np.ones((height, width), np.bool_)
        rows, columns = int(self.share * height), int(self.share * width)
        if self.side == "top":
            mask[:rows] = False
        elif self.side == "bottom":
            mask[height - rows :] = False
        elif self.side == "left":
            mask[:, :columns] = False
        else:
            mask[:, width - columns :] = False
        return mask


@dataclass(frozen=True)
class VisibleEdge(Distribution):
    """A visible border."""

    pixels: int
    is_random = False

    def parameters(self, height: int, width: int) -> str:
        return f"edge(pixels={self.pixels})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        mask = np.ones((height, width), np.bool_)
        mask[self.pixels : height - self.pixels, self.pixels : width - self.pixels] = False
        return mask


@dataclass(frozen=True)
class CentreVisible(Distribution):
    """A visible square in the middle, as large as fits."""

    side: int
    is_random = False

    def parameters(self, height: int, width: int) -> str:
        return f"centre-visible(side={self.side})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        mask = np.zeros((height, width), np.bool_)
        y, x = max((height - self.side) // 2, 0), max((width - self.side) // 2, 0)
        mask[y : y + self.side, x : x + self.side] = True
        return mask


@dataclass(frozen=True)
class Uniform(Distribution):
    """Everything visible, or nothing."""

    visible: bool
    is_random = False

    def parameters(self, height: int, width: int) -> str:
        return "everything()" if self.visible else "nothing()"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        return np.full((height, width), self.visible)


@dataclass(frozen=True)
class Rectangles(Distribution):
    """One to five hidden rectangles ("random regular" of PIC)."""

    def parameters(self, height: int, width: int) -> str:
        return f"rectangles(n=1:{MAX_RECTANGLES})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        mask = np.ones((height, width), np.bool_)
        n = integer(rng, 1, MAX_RECTANGLES + 1)
        for _ in range(n):
            y, x = (integer(rng, 0, int(size - size / (n + 1)) + 1) for size in (height, width))
            h, w = (
                integer(rng, size // (n + 7), size - start + 1)
                for size, start in ((height, y), (width, x))
            )
            mask[y : y + h, x : x + w] = False
        return mask


@dataclass(frozen=True)
class RectangleVisible(Distribution):
    """One visible rectangle of at most 9 x 9 pixels (the root configuration of PCNN)."""

    absolute = True

    def parameters(self, height: int, width: int) -> str:
        return f"rectangle-visible(max={MAX_VISIBLE_SIDE})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        mask = np.zeros((height, width), np.bool_)
        y, x = integer(rng, 0, height - 1), integer(rng, 0, width - 1)
        h = integer(rng, 1, min(MAX_VISIBLE_SIDE, height - y))
        w = integer(rng, 1, min(MAX_VISIBLE_SIDE, width - x))
        mask[y : y + h, x : x + w] = True
        return mask


@dataclass(frozen=True)
class SinglePixels(Distribution):
    """Single visible pixels, from one to all but one, each count as likely (PCNN)."""

    def parameters(self, height: int, width: int) -> str:
        return "pixels()"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        n = integer(rng, 1, height * width)
        order = np.argsort(rng.random(height * width), kind="stable")
        mask = np.zeros(height * width, np.bool_)
        mask[order[:n]] = True
        return mask.reshape(height, width)
