"""Parts: each hidden pixel in exactly one, none much longer than wide, each with its own window."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.photos.parts import (
    MOST_GROUPS,
    Part,
    groups_of,
    holes_for_model,
    pasted,
    radius_of,
)
from inpaint_cli.photos.windows import FREE_MARGIN, Box, window_round


def hidden_of(height: int, width: int, *boxes: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
    hidden = np.zeros((height, width), np.bool_)
    for top, left, bottom, right in boxes:
        hidden[top:bottom, left:right] = True
    return hidden


def scattered(count: int, spacing: int = 100, side: int = 4) -> npt.NDArray[np.bool_]:
    """Return a mask with `count` small holes far apart, row by row."""
    across = int(np.ceil(np.sqrt(count)))
    hidden = np.zeros((across * spacing, across * spacing), np.bool_)
    for number in range(count):
        top, left = (spacing // 2 + spacing * place for place in divmod(number, across))
        hidden[top : top + side, left : left + side] = True
    return hidden


def parts_of(hidden: npt.NDArray[np.bool_], size: int) -> list[Part]:
    return [part for parts in holes_for_model(hidden, size) for part in parts]


def times_covered(parts: list[Part], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    times = np.zeros(shape, np.int64)
    for part in parts:
        times[part.box.slices] += part.pixels
    return times


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 8, 32]),
)
def test_each_hidden_pixel_is_in_exactly_one_part(
    height: int, width: int, seed: int, size: int
) -> None:
    rng = np.random.default_rng(seed)
    hidden = rng.random((height, width)) < rng.choice([0.001, 0.02, 0.5, 0.99])
    hidden[rng.integers(height), rng.integers(width)] = True
    times = times_covered(parts_of(hidden, size), hidden.shape)
    np.testing.assert_array_equal(times, hidden)


@pytest.mark.parametrize("count", [65, 100, 256])
def test_holes_far_apart_are_as_many_parts_and_none_shares_a_window(count: int) -> None:
    hidden = scattered(count)
    parts = parts_of(hidden, 32)
    assert len(parts) == count
    windows = [window_round(part.box, hidden.shape, 32, 0.5) for part in parts]
    assert {window.height for window in windows} == {32}
    for window in windows:
        assert int(hidden[window.clipped(*hidden.shape).slices].sum()) == 16


def test_more_holes_than_are_told_apart_are_grouped_and_none_is_lost() -> None:
    hidden = scattered(MOST_GROUPS + 1, spacing=32)
    parts = parts_of(hidden, 32)
    assert len(groups_of(hidden, 8)) <= MOST_GROUPS
    np.testing.assert_array_equal(times_covered(parts, hidden.shape), hidden)


WIRES: dict[str, tuple[int, int, Callable[[Any, Any], Any]]] = {
    "level": (12, 2000, lambda y, x: abs(y - 5) < 2),
    "upright": (2000, 12, lambda y, x: abs(x - 5) < 2),
    "slanting": (400, 800, lambda y, x: abs(x - 2 * y) < 5),
    "ring": (400, 400, lambda y, x: abs(np.hypot(y - 200, x - 200) - 150) < 3),
    "thick": (300, 900, lambda y, x: abs(y - 150 - 80 * np.sin(x / 90)) < 20),
}


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("wire", WIRES)
def test_a_long_wire_is_cut_into_pieces_that_fit_its_width(wire: str, size: int) -> None:
    height, width, inside = WIRES[wire]
    hidden = np.asarray(inside(*np.mgrid[:height, :width]), np.bool_)
    parts = parts_of(hidden, size)
    np.testing.assert_array_equal(times_covered(parts, hidden.shape), hidden)
    assert len(parts) > 3
    allowed = max(size / 2, 3 * 2 * radius_of(hidden)) * 1.5
    assert max(max(part.box.height, part.box.width) for part in parts) <= allowed


def test_pieces_of_a_wire_know_the_earlier_ones_that_they_touch() -> None:
    (parts,) = holes_for_model(hidden_of(9, 200, (3, 0, 6, 200)), 32)
    assert [part.touches for part in parts] == [(), *((n,) for n in range(len(parts) - 1))]


def test_parts_apart_do_not_touch() -> None:
    near = hidden_of(64, 64, (4, 4, 8, 8), (4, 10, 8, 14))
    assert all(part.touches == () for part in parts_of(near, 16))


def test_a_compact_hole_is_one_part_however_large() -> None:
    hidden = hidden_of(900, 900, (100, 100, 800, 820))
    (part,) = parts_of(hidden, 32)
    assert (part.box, bool(part.pixels.all())) == (Box(100, 100, 800, 820), True)


@pytest.mark.parametrize(("length", "count"), [(16, 1), (24, 1), (26, 2)])
def test_a_hole_that_the_model_sees_at_native_size_is_not_cut(length: int, count: int) -> None:
    # Half of the model's side, and half as much again.
    assert len(parts_of(hidden_of(100, 200, (50, 40, 52, 40 + length)), 32)) == count


def test_methods_of_any_size_never_have_a_hole_cut() -> None:
    assert len(parts_of(hidden_of(30, 2000, (10, 10, 12, 1990)), 0)) == 1


def test_holes_within_a_quarter_margin_are_one_for_methods_of_any_size() -> None:
    near = hidden_of(200, 200, (50, 50, 54, 54), (50, 56, 54, 80))
    far = hidden_of(200, 200, (50, 50, 54, 54), (50, 54 + FREE_MARGIN, 54, 80))
    assert len(holes_for_model(near, 0)) == 1
    assert len(holes_for_model(far, 0)) == 2


@pytest.mark.parametrize("cell", [1, 16, 64])
def test_a_hole_is_found_tightly_whatever_the_cells(cell: int) -> None:
    ((box, pixels),) = groups_of(hidden_of(300, 400, (33, 41, 35, 90)), cell)
    assert (box, bool(pixels.all())) == (Box(33, 41, 35, 90), True)


def test_a_hole_in_the_box_of_another_does_not_widen_it() -> None:
    corner, other = [(4, 0, 400, 4), (396, 0, 400, 400)], (0, 200, 2, 204)
    groups = groups_of(hidden_of(400, 400, *corner, other), 8)
    assert {box for box, _ in groups} == {Box(4, 0, 400, 400), Box(0, 200, 2, 204)}


def test_a_part_is_pasted_into_a_frame_that_it_only_meets() -> None:
    part = Part(Box(2, 3, 5, 7), np.ones((3, 4), np.bool_))
    frame = pasted(part, Box(4, 5, 9, 9))
    assert frame.shape == (5, 4)
    assert np.argwhere(frame).tolist() == [[0, 0], [0, 1]]
    assert not pasted(part, Box(20, 20, 24, 24)).any()
