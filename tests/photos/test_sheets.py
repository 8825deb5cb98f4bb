"""Sheets show pictures of any size in equal tiles."""

import numpy as np
from PIL import ImageFont

from inpaint_cli.photos.sheets import FRAME, Tile, fit, grid, page, wrapped


def test_small_pictures_are_enlarged_without_smoothing() -> None:
    pixels = np.array([[0, 255], [255, 0]], np.uint8)
    shown = np.asarray(fit(pixels, 64))
    assert shown.shape == (64, 64, 3)
    assert set(np.unique(shown)) == {0, 255}


def test_large_pictures_are_reduced_with_smoothing() -> None:
    pixels = np.zeros((256, 256), np.uint8)
    pixels[:, ::2] = 254
    shown = np.asarray(fit(pixels, 64)).astype(int)
    assert np.abs(shown[8:-8, 8:-8] - 127).max() < 5


def test_a_label_adds_room_and_ink() -> None:
    rows = [[np.full((8, 8), 255, np.uint8)] * 2]
    bare = grid(rows, tile=32)
    labelled = grid(rows, row_labels=["row"], column_labels=["a", "b"], tile=32)
    assert labelled.width > bare.width
    assert labelled.height > bare.height
    assert (np.asarray(bare) >= 128).all()
    assert (np.asarray(labelled) < 128).any()


def test_a_white_picture_has_an_edge_and_stays_whole() -> None:
    sheet = np.asarray(grid([[np.full((32, 32, 3), 255, np.uint8)]], tile=32))
    grey = (sheet == FRAME).all(axis=2)
    assert grey.sum() == 4 * 33
    assert (sheet[~grey] == 255).all()
    rows, columns = np.nonzero(grey)
    assert np.ptp(rows) == np.ptp(columns) == 33


def test_no_pictures_make_an_empty_sheet() -> None:
    assert grid([]).size == (6, 6)


def test_text_is_broken_between_words_and_never_lost() -> None:
    font = ImageFont.load_default(13)
    text = "a deviation of 64 of 255 and a-very-long-name-of-a-photo-that-fits-nowhere.png"
    lines = wrapped(text, font, 120)
    assert all(font.getlength(line) <= 120 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert lines[0] == "a deviation of 64 of"


def test_a_page_shows_each_picture_pixel_for_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 700, 3), dtype=np.uint8)
    sheet = np.asarray(page(["title"], [Tile(pixels, "first")], [Tile(pixels[:, :9], "0")] * 3, 2))
    assert sheet.shape[1] == 702 + 12
    rows = [y for y in range(len(sheet)) if (sheet[y, 7:107] == pixels[0, :100]).all()]
    assert len(rows) == 1
    assert (sheet[rows[0] : rows[0] + 40, 7:707] == pixels).all()
