"""The sheet of one photo, to choose from: where the hole is, what fills it, where fills differ."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.completing import CompletedPhoto
from inpaint_cli.photos.details import captions
from inpaint_cli.photos.intervals import PhotoIntervals
from inpaint_cli.photos.sheets import ScreenPixels, Tile, page
from inpaint_cli.photos.windows import Box, Mask, bounds
from inpaint_cli.pictures.colours import display
from inpaint_cli.pictures.picture import Samples
from inpaint_cli.reporting import percent
from inpaint_cli.streams import shown

TILE_PX = 300
"""The least length of a completion's longer side on the sheet, where nothing else is asked."""
LARGEST = 2
"""Completions are reduced where they are larger than this many tiles square."""
COLUMNS = 4
SHOWN = 64
"""More completions than this are not shown, but count in the map."""
MARGIN_SHARE, MARGIN_PX = 0.3, 24
"""What is shown round a hole: a share of its longer side, at least so many pixels."""
SLIM = 2 / 3
"""Fewer columns are taken where the shorter side of a picture would be less of a tile than this."""
MAP_TOP = 64.0
"""The deviation, in levels of 255, from which the map is at its brightest."""
MOST = 0.5
"""Of a photo that is hidden beyond this share the words under it say how much is left."""
HOLE_COLOUR = (255, 0, 255)
OUTLINE_PX = 2


@dataclass
class Overview:
    """Gathers what the sheet shows of the completions of one photo; never holds a full one."""

    completed: CompletedPhoto
    photo_name: str = ""
    model_name: str = ""
    tile: int = TILE_PX
    calibration: Calibration | None = None
    """Of the model's completions: the sheet then shows how wide intervals are."""
    tiles: list[Tile] = field(default_factory=list)
    _sum: npt.NDArray[np.float64] | float = 0.0
    _squares: npt.NDArray[np.float64] | float = 0.0
    _count: int = 0

    def __post_init__(self) -> None:
        self.view = view_of(self.completed.visible, self.tile)
        n = min(self.completed.request.n, COLUMNS)
        self.columns, self.scale = arrangement(self.view.height, self.view.width, self.tile, n)

    def add(self, samples: Samples, index: int) -> None:
        """Take in one completion: draw `index`, in the order of the files."""
        shown = replace(self.completed.photo, samples=samples)
        pixels = scaled(display(shown, self.view.slices), self.scale)
        values = pixels.astype(np.float64)
        self._sum, self._squares = self._sum + values, self._squares + values**2
        if len(self.tiles) < SHOWN:
            self.tiles.append(Tile(pixels, self._caption(self._count, index)))
        self._count += 1

    def sheet(self, remark: str = "") -> Image.Image:
        """Return the sheet of all completions taken in so far.

        remark: how much they differ, in words, as `Spread.sentence` tells it.
        """
        first = [self._outlined()]
        if self._count > 1 and self.deviation().any():
            first.append(self._map())
        if self.calibration is not None and self.completed.windows:
            first.append(self._widths(self.calibration))
        lines = [self._title(), self._figures(remark)]
        return page([line for line in lines if line], first, self.tiles, self.columns)

    def deviation(self) -> npt.NDArray[np.float64]:
        """Return the standard deviation over completions, averaged over colours, [h, w]."""
        mean = self._sum / self._count
        variance = np.maximum(np.asarray(self._squares / self._count - mean**2), 0).mean(axis=2)
        return np.asarray(np.sqrt(variance * self._count / (self._count - 1)))

    def _title(self) -> str:
        request = self.completed.request
        count = f"{request.n} completion{'s' * (request.n > 1)}"
        if 0 < self._count < request.n:
            count = f"{self._count} of {count}"
        left_out = f", the first {SHOWN} shown" if self._count > SHOWN else ""
        if request.reconstruct:
            return ", ".join([shown(self.photo_name), self.model_name, "reconstruction"])
        parts = [shown(self.photo_name), self.model_name, f"seed {request.seed}", count + left_out]
        return ", ".join(filter(None, parts))

    def _figures(self, remark: str) -> str:
        photo = self.completed.photo
        share = f"{percent(self.completed.hole_fraction)} hidden"
        if self.completed.request.reconstruct:
            height, width = self.completed.windows[0].pictures.shape[1:3]
            share = f"seen by the model at {width} x {height}"
        size = f"{photo.width} x {photo.height} pixels"
        shown = "at 1:1" if self.scale == 1 else f"at {self.scale:.2g}:1"
        if self.scale < 1:
            shown = f"reduced to {100 * self.scale:.0f} %"
        what = "Shown" if self.completed.request.reconstruct else "Fills are shown"
        return f"{'; '.join(filter(None, [f'{size}, {share}', remark]))}. {what} {shown}."

    def _outlined(self) -> Tile:
        """Return the whole photo, its hole outlined, in the room of two tiles."""
        photo, visible = self.completed.photo, self.completed.visible
        whole = Box(0, 0, photo.height, photo.width)
        limit = self.columns * max(self.tile, round(self.view.width * self.scale))
        room = max(self.tile, round(self.view.height * self.scale))
        full = float(math.ceil(self.tile / max(photo.height, photo.width)))
        beside = max(limit - round(self.view.width * self.scale) - MARGIN_PX, limit / 2)
        scale = min(full, beside / photo.width, 1.5 * room / photo.height)
        scale = scale if scale < 1 else float(int(scale))
        pixels = scaled(display(photo, whole.slices), scale).copy()
        if self.completed.request.reconstruct:
            return Tile(pixels, "the photo")
        height, width = pixels.shape[:2]
        if self.view != whole:
            _draw_frame(pixels, self.view, scale)
        covered = cv2.resize(
            (~visible).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA
        )
        outline(pixels, np.asarray(covered) > 0)
        caption = "the hole"
        if self.completed.hole_fraction > MOST:
            # The line then goes round what is left, too, which may look like a hole.
            left = 100 * (1 - self.completed.hole_fraction)
            caption += f": all but {left:.2g} % of the photo" if left else ": all of the photo"
        if self.view != whole:
            caption += f"; the frame, shown below, begins at x={self.view.left}, y={self.view.top}"
        return Tile(pixels, caption)

    def _map(self) -> Tile:
        pixels = coloured(self.deviation() / MAP_TOP)
        return Tile(
            pixels,
            f"where they differ: dark = 0, brightest = a deviation of {MAP_TOP:.0f} of 255 or more",
        )

    def _widths(self, calibration: Calibration) -> Tile:
        intervals = PhotoIntervals(self.completed, calibration)
        widths = coloured(intervals.width[self.view.slices])
        return Tile(scaled(widths, self.scale), intervals.caption)

    def _caption(self, number: int, index: int) -> str:
        """Return the words under a completion: the number of its file first."""
        log_prob = self.completed.log_prob
        if self.completed.request.reconstruct:
            return "what the model makes of it"
        name = f"{number}" if number == index else f"{number} (draw {index})"
        if log_prob is not None:
            least = ">= " if self.completed.log_prob_kind == "lower bound" else ""
            name = f"{name}: {least}{log_prob[index]:.1f} nats"
        declared = self.completed.request.details
        return "\n".join([name, *captions(self.completed.details, index, declared)])


