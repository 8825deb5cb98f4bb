"""Recorded standard errors, from recorded resamples."""

import pytest

from inpaint_cli.metrics.intervals import bounds_of, over_images
from tests.metrics.recorded_metrics import arrays, close, expected

pytestmark = [pytest.mark.golden, pytest.mark.metrics]
RECORDED, EXPECTED = arrays("bootstrap"), expected("bootstrap")
VALUES = RECORDED["values"]


def test_mean_and_standard_error_are_the_recorded_ones() -> None:
    estimate = over_images(VALUES)
    close(estimate.value, EXPECTED["mean"])
    assert estimate.se is not None
    close(estimate.se, EXPECTED["se_analytic"])


def test_recorded_resamples_give_their_error_and_percentiles() -> None:
    bounds = bounds_of(VALUES[RECORDED["indices"]].mean(axis=1))
    close(bounds.se, EXPECTED["boot_se_ddof1"])
    close([bounds.low, bounds.high], EXPECTED["percentile_95"])
