"""Polygons to fill in, as typed: "x,y,x,y,..." in pixels or percent of the photo."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.masks.ranges import Mask

FARTHEST = 1_000_000
"""Corners beyond this are refused, since OpenCV counts in 32 bits."""


@dataclass(frozen=True)
class UserPolygon:
    """The corners of a polygon, as typed."""

    text: str
    corners: tuple[tuple[Fraction, Fraction], ...]
    percent: bool

    def points(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return the corners x, y in pixels of a photo."""
        across, down = (Fraction(width, 100), Fraction(height, 100)) if self.percent else (1, 1)
        return [
            (math.floor(x * across + Fraction(1, 2)), math.floor(y * down + Fraction(1, 2)))
            for x, y in self.corners
        ]


def parse_polygon(text: str) -> UserPolygon:
    """Read "X,Y,X,Y,X,Y,...": at least three corners in whole pixels, or all in percent.

    >>> parse_polygon("0,0,10,0,0,10").points(100, 100)
    [(0, 0), (10, 0), (0, 10)]
    >>> parse_polygon("0%,0%,50%,0%,0%,50%").points(100, 200)
    [(0, 0), (100, 0), (0, 50)]
    """
    parts = [part.strip() for part in text.split(",")]
    percent = all(part.endswith("%") for part in parts)
    number = r"\d{1,7}(\.\d{1,9})?%" if percent else r"\d{1,7}"
    sound = all(re.fullmatch(number, part, re.ASCII) for part in parts)
    if len(parts) < 6 or len(parts) % 2 or not sound:
        raise UserError(
            f"{text}: write X,Y,X,Y,X,Y,...: at least three corners in whole pixels from the top "
            "left corner, such as 40,60,90,60,70,95, or all in percent.",
            setting="polygon",
        )
    numbers = [Fraction(part.rstrip("%")) for part in parts]
    if max(numbers) > (1000 if percent else FARTHEST):
        raise UserError(f"{text}: a corner is too far away.", setting="polygon")
    return UserPolygon(text, tuple(zip(numbers[::2], numbers[1::2], strict=True)), percent)


def hide_polygons(visible: Mask, polygons: Iterable[UserPolygon]) -> Mask:
    """Return `visible` with the polygons hidden as well; UserError for one outside the photo."""
    import cv2

    height, width = visible.shape
    for polygon in polygons:
        drawn = np.zeros((height, width), np.uint8)
        cv2.fillPoly(drawn, [np.array(polygon.points(height, width), np.int32)], [1])
        if not drawn.any():
            raise UserError(
                f"{polygon.text} holds no pixel of the photo, which has {width}x{height} "
                "(width x height).",
                setting="polygon",
            )
        visible = visible & (drawn == 0)
    return visible
