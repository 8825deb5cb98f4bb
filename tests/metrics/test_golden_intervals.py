"""Recorded standard errors, from recorded resamples."""

import pytest

from inpaint_cli.metrics.intervals import ends_of, over_images
from tests.metrics.recorded_metrics import arrays, close, expected

pytestmark = [pytest.mark.golden, pytest.mark.metrics]
RECORDED, EXPECTED = arrays("bootstrap"), expected("bootstrap")
VALUES = RECORDED["values"]


def test_mean_and_standard_error_are_the_recorded_ones() -> None:
    estimate = over_images(VALUES)
    close(estimate.value, EXPECTED["mean"])
    assert estimate.se is not None
    close(estimate.se, EXPECTED["se_analytic"])


def test_recorded_resamples_give_their_percentiles() -> None:
    ends = ends_of(VALUES[RECORDED["indices"]].mean(axis=1))
    close([float(end) for end in ends], EXPECTED["percentile_95"])
