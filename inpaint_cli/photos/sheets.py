"""Sheets: labelled grids of small pictures, to see many completions at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]

GAP_PX = 6
TEXT_PX = 13
PAPER, INK = (255, 255, 255), (32, 32, 32)


def grid(
    rows: Sequence[Sequence[Pixels]],
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    tile: int = 128,
) -> Image.Image:
    """Gives rows of pictures as one, each fitted into a square of `tile` pixels.

    Pictures are uint8 [H, W] or [H, W, 3]. Small ones are enlarged by a whole factor where that
    fills at least two thirds of the tile, always without smoothing, so that pixels stay visible;
    large ones are reduced with smoothing. Rows may have unequal lengths.
    """
    labelled = [
        [
            (pixels, column_labels[x] if column_labels and y == 0 else "")
            for x, pixels in enumerate(row)
        ]
        for y, row in enumerate(rows)
    ]
    return captioned(labelled, row_labels=row_labels, tile=tile, above=True)


def captioned(
    rows: Sequence[Sequence[tuple[Pixels, str]]],
    *,
    row_labels: Sequence[str] | None = None,
    tile: int = 128,
    above: bool = False,
) -> Image.Image:
    """Gives rows of (picture, caption) as one; captions may have several lines.

    above: captions stand over the pictures instead of under them.
    """
    font = ImageFont.load_default(TEXT_PX)
    left = GAP_PX + max(
        (_width(text, font) + GAP_PX for text in row_labels or [""] if text), default=0
    )
    lines = [max((text.count("\n") + 1 for _, text in row if text), default=0) for row in rows]
    text_heights = [count * (TEXT_PX + 4) for count in lines]
    columns = max((len(row) for row in rows), default=0)
    width = left + columns * (tile + GAP_PX)
    sheet = Image.new("RGB", (width, GAP_PX + sum(tile + GAP_PX + h for h in text_heights)), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = GAP_PX
    for y, row in enumerate(rows):
        picture_top, text_top = (top + text_heights[y], top) if above else (top, top + tile + 1)
        if row_labels and row_labels[y]:
            draw.text((GAP_PX, picture_top + tile // 2), row_labels[y], INK, font, anchor="lm")
        for x, (pixels, text) in enumerate(row):
            start = left + x * (tile + GAP_PX)
            fitted = fit(pixels, tile)
            across, down = (tile - fitted.width) // 2, (tile - fitted.height) // 2
            sheet.paste(fitted, (start + across, picture_top + down))
            if text:
                _write(draw, (start, text_top), text, font, tile)
        top += tile + GAP_PX + text_heights[y]
    return sheet


def fit(pixels: Pixels, tile: int) -> Image.Image:
    """Gives a picture with its longer side at most `tile`: pixels repeated, or averaged.

    >>> fit(np.zeros((3, 32), np.uint8), 128).size
    (128, 12)
    >>> fit(np.zeros((100, 400, 3), np.uint8), 128).size
    (128, 32)
    """
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    height, width = pixels.shape[:2]
    scale = tile / max(height, width)
    if scale > 1 and int(scale) >= scale * 2 / 3:
        scale = int(scale)  # whole factors keep every pixel the same size
    size = max(1, round(width * scale)), max(1, round(height * scale))
    filter_ = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    return picture.resize(size, filter_)


def _width(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return int(max(font.getlength(line) for line in text.split("\n")) + 1)


def _write(
    draw: ImageDraw.ImageDraw,
    position: tuple[int, int],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: int,
) -> None:
    """Writes lines of text from `position`, each cut at `width` pixels."""
    for number, line in enumerate(text.split("\n")):
        shown = line
        while shown and font.getlength(shown) > width:
            shown = shown[:-1]
        draw.text((position[0], position[1] + number * (TEXT_PX + 4)), shown, INK, font)
