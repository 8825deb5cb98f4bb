"""Between a photo's window and a model's square: reducing it, and putting the result back unseen.

What is model and what is blending: inside the hole, the fill is the model's picture, scaled to the
window, plus a correction that is whole at the hole's edge and fades to nothing `feather` pixels
inside. The correction is the difference between photo and scaled picture outside the hole, carried
smoothly into it. Outside the hole nothing is ever written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.photos.windows import Mask, bounds
from inpaint_cli.pictures.colours import Values as ColourValues
from inpaint_cli.pictures.membrane import membrane

TOUCHED = 1e-6
"""A model pixel with more than this share of hidden photo pixels under it is hidden."""
FEATHER_MODEL_PX = 2.0
"""The correction fades over this many model pixels, unless `feather` says otherwise."""


def reduce(
    values: ColourValues, visible: Mask, size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return a square window at the model's size: uint8 [size, size, C] and bool [size, size].

    values: float32 [S, S, C] in 0..255; visible: bool [S, S]. A model pixel is visible if no hidden
    photo pixel lies under it, so it is an average of visible ones alone; hidden ones are 0.
    """
    known = values * visible[..., None]
    if len(values) != size:
        visible, known = reduced_mask(visible, size), _resized(known, size)
    clean = np.rint(np.clip(known, 0, 255)) * visible[..., None]
    return clean.astype(np.uint8), visible


def reduced_mask(visible: Mask, size: int) -> Mask:
    """Return a square mask at the model's size, as `reduce` has it."""
    if len(visible) == size:
        return visible
    return np.asarray(_resized((~visible).astype(np.float32), size) <= TOUCHED)


def fill_of(
    picture: npt.NDArray[np.uint8], values: ColourValues, visible: Mask, feather: float | None
) -> ColourValues:
    """Return the fill of a window: float32 [S, S, C] in 0..255, to be used where it is hidden.

    picture: what the model drew, uint8 [size, size, C]; values, visible: the window, as for
    `reduce`. feather: pixels over which the correction fades; None = two model pixels.
    """
    import cv2

    height, width = visible.shape
    scale = max(1.0, height / picture.shape[0])
    feather = FEATHER_MODEL_PX * scale if feather is None else feather
    enlarge = cv2.INTER_CUBIC if height >= picture.shape[0] else cv2.INTER_AREA
    fill = np.empty((height, width, picture.shape[2]), np.float32)
    for channel in range(picture.shape[2]):  # one at a time: windows may be large
        plane = cv2.resize(
            picture[..., channel].astype(np.float32), (width, height), interpolation=enlarge
        )
        fill[..., channel] = plane
    if feather > 0 and visible.any():
        _correct(fill, values, visible, feather)
    np.clip(fill, 0, 255, out=fill)
    return fill


def _correct(fill: ColourValues, values: ColourValues, visible: Mask, feather: float) -> None:
    """Add the fading correction to `fill`, in place, in a box round the hole."""
    import cv2

    box = bounds(~visible).grown(2 + int(feather)).clipped(*visible.shape)
    near = np.ascontiguousarray(visible[box.slices])
    if not near.any():
        return
    inside = cv2.distanceTransform((~near).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    fade = np.clip(1 - (inside - 1) / feather, 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    for channel in range(fill.shape[2]):
        region = fill[..., channel][box.slices]
        difference = values[..., channel][box.slices] - region
        region += fade * membrane(difference, near, ~near)


def _resized(values: npt.NDArray[np.float32], size: int) -> npt.NDArray[Any]:
    import cv2

    method = cv2.INTER_AREA if len(values) > size else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(values), (size, size), interpolation=method)
    return resized[..., None] if values.ndim == 3 and resized.ndim == 2 else resized
