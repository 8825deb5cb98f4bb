"""Recorded standard errors, from recorded resamples."""

import pytest

from inpaint_cli.metrics.intervals import bounds_of, over_images
from tests.metrics.recorded_metrics import arrays, close, expected

pytestmark = [pytest.mark.golden, pytest.mark.metrics]
RECORDED, EXPECTED = arrays("bootstrap"), expected("bootstrap")
VALUES = RECORDED["values"]


def test_mean_and_standard_error_are_the_recorded_ones() -> None:
    found = over_images(VALUES)
    close(found.value, EXPECTED["mean"])
    assert found.se is not None
    close(found.se, EXPECTED["se_analytic"])


def test_recorded_resamples_give_their_error_and_percentiles() -> None:
    found = bounds_of(VALUES[RECORDED["indices"]].mean(axis=1))
    close(found.se, EXPECTED["boot_se_ddof1"])
    close([found.low, found.high], EXPECTED["percentile_95"])
