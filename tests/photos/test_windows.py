"""Windows hold a hole with context, inside the photo where it is large enough."""

import numpy as np
import pytest

from inpaint_cli.photos.windows import FREE_MARGIN, Box, cut, side_for, window_round


def test_a_large_hole_is_not_padded_while_the_photo_leaves_it_context() -> None:
    window = window_round(Box(100, 100, 500, 500), (512, 768), 32, 0.5)
    assert (window.height, window.top) == (512, 0)


def test_what_lies_beyond_the_photo_is_cut_as_zero() -> None:
    part = cut(np.ones((3, 9), bool), Box(-2, 1, 4, 7))
    np.testing.assert_array_equal(part[:, 0], [False, False, True, True, True, False])


@pytest.mark.parametrize(
    ("hole", "side"),
    [
        (16, 32),  # with its context it has the model's side
        (18, 32),  # 36 with its context: cut down, so that no pixel is resized
        (19, 32),  # 38
        (20, 40),  # 40 = 1.25 times the model's side: reduced
        (26, 52),
    ],
)
def test_a_window_little_larger_than_the_model_is_cut_down_to_its_size(
    hole: int, side: int
) -> None:
    assert side_for(Box(0, 0, hole, 5), (900, 900), 32, 0.5) == side


@pytest.mark.parametrize(("hole", "side"), [(24, 32), (25, 39)])
def test_a_hole_that_leaves_too_little_of_the_model_is_not_cut_down_to(
    hole: int, side: int
) -> None:
    # At context 0.27 both windows would be less than 1.25 times the model's side.
    assert side_for(Box(0, 0, 5, hole), (900, 900), 32, 0.27) == side


@pytest.mark.parametrize(
    ("shape", "side"),
    [
        ((300, 900), 300),  # the shorter side leaves a quarter of the context
        ((240, 900), 250),  # it does not: a quarter of the context remains all the same
        ((210, 220), 220),  # never more than the longer side
    ],
)
def test_a_window_is_no_larger_than_the_photo_as_long_as_some_context_remains(
    shape: tuple[int, int], side: int
) -> None:
    assert side_for(Box(0, 0, 200, 200), shape, 32, 0.5) == side


@pytest.mark.parametrize(
    ("context", "margin"), [(0.0, FREE_MARGIN), (0.5, FREE_MARGIN), (1.0, 25), (0.99, 25)]
)
def test_methods_of_any_size_see_a_margin_on_each_side(context: float, margin: int) -> None:
    hole = Box(400, 300, 425, 310)
    window = window_round(hole, (900, 900), 0, context)
    assert window == Box(400 - margin, 300 - margin, 425 + margin, 310 + margin)


def test_a_window_is_centred_on_its_hole_and_beyond_a_narrow_photo_on_that() -> None:
    assert window_round(Box(400, 400, 410, 413), (900, 900), 32, 0.5) == Box(389, 390, 421, 422)
    assert window_round(Box(0, 200, 9, 240), (9, 900), 32, 0.5) == Box(-20, 195, 30, 245)


def test_a_window_at_the_far_corner_is_shifted_inside() -> None:
    assert window_round(Box(895, 890, 900, 900), (900, 900), 32, 0.5) == Box(868, 868, 900, 900)


def test_a_hole_gets_its_context_on_each_side() -> None:
    window = window_round(Box(400, 400, 500, 500), (900, 900), 32, 0.5)
    assert window == Box(350, 350, 550, 550)


def test_a_photo_smaller_than_the_model_is_one_window_of_its_own_size() -> None:
    assert window_round(Box(5, 5, 9, 9), (20, 20), 32, 0.5) == Box(0, 0, 20, 20)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3)])
def test_methods_of_any_size_get_windows_inside_the_photo(shape: tuple[int, int]) -> None:
    window = window_round(Box(0, 0, 1, 1), shape, 0, 0.5)
    assert window.clipped(*shape) == window
