"""Values carried smoothly into what is unknown."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from inpaint_cli.pictures.membrane import Mask, Values, beside, membrane

RNG = np.random.default_rng(0)


def hole(height: int, width: int, margin: int) -> Mask:
    free = np.zeros((height, width), bool)
    free[margin : height - margin, margin : width - margin] = True
    return free


def exact(values: Values, free: Mask, screen: float) -> npt.NDArray[np.float64]:
    """Solves the equation directly; all that is not free is known."""
    places = [tuple(place) for place in np.argwhere(free)]
    number = {place: i for i, place in enumerate(places)}
    matrix, right = lil_matrix((len(places), len(places))), np.zeros(len(places))
    for (row, column), i in number.items():
        around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        inside = [at for at in around if 0 <= at[0] < len(free) and 0 <= at[1] < free.shape[1]]
        matrix[i, i] = len(inside) + screen
        for at in inside:
            if at in number:
                matrix[i, number[at]] = -1
            else:
                right[i] += values[at]
    field = values.astype(float)
    field[free] = spsolve(matrix.tocsc(), right)
    return field


@settings(max_examples=40)
@given(st.integers(1, 17), st.integers(1, 17), st.floats(0, 1), st.integers(0, 99))
def test_what_is_known_stays_and_nothing_else_has_influence(
    height: int, width: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    known = rng.random((height, width)) < share
    values = rng.random((2, height, width)).astype(np.float32)
    field = membrane(values, known, ~known)
    assert np.array_equal(field[:, known], values[:, known])
    assert np.array_equal(membrane(np.where(known, values, np.nan), known, ~known), field)
    if known.any():
        low, high = values[:, known].min(), values[:, known].max()
        assert low - 1e-5 <= field.min() <= field.max() <= high + 1e-5


@pytest.mark.parametrize("screen", [0.0, 0.01])
def test_the_field_is_close_to_the_exact_solution(screen: float) -> None:
    y, x = np.mgrid[:48, :48]
    values = (np.sin(x / 15) + np.cos(y / 11)).astype(np.float32)
    for free in (hole(48, 48, 8), x + y > 40, RNG.random((48, 48)) > 0.5):
        off = np.abs(membrane(values, ~free, free, screen) - exact(values, free, screen)) / 2
        # A few sweeps a scale do not solve it to the last digit, and need not.
        assert off.max() < 0.15
        assert off.mean() < 0.03


def test_the_screen_says_how_far_values_reach() -> None:
    free = np.ones((1, 200), bool)
    free[0, 0] = False
    ones = np.ones((1, 200), np.float32)
    assert membrane(ones, ~free, free).min() > 0.99
    assert membrane(ones, ~free, free, screen=0.01)[0, 10] == pytest.approx(np.exp(-1), abs=0.06)


def test_each_plane_is_carried_by_itself() -> None:
    planes, free = RNG.random((3, 2, 20, 31)).astype(np.float32), hole(20, 31, 4)
    together = membrane(planes, ~free, free)
    assert np.array_equal(together[1, 1], membrane(planes[1, 1], ~free, free))


def test_what_is_neither_known_nor_free_stops_the_membrane() -> None:
    values, known, free = (np.zeros((1, 5), kind) for kind in (np.float32, bool, bool))
    values[0, 0], known[0, 0], free[0, [1, 4]] = 7, True, True
    assert membrane(values, known, free)[0].tolist() == [7, 7, 0, 0, 0]


def test_neighbours_are_those_at_the_sides() -> None:
    middle = np.zeros((3, 3), bool)
    middle[1, 1] = True
    assert beside(middle).tolist() == [
        [False, True, False],
        [True, False, True],
        [False, True, False],
    ]
