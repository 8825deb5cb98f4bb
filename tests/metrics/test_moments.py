"""Merging moments: any parts, any batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.moments import Moments, merged, require_comparable

ROWS = np.random.default_rng(0).normal(size=(60, 5)) * [1, 10, 0.1, 0, 3] + [0, 5, 1e6, 7, -2]
CUTS = st.lists(st.integers(0, len(ROWS)), max_size=5).map(sorted)


def same(ours: Moments, theirs: Moments) -> None:
    assert ours.n == theirs.n
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-12)
    np.testing.assert_allclose(ours.scatter, theirs.scatter, rtol=1e-9, atol=1e-6)


@given(CUTS)
def test_shards_of_any_size_merge_to_the_whole(cuts: list[int]) -> None:
    parts = [Moments.of(rows) for rows in np.split(ROWS, cuts)]
    same(merged(parts), Moments.of(ROWS))


@given(CUTS)
def test_batches_of_any_size_add_up_to_the_whole(cuts: list[int]) -> None:
    moments = Moments(ROWS.shape[1])
    for rows in np.split(ROWS, cuts):
        moments.update(rows)
    same(moments, Moments.of(ROWS))


@given(st.integers(0, len(ROWS) - 1), st.integers(1, len(ROWS) - 1))
def test_leaving_out_undoes_merging(start: int, length: int) -> None:
    out = np.zeros(len(ROWS), bool)
    out[start : start + length] = True
    same(Moments.of(ROWS).without(Moments.of(ROWS[out])), Moments.of(ROWS[~out]))


def test_leaving_out_everything_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="leave none"):
        Moments.of(ROWS).without(Moments.of(ROWS))


def test_merging_leaves_the_other_as_it_was() -> None:
    one, other = Moments.of(ROWS[:20]), Moments.of(ROWS[20:])
    merged([one, other])
    same(one, Moments.of(ROWS[:20]))
    same(other, Moments.of(ROWS[20:]))


def test_float32_rows_are_summed_in_float64() -> None:
    rows = ROWS.astype(np.float32)
    np.testing.assert_allclose(
        Moments.of(rows).covariance, np.cov(rows.astype(np.float64).T), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("shape", [(3, 4), (5,), (2, 5, 1)])
def test_rows_of_another_shape_are_our_mistake(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[n, 5\]"):
        Moments(5).update(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
def test_what_cannot_be_squared_is_seen(value: float) -> None:
    rows = ROWS.copy()
    rows[7, 2] = value
    assert not Moments.of(rows).is_finite


@pytest.mark.parametrize(
    ("real", "fake", "reason"),
    [
        (np.zeros((4, 3)), np.zeros((4, 2)), "equal d"),
        (np.zeros((1, 3)), np.zeros((4, 3)), "at least 2 images"),
        (np.zeros((4, 3)), np.full((4, 3), np.nan), "completed images are not finite"),
    ],
)
def test_incomparable_sides_are_refused(real: np.ndarray, fake: np.ndarray, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        require_comparable(real, fake)
