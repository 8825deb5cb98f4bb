"""Error bars: closed forms, seeds, what has none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import (
    blocks_of,
    bootstrap,
    jackknife_se,
    mean_of,
    over_images,
    over_sets,
    paired_difference,
    ratio_of_sums,
    resamples,
    standard_error,
)

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=50)


@given(st.integers(1, 60), st.integers(1, 25), st.integers(0, 3))
def test_blocks_hold_every_image_once_and_differ_by_one_at_most(
    n: int, count: int, seed: int
) -> None:
    blocks = blocks_of(n, count, seed, "test")
    assert sorted(np.concatenate(blocks).tolist()) == list(range(n))
    sizes = {len(block) for block in blocks}
    assert max(sizes) - min(sizes) <= 1
    # In the order of the images, so that a file of features is read forwards.
    assert all((np.diff(block) > 0).all() for block in blocks)


def test_blocks_are_drawn_at_random_by_seed_and_tag() -> None:
    drawn = [
        [block.tolist() for block in blocks_of(40, 4, seed, tag)]
        for seed, tag in ((0, "a"), (0, "a"), (1, "a"), (0, "b"))
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] != drawn[3]


@given(st.permutations(range(50)))
def test_mean_and_error_do_not_depend_on_order_in_any_digit(order: list[int]) -> None:
    assert over_images(VALUES[order]) == over_images(VALUES)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    left_out = [np.delete(VALUES, i).mean() for i in range(len(VALUES))]
    assert jackknife_se(left_out) == pytest.approx(standard_error(VALUES), rel=1e-12)


def test_one_image_has_a_value_and_no_error() -> None:
    found = over_images([3.0])
    assert (found.value, found.se, found.se_method) == (3.0, None, "")


def test_infinite_values_give_an_infinite_mean_without_an_error() -> None:
    found = over_images([1.0, math.inf])
    assert (found.value, found.se) == (math.inf, None)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, -math.inf]])
def test_what_has_no_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(Refused):
        mean_of(values)


def test_sets_give_their_spread_and_each_warning_once() -> None:
    found = over_sets(
        [Estimate(v, 10, parameters={"d": 4}, warnings=("few",)) for v in (1.0, 2.0, 3.0)]
    )
    assert (found.value, found.se, found.se_method, found.k) == (2.0, 1.0, "sets", 3)
    assert (found.n, found.parameters) == (10, {"d": 4})
    assert found.warnings == ("few",)
    assert found.extra["values"] == [1.0, 2.0, 3.0]


def test_a_ratio_with_equal_parts_is_a_mean() -> None:
    found, plain = ratio_of_sums(VALUES, np.full(50, 4.0)), over_images(VALUES / 4)
    assert found.value == pytest.approx(plain.value, rel=1e-12)
    assert found.se == pytest.approx(plain.se, rel=1e-12)


def test_a_ratio_over_nothing_is_refused() -> None:
    with pytest.raises(Refused, match="nothing to divide by"):
        ratio_of_sums(VALUES, np.zeros(50))


def test_resamples_come_from_their_seed_alone_and_stay_in_range() -> None:
    first, again, other = (np.array(list(resamples(7, seed))) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert set(np.unique(first)) == set(range(7))


def test_the_bootstrap_of_a_mean_nears_its_standard_error() -> None:
    found = bootstrap(VALUES, resamples(50, 0))
    assert found.se == pytest.approx(standard_error(VALUES), rel=0.15)
    assert found.low < VALUES.mean() < found.high


def test_constant_values_have_no_spread() -> None:
    found = bootstrap(np.full(9, 2.5), resamples(9, 0))
    assert (found.se, found.low, found.high) == (0.0, 2.5, 2.5)


def test_a_common_part_of_two_models_cancels_in_their_difference() -> None:
    noise = RNG.normal(size=50) * 0.01
    found = paired_difference(VALUES + 0.5 + noise, VALUES)
    assert found.se is not None
    assert found.se < 0.005
    assert found.extra["low"] < found.value < found.extra["high"]
    assert found.value == pytest.approx(0.5, abs=0.01)
    assert found == paired_difference(VALUES + 0.5 + noise, VALUES)


def test_the_difference_of_two_images_has_bounds() -> None:
    found = paired_difference(np.array([2.0, 3.0]), np.array([1.5, 1.5]))
    assert (found.extra["low"], found.value, found.extra["high"]) == (0.5, 1.0, 1.5)


def test_the_difference_of_one_image_has_no_error() -> None:
    found = paired_difference(np.array([2.0]), np.array([1.5]))
    assert (found.value, found.se) == (0.5, None)


def test_differences_of_other_images_or_of_infinities_are_refused() -> None:
    with pytest.raises(Refused, match="same images"):
        paired_difference(VALUES, VALUES[1:])
    with pytest.raises(Refused, match="no finite number"):
        paired_difference(np.array([math.inf, 1]), np.array([math.inf, 1]))
    with pytest.raises(Refused, match="no finite number"):
        paired_difference(np.array([1.0]), np.array([math.inf]))
    with pytest.raises(Refused, match="no finite number"):
        paired_difference(np.array([]), np.array([]))
