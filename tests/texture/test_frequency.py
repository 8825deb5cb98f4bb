"""The smooth first guess: waves that continue what is round a block."""

from typing import Any

import numpy as np
import pytest

from inpaint_cli.texture.frequency import block_order, depth_of, reconstruct

Array = np.ndarray[Any, np.dtype[Any]]


def picture_of(function: str, side: int = 48) -> Array:
    y, x = np.mgrid[:side, :side].astype(np.float32)
    values = {
        "wave": 128 + 60 * np.sin(2 * np.pi * x / 8) + 20 * np.cos(2 * np.pi * y / 16),
        "slope": 40 + 2 * x + y,
    }
    return np.stack([values[function], 255 - values[function]], -1).astype(np.float32)


@pytest.mark.parametrize(("function", "tolerance"), [("wave", 4.0), ("slope", 6.0)])
def test_waves_and_slopes_are_continued(function: str, tolerance: float) -> None:
    picture, hole = picture_of(function), np.zeros((48, 48), bool)
    hole[20:29, 17:27] = True
    filled = reconstruct(np.where(hole[..., None], 9, picture), hole)
    assert np.abs(filled - picture)[hole].mean() < tolerance
    assert (filled[~hole] == picture[~hole]).all()


def test_what_is_unknown_is_neither_read_nor_filled() -> None:
    picture, hole = picture_of("slope"), np.zeros((48, 48), bool)
    hole[10:14, 10:14] = True
    unknown = hole.copy()
    unknown[10:20, 16:30] = True
    one = reconstruct(picture, hole, unknown=unknown)
    two = reconstruct(np.where(unknown[..., None], 200, picture), hole, unknown=unknown)
    assert np.array_equal(one, two)
    assert (one[unknown & ~hole] == 0).all()


def test_blocks_are_ordered_from_the_rim_inwards() -> None:
    hole = np.zeros((40, 40), bool)
    hole[8:32, 8:32] = True
    order, depth = block_order(hole), depth_of(hole)
    deepest = [depth[y : y + 4, x : x + 4].max().round() for y, x in order]
    assert deepest == sorted(deepest)
    assert len({tuple(corner) for corner in order}) == len(order) == 36


def test_the_border_of_the_picture_is_no_rim() -> None:
    hole = np.zeros((10, 12), bool)
    hole[:, 8:] = True
    assert depth_of(hole)[0].tolist() == [0] * 8 + [1, 2, 3, 4]
    assert depth_of(np.ones((3, 5), bool)).min() == 5
