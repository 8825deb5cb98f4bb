"""The area under the ROC curve: by counting pairs, and its errors by resampling."""

from __future__ import annotations

import numpy as np
import pytest

from inpaint_cli.posterior.auroc import placements

RNG = np.random.default_rng(3)


def scores(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    positive = np.arange(n) % 3 == 0
    return np.round(RNG.normal(size=n) + positive, 1), positive


def test_it_is_the_share_of_pairs_in_order_with_ties_counted_half() -> None:
    values, positive = scores()
    pairs = values[positive][:, None] - values[~positive][None]
    assert placements(values, positive).area == pytest.approx(
        (pairs > 0).mean() + (pairs == 0).mean() / 2, abs=1e-15
    )
    assert placements(values, positive).negative.mean() == pytest.approx(
        placements(values, positive).area
    )


def test_the_standard_error_is_that_of_repeated_samples() -> None:
    drawn = [placements(*scores(90)) for _ in range(2000)]
    spread = np.std([one.area for one in drawn])
    assert np.mean([one.se for one in drawn]) == pytest.approx(spread, rel=0.05)


def test_a_difference_of_areas_has_the_error_of_pairs() -> None:
    values, positive = scores()
    same = placements(values, positive).minus(placements(values, positive))
    assert (same.area, same.se) == (0, None)
    noisier = placements(values + RNG.normal(size=60) / 10, positive)
    single = placements(values, positive)
    difference = noisier.minus(single)
    assert difference.area == pytest.approx(noisier.area - single.area)
    assert difference.se is not None
    assert single.se is not None
    assert difference.se < single.se / 2


def test_one_case_of_a_kind_has_an_area_but_no_error() -> None:
    lonely = placements(np.array([0.2, 0.1, 0.3]), np.array([True, False, False]))
    assert (lonely.area, lonely.se) == (0.5, None)


def test_cases_wholly_apart_or_all_tied_have_no_error() -> None:
    positive = np.repeat([True, False], 3)
    for values, area in ((np.arange(6, 0, -1.0), 1.0), (np.ones(6), 0.5)):
        told = placements(values, positive)
        assert (told.area, told.se) == (area, None)
