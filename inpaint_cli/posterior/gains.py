"""Expected information gain of a look, from class probabilities of completions under masks.

All probabilities are float64 [N, L, C]: completion n of the N, place l of the L that may be looked
at next, class c; rows sum to 1. Gains are in nats.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float64]
Gains = npt.NDArray[np.float64]
Estimator = Literal["eig", "epe"]
ROUNDING = 1e-12


def entropy(p: Probabilities) -> Gains:
    """Return -sum p ln p over the last axis, in nats, with 0 ln 0 = 0."""
    safe = np.where(p > 0, p, 1.0)
    return np.asarray(-(p * np.log(safe)).sum(axis=-1))


def divergence(p: Probabilities, q: Probabilities) -> Gains:
    """Return KL(p || q) over the last axis, in nats; 0 ln 0 = 0."""
    inside = p > 0
    ratio = np.where(inside, p / np.where(inside & (q > 0), q, 1.0), 1.0)
    return np.asarray((p * np.log(ratio)).sum(axis=-1))


def expected_gain(p: Probabilities) -> Gains:
    """Return H[mean_n p_n(l)] - mean_n H[p_n(l)], [L] (IPA, eq. 10): never below 0."""
    gain = entropy(p.mean(axis=0)) - entropy(p).mean(axis=0)
    return np.where((gain < 0) & (gain >= -ROUNDING), 0.0, gain)


def expected_entropy_drop(p: Probabilities, now: Probabilities) -> Gains:
    """Return H[now] - mean_n H[p_n(l)], [L] (AIPO, eq. 17), which may be negative.

    now: [C], the class probabilities of what is visible by now.
    """
    return np.asarray(entropy(now) - entropy(p).mean(axis=0))


def gains_of_each(p: Probabilities, now: Probabilities, estimator: Estimator) -> Gains:
    """Return the gain [N, L] with which each completion enters the estimate: their mean."""
    if estimator == "epe":
        return np.asarray(entropy(now) - entropy(p))
    return divergence(p, np.broadcast_to(p.mean(axis=0), p.shape))


def estimate(p: Probabilities, now: Probabilities, estimator: Estimator) -> Gains:
    """Return the estimated gain [L] of looking at each place."""
    return expected_gain(p) if estimator == "eig" else expected_entropy_drop(p, now)


def excess(classes: int, n: int) -> float:
    """Return about how much `eig` is too high with n completions, in nats: (C - 1) / (2 n).

    The bias of a mutual information that is plugged in (Miller 1955), to first order.

    >>> excess(10, 10)
    0.45
    """
    return (classes - 1) / (2 * n)
