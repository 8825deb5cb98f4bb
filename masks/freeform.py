"""Holes of rectangles and brush strokes: Co-Mod-GAN (Zhao et al. 2021), MAT (Li et al. 2022).

IPA uses those of Co-Mod-GAN, latent codes those of MAT; they differ in the numbers of shapes only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from PIL import Image, ImageDraw

from inpaint_cli.masks.chance import coin, integer, uniform
from inpaint_cli.masks.ranges import EVERY, Distribution, Mask, Range, bounds

Tries = tuple[int, int, int]
"""Below how many small rectangles, large rectangles and strokes a mask has."""

COMODGAN: Tries = (10, 5, 20)
MAT_256_LARGE: Tries = (4, 2, 8)
MAT_256_SMALL: Tries = (2, 2, 3)
MAT_512_LARGE: Tries = (5, 3, 9)
MAT_512_SMALL: Tries = (3, 2, 4)

MAT_512_FROM = 384
"""Side from which freeform-large and freeform-small take the numbers of MAT's 512 generator."""

VERTICES = (4, 18)
WIDTHS = (12, 48)
"""Stroke widths in pixels, at every image size."""
REFERENCE_SIDE = 256
"""Side at which the widths of the -scaled kinds are those of the others."""

MEAN_ANGLE = 2 * math.pi / 5
ANGLE_SPREAD = 2 * math.pi / 15


@dataclass(frozen=True)
class Freeform(Distribution):
    """Rectangles and strokes; `tries_512` takes over from MAT_512_FROM pixels."""

    tries: Tries
    tries_512: Tries | None = None
    scaled: bool = False

    @property
    def absolute(self) -> bool:
        return not self.scaled

    def tries_at(self, height: int, width: int) -> Tries:
        """Return the numbers of shapes for an image size."""
        large = height * width >= MAT_512_FROM**2
        return self.tries_512 if self.tries_512 and large else self.tries

    def parameters(self, height: int, width: int) -> str:
        tries = ",".join(map(str, self.tries_at(height, width)))
        scale = str(REFERENCE_SIDE) if self.scaled else "none"
        return f"freeform(tries={tries};width={WIDTHS[0]}:{WIDTHS[1]};scale={scale})"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask | None:
        visible = visible or EVERY
        small, large, strokes = counts(self.tries_at(height, width), visible)
        # hole = rectangles | flip(strokes) = flip(flip(rectangles) | strokes): one canvas serves.
        flips = (
            slice(None, None, -1 if coin(rng) else 1),
            slice(None, None, -1 if coin(rng) else 1),
        )
        hole = np.zeros((height, width), np.uint8)
        for _ in range(integer(rng, 0, small)):
            fill(rng, hole, height // 2, width // 2)
        for _ in range(integer(rng, 0, large)):
            fill(rng, hole, height, width)
        most_hidden = hole.size - bounds(visible, hole.size)[0]
        if np.count_nonzero(hole) > most_hidden:
            return None
        scale = math.sqrt(height * width) / REFERENCE_SIDE if self.scaled else 1.0
        canvas = Image.fromarray(hole[flips])
        brush = ImageDraw.Draw(canvas)
        for _ in range(integer(rng, 0, strokes)):
            stroke(rng, brush, height, width, scale)
            # Holes only grow: what hides too much now would be rejected at the end.
            if hole.size - canvas.histogram()[0] > most_hidden:
                return None
        return np.asarray(np.asarray(canvas)[flips] == 0)


def counts(tries: Tries, visible: Range) -> Tries:
    """Return below how many shapes of each sort are drawn for a range of the visible fraction.

    A range changes the numbers as in the code of Co-Mod-GAN: they are not quite the conditional
    of the distribution without a range.

    >>> counts(COMODGAN, Range(Fraction(80), Fraction(100)))
    (2, 1, 4)
    """
    share = min((200 - visible.low - visible.high) / 100, Fraction(1))
    # Where the product is below 1 the authors' code fails; none is drawn then.
    small, large, strokes = (max(1, int(n * share)) for n in tries)
    return small, large, strokes


def fill(rng: np.random.Generator, hole: np.ndarray, max_height: int, max_width: int) -> None:
    """Hide a rectangle, partly outside perhaps, in `hole`."""
    height, width = hole.shape
    w, h = integer(rng, 0, max_width), integer(rng, 0, max_height)
    x = integer(rng, -(w // 2), width - w + w // 2)
    y = integer(rng, -(h // 2), height - h + h // 2)
    hole[max(y, 0) : y + h, max(x, 0) : x + w] = 1


def stroke(
    rng: np.random.Generator, brush: ImageDraw.ImageDraw, height: int, width: int, scale: float
) -> None:
    """Draw one zigzag with round corners."""
    n = integer(rng, *VERTICES)
    low = MEAN_ANGLE - uniform(rng, 0, ANGLE_SPREAD)
    high = MEAN_ANGLE + uniform(rng, 0, ANGLE_SPREAD)
    x, y = integer(rng, 0, width), integer(rng, 0, height)
    thickness = max(1, int(uniform(rng, *WIDTHS) * scale))
    mean = math.hypot(height, width) / 8
    points = [(x, y)]
    draws = rng.random((n, 3)).tolist()
    for turn, (u, v, w) in enumerate(draws):
        angle = low + u * (high - low)
        if turn % 2 == 0:
            angle = 2 * math.pi - angle
        normal = math.sqrt(-2 * math.log1p(-v)) * math.cos(2 * math.pi * w)
        length = min(max(mean + mean // 2 * normal, 0.0), 2 * mean)
        x = int(min(max(x + length * math.cos(angle), 0), width))
        y = int(min(max(y + length * math.sin(angle), 0), height))
        points.append((x, y))
    brush.line(points, fill=1, width=thickness)
    radius = thickness // 2
    # As a set: vertices clamped to the border often coincide, above all in small images.
    for x, y in set(points):
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
