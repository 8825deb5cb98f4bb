"""Visible or hidden squares (AIPO: Harvey et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inpaint_cli.masks.chance import integer
from inpaint_cli.masks.ranges import Distribution, Mask, Range

MOST = 5
"""0 to 5 squares, each number as likely."""


@dataclass(frozen=True)
class Patches(Distribution):
    """Squares that may reach over the border; `n` = None draws their number."""

    share: float = 0.35
    """Side of a square, as a share of the image's."""
    n: int | None = None
    hidden: bool = False

    def parameters(self, height: int, width: int) -> str:
        name = "holes" if self.hidden else "patches"
        n = f"0:{MOST}" if self.n is None else self.n
        return f"{name}(n={n};share={self.share:g})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        # Half to even: 10 at 28, 11 at 32, 22 at 64, 90 at 256, 179 at 512.
        h, w = round(self.share * height), round(self.share * width)
        inside = np.zeros((height, width), np.bool_)
        for _ in range(integer(rng, 0, MOST + 1) if self.n is None else self.n):
            y, x = integer(rng, -h + 1, height), integer(rng, -w + 1, width)
            inside[max(y, 0) : y + h, max(x, 0) : x + w] = True
        return ~inside if self.hidden else inside
