"""What the autoencoder of a model makes of a whole photo, which it sees at its own size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from inpaint_cli.photos.cutting import model_input, window_colours
from inpaint_cli.photos.drawing import as_tensor
from inpaint_cli.photos.parts import whole_hole
from inpaint_cli.photos.structure import CompletedWindow
from inpaint_cli.photos.windows import Box
from inpaint_cli.pictures.colours import Values as ColourValues

if TYPE_CHECKING:
    from inpaint_cli.family import Model
    from inpaint_cli.pictures.picture import Picture

_Bytes = npt.NDArray[np.uint8]


def reconstructed(photo: Picture, model: Model) -> tuple[CompletedWindow, float]:
    """Return the photo as the model gives it back, and its PSNR at the model's size in decibels.

    Nothing of the photo is kept. Beyond a photo that is no square its edges are repeated.
    """
    shape = photo.height, photo.width
    window = _square(*shape) if model.size else Box(0, 0, *shape)
    inside = Box(0, 0, *shape).moved(-window.top, -window.left)
    values = window_colours(photo, np.ones(shape, np.bool_), window, model.channels)
    values = _edged(values, inside)
    image, _ = model_input(values, np.ones(values.shape[:2], np.bool_), model.size)
    picture = _given_back(image, model)
    completed = CompletedWindow(
        whole_hole(np.ones(shape, np.bool_)),
        window,
        np.zeros(values.shape[:2], np.bool_),
        picture[None],
        hidden_values=picture.size,
    )
    place = _scaled(inside, len(image) / len(values)).slices
    return completed, psnr(image[place], picture[place])


def psnr(image: _Bytes, other: _Bytes) -> float:
    """Return the peak signal-to-noise ratio of two pictures in decibels.

    >>> psnr(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8))
    0.0
    """
    square = np.square(image.astype(np.float64) - other).mean()
    return float("inf") if square == 0 else float(10 * np.log10(255**2 / square))


def _square(height: int, width: int) -> Box:
    """Return the square round a photo, the photo in its middle."""
    side = max(height, width)
    top, left = -((side - height) // 2), -((side - width) // 2)
    return Box(top, left, top + side, left + side)


def _scaled(box: Box, factor: float) -> Box:
    """Return a box in pixels of another size, at least one of them."""
    top, left = round(box.top * factor), round(box.left * factor)
    bottom, right = round(box.bottom * factor), round(box.right * factor)
    return Box(top, left, max(bottom, top + 1), max(right, left + 1))


def _edged(values: ColourValues, inside: Box) -> ColourValues:
    """Return the values of a window with those inside a box repeated beyond it."""
    height, width = values.shape[:2]
    beyond = (
        (inside.top, height - inside.bottom),
        (inside.left, width - inside.right),
        (0, 0),
    )
    if not any(map(any, beyond)):
        return values
    return np.pad(values[inside.slices], beyond, mode="edge")


def _given_back(image: _Bytes, model: Model) -> _Bytes:
    """Return what the model makes of one picture uint8 [H, W, C]."""
    given = model.reconstruct(as_tensor(image, model))[0].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(given)
