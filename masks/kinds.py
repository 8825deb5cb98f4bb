"""The names of mask kinds, as typed, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.masks import boxes, freeform
from inpaint_cli.masks.blobs import Blobs
from inpaint_cli.masks.freeform import Freeform
from inpaint_cli.masks.patches import MOST, Patches
from inpaint_cli.masks.ranges import (
    EVERY,
    MIXTURE,
    Distribution,
    Mask,
    Range,
    draw_within,
    parse_range,
)
from inpaint_cli.masks.strokes import Irregular, Strokes
from inpaint_cli.parsing import brief

MINIMUM_SIDE = 8

KINDS = {
    "blobs": "1 to 4 visible blobs, each up to 6 pixels in radius (PCNN)",
    "freeform": "holes of rectangles and brush strokes 12 to 47 pixels wide (Co-Mod-GAN, IPA)",
    "freeform-scaled": "freeform with widths times side/256; -scaled fits every freeform kind",
    "freeform-large": "fewer shapes: MAT's large masks for 256 or, from 384 pixels, 512",
    "freeform-small": "still fewer: MAT's small masks for 256 or, from 384 pixels, 512",
    "freeform-mat256-large": "MAT's numbers of shapes for 256, large, at any size",
    "freeform-mat256-small": "MAT's numbers of shapes for 256, small, at any size",
    "freeform-mat512-large": "MAT's numbers of shapes for 512, large, at any size (latent codes)",
    "freeform-mat512-small": "MAT's numbers of shapes for 512, small, at any size",
    "patches": "0 to 5 visible squares of 35 % of the side (AIPO); patches:n=3 for three",
    "holes": "0 to 5 hidden squares of 35 % of the side (AIPO); holes:n=3 for three",
    "patches-25": "0 to 5 visible squares of 25 % of the side (AIPO, x-rays)",
    "centre": "a hidden box of half the height and half the width (PIC, PICME)",
    "rectangles": "1 to 5 hidden rectangles (PIC, random regular)",
    "strokes": "16 to 64 hidden lines, discs and arcs (PIC, random irregular)",
    "strokes-absolute": "strokes with the thickness of 256 pixels at every size, as published",
    "random": "rectangles or strokes, equally likely (PIC, PICME)",
    "box-80": "a hidden box in the middle, 80 % of the side (latent codes); any percentage",
    "box-50-random": "a hidden box at a random place, 50 % of the side; any percentage",
    "hide-left": "the left half hidden; hide-left:0.75 for three quarters",
    "hide-right": "the right half hidden; hide-right:0.75 for three quarters",
    "hide-top": "the upper half hidden; hide-top:0.75 leaves the bottom quarter (PCNN)",
    "hide-bottom": "the lower half hidden (IPA); hide-bottom:0.75 leaves the top quarter",
    "edge": "a visible border of 4 pixels; edge:2 for two (PCNN)",
    "centre-visible": "a visible square of 8 pixels in the middle; centre-visible:16 (PCNN)",
    "rectangle-visible": "one visible rectangle of at most 9 x 9 pixels (PCNN)",
    "pixels": "single visible pixels, from one to all but one (PCNN)",
    "nothing": "nothing visible",
    "everything": "everything visible",
}
"""Name -> one line for help. Every random kind also takes a range of the visible percentage, such
as freeform@20-40, and freeform@mixture means five ranges equally often."""


@dataclass(frozen=True)
class Kind:
    """A kind of mask as typed, ready to draw."""

    name: str
    """As typed."""
    distribution: Distribution
    visible: Range | None = None
    """What the visible fraction must lie in; None = anything."""
    is_mixture: bool = False
    """Five ranges equally often (`ranges.MIXTURE`)."""

    @property
    def is_random(self) -> bool:
        """Whether two draws may differ."""
        return self.distribution.is_random

    @property
    def absolute(self) -> bool:
        """Whether shapes are measured in pixels, so that size changes the look."""
        return self.distribution.absolute

    def draw(
        self, rng: np.random.Generator, height: int, width: int, stratum: int | None = None
    ) -> Mask:
        """Draw bool [height, width], True = visible.

        stratum: which range of a mixture, taken modulo 5; None draws it. UserError below 8 x 8
        pixels, and if the range cannot be met.
        """
        check_size(self.name, height, width)
        visible, advice = self.visible, "Choose another range or size."
        if self.is_mixture:
            advice = "A mixture needs all five ranges: choose one that it gives, or another kind."
            chosen = int(rng.random() * len(MIXTURE)) if stratum is None else stratum % len(MIXTURE)
            visible = MIXTURE[chosen]
        if visible is not None:
            name = self.name.partition("@")[0]
            return draw_within(self.distribution, rng, height, width, visible, name, advice)
        mask = self.distribution.attempt(rng, height, width, None)
        assert mask is not None  # only a range rejects
        return mask

    def specification(self, height: int, width: int) -> str:
        """Return the canonical text that keys the random streams and names the set."""
        body = self.distribution.parameters(height, width)
        bounds = self._bounds()
        if bounds:
            joint = "" if body.endswith("()") else ";"
            body = f"{body[:-1]}{joint}{bounds})"
        return f"{body}@{height}x{width}"

    def _bounds(self) -> str:
        word = "hole" if isinstance(self.distribution, Freeform) else "visible"
        if self.is_mixture:
            return f"{word}=mixture"
        if self.visible is None:
            return ""
        value = self.visible.as_hole() if word == "hole" else str(self.visible).replace("-", ":")
        return f"{word}={value}"


def check_size(kind: str, height: int, width: int) -> None:
    """Raise UserError for a size below 8 x 8."""
    if min(height, width) < MINIMUM_SIDE:
        raise UserError(
            f"masks of kind {kind} need at least {MINIMUM_SIDE}x{MINIMUM_SIDE} pixels, got "
            f"{height}x{width}."
        )


FREEFORM = {
    "freeform": Freeform(freeform.COMODGAN),
    "freeform-large": Freeform(freeform.MAT_256_LARGE, freeform.MAT_512_LARGE),
    "freeform-small": Freeform(freeform.MAT_256_SMALL, freeform.MAT_512_SMALL),
    "freeform-mat256-large": Freeform(freeform.MAT_256_LARGE),
    "freeform-mat256-small": Freeform(freeform.MAT_256_SMALL),
    "freeform-mat512-large": Freeform(freeform.MAT_512_LARGE),
    "freeform-mat512-small": Freeform(freeform.MAT_512_SMALL),
}

FIXED: dict[str, Distribution] = {
    **FREEFORM,
    **{
        f"{name}-scaled": Freeform(f.tries, f.tries_512, scaled=True)
        for name, f in FREEFORM.items()
    },
    "blobs": Blobs(),
    "centre": boxes.HiddenCentre(),
    "rectangles": boxes.Rectangles(),
    "strokes": Strokes(),
    "strokes-absolute": Strokes(shrink=False),
    "random": Irregular(),
    "rectangle-visible": boxes.RectangleVisible(),
    "pixels": boxes.SinglePixels(),
    "nothing": boxes.Uniform(visible=False),
    "everything": boxes.Uniform(visible=True),
}
"""Kinds that take no parameter."""


def _share(text: str) -> Fraction:
    if not re.fullmatch(r"[0-9./]{1,40}", text):  # Fraction("1e999999999") would not come back
        raise ValueError
    share = Fraction(text)
    if not 0 < share <= 1:
        raise ValueError
    return share


def _pixels(text: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise ValueError
    return int(text)


def _patches(text: str) -> int | None:
    match = re.fullmatch(rf"n=([0-{MOST}])", text)
    if not match:
        raise ValueError
    return int(match[1])


PARAMETRIC: dict[str, tuple[str, str, Callable[[str], Distribution]]] = {
    "patches": ("", "one of n=0 to n=5", lambda t: Patches(n=_patches(t) if t else None)),
    "holes": (
        "",
        "one of n=0 to n=5",
        lambda t: Patches(n=_patches(t) if t else None, hidden=True),
    ),
    "patches-25": ("", "one of n=0 to n=5", lambda t: Patches(0.25, _patches(t) if t else None)),
    "hide-left": ("0.5", "a share in (0, 1]", lambda t: boxes.HiddenSide("left", _share(t))),
    "hide-right": ("0.5", "a share in (0, 1]", lambda t: boxes.HiddenSide("right", _share(t))),
    "hide-top": ("0.5", "a share in (0, 1]", lambda t: boxes.HiddenSide("top", _share(t))),
    "hide-bottom": ("0.5", "a share in (0, 1]", lambda t: boxes.HiddenSide("bottom", _share(t))),
    "edge": ("4", "pixels, at least 1", lambda t: boxes.VisibleEdge(_pixels(t))),
    "centre-visible": ("8", "pixels, at least 1", lambda t: boxes.CentreVisible(_pixels(t))),
}
"""Name -> default of the text after the colon, what it may be, and what it gives."""


@lru_cache(maxsize=256)
def parse(text: str) -> Kind:
    """Read a kind as typed: NAME, NAME:PARAMETER, and @LOW-HIGH or @mixture behind it.

    UserError for unknown names (with the nearest) and unusable parameters.

    >>> parse("hide-top:0.75").specification(32, 32)
    'hide-top(share=0.75)@32x32'
    >>> parse("freeform@80-100").specification(256, 256)
    'freeform(tries=10,5,20;width=12:48;scale=none;hole=0:0.2)@256x256'
    """
    head, at, tail = text.partition("@")
    distribution = _distribution(head)
    visible = EVERY if isinstance(distribution, Freeform) else None
    if not at:
        return Kind(text, distribution, visible)
    if not distribution.is_random:
        raise UserError(f"{text}: {head} is the same mask every time, so it takes no range.")
    if tail == "mixture":
        return Kind(text, distribution, is_mixture=True)
    return Kind(text, distribution, parse_range(tail, head))


def each(text: str) -> tuple[str, ...]:
    """Return the kinds that a text names, one after the other; all but a span of numbers name one.

    >>> each("patches:n=0-2"), each("centre")
    (('patches:n=0', 'patches:n=1', 'patches:n=2'), ('centre',))
    """
    match = re.fullmatch(rf"([a-z0-9-]+:n=)([0-{MOST}])-([0-{MOST}])(@.*)?", text)
    if match is None or match[2] > match[3]:
        return (text,)
    numbers = range(int(match[2]), int(match[3]) + 1)
    return tuple(f"{match[1]}{number}{match[4] or ''}" for number in numbers)


def is_kind(text: str) -> bool:
    """Return whether `text` names a kind (its parameters and range may still be wrong)."""
    name = re.split("[:@]", text, maxsplit=1)[0]
    return name in FIXED or name in PARAMETRIC or _box(name) is not None


def _distribution(text: str) -> Distribution:
    name, colon, parameter = text.partition(":")
    box = _box(name)
    if colon and (name in FIXED or box):
        raise UserError(f"{text}: {name} takes no parameter after a colon.")
    if box:
        return box
    if name in FIXED:
        return FIXED[name]
    if name not in PARAMETRIC:
        raise unknown_name(
            "no mask kind", name, {*KINDS, *FIXED}, "'inpaint masks --list' lists all."
        )
    default, allowed, build = PARAMETRIC[name]
    try:
        return build(parameter if colon else default)
    except (ValueError, ZeroDivisionError) as error:
        raise UserError(f"{brief(text)}: {name} takes {allowed} after the colon.") from error


def _box(name: str) -> boxes.ShareBox | None:
    match = re.fullmatch(r"box-([0-9]{1,3}(?:\.[0-9]{1,18})?)(-random)?", name)
    if not match or not 0 < Fraction(match[1]) <= 100:
        return None
    return boxes.ShareBox(Fraction(match[1]) / 100, is_random=match[2] is not None)
