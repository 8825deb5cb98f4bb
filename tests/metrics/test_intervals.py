"""Error bars: closed forms, seeds, what has none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.intervals import (
    Strata,
    bootstrap,
    holm,
    jackknife_bias,
    jackknife_se,
    mean_of,
    over_images,
    p_value,
    paired_difference,
    ratio_of_sums,
    resampled_means,
    standard_error,
)

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=50)
RANGES = np.arange(50) % 5


def spread(values: np.ndarray, strata: Strata = None) -> float:
    """Return the standard deviation of the means over resamples."""
    return float(np.std(resampled_means(values, strata), ddof=1))


@given(st.permutations(range(50)))
def test_mean_and_error_do_not_depend_on_order_in_any_digit(order: list[int]) -> None:
    assert over_images(VALUES[order]) == over_images(VALUES)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    left_out = [np.delete(VALUES, i).mean() for i in range(len(VALUES))]
    assert jackknife_se(left_out) == pytest.approx(standard_error(VALUES), rel=1e-12)


def test_the_deviation_of_images_is_theirs_whatever_their_ranges() -> None:
    within, plain = over_images(VALUES, strata=RANGES), over_images(VALUES)
    assert within.sd == plain.sd == pytest.approx(np.std(VALUES, ddof=1), rel=1e-12)
    assert plain.sd == pytest.approx((plain.se or 0) * 50**0.5, rel=1e-12)
    assert within.se != plain.se
    assert (over_images([3.0]).sd, over_images([1.0, math.inf]).sd) == (None, None)
    assert ratio_of_sums(VALUES, np.full(50, 4.0)).sd is None


def test_one_image_has_a_value_and_no_error() -> None:
    estimate = over_images([3.0])
    assert (estimate.value, estimate.se, estimate.se_method) == (3.0, None, "")


def test_infinite_values_give_an_infinite_mean_without_an_error() -> None:
    estimate = over_images([1.0, math.inf])
    assert (estimate.value, estimate.se) == (math.inf, None)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, -math.inf]])
def test_what_has_no_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(Refused):
        mean_of(values)


def test_a_ratio_with_equal_parts_is_a_mean() -> None:
    ratio, plain = ratio_of_sums(VALUES, np.full(50, 4.0)), over_images(VALUES / 4)
    assert ratio.value == pytest.approx(plain.value, rel=1e-12)
    assert ratio.se == pytest.approx(plain.se, rel=1e-12)


def test_a_ratio_over_nothing_is_refused() -> None:
    with pytest.raises(Refused, match="nothing to divide by"):
        ratio_of_sums(VALUES, np.zeros(50))


def test_resamples_are_the_same_each_time_and_stay_in_range() -> None:
    values = np.arange(7.0)
    first, again = resampled_means(values), resampled_means(values)
    np.testing.assert_array_equal(first, again)
    assert 0 <= first.min() < first.max() <= 6


def test_resampling_does_not_depend_on_how_many_values_are_gathered_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = resampled_means(VALUES, RANGES)
    monkeypatch.setattr("inpaint_cli.metrics.intervals.AT_ONCE", 70)
    np.testing.assert_array_equal(resampled_means(VALUES, RANGES), whole)


def test_the_bootstrap_of_a_mean_nears_its_standard_error() -> None:
    low, high = bootstrap(VALUES)
    assert spread(VALUES) == pytest.approx(standard_error(VALUES), rel=0.1)
    assert low < VALUES.mean() < high


def test_the_bootstrap_of_few_images_a_range_is_not_too_narrow() -> None:
    few = np.concatenate([10.0 * VALUES[:2] + 100 * place for place in range(5)])
    ranges = np.arange(10) // 2
    assert spread(few, ranges) == pytest.approx(standard_error(few, ranges), rel=0.1)


def test_a_range_with_most_of_the_spread_has_the_say_on_it() -> None:
    """As of differences between models: large where little is visible, else nearly none."""
    ranges, rng = np.arange(20) // 4, np.random.default_rng(0)
    scale, false, held = np.repeat([0.05, 0.05, 0.05, 0.05, 3.0], 4), 0, 0
    for _ in range(400):
        difference = paired_difference(scale * rng.normal(size=20), np.zeros(20), ranges)
        false += difference.extra["p"] <= 0.05
        held += difference.extra["low"] <= 0 <= difference.extra["high"]
    assert 10 <= false <= 32
    assert held >= 368


def test_intervals_of_few_images_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    ends = [bootstrap(rng.normal(size=5)) for _ in range(400)]
    assert 368 <= sum(low <= 0 <= high for low, high in ends) <= 392


def test_what_differs_between_ranges_is_no_error() -> None:
    far = VALUES + 100.0 * RANGES
    within = standard_error(far, RANGES)
    assert within == pytest.approx(standard_error(VALUES, RANGES), rel=1e-9)
    plain = standard_error(far)
    assert within is not None
    assert plain is not None
    assert within < plain / 50
    difference = paired_difference(far, 0 * far, RANGES)
    assert spread(far, RANGES) == pytest.approx(within, rel=0.1)
    assert (difference.se, difference.se_method) == (within, "strata")


def test_a_range_of_one_image_leaves_the_error_that_is_never_too_small() -> None:
    ranges = np.array([0] * 49 + [1])
    estimate = over_images(VALUES, strata=ranges)
    assert (estimate.se, estimate.se_method) == (standard_error(VALUES), "images")


def test_constant_values_have_no_spread() -> None:
    assert spread(np.full(9, 2.5)) == 0.0
    assert bootstrap(np.full(9, 2.5)) == (2.5, 2.5)


def test_values_that_differ_by_rounding_alone_have_no_spread() -> None:
    alike = over_images([0.1 + 0.2, 0.3, 0.3, 0.3])
    assert (alike.se, alike.sd) == (0.0, 0.0)


def test_the_jackknife_finds_a_bias_of_one_over_n() -> None:
    def figure(n: int) -> float:
        return 3.0 + 8.0 / n

    assert jackknife_bias(figure(40), [figure(38)] * 20) == pytest.approx(8.0 / 40)


def test_holm_corrects_in_order_and_never_beyond_one() -> None:
    assert holm([]) == []
    assert holm([0.03, 0.6, 0.01, 0.9]) == pytest.approx([0.09, 1.0, 0.04, 1.0])


def test_p_of_equal_models_is_one_and_of_a_constant_difference_nought() -> None:
    assert paired_difference(VALUES, VALUES).extra["p"] == 1.0
    threes = np.full(41, 3.0)
    assert p_value(-threes, 1.0, 40) == p_value(threes, 1.0, 40) < 0.005
    # A classifier is right on all of one model and on none of the other: no proof after three.
    assert paired_difference(np.ones(3), np.zeros(3)).extra["p"] == 0.25
    assert paired_difference(np.full(9, 0.7), np.full(9, 0.1)).extra["p"] == 2.0**-8


def test_ranges_that_differ_alike_prove_no_more_than_their_images() -> None:
    """Two of ten images differ, both in one range: within ranges nothing varies."""
    strata = np.arange(10) % 5
    ours = (strata == 0).astype(float)
    assert paired_difference(ours, np.zeros(10), strata=strata).extra["p"] == 0.5


def test_rounding_is_no_difference() -> None:
    """As between one completion and the mean of three copies of it, always rounded one way."""
    figures = np.abs(VALUES)
    assert paired_difference(figures, figures * (1 - 1e-15)).extra["p"] == 1.0
    assert paired_difference(figures, figures * (1 - 1e-3)).extra["p"] < 0.05


def test_a_common_part_of_two_models_cancels_in_their_difference() -> None:
    noise = RNG.normal(size=50) * 0.01
    difference = paired_difference(VALUES + 0.5 + noise, VALUES)
    assert difference.se is not None
    assert difference.se < 0.005
    assert difference.extra["low"] < difference.value < difference.extra["high"]
    assert difference.value == pytest.approx(0.5, abs=0.01)
    assert difference == paired_difference(VALUES + 0.5 + noise, VALUES)


def test_the_difference_of_two_images_has_bounds() -> None:
    difference = paired_difference(np.array([2.0, 3.0]), np.array([1.5, 1.5]))
    ends = difference.extra["low"], difference.value, difference.extra["high"]
    # The percentiles are 0.5 and 1.5; t of one degree of freedom is 6.5 times as wide.
    assert ends == pytest.approx((-2.2414, 1.0, 4.2414), abs=1e-4)


def test_the_difference_of_one_image_has_no_error() -> None:
    difference = paired_difference(np.array([2.0]), np.array([1.5]))
    assert (difference.value, difference.se) == (0.5, None)


def test_differences_of_other_images_or_of_infinities_are_refused() -> None:
    with pytest.raises(Refused, match="same images"):
        paired_difference(VALUES, VALUES[1:])
    with pytest.raises(Refused, match="no finite number"):
        paired_difference(np.array([math.inf, 1]), np.array([math.inf, 1]))
    with pytest.raises(Refused, match="no finite number"):
        paired_difference(np.array([1.0]), np.array([math.inf]))
    with pytest.raises(Refused, match="no finite number"):
        paired_difference(np.array([]), np.array([]))
