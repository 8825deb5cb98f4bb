"""Hidden lines, discs and ellipse arcs ("random irregular" of PIC: Zheng et al. 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inpaint_cli.masks.boxes import Rectangles
from inpaint_cli.masks.chance import coin, integer
from inpaint_cli.masks.ranges import Distribution, Mask, Range

SHAPES = (16, 65)
THICKNESS = (4, 21)
ANGLE = (3, 181)
REFERENCE_SIDE = 256
"""Below this side thickness and radius shrink with the image, unless as published."""


@dataclass(frozen=True)
class Strokes(Distribution):
    """16 to 64 shapes: lines (0.6), discs (0.2), arcs of ellipses (0.2)."""

    shrink: bool = True
    """False: as published, which leaves almost nothing visible in small images."""
    absolute = True

    def parameters(self, height: int, width: int) -> str:
        scale = f"min(1,side/{REFERENCE_SIDE})" if self.shrink else "none"
        return f"strokes(n=16:64;thickness=4:20;scale={scale})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        side = math.sqrt(height * width)
        scale = min(1.0, side / REFERENCE_SIDE) if self.shrink else 1.0
        drawn = np.zeros((height, width), np.uint8)
        for _ in range(integer(rng, *SHAPES)):
            shape(rng, drawn, scale)
        return np.asarray(drawn == 0)


@dataclass(frozen=True)
class Irregular(Distribution):
    """Rectangles or strokes, with probability 1/2 each (PIC's and PICME's "random")."""

    absolute = True

    def parameters(self, height: int, width: int) -> str:
        parts = (Rectangles().parameters(height, width), Strokes().parameters(height, width))
        return f"random(p=0.5;{';'.join(parts)})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        chosen = Rectangles() if coin(rng) else Strokes()
        return chosen.attempt(rng, height, width, visible)


def shape(rng: np.random.Generator, drawn: npt.NDArray[np.uint8], scale: float) -> None:
    """Draw one line, disc or arc into `drawn`, with OpenCV's rasterisers as the authors do."""
    import cv2

    height, width = drawn.shape

    def point() -> tuple[int, int]:
        return integer(rng, 1, width + 1), integer(rng, 1, height + 1)

    def thickness() -> int:
        return max(1, int(integer(rng, *THICKNESS) * scale))

    choice = rng.random()
    if choice < 0.6:
        cv2.line(drawn, point(), point(), 1, thickness())
    elif choice < 0.8:
        cv2.circle(drawn, point(), thickness(), 1, -1)
    else:
        centre, axes = point(), point()
        turn, start, end = (integer(rng, *ANGLE) for _ in range(3))
        cv2.ellipse(drawn, centre, axes, turn, start, end, 1, thickness())
