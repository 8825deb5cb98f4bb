"""Holes that a person paints: over a copy of the photo, or in one colour."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.pictures.colours import in_bytes
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.pictures.ranges import ranged_whole

Colour = tuple[int, int, int]

TOLERANCE = 32
"""Channels may be off by so much of 255: a brush's soft edge, or a lossy file."""
PAINTED, TOUCHED = 48, 20
"""Smoothed differences from here were painted, and what adjoins them from there as well."""


def parse_colour(text: str) -> Colour:
    """Read RRGGBB in hexadecimal digits, with or without #.

    >>> parse_colour("#ff00Ff")
    (255, 0, 255)
    """
    digits = text.strip().removeprefix("#")
    if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
        raise UserError(
            f"{text}: write six hexadecimal digits, such as ff00ff for magenta.",
            setting="mask_colour",
        )
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def of_colour(picture: Picture, colour: Colour) -> Mask:
    """Return what of a picture has not this colour, bool [H, W]: what stays visible.

    Fully transparent pixels have none.
    """
    flat = in_bytes(ranged_whole(picture))
    rgb = flat[..., :3] if flat.shape[2] > 2 else np.repeat(flat[..., :1], 3, axis=2)
    far = np.abs(rgb.astype(np.int16) - np.array(colour, np.int16)).max(axis=2) > TOLERANCE
    return far if flat.shape[2] in (1, 3) else np.asarray(far | (flat[..., -1] == 0))


def unpainted(photo: Picture, copy: Picture, name: str) -> Mask:
    """Return where a painted-over copy still shows the photo, bool [H, W].

    The noise of a lossy copy is smoothed away first. UserError where the copy has another size.
    """
    if (photo.height, photo.width) != (copy.height, copy.width):
        raise UserError(
            f"it has {copy.width}x{copy.height} pixels, the photo {photo.width}x{photo.height} "
            "(width x height). Paint over a copy of the same size.",
            where=name,
        )
    return ~_regions(_difference(photo, copy))


def _difference(photo: Picture, copy: Picture) -> npt.NDArray[np.float32]:
    """Return how far two pictures differ, smoothed over 3 x 3 pixels: float32 [H, W] in 0..255."""
    import cv2

    photo, copy = ranged_whole(photo), ranged_whole(copy)
    same_way = (copy.low < copy.high) == (photo.low < photo.high)
    if same_way and copy.samples.dtype == photo.samples.dtype:
        copy = replace(copy, low=photo.low, high=photo.high)
    pair = []
    for picture in (photo, copy):
        flat = in_bytes(picture)
        rgb = flat[..., :3] if flat.shape[2] > 2 else np.repeat(flat[..., :1], 3, axis=2)
        alpha = flat[..., -1:] if flat.shape[2] in (2, 4) else np.full((*flat.shape[:2], 1), 255)
        pair.append(np.concatenate([rgb, alpha], axis=2).astype(np.float32))
    smoothed = cv2.blur(pair[0] - pair[1], (3, 3))
    return np.asarray(np.abs(smoothed).max(axis=2), np.float32)


def _regions(difference: npt.NDArray[np.float32]) -> Mask:
    """Return the regions that were painted: those that hold a clear difference, closed."""
    import cv2

    touched = (difference >= TOUCHED).astype(np.uint8)
    _, labels = cv2.connectedComponents(touched, connectivity=8)
    painted = np.unique(labels[difference >= PAINTED])
    region = np.isin(labels, painted[painted > 0]).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    # Where the brush has the photo's own colour nothing differs: such gaps are closed.
    return np.asarray(cv2.morphologyEx(region, cv2.MORPH_CLOSE, disc) > 0)
