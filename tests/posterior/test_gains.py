"""Information gains: bounds, recorded results, and a posterior that is enumerated."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from inpaint_cli.posterior import gains

RNG = np.random.default_rng(0)


def random_probabilities(n: int = 6, places: int = 5, classes: int = 4) -> gains.Probabilities:
    raw = RNG.gamma(0.3, size=(n, places, classes)) + 1e-300
    return np.asarray(raw / raw.sum(axis=-1, keepdims=True))


def test_the_gain_lies_between_nothing_and_the_entropy_of_the_classes() -> None:
    for _ in range(1000):
        gain = gains.expected_gain(random_probabilities())
        assert (gain >= 0).all()
        assert (gain <= np.log(4) + 1e-12).all()


def test_the_gain_is_nothing_where_all_completions_agree() -> None:
    p = np.repeat(random_probabilities(1), 7, axis=0)
    np.testing.assert_allclose(gains.expected_gain(p), 0, atol=1e-12)


@pytest.mark.parametrize("estimator", ["eig", "epe"])
def test_the_gains_of_each_completion_have_the_estimate_as_their_mean(
    estimator: gains.Estimator,
) -> None:
    p, now = random_probabilities(), random_probabilities()[0, 0]
    each = gains.gains_of_each(p, now, estimator)
    np.testing.assert_allclose(
        each.mean(axis=0), gains.estimate(p, now, estimator), rtol=0, atol=1e-12
    )


def test_classes_without_probability_count_for_nothing() -> None:
    p = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    np.testing.assert_allclose(gains.expected_gain(p), np.log(2))
    np.testing.assert_allclose(gains.gains_of_each(p, p[0, 0], "eig"), np.log(2))


def test_with_the_whole_posterior_it_is_the_mutual_information() -> None:
    """Two classes, four binary pixels, all enumerated: I(class; pixel l | what is seen)."""
    joint = RNG.dirichlet(np.full(32, 0.4)).reshape(2, 2, 2, 2, 2)  # class, x0..x3
    seen = {0: 1}
    given = joint[:, seen[0]] / joint[:, seen[0]].sum()  # class, x1, x2, x3
    completions = list(product((0, 1), repeat=3))
    weight = np.array([given[(slice(None), *x)].sum() for x in completions])
    brute, estimated = [], []
    for place in range(3):
        table = given.sum(axis=tuple(axis for axis in (1, 2, 3) if axis != place + 1))
        outer = table.sum(1, keepdims=True) * table.sum(0, keepdims=True)
        brute.append((table * np.log(table / outer)).sum())
        exact = table / table.sum(axis=0)  # p(class | seen, x_place)
        p = np.array([exact[:, x[place]] for x in completions])
        mixed = (weight[:, None] * p).sum(axis=0)
        estimated.append(gains.entropy(mixed) - (weight * gains.entropy(p)).sum())
    np.testing.assert_allclose(estimated, brute, rtol=0, atol=1e-12)
    assert np.argmax(estimated) == np.argmax(brute)
