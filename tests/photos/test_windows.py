"""Windows hold every hole once, with context, inside the photo where it is large enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.photos.windows import MOST_WINDOWS, Box, cut, plan, window_round


def hidden_of(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    hidden = np.zeros((height, width), bool)
    for top, left, bottom, right in boxes:
        hidden[top:bottom, left:right] = True
    return hidden


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 8, 32]),
    st.sampled_from([0.0, 0.5, 2.0]),
)
def test_each_hidden_pixel_lies_in_exactly_one_window(
    height: int, width: int, seed: int, size: int, context: float
) -> None:
    rng = np.random.default_rng(seed)
    hidden = rng.random((height, width)) < rng.choice([0.001, 0.02, 0.5])
    hidden[rng.integers(height), rng.integers(width)] = True
    times = np.zeros((height, width), int)
    for window in plan(hidden, size, context):
        if size:
            assert window.height == window.width
        times[window.clipped(height, width).slices] += 1
    assert (times[hidden] == 1).all()


def test_holes_far_apart_get_windows_of_the_models_own_scale() -> None:
    windows = plan(hidden_of(600, 800, (50, 50, 60, 60), (500, 700, 512, 712)), 32, 0.5)
    assert sorted(window.height for window in windows) == [32, 32]


def test_holes_near_each_other_share_a_window() -> None:
    assert len(plan(hidden_of(600, 800, (50, 50, 60, 60), (50, 70, 60, 80)), 32, 0.5)) == 1


def test_a_thousand_scratches_make_few_windows() -> None:
    hidden = np.random.default_rng(0).random((1500, 2000)) < 0.0005
    assert len(plan(hidden, 32, 0.5)) <= MOST_WINDOWS


def test_a_hole_gets_its_context_on_each_side() -> None:
    (window,) = plan(hidden_of(900, 900, (400, 400, 500, 500)), 32, 0.5)
    assert window == Box(350, 350, 550, 550)


def test_a_window_is_shifted_inside_the_photo() -> None:
    (window,) = plan(hidden_of(900, 900, (0, 0, 100, 100)), 32, 0.5)
    assert window == Box(0, 0, 200, 200)


def test_a_photo_smaller_than_the_model_is_one_window_of_its_own_size() -> None:
    assert plan(hidden_of(20, 20, (5, 5, 9, 9)), 32, 0.5) == [Box(0, 0, 20, 20)]


def test_a_large_hole_is_not_padded_while_the_photo_leaves_it_context() -> None:
    window = window_round(Box(100, 100, 500, 500), (512, 768), 32, 0.5)
    assert (window.height, window.top) == (512, 0)


def test_what_lies_beyond_the_photo_is_cut_as_zero() -> None:
    part = cut(np.ones((3, 9), bool), Box(-2, 1, 4, 7))
    np.testing.assert_array_equal(part[:, 0], [False, False, True, True, True, False])


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3)])
def test_methods_of_any_size_get_windows_inside_the_photo(shape: tuple[int, int]) -> None:
    hidden = np.zeros(shape, bool)
    hidden[0, 0] = True
    (window,) = plan(hidden, 0, 0.5)
    assert window.clipped(*shape) == window