def coloured(values: npt.NDArray[np.float64]) -> ScreenPixels:
    """Return values in 0..1 in the perceptually even colours of viridis, as uint8 [h, w, 3]."""
    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def scaled(pixels: ScreenPixels, scale: float) -> ScreenPixels:
    """Return a picture reduced with smoothing, or enlarged with each pixel repeated."""
    if scale == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def outline(pixels: ScreenPixels, hidden: Mask) -> None:
    """Draw a line round a hole, outside it, so that what lies under it is seen.

    Where it ends at the border of the picture there is no outside, and the line lies inside it.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * OUTLINE_PX + 1,) * 2)
    near = cv2.dilate(hidden.astype(np.uint8), disc) > 0
    pixels[(near & ~hidden) | (hidden & _at_border(hidden))] = HOLE_COLOUR


def arrangement(height: int, width: int, tile: int, most: int) -> tuple[int, float]:
    """Return how many pictures of this size stand side by side, and the scale of each.

    Tiny ones are repeated to a tile's size, large ones reduced to the area of the largest tile;
    wide ones have fewer columns, so that they are not reduced to strips.

    >>> arrangement(300, 400, 300, 4), arrangement(28, 28, 300, 4)
    ((4, 1.0), (4, 11.0))
    >>> arrangement(400, 2304, 300, 4)[0]
    2
    """
    full = float(math.ceil(tile / max(height, width)))
    largest = LARGEST * tile
    full = min(full, largest / math.sqrt(height * width))
    full = full if full < 1 else float(int(full))
    scale = full
    for columns in range(most, 0, -1):
        scale = min(full, COLUMNS * largest / columns / width, 2 * largest / height)
        if scale == full or scale * min(height, width) >= SLIM * tile:
            return columns, scale
    return 1, scale


def view_of(visible: Mask, tile: int = TILE_PX) -> Box:
    """Return the part of the photo to show: the holes and what is near, half a tile at least."""
    height, width = visible.shape
    hole = bounds(~visible)
    longest = max(hole.height, hole.width)
    near = hole.grown(max(MARGIN_PX, math.ceil(MARGIN_SHARE * longest)))
    least = tile // 2 if max(near.height, near.width) <= tile // 2 else tile
    top, bottom = _stretched(near.top, near.bottom, least, height)
    left, right = _stretched(near.left, near.right, least, width)
    return Box(top, left, bottom, right)


def _stretched(start: int, end: int, least: int, limit: int) -> tuple[int, int]:
    """Return start..end, widened to `least` and moved inside 0..limit, as far as that goes."""
    more = max(0, least - (end - start))
    start, end = start - more // 2, end + more - more // 2
    if start < 0:
        # What is missing on one side is taken from the other only as far as `least` asks for it.
        start, end = 0, max(end, min(least, limit))
    if end > limit:
        start, end = max(0, min(start, limit - least)), limit
    return start, end


def _at_border(hidden: Mask) -> Mask:
    inner = np.zeros_like(hidden)
    inner[OUTLINE_PX:-OUTLINE_PX, OUTLINE_PX:-OUTLINE_PX] = True
    return ~inner


def _draw_frame(pixels: ScreenPixels, view: Box, scale: float) -> None:
    """Draw the edge of the part that is shown below: white within black, seen on any ground."""
    corners = [round(scale * edge) for edge in (view.left, view.top, view.right, view.bottom)]
    left, top, right, bottom = corners
    for by, colour in ((0, (0, 0, 0)), (1, (255, 255, 255)), (2, (255, 255, 255))):
        first, last = (left + by, top + by), (right - 1 - by, bottom - 1 - by)
        cv2.rectangle(pixels, first, last, colour, 1)
