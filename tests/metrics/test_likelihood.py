import math

import numpy as np
import pytest
import torch
from inpaint_cli.metrics.state import Refused

from inpaint_cli.metrics.likelihood import Likelihood, bits_per_dim, hidden_nats, importance_bound


def test_guessing_costs_the_logarithm_of_the_levels() -> None:
    visible = torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    nats = hidden_nats(torch.zeros(1, 32, 3, 2, 2), torch.zeros(1, 3, 2, 2), visible)
    assert bits_per_dim(float(nats[0]), 12) == pytest.approx(5)


def test_an_impossible_value_counts_only_where_it_is_hidden() -> None:
    logits = torch.zeros(1, 2, 1, 1, 2)
    logits[0, 0, 0, 0, 0] = -math.inf
    values = torch.zeros(1, 1, 1, 2)
    seen = torch.tensor([True, False]).reshape(1, 1, 1, 2)
    assert hidden_nats(logits, values, seen).tolist() == pytest.approx([math.log(2)])
    assert hidden_nats(logits, values, ~seen).tolist() == [math.inf]


def test_pooled_bits_weigh_images_by_their_hidden_values_and_means_do_not() -> None:
    ln2 = math.log(2)
    likelihood = Likelihood([2 * ln2, 30 * ln2], [2, 10])
    assert likelihood.bits_pooled().value == pytest.approx(32 / 12)
    assert likelihood.bits_mean().value == pytest.approx(2)
    assert likelihood.nats_mean().value == pytest.approx(16 * ln2)
    assert likelihood.bits_mean().se == pytest.approx(1)


def test_the_error_of_pooled_bits_is_that_of_the_mean_if_holes_are_alike() -> None:
    likelihood = Likelihood([5.0, 7.0, 12.0], [4, 4, 4])
    pooled, mean = likelihood.bits_pooled(), likelihood.bits_mean()
    assert (pooled.value, pooled.se) == pytest.approx((mean.value, mean.se))


def test_images_without_a_hole_are_left_out_and_counted() -> None:
    found = Likelihood([0.0, 3.0], [0, 6]).bits_pooled()
    assert found.n == 1
    assert found.se is None
    assert found.extra["excluded"] == 1
    assert "1 images without hidden values" in found.warnings[0]
    assert bits_per_dim(0.0, 0) is None
    with pytest.raises(Refused, match="no image has hidden values"):
        Likelihood([0.0], [0]).bits_mean()


def test_a_bound_says_that_it_is_one() -> None:
    found = Likelihood([3.0], [6], bound="iw-5", levels=32).bits_mean()
    assert found.parameters == {"bound": "iw-5", "levels": 32}
    assert "upper bound (iw-5)" in found.warnings[0]
    assert Likelihood([3.0], [6]).bits_mean().warnings == ()


def test_infinite_nats_give_infinity_and_missing_ones_a_refusal() -> None:
    likelihood = Likelihood([math.inf, 3.0], [6, 6])
    for found in (likelihood.bits_pooled(), likelihood.bits_mean(), likelihood.nats_mean()):
        assert found.value == math.inf
        assert found.se is None
    with pytest.raises(Refused, match="no number"):
        Likelihood([math.nan, 3.0], [6, 6]).bits_pooled()


def test_more_weights_bound_more_tightly_and_huge_ones_do_not_overflow() -> None:
    weights = torch.tensor([[-2000.0, -1990.0, -2010.0]])
    bound = float(importance_bound(weights)[0])
    assert float(weights.mean()) < bound < -1990
    assert bound == pytest.approx(-1990 + np.log((1 + np.exp(-10) + np.exp(-20)) / 3), rel=1e-12)
