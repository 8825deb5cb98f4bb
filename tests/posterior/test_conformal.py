"""The factor of an interval: exact, and its promise kept on exchangeable pictures."""

from __future__ import annotations

import numpy as np
import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.posterior.calibrating import Scores, controlling_factor, needed


def pictures(count: int, seed: int, ties: bool = False) -> list[Scores]:
    rng = np.random.default_rng(seed)
    scale = rng.gamma(2.0, 1.0, count)  # pictures differ in how hard they are
    scores = [np.abs(rng.normal(0, s, rng.integers(1, 30))) for s in scale]
    return [np.asarray(np.round(r, 1), np.float64) for r in scores] if ties else scores


def loss(scores: Scores, factor: float) -> float:
    return float((scores > factor).mean())


def by_trying_all(scores: list[Scores], alpha: float) -> float:
    candidates = np.append(0.0, np.unique(np.concatenate(scores)))
    risks = [(sum(loss(r, c) for r in scores) + 1) / (len(scores) + 1) for c in candidates]
    return float(candidates[np.argmax(np.array(risks) <= alpha + 1e-12)])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.4])
def test_the_factor_is_the_smallest_that_controls_the_risk(alpha: float, ties: bool) -> None:
    for seed in range(20):
        scores = pictures(24, seed, ties)
        assert controlling_factor(scores, alpha) == by_trying_all(scores, alpha)


def test_the_order_of_the_pictures_does_not_matter() -> None:
    scores = pictures(40, 3)
    assert controlling_factor(scores, 0.1) == controlling_factor(scores[::-1], 0.1)


def test_a_higher_level_never_has_a_smaller_factor() -> None:
    scores = pictures(60, 5)
    factors = [controlling_factor(scores, alpha) for alpha in (0.4, 0.3, 0.2, 0.1, 0.05)]
    assert factors == sorted(factors)


def test_too_few_pictures_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(UserError, match=r"8 pictures.*at least 9"):
        controlling_factor(pictures(8, 0), 0.1)
    assert controlling_factor(pictures(9, 0), 0.1) > 0
    assert [needed(alpha) for alpha in (0.5, 0.2, 0.1, 0.05, 0.01)] == [1, 4, 9, 19, 99]


def test_the_mean_loss_on_new_pictures_is_what_was_asked_for() -> None:
    """2000 halvings of one population: the bound of the theorem, and no more slack than 2/(n+1)."""
    alpha, half, losses = 0.1, 50, []
    everything = pictures(2 * half, 11)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        order = rng.permutation(2 * half)
        factor = controlling_factor([everything[i] for i in order[:half]], alpha)
        losses.append(np.mean([loss(everything[i], factor) for i in order[half:]]))
    mean, error = np.mean(losses), np.std(losses) / np.sqrt(len(losses))
    assert alpha - 2 / (half + 1) - 3 * error <= mean <= alpha + 3 * error
