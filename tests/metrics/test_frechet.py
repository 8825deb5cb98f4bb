"""The Frechet distance: what leaves it alone, what moves it, its error and its refusals."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.frechet import (
    cautions,
    fid,
    fid_inf,
    frechet_distance,
    frechet_distance_of_rows,
)
from inpaint_cli.metrics.intervals import jackknife_blocks
from inpaint_cli.metrics.moments import Moments

Rows = npt.NDArray[np.float64]


def rows(seed: int, n: int = 80, d: int = 6) -> Rows:
    return np.maximum(np.random.default_rng(seed).normal(size=(n, d)), -0.5)


REAL, FAKE = rows(0), rows(1) * 1.2 + 0.3
ORDER = np.random.default_rng(2).permutation(len(REAL))


def test_the_order_of_images_does_not_matter() -> None:
    value = frechet_distance_of_rows(REAL, FAKE)
    np.testing.assert_allclose(frechet_distance_of_rows(REAL[ORDER], FAKE[ORDER]), value, rtol=1e-9)
    np.testing.assert_allclose(frechet_distance_of_rows(REAL, FAKE[ORDER]), value, rtol=1e-9)


def test_the_sides_may_be_exchanged() -> None:
    np.testing.assert_allclose(
        frechet_distance_of_rows(REAL, FAKE), frechet_distance_of_rows(FAKE, REAL), rtol=1e-9
    )


def test_a_model_that_always_gives_the_same_is_far_away() -> None:
    collapsed = np.repeat(FAKE[:1], len(REAL), axis=0)
    assert fid(REAL, collapsed).value > fid(REAL, FAKE).value
    expected = np.sum((REAL.mean(0) - FAKE[0]) ** 2) + np.trace(np.cov(REAL.T))
    np.testing.assert_allclose(fid(REAL, collapsed).value, expected, rtol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 20, 40])
def test_few_rows_are_at_no_distance_from_themselves(n: int) -> None:
    few = rows(3, n, d=40)
    assert fid(few, few).value == 0.0
    assert fid(few, few[::-1]).value == 0.0
    assert frechet_distance(Moments.of(few), Moments.of(few[::-1].copy())) < 1e-6 * n * 40


def test_both_forms_agree_where_few_rows_leave_covariances_singular() -> None:
    few, others = rows(3, 12, 30), rows(4, 15, 30)
    np.testing.assert_allclose(
        frechet_distance(Moments.of(few), Moments.of(others)),
        frechet_distance_of_rows(few, others),
        rtol=1e-6,
    )


def test_a_feature_that_never_changes_does_no_harm() -> None:
    flat_real, flat_fake = (np.hstack([side, np.ones((len(side), 2))]) for side in (REAL, FAKE))
    np.testing.assert_allclose(
        frechet_distance_of_rows(flat_real, flat_fake),
        frechet_distance_of_rows(REAL, FAKE),
        rtol=1e-6,
    )


@pytest.mark.parametrize("n", [2, 3, 4, 21])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
def test_tiny_sets_of_any_scale_give_numbers(n: int, scale: float) -> None:
    estimate = fid(rows(5, n) * scale, rows(6, n) * scale)
    assert math.isfinite(estimate.value)
    assert estimate.value >= 0
    assert (estimate.se is None) == (n == 2)
    assert estimate.se is None or math.isfinite(estimate.se)


def test_the_jackknife_leaves_out_pairs_of_images() -> None:
    left_out = []
    for block in jackknife_blocks(len(REAL), 20):
        kept = np.delete(np.arange(len(REAL)), block)
        left_out.append(frechet_distance_of_rows(REAL[kept], FAKE[kept]))
    by_hand = math.sqrt(19 / 20 * np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
    se = fid(REAL, FAKE).se
    assert se is not None
    np.testing.assert_allclose(se, by_hand, rtol=1e-7)


def test_the_jackknife_error_is_of_the_size_of_the_true_spread() -> None:
    estimates = [fid(rows(s, 200, 3), rows(s + 1000, 200, 3) + 1) for s in range(40)]
    spread = np.std([one.value for one in estimates], ddof=1)
    errors = [one.se for one in estimates if one.se is not None]
    assert 0.6 < np.mean(errors) / spread < 1.6


def test_the_jackknife_names_the_bias() -> None:
    one, other = rows(7, 400, 20), rows(8, 400, 20)  # of one distribution: all is bias
    estimate = fid(one, other)
    assert estimate.bias == pytest.approx(estimate.value, rel=0.35)
    assert any("of 400 images in 20 dimensions" in text for text in estimate.warnings)


def test_what_differs_between_ranges_is_no_error() -> None:
    ranges = np.arange(200) % 5
    shift = 20.0 * ranges[:, None]
    real, fake = rows(3, 200, 4) + shift, rows(3, 200, 4) * 1.5 + 1.3 * shift
    within, plain = fid(real, fake, strata=ranges).se, fid(real, fake).se
    assert within is not None
    assert plain is not None
    assert within < plain / 2


def test_extrapolating_takes_most_of_the_bias_away() -> None:
    one, other = rows(7, 400, 20), rows(8, 400, 20)
    plain, extrapolated = frechet_distance_of_rows(one, other), fid_inf(one, other)
    assert abs(extrapolated.value) < plain / 3
    assert extrapolated.extra["slope"] > 0


def test_extrapolating_needs_subsets_of_several_sizes() -> None:
    with pytest.raises(Refused, match="3 sizes"):
        fid_inf(REAL[:3], FAKE[:3])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_what_is_not_finite_is_refused(value: float) -> None:
    for n in (4, 80):
        spoilt = FAKE[:n].copy()
        spoilt[1, 1] = value
        with pytest.raises(Refused, match=r"finite|too large"):
            fid(REAL[:n], spoilt)
        with pytest.raises(Refused, match="finite"):
            frechet_distance(Moments.of(REAL[:n]), Moments.of(spoilt))


def test_a_single_image_is_refused() -> None:
    with pytest.raises(Refused, match="at least 2 images on each side, got 1 and 80"):
        fid(REAL[:1], FAKE)
    with pytest.raises(Refused, match="got 80 and 1"):
        frechet_distance(Moments.of(REAL), Moments.of(FAKE[:1]))


def test_inconsistent_covariances_are_refused_and_not_reported_as_negative() -> None:
    wrong = Moments.of(REAL)
    wrong.scatter = -wrong.scatter
    with pytest.raises(Refused, match="inconsistent"):
        frechet_distance(Moments.of(FAKE * 0.1), wrong)


def test_cautions_name_what_limits_a_comparison() -> None:
    assert cautions(20_000, 20_000, 2048, inception=True) == ()
    text = " ".join(cautions(50, 60, 64, inception=True))
    assert "n <= d (50 images, 64 features)" in text
    assert "10000 images or more" in text
    assert "50 real, 60 completed" in text
    assert cautions(200, 200, 64, inception=False) == (
        "features are not Inception: not comparable with published FID",
    )
