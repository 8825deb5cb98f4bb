"""The sheet of one photo: input, hole, completions, their mean, and where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.photos.completing import CompletedPhoto
from inpaint_cli.photos.details import captions
from inpaint_cli.photos.sheets import ScreenPixels, captioned
from inpaint_cli.photos.windows import Box, bounds
from inpaint_cli.pictures.colours import display
from inpaint_cli.pictures.picture import Samples

TILE_PX = 192
COLUMNS = 4
SHOWN = 64
"""More completions than this are not shown, but count in mean and uncertainty."""
HOLE_COLOUR = (255, 0, 255)
ZOOM_SHARE = 0.5
"""The sheet zooms in if hole and context take less than this share of the photo's sides."""


@dataclass
class Overview:
    """Gathers the reduced completions of one photo; never holds a full one."""

    completed: CompletedPhoto
    tiles: list[tuple[ScreenPixels, str]] = field(default_factory=list)
    _sum: npt.NDArray[np.float64] | float = 0.0
    _squares: npt.NDArray[np.float64] | float = 0.0
    _count: int = 0

    def __post_init__(self) -> None:
        self.region = view_of(self.completed).slices

    def add(self, samples: Samples, index: int) -> None:
        """Take in one completion: draw `index`, in the order of the files."""
        shown = replace(self.completed.photo, samples=samples)
        small = reduced(display(shown, self.region))
        values = small.astype(np.float64)
        self._sum, self._squares = self._sum + values, self._squares + values**2
        if len(self.tiles) < SHOWN:
            self.tiles.append((small, self._caption(self._count, index)))
        self._count += 1

    def sheet(self) -> Image.Image:
        """Return the sheet of all completions taken in so far."""
        photo, visible = self.completed.photo, self.completed.visible[self.region]
        shown = display(photo, self.region)
        input_tile, hole = reduced(shown), shown.copy()
        hole[~visible] = HOLE_COLOUR
        share = f"{100 * self.completed.hole_fraction:.1f} % hidden"
        first = [(input_tile, self._input_caption()), (reduced(hole), f"hole: {share}")]
        if self._count == 1:
            return captioned([first + self.tiles], tile=TILE_PX)
        first += [(self._mean(), f"mean of {self._count}"), self._uncertainty()]
        rows: list[Sequence[tuple[ScreenPixels, str]]] = [first]
        rows += [self.tiles[i : i + COLUMNS] for i in range(0, len(self.tiles), COLUMNS)]
        return captioned(rows, tile=TILE_PX)

    def _caption(self, number: int, index: int) -> str:
        """Return the words under a completion: the number of its file first."""
        log_prob = self.completed.log_prob
        name = f"{number}" if number == index else f"{number} (draw {index})"
        if log_prob is not None:
            least = ">= " if self.completed.log_prob_kind == "lower bound" else ""
            name = f"{name}: {least}{log_prob[index]:.1f} nats"
        declared = self.completed.request.details
        return "\n".join([name, *captions(self.completed.details, index, declared)])

    def _input_caption(self) -> str:
        photo = self.completed.photo
        rows, columns = self.region
        whole = (
            rows.stop - rows.start == photo.height and columns.stop - columns.start == photo.width
        )
        return "input" if whole else f"input, cut at x {columns.start}, y {rows.start}"

    def _mean(self) -> ScreenPixels:
        return np.rint(self._sum / self._count).astype(np.uint8)

    def _uncertainty(self) -> tuple[ScreenPixels, str]:
        """Return the standard deviation over completions, averaged over colours, as a map."""
        mean = self._sum / self._count
        variance = np.maximum(np.asarray(self._squares / self._count - mean**2), 0).mean(axis=2)
        deviation = np.sqrt(variance * self._count / (self._count - 1))
        top = float(deviation.max())
        return coloured(deviation / max(top, 1e-9)), f"std: 0 dark to {top:.0f} of 255 bright"


def coloured(values: npt.NDArray[np.float64]) -> ScreenPixels:
    """Return values in 0..1 in the perceptually even colours of viridis, as uint8 [h, w, 3]."""
    import cv2

    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def reduced(pixels: ScreenPixels) -> ScreenPixels:
    """Return a picture with sides of at most a tile; smaller ones as they are."""
    import cv2

    height, width = pixels.shape[:2]
    scale = TILE_PX / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def view_of(completed: CompletedPhoto) -> Box:
    """Return the part of the photo to show: all of it, or round the holes where they are small."""
    height, width = completed.visible.shape
    whole = Box(0, 0, height, width)
    hole = bounds(~completed.visible)
    near = hole.grown(max(8, max(hole.height, hole.width) // 2)).clipped(height, width)
    small = max(near.height / height, near.width / width) < ZOOM_SHARE
    return near if small and max(height, width) > TILE_PX else whole
