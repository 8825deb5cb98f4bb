"""Holes that were painted, in pictures whose black and white are not those of their type."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from inpaint_cli.masks.painting import of_colour, unpainted
from inpaint_cli.pictures.picture import Picture, of_array

BOX = np.zeros((40, 56), np.bool_)
BOX[10:20, 15:35] = True
SHADES = np.add.outer(np.arange(40) * 4, np.arange(56))[..., None] + np.array([0, 10, 20])


def close_to_the_box(hidden: npt.NDArray[np.bool_]) -> bool:
    """Whether a hole is the box, or a rim of a pixel more."""
    wider = np.zeros_like(BOX)
    wider[9:21, 14:36] = True
    return bool(hidden[BOX].all() and not hidden[~wider].any())


@pytest.mark.parametrize(
    ("dtype", "scale", "paint"),
    [("uint8", 1, 255), ("uint16", 15, 4000), ("uint16", 257, 65535), ("int32", 100, -20000),
     ("float32", 0.001, 0.5), ("float64", 1e200, 0)],
)  # fmt: skip
def test_a_painted_copy_is_compared_in_the_range_of_the_photo(
    dtype: str, scale: float, paint: float
) -> None:
    photo = (SHADES * scale).astype(dtype)
    copy = photo.copy()
    copy[BOX] = np.array([paint, 0, 0], dtype)
    assert close_to_the_box(~unpainted(of_array(photo), of_array(copy), "copy"))


def test_numbers_that_are_none_do_not_hinder_a_comparison() -> None:
    photo = SHADES.astype(np.float32)
    photo[BOX] = np.nan
    copy = SHADES.astype(np.float32)
    copy[BOX] = (0, 255, 0)
    assert close_to_the_box(~unpainted(of_array(photo), of_array(copy), "copy"))


def test_a_copy_may_have_another_depth_and_white_at_zero() -> None:
    grey = SHADES[..., :1].astype(np.uint8)
    copy = grey.copy()
    copy[BOX] = 255
    negative = Picture(255 - grey, "grey", 8, 255.0, 0.0)
    deep = of_array(grey.astype(np.uint16) * np.uint16(257))
    for photo in (negative, deep):
        assert close_to_the_box(~unpainted(photo, of_array(copy), "copy"))


def test_a_colour_is_found_in_twelve_of_sixteen_bits() -> None:
    photo = SHADES.astype(np.uint16) * np.uint16(15)
    photo[BOX] = (4095, 0, 4095)
    np.testing.assert_array_equal(~of_colour(of_array(photo), (255, 0, 255)), BOX)
