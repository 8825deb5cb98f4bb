"""Sheets: labelled grids of pictures in equal tiles, and pages of pictures as large as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

ScreenPixels = npt.NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

GAP_PX = 6
TEXT_PX = 13
LINE_PX = TEXT_PX + 4
PAPER, INK = (255, 255, 255), (32, 32, 32)
FRAME = (176, 176, 176)
TITLE_PX = 17
"""Of the text above a page."""
CAPTION_PX = 160
"""The least room for the text under a picture of a page."""
PAGE_PX = 600
"""The least width of a page."""
READABLE_PX = 1250
"""Up to this width of a page its text is of the usual size."""


@dataclass(frozen=True)
class Tile:
    """A picture of a page, shown pixel for pixel, and the words under it."""

    pixels: ScreenPixels
    caption: str


def grid(
    rows: Sequence[Sequence[ScreenPixels]],
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    tile: int = 128,
) -> Image.Image:
    """Return rows of pictures as one, each fitted into a square of `tile` pixels.

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
    rows: Sequence[Sequence[tuple[ScreenPixels, str]]],
    *,
    row_labels: Sequence[str] | None = None,
    tile: int = 128,
    above: bool = False,
) -> Image.Image:
    """Return rows of (picture, caption) as one; captions may have several lines.

    above: captions stand over the pictures instead of under them.
    """
    font = ImageFont.load_default(TEXT_PX)
    named = [_width(text, font) + GAP_PX for text in row_labels or () if text]
    left = GAP_PX + max(named, default=0)
    strips = [_strip(row, tile, above, font) for row in rows]
    width = left + max((strip.width for strip in strips), default=0)
    height = GAP_PX + sum(strip.height + GAP_PX for strip in strips)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = GAP_PX
    for y, strip in enumerate(strips):
        sheet.paste(strip, (left, top))
        if row_labels and row_labels[y]:
            draw.text((GAP_PX, top + strip.height // 2), row_labels[y], INK, font, anchor="lm")
        top += strip.height + GAP_PX
    return sheet


def headed(lines: Sequence[str], sheet: Image.Image) -> Image.Image:
    """Return a sheet below lines of text."""
    heading = _heading(lines, sheet.width - 2 * GAP_PX, TEXT_PX)
    whole = Image.new("RGB", (sheet.width, heading.height + sheet.height + GAP_PX), PAPER)
    whole.paste(heading, (GAP_PX, GAP_PX))
    whole.paste(sheet, (0, heading.height + GAP_PX))
    return whole


def page(
    lines: Sequence[str], first: Sequence[Tile], tiles: Sequence[Tile], columns: int
) -> Image.Image:
    """Return a page: lines of text, a row of its own, and tiles in rows of so many columns.

    All text is broken between words, and never cut.
    """
    pitch = max([CAPTION_PX, *(tile.pixels.shape[1] + 2 for tile in tiles)]) + GAP_PX
    width = max(PAGE_PX, pitch * min(columns, len(tiles)))
    width = max([width, *(tile.pixels.shape[1] + 2 for tile in first)])
    # A page is looked at as a whole: the larger it is, the larger its text.
    larger = min(2.0, max(1.0, width / READABLE_PX))
    text_px = round(TEXT_PX * larger)
    strips = [_heading(lines, width, round(TITLE_PX * larger))]
    strips += [_flow(row, width, text_px) for row in _rows(first, width)]
    for start in range(0, len(tiles), columns):
        strips.append(_flow(tiles[start : start + columns], width, text_px, pitch))
    height = sum(strip.height + GAP_PX for strip in strips) + GAP_PX
    sheet = Image.new("RGB", (width + 2 * GAP_PX, height), PAPER)
    top = GAP_PX
    for strip in strips:
        sheet.paste(strip, (GAP_PX, top))
        top += strip.height + GAP_PX
    return sheet


def _heading(lines: Sequence[str], width: int, text_px: int) -> Image.Image:
    font, spacing = ImageFont.load_default(text_px), text_px // 3
    text = "\n".join(wrapped("\n".join(lines), font, width))
    height = (text.count("\n") + 1) * (text_px + spacing)
    strip = Image.new("RGB", (width, height), PAPER)
    ImageDraw.Draw(strip).text((0, 0), text, INK, font, spacing=spacing)
    return strip


def wrapped(text: str, font: Font, width: int) -> list[str]:
    """Return the lines of a text, broken between words so that each fits into so many pixels.

    A word that is wider by itself, such as a long file name, is broken anywhere.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) > width:
                lines += [line] if line else []
                *whole, longer = _pieces(word, font, width)
                lines += whole
            line = longer
        lines.append(line)
    return lines


def _pieces(word: str, font: Font, width: int) -> list[str]:
    """Return a word cut so that each piece fits."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and font.getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _rows(tiles: Sequence[Tile], width: int) -> Iterator[list[Tile]]:
    """Yield as many tiles at a time as fit into the width."""
    row, taken = list[Tile](), 0
    for tile in tiles:
        needed = max(tile.pixels.shape[1] + 2, CAPTION_PX) + GAP_PX
        if row and taken + needed > width + GAP_PX:
            yield row
            row, taken = [], 0
        row.append(tile)
        taken += needed
    if row:
        yield row


def _flow(tiles: Sequence[Tile], width: int, text_px: int, pitch: int = 0) -> Image.Image:
    """Return one row of tiles, framed, captions below; pitch: the distance of their left edges."""
    font, line_px = ImageFont.load_default(text_px), text_px + 4
    rooms = [pitch or max(tile.pixels.shape[1] + 2, CAPTION_PX) + GAP_PX for tile in tiles]
    texts = [
        wrapped(tile.caption, font, room - GAP_PX) for tile, room in zip(tiles, rooms, strict=True)
    ]
    tallest = max(tile.pixels.shape[0] + 2 for tile in tiles)
    height = tallest + 2 + max(map(len, texts)) * line_px
    strip = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(strip)
    left = 0
    for tile, room, text in zip(tiles, rooms, texts, strict=True):
        tile_height, tile_width = tile.pixels.shape[:2]
        # Round the picture, not over it, so that it stays whole.
        draw.rectangle((left, 0, left + tile_width + 1, tile_height + 1), outline=FRAME)
        strip.paste(Image.fromarray(np.ascontiguousarray(tile.pixels)), (left + 1, 1))
        for number, line in enumerate(text):
            draw.text((left, tile_height + 4 + number * line_px), line, INK, font)
        left += room
    return strip


def _strip(
    row: Sequence[tuple[ScreenPixels, str]], tile: int, above: bool, font: Font
) -> Image.Image:
    """Return one row: framed pictures in the middle of their tiles, captions under or over."""
    pictures = [fit(pixels, tile) for pixels, _ in row]
    tallest = max((picture.height + 2 for picture in pictures), default=0)
    text_height = max((text.count("\n") + 1 for _, text in row if text), default=0) * LINE_PX
    strip = Image.new("RGB", (len(row) * (tile + GAP_PX), tallest + text_height), PAPER)
    draw = ImageDraw.Draw(strip)
    picture_top, text_top = (text_height, 0) if above else (0, tallest + 1)
    for x, (picture, (_, text)) in enumerate(zip(pictures, row, strict=True)):
        start = x * (tile + GAP_PX)
        across = start + (tile - picture.width) // 2 + 1
        down = picture_top + (tallest - picture.height) // 2
        # Round the picture, not over it, so that it stays whole.
        frame = (across - 1, down - 1, across + picture.width, down + picture.height)
        draw.rectangle(frame, outline=FRAME)
        strip.paste(picture, (across, down))
        if text:
            _write(draw, (start, text_top), text, font, tile)
    return strip


def fit(pixels: ScreenPixels, tile: int) -> Image.Image:
    """Return a picture with its longer side at most `tile`: pixels repeated, or averaged.

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


def _width(text: str, font: Font) -> int:
    return int(max(font.getlength(line) for line in text.split("\n")) + 1)


def _write(
    draw: ImageDraw.ImageDraw,
    position: tuple[int, int],
    text: str,
    font: Font,
    width: int,
) -> None:
    """Write lines of text from `position`, each cut at `width` pixels."""
    for number, line in enumerate(text.split("\n")):
        shown = line
        while shown and font.getlength(shown) > width:
            shown = shown[:-1]
        draw.text((position[0], position[1] + number * LINE_PX), shown, INK, font)
