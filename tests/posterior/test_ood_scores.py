"""From features to scores and p-values, and how well scores tell sets apart."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.posterior import auroc, ood_scores

RNG = np.random.default_rng(0)


def some(n: int = 200, length: int = 3) -> tuple[ood_scores.Values, ood_scores.Values]:
    shares = RNG.uniform(0.05, 0.95, n)
    mixed = RNG.normal(size=(n, length)) @ RNG.normal(size=(length, length))
    return mixed + 4 * shares[:, None] ** 2, shares


def test_a_score_is_the_log_density_of_the_gaussian_of_the_fit() -> None:
    features, shares = some()
    scale = ood_scores.fit(features, shares, gaussian=True, by_visible=False)
    covariance = np.cov(features, rowvar=False)
    covariance += 1e-6 * np.trace(covariance) / 3 * np.eye(3)
    rest = features - features.mean(axis=0)
    nats = -0.5 * np.einsum("ni,ij,nj->n", rest, np.linalg.inv(covariance), rest)
    nats -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    np.testing.assert_allclose(scale.scores(features, shares), nats, rtol=1e-9)


def test_by_visible_takes_off_what_follows_from_the_visible_share() -> None:
    shares = RNG.uniform(0, 1, 300)
    cubic = np.stack([1 + shares**3, shares - 2 * shares**2], 1)
    features = cubic + 0.01 * RNG.normal(size=cubic.shape)
    scale = ood_scores.fit(features, shares, gaussian=True, by_visible=True)
    np.testing.assert_allclose(ood_scores.powers(shares) @ scale.trend, cubic, atol=0.01)
    odd = scale.scores(cubic[:1] + 0.1, shares[:1])
    assert odd < scale.scores(cubic, shares).min()


def test_equal_pictures_can_be_fitted_as_well() -> None:
    scale = ood_scores.fit(np.ones((60, 2)), np.ones(60), gaussian=True, by_visible=False)
    assert np.isfinite(scale.scores(np.ones((1, 2)), np.ones(1))).all()


def test_what_is_not_finite_is_left_out_of_a_fit_and_scores_lowest() -> None:
    features, shares = some(300)
    features[[3, 7]] = [[np.nan, 0, 0], [1e200, 0, 0]]
    scale = ood_scores.fit(features, shares, gaussian=True, by_visible=False)
    scores = scale.scores(features, shares)
    assert (scores == -np.inf).sum() == 2
    assert ood_scores.p_values(scores[:3], scores[3:4]) == [0.25]
    features[10:14] = np.inf
    with pytest.raises(ResourceError, match="6 of 300"):
        ood_scores.fit(features, shares, gaussian=True, by_visible=False)


def test_a_score_of_one_feature_is_the_feature() -> None:
    features, shares = some(100, 1)
    scale = ood_scores.fit(features, shares, gaussian=False, by_visible=False)
    np.testing.assert_array_equal(scale.scores(features, shares), features[:, 0])


def test_p_values_of_what_is_exchangeable_are_not_too_often_small() -> None:
    calibration, scores = RNG.normal(size=99), RNG.normal(size=(400, 99))
    p = np.concatenate([ood_scores.p_values(row, calibration[:1]) for row in scores])
    assert p.min() >= 0.01
    shares = []
    for _ in range(400):
        drawn = RNG.normal(size=120)
        shares.append((ood_scores.p_values(drawn[:99], drawn[99:]) <= 0.1).mean())
    assert abs(np.mean(shares) - 0.1) < 4 * np.std(shares) / 20


def test_too_few_pictures_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(UserError, match=r"60 pictures.*11 features.*at least 61"):
        ood_scores.check_count(60, 11)
    ood_scores.check_count(61, 11)


def test_the_area_is_that_of_scikit_learn_with_ties() -> None:
    inside, outside = np.round(RNG.normal(0.4, 1, 80), 1), np.round(RNG.normal(0, 1, 80), 1)
    truth = np.repeat([1, 0], 80)
    told = auroc.separation(inside, outside)
    assert told.area == pytest.approx(roc_auc_score(truth, np.concatenate([inside, outside])))


def test_the_standard_error_is_the_spread_over_draws() -> None:
    drawn = [auroc.separation(RNG.normal(0.7, 1, 60), RNG.normal(0, 1, 60)) for _ in range(400)]
    mean = np.mean([told.se for told in drawn if told.se is not None])
    assert mean == pytest.approx(np.std([told.area for told in drawn]), rel=0.12)


def test_the_error_of_pairs_is_the_spread_over_draws_of_pairs_in_every_range() -> None:
    """As of pictures and what is made of them, under the same masks, a fifth in each range."""
    ranges, drawn = np.arange(60) % 5, []
    for _ in range(400):
        both = ranges + RNG.normal(size=60)
        inside, outside = both + RNG.normal(0.4, 0.3, 60), both + RNG.normal(0, 0.3, 60)
        drawn.append(auroc.separation(inside, outside))
    spread = np.std([told.area for told in drawn])
    errors = [told.paired_se(ranges) for told in drawn]
    assert np.mean([e for e in errors if e is not None]) == pytest.approx(spread, rel=0.12)
    assert np.mean([told.se for told in drawn if told.se is not None]) > 2 * spread
    same = RNG.normal(size=9)
    assert auroc.separation(same, same).paired_se() is None


def test_infinite_scores_have_their_place_in_the_order() -> None:
    told = auroc.separation(np.array([0.0, 1.0]), np.array([-np.inf, -np.inf]))
    assert (told.area, told.se) == (1.0, None)


def test_the_distance_from_uniform_is_that_of_kolmogorov_and_smirnov() -> None:
    from scipy.stats import kstest

    p = RNG.random(50) ** 1.3
    assert auroc.distance_from_uniform(p) == pytest.approx(kstest(p, "uniform").statistic)
