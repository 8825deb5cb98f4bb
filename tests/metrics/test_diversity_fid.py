"""Distances between completion sets: order, error, refusals."""

import math

import numpy as np
import pytest

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.frechet import div_fid, fid, fid_all, fid_over_sets

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(40, 3))
SETS = [REAL + RNG.normal(size=(40, 3)) * spread for spread in (0.5, 0.7, 1.5)]


def test_the_order_of_completions_and_images_does_not_matter() -> None:
    order = RNG.permutation(40)
    value = div_fid(SETS).value
    np.testing.assert_allclose(div_fid(SETS[::-1]).value, value, rtol=1e-9)
    np.testing.assert_allclose(div_fid([one[order] for one in SETS]).value, value, rtol=1e-9)
    np.testing.assert_allclose(
        fid_all(REAL, SETS[::-1]).value, fid_all(REAL, SETS).value, rtol=1e-9
    )


def test_one_set_in_all_is_the_plain_distance() -> None:
    np.testing.assert_allclose(fid_all(REAL, SETS[:1]).value, fid(REAL, SETS[0]).value, rtol=1e-9)
    one, plain = fid_over_sets(REAL, SETS[:1]), fid(REAL, SETS[0])
    assert (one.value, one.se, one.bias) == (plain.value, plain.se, plain.bias)
    assert one.extra["std_over_sets"] is None


def test_the_error_leaves_out_images_with_all_their_completions() -> None:
    estimate = div_fid(SETS[:2])
    plain = fid(SETS[0], SETS[1])
    np.testing.assert_allclose(estimate.value, plain.value, rtol=1e-9)
    assert estimate.se is not None
    assert plain.se is not None
    np.testing.assert_allclose(estimate.se, plain.se, rtol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_tiny_sets_give_numbers(n: int) -> None:
    for estimate in (div_fid([one[:n] for one in SETS]), fid_all(REAL[:n], [s[:n] for s in SETS])):
        assert math.isfinite(estimate.value)
        assert (estimate.se is None) == (n == 2)


def test_one_set_has_no_div_fid() -> None:
    with pytest.raises(Refused, match="at least 2 completions of every image, got 1"):
        div_fid(SETS[:1])
    with pytest.raises(Refused, match="got 0"):
        fid_all(REAL, [])


def test_sets_that_lack_images_are_refused() -> None:
    with pytest.raises(Refused, match="must hold every image, got 40 and 39"):
        div_fid([SETS[0], SETS[1][:-1]])
