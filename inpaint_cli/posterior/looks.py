"""Where one may look next: squares of a picture whose corners lie on a grid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.photos.windows import Mask

GRID = 17
"""Places along each side, where nothing else is asked and as many fit (AIPO, section 5)."""
PATCH = "25%"
MOST = 64
"""Places along each side, at most: each is a mask in memory, and is asked for every completion."""


@dataclass(frozen=True)
class Looks:
    """Squares of `patch` pixels in a picture of `size`, their corners on a grid x grid raster."""

    size: int
    patch: int
    grid: int

    def __post_init__(self) -> None:
        if not 1 <= self.patch < self.size:
            raise UserError(
                f"{self.patch} pixels: must be at least 1, and less than the {self.size} of the "
                "picture.",
                setting="patch",
            )
        if self.grid < 2:
            raise UserError(f"must be at least 2, got {self.grid}.", setting="grid")
        if self.grid > self.largest_grid:
            raise UserError(
                f"{self.grid} along each side are too many for squares of {self.patch} pixels in "
                f"{self.size}. At most {self.largest_grid}.",
                setting="grid",
            )

    @classmethod
    def of(cls, size: int, patch: str | int = PATCH, grid: int | None = None) -> Looks:
        """Return the looks that are asked for; no grid = 17, or as many as fit."""
        side = patch_pixels(patch, size)
        return cls(size, side, min(GRID, size - side + 1) if grid is None else grid)

    @property
    def largest_grid(self) -> int:
        """The most places along a side: their corners all differ, and `MOST` is not exceeded."""
        return min(MOST, self.size - self.patch + 1)

    @cached_property
    def corners(self) -> npt.NDArray[np.int64]:
        """Row and column of the upper left pixel of each place, [grid * grid, 2], row by row."""
        last = self.size - self.patch
        along = [round(Fraction(i * last, self.grid - 1)) for i in range(self.grid)]
        return np.array([(row, column) for row in along for column in along])

    @cached_property
    def masks(self) -> npt.NDArray[np.bool_]:
        """What each place shows, [grid * grid, size, size], True = visible."""
        shown = np.zeros((len(self.corners), self.size, self.size), np.bool_)
        for mask, (row, column) in zip(shown, self.corners, strict=True):
            mask[row : row + self.patch, column : column + self.patch] = True
        return shown

    def open_places(self, visible: Mask) -> npt.NDArray[np.int64]:
        """Return the places that are not wholly visible yet, in order."""
        return np.flatnonzero((self.masks & ~visible).any(axis=(1, 2)))


def patch_pixels(text: str | int, size: int) -> int:
    """Return the side of a patch, given in pixels or in percent of the picture's.

    >>> patch_pixels("25%", 28), patch_pixels("5", 28), patch_pixels(5, 28)
    (7, 5, 5)
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(%?)", str(text).strip(), re.ASCII)
    if not match or (not match[2] and "." in match[1]):
        raise UserError(f"{text}: write pixels or percent, such as 7 or 25%.", setting="patch")
    if not match[2]:
        return int(match[1])
    return max(1, round(Fraction(match[1]) / 100 * size))
