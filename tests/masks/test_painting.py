"""Holes that were painted, in pictures whose black and white are not those of their type."""

from __future__ import annotations

import cv2
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
    np.testing.assert_array_equal(~of_colour(of_array(photo), (255, 0, 255))[0], BOX)


def test_in_an_exact_copy_whatever_differs_was_painted() -> None:
    photo = SHADES.astype(np.uint8)
    copy = photo.copy()
    painted = BOX.copy()
    painted[30, 5], painted[30, 30:50] = True, True
    copy[painted] = (255, 0, 255)
    copy[10, 15:35] = photo[10, 15:35] + 9  # the edge of a soft brush
    np.testing.assert_array_equal(~unpainted(of_array(photo), of_array(copy), "copy"), painted)


def test_colours_that_nobody_sees_are_not_painted() -> None:
    photo = np.dstack([SHADES, np.where(BOX, 0, 255)]).astype(np.uint8)
    copy = photo.copy()
    copy[BOX] = 0
    assert unpainted(of_array(photo), of_array(copy), "copy").all()


@pytest.mark.parametrize("deviation", [0.0, 1.2])
def test_a_blurred_edge_of_a_colour_is_noticed(deviation: float) -> None:
    share = np.pad(BOX[5:25, 10:40].astype(np.float32), 20)
    if deviation:
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), deviation), np.float32)
    noise = np.random.default_rng(0).integers(60, 160, (*share.shape, 3))
    photo = noise * (1 - share[..., None]) + np.array([255, 0, 255]) * share[..., None]
    assert of_colour(of_array(photo.astype(np.uint8)), (255, 0, 255))[1] == bool(deviation)


def test_no_edge_is_blurred_between_labels() -> None:
    labels = np.zeros((60, 80, 3), np.uint8)
    labels[10:30, 10:40], labels[10:30, 40:70] = (255, 0, 255), (255, 0, 0)
    labels[30:50, 20:60] = (0, 0, 255)
    assert not of_colour(of_array(labels), (255, 0, 255))[1]
