"""Windows hold every hole once, with context, inside the photo where it is large enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.photos.windows import (
    FREE_MARGIN,
    MOST_HOLES,
    MOST_WINDOWS,
    Box,
    cut,
    holes_of,
    merged,
    plan,
    shifted,
    side_for,
    window_round,
)


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


def scattered(count: int, spacing: int = 400, side: int = 4) -> np.ndarray:
    """Return a mask with `count` small holes far apart, row by row."""
    across = int(np.ceil(np.sqrt(count)))
    hidden = np.zeros((across * spacing, across * spacing), bool)
    for number in range(count):
        top, left = (spacing // 2 + spacing * place for place in divmod(number, across))
        hidden[top : top + side, left : left + side] = True
    return hidden


@pytest.mark.parametrize(
    ("count", "windows"),
    [(MOST_WINDOWS - 1, MOST_WINDOWS - 1), (MOST_WINDOWS, MOST_WINDOWS)],
)
def test_so_many_holes_far_apart_have_a_window_each(count: int, windows: int) -> None:
    assert len(plan(scattered(count), 32, 0.5)) == windows


@pytest.mark.parametrize("count", [MOST_WINDOWS + 1, 100, MOST_HOLES])
def test_more_holes_far_apart_share_windows(count: int) -> None:
    hidden = scattered(count, spacing=100)
    windows = plan(hidden, 32, 0.5)
    assert len(windows) <= MOST_WINDOWS
    times = np.zeros(hidden.shape, int)
    for window in windows:
        times[window.clipped(*hidden.shape).slices] += 1
    assert (times[hidden] == 1).all()


def test_of_too_many_holes_the_two_nearest_share_a_window() -> None:
    holes = [Box(0, 1000 * i, 4, 1000 * i + 4) for i in range(MOST_WINDOWS)]
    near = Box(0, 30_200, 4, 30_204)
    together = Box(0, 30_000, 4, 30_204)
    joined = merged([*holes, near], (4000, 70_000), 32, 0.5)
    assert len(joined) == MOST_WINDOWS
    assert together in joined
    assert set(joined) - {together} == set(holes) - {holes[30]}


def test_holes_whose_common_box_has_the_shortest_longer_side_are_joined_first() -> None:
    holes = [Box(0, 1000 * i, 4, 1000 * i + 4) for i in range(MOST_WINDOWS - 1)]
    lower, right = Box(304, 0, 308, 4), Box(0, 1200, 4, 1204)
    joined = merged([*holes, lower, right], (4000, 70_000), 32, 0.5)
    assert Box(0, 1000, 4, 1204) in joined
    assert lower in joined


def test_holes_nearer_than_half_the_models_side_are_one() -> None:
    assert len(holes_of(hidden_of(99, 99, (0, 0, 4, 4), (0, 9, 4, 13)), 32)) == 1
    assert len(holes_of(hidden_of(99, 99, (0, 0, 4, 4), (0, 18, 4, 22)), 32)) == 2


def test_too_many_holes_are_grouped_no_coarser_than_needed() -> None:
    # In pairs 20 pixels apart: cells of 16 pixels join each pair, and no two pairs.
    hidden = scattered(MOST_HOLES // 2 + 22, spacing=96)
    twice = hidden | np.roll(hidden, 20, axis=1)
    assert len(holes_of(twice, 32)) == MOST_HOLES // 2 + 22


def test_more_holes_than_can_be_compared_are_grouped_first() -> None:
    assert len(set(holes_of(scattered(MOST_HOLES, spacing=64), 32))) == MOST_HOLES
    assert 1 <= len(holes_of(scattered(MOST_HOLES + 1, spacing=64), 32)) <= MOST_HOLES


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


def test_holes_within_a_margin_of_each_other_share_a_window_of_methods_of_any_size() -> None:
    apart = 2 * FREE_MARGIN
    near = hidden_of(200, 200, (50, 50, 54, 54), (50, 54 + FREE_MARGIN - 1, 54, 80))
    far = hidden_of(200, 200, (50, 50, 54, 54), (50, 54 + apart, 54, 54 + apart + 4))
    assert len(plan(near, 0, 0.5)) == 1
    assert len(plan(far, 0, 0.5)) == 2


def test_a_window_is_centred_on_its_hole_and_beyond_a_narrow_photo_on_that() -> None:
    assert window_round(Box(400, 400, 410, 413), (900, 900), 32, 0.5) == Box(389, 390, 421, 422)
    assert window_round(Box(0, 200, 9, 240), (9, 900), 32, 0.5) == Box(-20, 195, 30, 245)


def test_a_window_at_the_far_corner_is_shifted_inside() -> None:
    assert window_round(Box(895, 890, 900, 900), (900, 900), 32, 0.5) == Box(868, 868, 900, 900)


def test_a_hole_is_found_tightly_whatever_the_cells() -> None:
    hidden = hidden_of(300, 400, (33, 41, 35, 90))
    assert holes_of(hidden, 64) == [Box(33, 41, 35, 90)]
    assert holes_of(hidden, 0) == [Box(33, 41, 35, 90)]


def test_a_hole_in_the_box_of_another_does_not_widen_it() -> None:
    corner, other = [(4, 0, 400, 4), (396, 0, 400, 400)], (0, 200, 2, 204)
    holes = holes_of(hidden_of(400, 400, *corner, other), 32)
    assert set(holes) == {Box(4, 0, 400, 400), Box(0, 200, 2, 204)}


def test_a_part_of_a_photo_is_seen_from_its_window() -> None:
    assert shifted(Box(5, 7, 10, 20), Box(2, 3, 40, 40)) == Box(3, 4, 8, 17)
