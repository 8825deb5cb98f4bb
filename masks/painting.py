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
NOISY = 0.02
"""Copies that differ elsewhere in more than this share of the pixels were not kept as they were."""
RIM, TINTED = 4, 0.15
"""How far a blurred edge reaches, and the share of a colour that a pixel there has."""


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


def of_colour(picture: Picture, colour: Colour) -> tuple[Mask, bool]:
    """Return what of a picture has not this colour, bool [H, W], and whether its edge is blurred.

    What has not stays visible. Fully transparent pixels have no colour. A soft brush or a lossy
    file blurs the edge: pixels beside the colour have some of it, and are not within `TOLERANCE`.
    """
    flat = in_bytes(ranged_whole(picture))
    rgb = flat[..., :3] if flat.shape[2] > 2 else np.repeat(flat[..., :1], 3, axis=2)
    far = np.abs(rgb.astype(np.int16) - np.array(colour, np.int16)).max(axis=2) > TOLERANCE
    if flat.shape[2] not in (1, 3):
        far |= flat[..., -1] == 0
    return far, _is_blurred(rgb, ~far, np.array(colour, np.float32))


def _is_blurred(rgb: npt.NDArray[np.uint8], hole: Mask, colour: npt.NDArray[np.float32]) -> bool:
    """Return whether most pixels along a hole are its colour mixed with what is farther away."""
    import cv2

    if not hole.any() or hole.all():
        return False
    inside = hole.astype(np.uint8)
    near, zone = (
        cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1))) > 0
        for r in (1, RIM)
    )
    beyond = (~zone).astype(np.float32)
    side = (4 * RIM + 1, 4 * RIM + 1)
    share = np.maximum(cv2.blur(beyond, side), 1e-6)[..., None]
    around = np.asarray(cv2.blur(rgb * beyond[..., None], side) / share, np.float32)
    rim = near & ~hole
    towards, moved = colour - around[rim], rgb[rim] - around[rim]
    tint = (moved * towards).sum(axis=1) / np.maximum((towards**2).sum(axis=1), 1)
    return bool(np.mean(tint > TINTED) > 0.5)


def unpainted(photo: Picture, copy: Picture, name: str) -> Mask:
    """Return where a painted-over copy still shows the photo, bool [H, W].

    Where the two are equal but for what was painted, each pixel that differs counts; otherwise the
    noise of a lossy copy is smoothed away first. UserError where the copy has another size.
    """
    if (photo.height, photo.width) != (copy.height, copy.width):
        raise UserError(
            f"it has {copy.width}x{copy.height} pixels, the photo {photo.width}x{photo.height} "
            "(width x height). Paint over a copy of the same size.",
            where=name,
        )
    import cv2

    change = _change(photo, copy)
    regions = _regions(np.abs(cv2.blur(change, (3, 3))).max(axis=2))
    differs, rest = np.asarray(change.any(axis=2)), regions == 0
    if rest.any() and differs[rest].mean() < NOISY:
        regions = np.asarray(differs, np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    # Where the brush has the photo's own colour nothing differs: such gaps are closed.
    return np.asarray(cv2.morphologyEx(regions, cv2.MORPH_CLOSE, disc) == 0)


def shows(copy: Picture, photo: Picture, where: Mask) -> bool:
    """Return whether a picture looks like a photo in most of the pixels `where` is True.

    where: bool [H, W] of the copy; a picture of another size shows another photo.
    """
    if (photo.height, photo.width) != (copy.height, copy.width):
        return False
    near = np.abs(_change(photo, copy)).max(axis=2) < TOUCHED
    return bool(near[where].mean() > 0.5)


def _change(photo: Picture, copy: Picture) -> npt.NDArray[np.float32]:
    """Return what was added to a photo, RGB and alpha: float32 [H, W, 4], up to 255 either way."""
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
    change = pair[1] - pair[0]
    # Editors give what nobody sees another colour.
    change[(pair[0][..., 3] == 0) & (pair[1][..., 3] == 0)] = 0
    return change


def _regions(difference: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the regions, uint8 [H, W], that hold a clear difference."""
    import cv2

    touched = (difference >= TOUCHED).astype(np.uint8)
    _, labels = cv2.connectedComponents(touched, connectivity=8)
    painted = np.unique(labels[difference >= PAINTED])
    return np.isin(labels, painted[painted > 0]).astype(np.uint8)
