"""Drawn pictures of what photos hold little of: paper, gradients, text, charts, windows, skies.

Picture `index` is a pure function of its index: it is drawn from one random stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inpaint_cli.randomness import stream

Picture = npt.NDArray[np.float32]
"""[SIDE, SIDE, 3], 0 to 255; what lies outside is clipped at the end."""
Canvas = npt.NDArray[np.uint8]
"""[SIDE, SIDE, 3]: what OpenCV draws on."""
Colour = npt.NDArray[np.float32]

SIDE = 128
TRAINING, TEST = 1700, 100
"""Pictures of each split; TRAINING is a tenth of the photos that the zoo is trained on."""
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)
LETTERS = "eeeettaaooiinnsshhrrddlucmfwygpbvkxjqz"
"""Drawn from at random, so about as frequent as in English."""


@dataclass
class Dice:
    """Random choices from one stream; only `Generator.random` is stable between versions."""

    rng: np.random.Generator

    def real(self, low: float, high: float) -> float:
        """Return a number of [low, high)."""
        return low + (high - low) * float(self.rng.random())

    def whole(self, low: int, high: int) -> int:
        """Return an integer of [low, high]."""
        return low + int(self.rng.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """Return True with the probability `share`."""
        return float(self.rng.random()) < share

    def colour(self, low: float = 0, high: float = 255) -> Colour:
        """Return a colour, three times out of four a muted one."""
        grey, hue = self.real(low, high), self.rng.random(3) * (high - low) + low
        share = 1.0 if self.chance(0.25) else self.real(0, 0.3)
        return np.asarray((1 - share) * grey + share * hue, np.float32)

    def word(self) -> str:
        """Return one to nine letters, sometimes with a capital."""
        letters = [LETTERS[self.whole(0, len(LETTERS) - 1)] for _ in range(self.whole(1, 9))]
        word = "".join(letters)
        return word.capitalize() if self.chance(0.2) else word

    def noise(self, *shape: int) -> Picture:
        """Return normal noise, by the sum of four uniform numbers."""
        total = self.rng.random((4, *shape)).sum(0) - 2
        return np.asarray(total * math.sqrt(3), np.float32)


def draw(index: int) -> npt.NDArray[np.uint8]:
    """Return picture `index` (0 or more) as uint8 [SIDE, SIDE, 3]; the kinds take turns."""
    dice = Dice(stream(0, "graphics", index))
    kinds = list(KINDS.values())
    picture = np.asarray(kinds[index % len(kinds)](dice), np.float32)
    if dice.chance(0.5):
        picture = picture + dice.real(0.5, 4) * dice.noise(SIDE, SIDE, 1 if dice.chance(0.5) else 3)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _flat(colour: Colour) -> Picture:
    return np.broadcast_to(colour, (SIDE, SIDE, 3)).copy()


def _canvas(colour: Colour) -> Canvas:
    return np.clip(_flat(colour), 0, 255).astype(np.uint8)


def _paper_colour(dice: Dice) -> Colour:
    """Return a light colour, now and then a dark one, as of a screen by night."""
    return dice.colour(0, 60) if dice.chance(0.15) else dice.colour(200, 255)


def _ink_on(paper: Colour, dice: Dice) -> Colour:
    return dice.colour(0, 110) if paper.mean() > 127 else dice.colour(150, 255)


def _bgr(colour: Colour) -> tuple[float, float, float]:
    return float(colour[0]), float(colour[1]), float(colour[2])


def _ramp(dice: Dice) -> Picture:
    """Return a number for each pixel that grows from 0 to 1 along a line or round a point."""
    across = np.linspace(0, 1, SIDE, dtype=np.float32)
    x, y = np.meshgrid(across, across)
    if dice.chance(0.3):
        ramp = np.hypot(x - dice.real(0, 1), y - dice.real(0, 1))
    else:
        angle = dice.real(0, 2 * math.pi)
        ramp = math.cos(angle) * x + math.sin(angle) * y
    ramp = ramp - ramp.min()
    return np.asarray(ramp / max(float(ramp.max()), 1e-6), np.float32)[..., None]


def paper(dice: Dice) -> Picture:
    """Return one colour, or one that changes a little over the sheet."""
    colour = _paper_colour(dice) if dice.chance(0.7) else dice.colour()
    return _flat(colour) + _ramp(dice) * (0 if dice.chance(0.5) else dice.real(-25, 25))


def gradient(dice: Dice) -> Picture:
    """Return a ramp between two colours, sometimes by way of a third."""
    ramp, first, last = _ramp(dice), dice.colour(), dice.colour()
    picture = (1 - ramp) * first + ramp * last
    if dice.chance(0.3):
        picture += 4 * ramp * (1 - ramp) * (dice.colour() - picture)
    return np.asarray(picture, np.float32)


def sky(dice: Dice) -> Picture:
    """Return a vertical ramp under smooth noise of several scales."""
    ramp = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    picture = (1 - ramp) * dice.colour(60, 255) + ramp * dice.colour(90, 255)
    strength, cloud = dice.real(0, 40), np.zeros((SIDE, SIDE), np.float32)
    for cells in (2, 4, 8, 16):
        smooth = cv2.resize(dice.noise(cells, cells), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        cloud += smooth / cells
    return np.asarray(picture + strength * cloud[..., None], np.float32)


def text(dice: Dice) -> Canvas:
    """Return lines of made-up words on paper."""
    colour = _paper_colour(dice)
    picture, ink = _canvas(colour), _bgr(_ink_on(colour, dice))
    font, scale = FONTS[dice.whole(0, len(FONTS) - 1)], dice.real(0.25, 1.0)
    leading, left = round(dice.real(24, 36) * scale) + 3, dice.whole(-8, 24)
    y = dice.whole(4, 30)
    while y < SIDE + leading:
        words = " ".join(dice.word() for _ in range(dice.whole(1, 8)))
        if not dice.chance(0.1):
            thick = 2 if scale > 0.7 and dice.chance(0.4) else 1
            cv2.putText(picture, words, (left, y), font, scale, ink, thick, cv2.LINE_AA)
        y += leading
    return picture


def chart(dice: Dice) -> Canvas:
    """Return bars, a curve or sectors, most with axes."""
    colour = _paper_colour(dice)
    picture, ink = _canvas(colour), _bgr(_ink_on(colour, dice))
    kind = dice.whole(0, 2)
    if kind == 2:
        _sectors(picture, dice)
        return picture
    if dice.chance(0.5):
        for y in range(12, 112, dice.whole(12, 30)):
            cv2.line(picture, (14, y), (SIDE, y), _bgr(0.8 * colour + 25), 1)
    if kind == 0:
        _bars(picture, dice)
    else:
        for _ in range(dice.whole(1, 3)):
            _curve(picture, dice)
    cv2.line(picture, (14, 8), (14, 114), ink, 1, cv2.LINE_AA)
    cv2.line(picture, (14, 114), (SIDE, 114), ink, 1, cv2.LINE_AA)
    return picture


def _bars(picture: Canvas, dice: Dice) -> None:
    step, fill = dice.whole(7, 24), _bgr(dice.colour())
    for x in range(18, SIDE, step):
        top = dice.whole(12, 110)
        cv2.rectangle(picture, (x, top), (x + max(step - 4, 2), 113), fill, -1)


def _curve(picture: Canvas, dice: Dice) -> None:
    heights = np.cumsum(dice.noise(16)) * dice.real(2, 10) + dice.real(30, 90)
    points = np.stack([np.linspace(14, SIDE, 16), heights], 1).astype(np.int32)
    thick = dice.whole(1, 3)
    cv2.polylines(picture, [points], False, _bgr(dice.colour()), thick, cv2.LINE_AA)


def _sectors(picture: Canvas, dice: Dice) -> None:
    centre = dice.whole(44, 84), dice.whole(44, 84)
    radius, start = dice.whole(25, 56), dice.real(0, 360)
    while start < 720:
        end = min(start + dice.real(15, 140), 720)
        fill = _bgr(dice.colour())
        cv2.ellipse(picture, centre, (radius, radius), 0, start, end, fill, -1, cv2.LINE_AA)
        start = end


def window(dice: Dice) -> Canvas:
    """Return panels, buttons and rows of a table, as on a screen."""
    ground = _paper_colour(dice)
    picture, ink = _canvas(ground), _bgr(_ink_on(ground, dice))
    if dice.chance(0.6):
        cv2.rectangle(picture, (0, 0), (SIDE, dice.whole(8, 26)), _bgr(dice.colour()), -1)
    if dice.chance(0.5):
        cv2.rectangle(picture, (0, 0), (dice.whole(16, 50), SIDE), _bgr(dice.colour()), -1)
    if dice.chance(0.6):
        _rows(picture, ground, ink, dice)
    for _ in range(dice.whole(0, 4)):
        x, y = dice.whole(0, 110), dice.whole(0, 115)
        corner = x + dice.whole(14, 60), y + dice.whole(8, 22)
        cv2.rectangle(picture, (x, y), corner, _bgr(dice.colour()), -1)
        if dice.chance(0.6):
            cv2.rectangle(picture, (x, y), corner, ink, 1)
        label = dice.word()
        cv2.putText(picture, label, (x + 4, corner[1] - 4), FONTS[0], 0.3, ink, 1, cv2.LINE_AA)
    return picture


def _rows(picture: Canvas, ground: Colour, ink: tuple[float, float, float], dice: Dice) -> None:
    height, top = dice.whole(9, 20), dice.whole(0, 40)
    shade, columns = _bgr(ground - dice.real(3, 20)), dice.whole(1, 3)
    for number, y in enumerate(range(top, SIDE, height)):
        if number % 2 and dice.chance(0.9):
            cv2.rectangle(picture, (0, y), (SIDE, y + height - 1), shade, -1)
        for column in range(columns):
            place = 6 + column * SIDE // columns, y + height - 4
            if not dice.chance(0.25):
                cv2.putText(picture, dice.word(), place, FONTS[1], 0.6, ink, 1, cv2.LINE_AA)


def pattern(dice: Dice) -> Canvas:
    """Return stripes, a chessboard or a few plain shapes."""
    picture, fill = _canvas(dice.colour()), dice.colour()
    kind, step = dice.whole(0, 2), dice.whole(4, 40)
    if kind == 0:
        phase = _ramp(dice)[..., 0] * SIDE / step
        picture[np.floor(phase) % 2 == 1] = fill
    elif kind == 1:
        cells = np.add.outer(np.arange(SIDE) // step, np.arange(SIDE) // step)
        picture[cells % 2 == 1] = fill
    else:
        for _ in range(dice.whole(1, 6)):
            corners = (dice.rng.random((dice.whole(3, 6), 2)) * SIDE).astype(np.int32)
            shape = cv2.convexHull(corners)
            cv2.fillPoly(picture, [shape], _bgr(dice.colour()), cv2.LINE_AA)
    return picture


KINDS: Mapping[str, Callable[[Dice], Picture | Canvas]] = {
    "paper": paper,
    "gradient": gradient,
    "sky": sky,
    "text": text,
    "chart": chart,
    "window": window,
    "pattern": pattern,
}
