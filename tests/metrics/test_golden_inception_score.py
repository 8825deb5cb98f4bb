"""Recorded Inception scores, per observation and pooled."""

import numpy as np
import pytest
import torch

from inpaint_cli.metrics.classes import (
    inception_score,
    observation_score,
    pooled_inception_score,
    split_scores,
)
from tests.metrics.recorded_metrics import arrays, close, expected, fidelity

pytestmark = [pytest.mark.golden, pytest.mark.metrics]
RECORDED, EXPECTED = arrays("isc"), expected("isc")
MEAN, STD = "inception_score_mean", "inception_score_std"
POOLED = [
    (order, splits) for order in ("shuffled", "unshuffled") for splits in map(int, EXPECTED[order])
]


@pytest.mark.parametrize(("order", "splits"), POOLED)
def test_pooled_scores_are_the_recorded_ones(order: str, splits: int) -> None:
    recorded = EXPECTED[order][str(splits)]
    scores = split_scores(RECORDED["logits"], splits)
    mean, spread = float(np.mean(scores)), float(np.std(scores))
    if order == "shuffled":
        estimate = pooled_inception_score(RECORDED["logits"], splits)
        mean, spread = estimate.value, estimate.extra["std"]
    close(mean, recorded[MEAN])
    close(spread, recorded[STD], atol=1e-12)


def test_the_library_agrees_today() -> None:
    library = fidelity("metric_isc").isc_features_to_metric
    theirs = library(torch.from_numpy(RECORDED["logits"]), splits=3)
    estimate = pooled_inception_score(RECORDED["logits"], 3)
    close(estimate.value, theirs[MEAN], rtol=1e-6)
    close(estimate.extra["std"], theirs[STD], rtol=1e-5)


def test_each_observation_has_its_recorded_score() -> None:
    logits, recorded = RECORDED["obs_logits"], EXPECTED["per_observation"]
    scores = [observation_score(one) for one in logits]
    close(scores, recorded["values_splits1"])
    estimate = inception_score(scores, logits.shape[1], logits.shape[2])
    close(estimate.value, recorded["mean"])
    assert estimate.se is not None
    close(estimate.se, recorded["se"])


def test_splits_lower_the_score_as_recorded() -> None:
    recorded = EXPECTED["per_observation"]
    scores = [np.mean(split_scores(one, 10)) for one in RECORDED["obs_logits"]]
    close(scores, recorded["values_splits10"])
    close(np.mean(scores), recorded["mean_splits10"])


def test_pooling_observations_measures_something_else() -> None:
    logits, recorded = RECORDED["obs_logits"], EXPECTED["per_observation"]
    (pooled,) = split_scores(logits.reshape(-1, logits.shape[2]), 1)
    close(pooled, recorded["pooled_all_observations"])
    assert abs(pooled - recorded["mean"]) > 0.1


def test_degenerate_logits_have_their_scores() -> None:
    recorded = EXPECTED["degenerate"]
    row = RECORDED["logits"][:1]
    huge = recorded["huge_logits"]
    close(observation_score(np.repeat(row, 7, axis=0)), recorded["all_equal_rows"], rtol=0)
    close(split_scores(row, 1), [recorded["one_sample"]], rtol=0)
    sure = np.tile(np.where(np.eye(10) > 0, 0.0, -2000.0), (3, 1))
    close(observation_score(sure), recorded["onehot_balanced_10_classes"])
    close(observation_score(np.array(huge["logits"])), huge["value"])
