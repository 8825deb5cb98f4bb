"""Masks of people: image files and boxes, white = fill in. Nothing else knows that polarity."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.masks import resize_nearest
from inpaint_cli.masks.painting import shows
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.parsing import brief
from inpaint_cli.pictures.mask_levels import (
    Grey,
    alpha_of,
    is_coloured,
    mask_values,
    with_values,
)
from inpaint_cli.pictures.picture import FIRST_OF, Picture, of_array
from inpaint_cli.pictures.reading import of_image, read
from inpaint_cli.reporting import Reporter, percent

THRESHOLD = 128
"""Values from here are filled; where alpha decides, alphas below it."""
SOFT = (16, 239)
SOFT_SHARE = 0.05
"""A mask with more than this share of its values within SOFT is remarked on."""
INVERTED_SHARE = 0.7
"""Larger holes are rare; a small one that is turned round hides more than this."""

MaskSource = Path | Image.Image | npt.NDArray[Any]


def read_mask(
    source: MaskSource,
    *,
    size: tuple[int, int] | None = None,
    invert: bool = False,
    alpha: bool = False,
    resize: bool | None = None,
    values: Collection[int] = (),
    huge: bool = False,
    photo: Picture | Path | None = None,
    reporter: Reporter | None = None,
) -> Mask:
    """Read a mask image as bool [H, W], True = visible.

    size: (height, width) of the photo, orientation applied; another size is a UserError unless
    `resize`, which it advises where that is False: None = cannot be asked for, as no setting of
    masks can. invert: black is filled in instead of white. alpha: transparent pixels are filled in,
    whatever their colour. values: what has one of these values (of a palette: indices) is filled
    in. photo: a grey mask that shows this very photo is a UserError. A mask without a hole passes:
    see `check_hole`, which belongs behind the union with boxes.
    """
    picture, name = open_mask(source, huge)
    if values:
        visible = ~with_values(picture, values, name)
    else:
        levels = 255 - _alpha(picture, name) if alpha else _grey(picture, name, reporter)
        soft = _soft(levels)
        if not alpha and np.mean(soft) > SOFT_SHARE:
            swapped = False
            if photo is not None:
                original = photo if isinstance(photo, Picture) else read(photo, huge=huge)
                _refuse_photo(picture, original, soft, name, asked=resize is not None)
                swapped = _like_a_mask(original)
            _note_soft(name, swapped, reporter)
        visible = np.asarray(levels < THRESHOLD)
    if invert:
        visible = ~visible
    if size is not None and visible.shape != size:
        visible = fit(visible, size, name, resize)
    return visible


def open_mask(source: MaskSource, huge: bool) -> tuple[Picture, str]:
    """Return a mask as a picture, upright, and its name; UserError if it is none."""
    if isinstance(source, Image.Image):
        return of_image(source, "mask"), "mask"
    if isinstance(source, np.ndarray):
        return of_array(source), "mask"
    if not source.is_file():
        raise UserError(f"{source}: no such mask file.")
    return read(source, huge=huge), str(source)


def _grey(picture: Picture, name: str, reporter: Reporter | None) -> Grey:
    """Return one channel 0..255 [H, W]; remarks on masks that are not black and white."""
    if picture.is_float and not np.isfinite(picture.samples).all():
        raise UserError(
            f"{name}: holds values that are no numbers (NaN or infinite). Write 1 where to fill in "
            "and 0 elsewhere."
        )
    levels = mask_values(picture)
    values = levels.values
    if reporter:
        for note in [note for note in picture.notes if note.startswith(FIRST_OF)]:
            reporter.note(f"{name}: {note}.")
    if reporter and levels.note:
        reporter.note(f"{name}: {levels.note}.")
    return values


def _soft(levels: Grey) -> Mask:
    """Return where a mask is neither black nor white."""
    return np.asarray((levels >= SOFT[0]) & (levels <= SOFT[1]))


def _like_a_mask(photo: Picture) -> bool:
    """Return whether a photo has black and white in it, and hardly anything between."""
    if photo.is_float:
        return False
    levels = mask_values(photo).values
    both = bool((levels < SOFT[0]).any() and (levels > SOFT[1]).any())
    return both and float(np.mean(_soft(levels))) <= SOFT_SHARE


def _note_soft(name: str, swapped: bool, reporter: Reporter | None) -> None:
    if reporter:
        asked = " The photo is black and white: are photo and mask swapped?" if swapped else ""
        reporter.note(
            f"{name}: a grey or soft mask; values of {THRESHOLD} and above are filled in, the rest "
            f"stays.{asked}"
        )


def _refuse_photo(mask: Picture, photo: Picture, soft: Mask, name: str, asked: bool) -> None:
    """Raise UserError for the photo itself, or a painted-over copy of it, given as its mask.

    soft: where the mask is neither black nor white. asked: whether settings can be advised.
    """
    if not shows(mask, photo, soft):
        return
    copy = " What was painted over a copy of the photo goes to the setting mask_painted."
    raise UserError(
        f"{name}: shows the photo itself, which is no mask. Give a picture that is white where to "
        f"fill in and black elsewhere.{copy if asked else ''}"
    )


def _alpha(picture: Picture, name: str) -> Grey:
    """Return the alpha channel [H, W], 0 = transparent. UserError if the mask has none."""
    values = alpha_of(picture)
    if values is None:
        raise UserError(
            f"{name}: has no transparency, so the setting mask_alpha finds no hole. Save it with "
            "an alpha channel, or give a mask file with white where to fill in."
        )
    return values


def fit(visible: Mask, size: tuple[int, int], name: str, resize: bool | None) -> Mask:
    """Return a mask of another size at the photo's, if that was asked for; UserError if not."""
    if resize:
        return resized(visible, *size)
    (height, width), (photo_height, photo_width) = visible.shape, size
    rotated = " Is it rotated?" if (width, height) == size else ""
    raise UserError(
        f"{name}: the mask has {width}x{height} pixels, the photo {photo_width}x{photo_height} "
        f"(width x height).{rotated} Draw it at the photo's size"
        + (", or scale it with the setting resize_mask." if resize is False else ".")
    )


