"""Intervals of a completed photo: the pictures of their ends and of their width."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.completing import CompletedPhoto
from inpaint_cli.photos.structure import CompletedWindow
from inpaint_cli.pictures.colours import display
from inpaint_cli.pictures.picture import Picture, of_array

ENDINGS = {"low": "-low.png", "high": "-high.png", "width": "-width.png"}
"""Key of a record -> ending of the file."""
HAIR = 1e-6
"""Of a level of 255: what ends of intervals may be beside the level that they are."""
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PhotoIntervals:
    """What calibrated intervals say of the hidden pixels of one photo.

    They are of the model's pictures: where the model is smaller than the hole, each of its pixels
    stands for a square of the photo's.
    """

    completed: CompletedPhoto = field(repr=False)
    calibration: Calibration

    @cached_property
    def ends(self) -> tuple[Values, Values]:
        """Lower and upper ends [H, W, C] in 0..1; both 0 where something is visible."""
        photo, channels = self.completed.photo, self.completed.windows[0].pictures.shape[3]
        low = np.zeros((photo.height, photo.width, channels))
        high = np.zeros_like(low)
        for window in self.completed.windows:
            pixels = window.part.pixels
            for whole, part in zip((low, high), self._of_window(window), strict=True):
                whole[window.part.box.slices][pixels] = part[pixels]
        low[self.completed.visible] = high[self.completed.visible] = 0
        return low, high

    @property
    def width(self) -> Values:
        """The width of the intervals [H, W] in 0..1, mean over colours; 0 where visible."""
        low, high = self.ends
        return np.asarray((high - low).mean(axis=2))

    @property
    def caption(self) -> str:
        """What the picture of the widths shows, for a sheet."""
        level = f"{100 * self.calibration.level:g} %"
        scale = max(window.scale for window in self.completed.windows)
        whose = ", of the model's picture, enlarged" if scale > 1 else ""
        return (
            f"width of {level} intervals{whose}: dark = 0, brightest = black to white; calibrated "
            f"on {self.calibration.data}"
        )

    def pictures(self) -> dict[str, Picture]:
        """Return the pictures of the ends, in colour with the visible pixels, and of the width."""
        hidden = ~self.completed.visible
        pictures = {}
        # Outwards, but no level further for what rounding and the slack of intervals add.
        rounds = ("low", np.floor, HAIR), ("high", np.ceil, -HAIR)
        for (name, rounded, less), end in zip(rounds, self.ends, strict=True):
            shown = display(self.completed.photo).copy()
            shown[hidden] = rounded(255 * end[hidden] + less)
            pictures[name] = of_array(shown)
        pictures["width"] = of_array(np.rint(65535 * self.width).astype(np.uint16)[..., None])
        return pictures

    def _of_window(self, window: CompletedWindow) -> tuple[Values, Values]:
        """Return the ends in the box of a window's part."""
        side, box = window.pictures.shape[1], window.window
        values = window.pictures[0].size
        # Divided once, as where the factor was found: 1 - 0.8 is below 0.2.
        share = (values - window.hidden_values) / values
        ends = self.calibration.intervals(window.pictures / 255.0, share)
        inside = window.part.box.moved(-box.top, -box.left).slices
        if box.height == side:
            return ends[0][inside], ends[1][inside]
        size = box.width, box.height
        low, high = (
            np.atleast_3d(cv2.resize(end, size, interpolation=cv2.INTER_NEAREST)) for end in ends
        )
        return np.asarray(low[inside], np.float64), np.asarray(high[inside], np.float64)
