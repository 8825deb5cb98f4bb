"""Masks of people: image files and boxes, white = fill in. Nothing else knows that polarity."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.masks import resize_nearest
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.reporting import Reporter

THRESHOLD = 128
"""Values from here are filled; where alpha decides, alphas below it."""
SOFT = (16, 239)
SOFT_SHARE = 0.05
"""A mask with more than this share of its values within SOFT is remarked on."""
INVERTED_SHARE = 0.95
COLOURED = 32
"""Channels that differ by this much make a colour; less may come from a lossy file."""

Grey = npt.NDArray[np.uint8]


def read_mask(
    source: Path | Image.Image,
    *,
    size: tuple[int, int] | None = None,
    invert: bool = False,
    alpha: bool = False,
    resize: bool = False,
    reporter: Reporter | None = None,
) -> Mask:
    """Read a mask image as bool [H, W], True = visible.

    size: (height, width) of the photo, orientation applied; another size is a UserError unless
    `resize`. invert: black is filled in instead of white. alpha: transparent pixels are filled in,
    whatever their colour. A mask without a hole passes: see `check_hole`, which belongs behind the
    union with boxes.
    """
    name = "mask" if isinstance(source, Image.Image) else str(source)
    image = open_image(source)
    values = 255 - alpha_values(image, name) if alpha else grey_values(image)
    visible = np.asarray(values < THRESHOLD)
    if reporter and np.mean((values >= SOFT[0]) & (values <= SOFT[1])) > SOFT_SHARE:
        reporter.note(
            f"{name}: a grey or soft mask; values of {THRESHOLD} and above are filled in, the rest "
            "stays."
        )
    if invert:
        visible = ~visible
    if size is not None and visible.shape != size:
        visible = fit(visible, size, name, resize)
    return visible


def open_image(source: Path | Image.Image) -> Image.Image:
    """Return the first frame with its EXIF orientation applied. UserError if it is no image."""
    if isinstance(source, Image.Image):
        return ImageOps.exif_transpose(source)
    if not source.is_file():
        raise UserError(f"{source}: no such mask file.")
    try:
        with Image.open(source) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except PermissionError as error:
        raise UserError(f"{source}: may not be read. Check its permissions.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{source}: not a mask image that can be read ({error}). Give a PNG, white = fill in."
        ) from error


def grey_values(image: Image.Image) -> Grey:
    """Return one channel 0..255 [H, W]: luminance, on black where it is transparent."""
    if image.mode.startswith("I"):
        # Kept as integers: Pillow's own conversion to L clips 16-bit values.
        whole = np.asarray(image).astype(np.int64)
        whole = whole // 257 if whole.max(initial=0) > 255 else whole
        return np.clip(whole, 0, 255).astype(np.uint8)
    if image.mode == "F":
        real = np.nan_to_num(np.asarray(image, np.float64))
        real = real * 255 if real.max(initial=0) <= 1 else real
        return np.clip(np.rint(real), 0, 255).astype(np.uint8)
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return np.asarray(Image.alpha_composite(black, coloured).convert("RGB").convert("L"))
    if image.mode not in ("1", "L"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))


def alpha_values(image: Image.Image, name: str) -> Grey:
    """Return the alpha channel [H, W], 0 = transparent. UserError if the image has none."""
    # Pillow cannot make an alpha channel of the one transparent value that a 16-bit PNG may name.
    if not image.has_transparency_data or image.mode.startswith("I"):
        raise UserError(
            f"{name}: has no transparency, so the setting mask_alpha finds no hole. Save it with "
            "an alpha channel, or give a mask file with white where to fill in."
        )
    return np.asarray(image.convert("RGBA").getchannel("A"))


def fit(visible: Mask, size: tuple[int, int], name: str, resize: bool) -> Mask:
    """Return a mask of another size at the photo's, if that was asked for; UserError if not."""
    if resize:
        return resize_nearest(visible, *size)
    (height, width), (photo_height, photo_width) = visible.shape, size
    rotated = " Is it rotated?" if (width, height) == size else ""
    raise UserError(
        f"{name}: the mask has {width}x{height} pixels, the photo {photo_width}x{photo_height} "
        f"(width x height).{rotated} Draw it at the photo's size, or scale it with the setting "
        "resize_mask."
    )


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
    source: Path | None = None,
    invert: bool = False,
    alpha: bool = False,
) -> None:
    """Raise UserError if there is nothing to fill; note that a mask may be inverted.

    source: the mask's file, if there is one. invert, alpha: how it was read; the advice fits that.
    """
    hidden = 1 - float(np.mean(visible))
    if hidden == 0:
        raise UserError(f"{name}: nothing to fill: {_empty_advice(source, invert, alpha)}")
    if reporter and hidden > INVERTED_SHARE:
        advice = "White is filled in; the setting invert_mask turns it round."
        if invert or alpha:
            what, setting = ("Black", "invert_mask") if invert else ("Transparent", "mask_alpha")
            advice = f"{what} is filled in; if white is the hole, leave out the setting {setting}."
        reporter.note(
            f"{name}: {100 * hidden:.1f} % is to be filled. Is the mask inverted? {advice}"
        )


def _empty_advice(source: Path | None, invert: bool, alpha: bool) -> str:
    """Return why a mask has no hole, and what to do about it."""
    if alpha:
        what, switch = ("opaque", "invert_mask") if invert else ("transparent", "mask_alpha")
        return f"no pixel is {what}. If white is the hole, leave out the setting {switch}."
    if invert:
        return "no pixel is black. If white is the hole, leave out the setting invert_mask."
    image = None if source is None else open_image(source)
    if image is not None and (image.has_transparency_data or is_coloured(image)):
        advice = (
            "no pixel is white. Paint the hole in white: other colours count by their brightness"
        )
        return f"{advice}; if it is transparent, add the setting mask_alpha."
    return (
        "no pixel is white. If your mask is black on white, add the setting invert_mask; if its "
        "hole is transparent, mask_alpha."
    )


def is_coloured(image: Image.Image) -> bool:
    """Return whether any pixel is more than a shade of grey."""
    if image.mode in ("1", "L", "F") or image.mode.startswith("I"):
        return False
    colours = np.asarray(image.convert("RGB")).astype(np.int16)
    return bool(np.ptp(colours, axis=2).max(initial=0) >= COLOURED)


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
    number = r"\d+(\.\d+)?%" if percent else r"\d+"
    if len(parts) != 4 or not all(re.fullmatch(number, part, re.ASCII) for part in parts):
        raise UserError(
            f"{text}: write X,Y,W,H: four whole numbers of pixels from the top left corner, "
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
