"""Where one may look: corners on a grid, and what does not make one."""

from __future__ import annotations

import numpy as np
import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.posterior.looks import Looks


def test_corners_are_evenly_spaced_from_edge_to_edge() -> None:
    looks = Looks.of(256, "25%", 17)
    assert looks.patch == 64
    np.testing.assert_array_equal(looks.corners[:17, 1], np.arange(0, 193, 12))
    np.testing.assert_array_equal(looks.corners[::17, 0], np.arange(0, 193, 12))


@pytest.mark.parametrize(("size", "patch", "grid"), [(28, 7, 17), (8, 2, 7), (9, 8, 2), (64, 5, 3)])
def test_no_two_places_are_the_same_and_all_lie_inside(size: int, patch: int, grid: int) -> None:
    looks = Looks(size, patch, grid)
    assert len({tuple(corner) for corner in looks.corners.tolist()}) == grid**2
    assert (looks.masks.sum(axis=(1, 2)) == patch**2).all()
    assert (looks.corners.min(), looks.corners.max()) == (0, size - patch)


def test_without_a_grid_there_are_17_places_or_as_many_as_fit() -> None:
    assert (Looks.of(28).grid, Looks.of(8).grid) == (17, 7)


def test_what_is_wholly_visible_is_no_place_to_look() -> None:
    looks, visible = Looks(8, 4, 2), np.zeros((8, 8), np.bool_)
    visible[:4], visible[4, 4:] = True, True
    assert looks.open_places(visible).tolist() == [2, 3]


def test_there_are_no_more_places_than_can_be_asked_about() -> None:
    assert Looks(256, 4, 64).largest_grid == 64
    with pytest.raises(UserError, match=r"grid: 65 along.*At most 64"):
        Looks(256, 4, 65)


@pytest.mark.parametrize(
    ("patch", "grid", "sentence"),
    [
        ("9", None, "patch: 9 pixels.*less than the 8"),
        (8, None, "patch: 8 pixels"),
        (0, None, "patch: 0 pixels"),
        ("120%", None, "patch: 10 pixels"),
        ("a few", None, "patch: a few: write pixels or percent"),
        ("1.5", None, "patch: 1.5: write"),
        (2, 1, "grid: must be at least 2"),
        (2, 8, "grid: 8 along.*At most 7"),
    ],
)
def test_impossible_places_are_refused(patch: str | int, grid: int | None, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Looks.of(8, patch, grid)
