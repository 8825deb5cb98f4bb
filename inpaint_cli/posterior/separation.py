"""How well scores tell two sets of pictures apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Separation:
    """The area under the curve of true over false alarms, AUROC."""

    auroc: float
    """P(score inside > score outside) + P(equal) / 2: 0.5 = not at all, 1 = wholly."""
    se: float | None
    """Standard error (DeLong et al. 1988); None with fewer than two pictures a side."""
    n: int
    """Pictures of each side."""


def separation(inside: Values, outside: Values) -> Separation:
    """Return the AUROC of scores [M] of one set against those [N] of another.

    >>> separation(np.array([3.0, 2.0]), np.array([1.0, 2.0])).auroc
    0.875
    """
    won, lost = _shares_below(outside, inside), _shares_below(inside, outside)
    se = None
    if min(len(inside), len(outside)) > 1:
        variance = won.var(ddof=1) / len(inside) + lost.var(ddof=1) / len(outside)
        se = float(np.sqrt(variance))
    return Separation(float(won.mean()), se, min(len(inside), len(outside)))


def _shares_below(others: Values, scores: Values) -> Values:
    """Return for each score the share of `others` below it, equal ones half."""
    ranked = np.sort(others)
    below = np.searchsorted(ranked, scores, side="left")
    upto = np.searchsorted(ranked, scores, side="right")
    return np.asarray((below + upto) / (2 * len(others)))


def distance_from_uniform(p: Values) -> float:
    """Return the Kolmogorov-Smirnov distance of values in 0..1 from uniform ones.

    >>> distance_from_uniform(np.array([0.25, 0.75]))
    0.25
    """
    ranked, n = np.sort(p), len(p)
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - ranked).max(), (ranked - steps[:-1]).max()))
