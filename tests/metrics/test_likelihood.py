import math

import numpy as np
import pytest

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.likelihood import NatsOfImages


def test_pooled_bits_weigh_images_by_their_hidden_values_and_means_do_not() -> None:
    ln2 = math.log(2)
    likelihood = NatsOfImages([2 * ln2, 30 * ln2], [2, 10])
    assert likelihood.bits_pooled().value == pytest.approx(32 / 12)
    assert likelihood.bits_mean().value == pytest.approx(2)
    assert likelihood.nats_mean().value == pytest.approx(16 * ln2)
    assert likelihood.bits_mean().se == pytest.approx(1)


def test_the_error_of_pooled_bits_is_that_of_the_mean_if_holes_are_alike() -> None:
    likelihood = NatsOfImages([5.0, 7.0, 12.0], [4, 4, 4])
    pooled, mean = likelihood.bits_pooled(), likelihood.bits_mean()
    assert (pooled.value, pooled.se) == pytest.approx((mean.value, mean.se))


def test_the_error_of_pooled_bits_weighs_images_by_their_hidden_values() -> None:
    # Ratio of sums 6 bits / 6 values; residuals 3 - 1 * 1, 1 - 1 * 2 and 2 - 1 * 3, over a mean
    # of 2 values: 1, -1/2, -1/2, whose standard error is sqrt(1.5 / 2) / sqrt(3) = 1/2.
    pooled = NatsOfImages([3 * math.log(2), math.log(2), 2 * math.log(2)], [1, 2, 3]).bits_pooled()
    assert (pooled.value, pooled.se) == pytest.approx((1.0, 0.5))


def test_pooled_bits_that_hang_on_few_images_warn_of_their_error() -> None:
    pooled = NatsOfImages([1.0] * 9 + [9.0], [1] * 9 + [9]).bits_pooled()  # 18^2 / (9 + 81)
    assert "effective number of images 3.6: the error is too small" in pooled.warnings[0]
    assert NatsOfImages([1.0] * 10, [4] * 10).bits_pooled().warnings == ()
    many = [4] * 60 + [8] * 40
    assert NatsOfImages([1.0] * 100, many).bits_pooled().warnings == ()


def test_errors_of_pooled_bits_hold_unless_a_warning_says_that_they_do_not() -> None:
    rng, holds = np.random.default_rng(0), {True: list[bool](), False: list[bool]()}
    for _ in range(600):
        hidden = np.ceil(1000 * np.exp(rng.choice([0.5, 2.0]) * rng.standard_normal(50)))
        nats = hidden * (3 + rng.standard_normal(50))  # of 3 nats a value, whatever the hole
        pooled = NatsOfImages(nats.tolist(), hidden.astype(int).tolist()).bits_pooled()
        assert pooled.se is not None
        within = abs(pooled.value - 3 / math.log(2)) <= 2.01 * pooled.se  # t of 49 degrees, 95 %
        holds[bool(pooled.warnings)].append(within)
    assert np.mean(holds[False]) > 0.92
    assert np.mean(holds[True]) < 0.85


def test_images_without_a_hole_are_left_out_and_counted() -> None:
    bits = NatsOfImages([0.0, 3.0], [0, 6]).bits_pooled()
    assert bits.n == 1
    assert bits.se is None
    assert bits.extra["excluded"] == 1
    assert "1 image without hidden values" in bits.warnings[0]
    with pytest.raises(Refused, match="no image has hidden values"):
        NatsOfImages([0.0], [0]).bits_mean()


def test_a_bound_says_that_it_is_one() -> None:
    bits = NatsOfImages([3.0], [6], bound="iw-5", levels=32).bits_mean()
    assert bits.parameters == {"bound": "iw-5", "levels": 32}
    assert "upper bound (iw-5)" in bits.warnings[0]
    assert NatsOfImages([3.0], [6]).bits_mean().warnings == ()


def test_infinite_nats_give_infinity_and_missing_ones_a_refusal() -> None:
    likelihood = NatsOfImages([math.inf, 3.0], [6, 6])
    for estimate in (likelihood.bits_pooled(), likelihood.bits_mean(), likelihood.nats_mean()):
        assert estimate.value == math.inf
        assert estimate.se is None
    with pytest.raises(Refused, match="no number"):
        NatsOfImages([math.nan, 3.0], [6, 6]).bits_pooled()
