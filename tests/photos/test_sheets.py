"""Sheets show pictures of any size in equal tiles."""

import numpy as np

from inpaint_cli.photos.sheets import fit, grid


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
    assert (np.asarray(bare) == 255).all()
    assert (np.asarray(labelled) < 128).any()


def test_no_pictures_make_an_empty_sheet() -> None:
    assert grid([]).size == (6, 6)