def resized(visible: Mask, height: int, width: int) -> Mask:
    """Return a mask of another size; a pixel is hidden if any under it is.

    >>> resized(np.array([[True, True, False, True]]), 1, 2).tolist()
    [[True, False]]
    """
    parts = visible
    for axis, length in enumerate((height, width)):
        stored = parts.shape[axis]
        if length >= stored:
            continue
        starts = np.arange(length) * stored // length
        ends = -(-np.arange(1, length + 1) * stored // length)
        before = np.insert(np.cumsum(~parts, axis=axis, dtype=np.int32), 0, 0, axis=axis)
        hidden = np.take(before, ends, axis=axis) - np.take(before, starts, axis=axis)
        parts = hidden == 0
    return resize_nearest(parts, height, width)


def apply_grow(visible: Mask, radius: int) -> Mask:
    """Enlarge the hole by a disc of `radius` pixels. UserError for a negative radius."""
    if radius < 0:
        raise UserError(f"must not be negative, got {radius}.", setting="grow")
    if radius == 0:
        return visible
    import cv2

    # A wider disc than the picture's diagonal changes nothing, but its kernel takes memory.
    radius = min(radius, math.ceil(math.hypot(*visible.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate((~visible).astype(np.uint8), disc) == 0)


def check_hole(
    visible: Mask,
    name: str = "mask",
    reporter: Reporter | None = None,
    *,
    source: MaskSource | None = None,
    invert: bool = False,
    alpha: bool = False,
) -> None:
    """Raise UserError if there is nothing to fill; note that a mask may be inverted.

    source: the mask itself, if there is one. invert, alpha: how it was read; the advice fits that.
    """
    hidden = 1 - float(np.mean(visible))
    if hidden == 0:
        raise UserError(f"{name}: nothing to fill: {_empty_advice(source, invert, alpha)}")
    if reporter and hidden > INVERTED_SHARE:
        reporter.note(
            f"{name}: {percent(hidden)} is to be filled. Is the mask inverted? "
            f"{_full_advice(source, invert, alpha)}"
        )


def _full_advice(source: MaskSource | None, invert: bool, alpha: bool) -> str:
    """Return what is filled in of a mask that hides nearly all, and what to do about it."""
    if invert or alpha:
        what, setting = ("Black", "invert_mask") if invert else ("Transparent", "mask_alpha")
        return f"{what} is filled in; if white is the hole, leave out the setting {setting}."
    values = None if source is None else alpha_of(open_mask(source, huge=True)[0])
    if values is not None and (values < THRESHOLD).any():
        return "White is filled in; if what is transparent is the hole, add the setting mask_alpha."
    return "White is filled in; the setting invert_mask turns it round."


def _empty_advice(source: MaskSource | None, invert: bool, alpha: bool) -> str:
    """Return why a mask has no hole, and what to do about it."""
    if alpha:
        what, switch = ("opaque", "invert_mask") if invert else ("transparent", "mask_alpha")
        return f"no pixel is {what}. If white is the hole, leave out the setting {switch}."
    if invert:
        return "no pixel is black. If white is the hole, leave out the setting invert_mask."
    picture = None if source is None else open_mask(source, huge=True)[0]
    if picture is not None and (picture.extras or is_coloured(picture)):
        advice = (
            "no pixel is white. Paint the hole in white: other colours count by their brightness"
        )
        return f"{advice}; if it is transparent, add the setting mask_alpha."
    # Turned round, a mask that is dark everywhere would hide everything: that is no advice.
    values = () if picture is None else mask_values(picture).distinct
    numbers = [f"{value:g}" for value in values]
    if not numbers:
        return "no pixel is white. Paint the hole in white."
    if len(numbers) == 1:
        return f"its only value is {numbers[0]}. Paint the hole in white."
    label = next(value for value in reversed(values) if value != 0)  # which the rest has
    return (
        f"its values are {', '.join(numbers[:-1])} and {numbers[-1]}, none of them bright. Choose "
        f"what is filled in by the setting mask_values, such as {label:g}."
    )


def write_mask(path: Path, visible: Mask) -> None:
    """Write bool [H, W] as an 8-bit grey PNG, 255 = fill in; `read_mask` reads the same back."""
    with replacing(path) as temporary:
        Image.fromarray(np.where(visible, 0, 255).astype(np.uint8)).save(temporary, format="PNG")


@dataclass(frozen=True)
class UserBox:
    """A box to fill in, as typed."""

    text: str
    x: Fraction
    y: Fraction
    width: Fraction
    height: Fraction
    percent: bool
    """Percent of the photo's width and height; else pixels."""

    def edges(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return top, bottom, left, right in pixels of a photo, clipped to it; ends excluded.

        UserError if no pixel is inside.
        """
        across, down = (width, height) if self.percent else (100, 100)
        left, right = (_nearest(v * across / 100) for v in (self.x, self.x + self.width))
        top, bottom = (_nearest(v * down / 100) for v in (self.y, self.y + self.height))
        right, bottom = min(right, width), min(bottom, height)
        if left >= right or top >= bottom:
            raise UserError(
                f"{self.text} holds no pixel of the photo, which has {width}x{height} "
                "(width x height).",
                setting="box",
            )
        return top, bottom, left, right


def parse_box(text: str) -> UserBox:
    """Read "X,Y,W,H": whole pixels, or percentages of the photo. UserError for anything else.

    >>> parse_box("10,20,5,5").edges(100, 100)
    (20, 25, 10, 15)
    >>> parse_box("10%,20%,50%,50%").edges(100, 200)
    (20, 70, 20, 120)
    """
    parts = [part.strip() for part in text.split(",")]
    percent = all(part.endswith("%") for part in parts)
    number = r"\d{1,18}(\.\d{1,18})?%" if percent else r"\d{1,18}"
    if len(parts) != 4 or not all(re.fullmatch(number, part, re.ASCII) for part in parts):
        raise UserError(
            f"{brief(text)}: write X,Y,W,H: four whole numbers of pixels from the top left corner, "
            "such as 40,60,100,80, or four percentages, such as 10%,20%,50%,50%.",
            setting="box",
        )
    x, y, width, height = (Fraction(part.rstrip("%")) for part in parts)
    if width == 0 or height == 0:
        raise UserError(f"{text}: width and height must be above 0.", setting="box")
    return UserBox(text, x, y, width, height, percent)


def hide_boxes(visible: Mask, boxes: Iterable[UserBox]) -> Mask:
    """Return `visible` with the boxes hidden as well; `visible` itself stays as it is."""
    visible = visible.copy()
    for box in boxes:
        top, bottom, left, right = box.edges(*visible.shape)
        visible[top:bottom, left:right] = False
    return visible


def _nearest(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))
