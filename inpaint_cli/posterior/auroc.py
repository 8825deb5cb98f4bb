"""How well scores tell two sets apart: the area under the ROC curve, and how uniform p-values are.

The standard error is that of DeLong, DeLong & Clarke-Pearson 1988; of cases that belong together in
pairs, that of Obuchowski 1997.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics.intervals import Strata, standard_error

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Placements:
    """For each positive the share of negatives below it, and the reverse; ties count half."""

    positive: Values
    negative: Values

    @property
    def area(self) -> float:
        """P(positive > negative) + P(equal) / 2."""
        return float(self.positive.mean())

    @property
    def se(self) -> float | None:
        """The standard error of `area`; None with fewer than two of either kind, or all alike.

        Cases that are all alike, such as those wholly apart, say nothing of how others vary.
        """
        if min(len(self.positive), len(self.negative)) < 2:
            return None
        parts = (self.positive, self.negative)
        return math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in parts)) or None

    def paired_se(self, strata: Strata = None) -> float | None:
        """Return the standard error where positive i and negative i belong together, else as `se`.

        As where both are seen under one mask, or made of one picture. strata [n]: the range that
        each pair was drawn from.
        """
        return standard_error(self.positive + self.negative, strata) or None

    def minus(self, other: Placements) -> Placements:
        """Return what has the difference of two areas of the same cases as its `area`, and its se.

        The covariance of both areas is that of their placements, so differences are placed alike.
        """
        return Placements(self.positive - other.positive, self.negative - other.negative)


def placements(scores: Values, positive: npt.NDArray[np.bool_]) -> Placements:
    """Return the placements of scored cases [N], of which some are positive.

    >>> placements(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True])).area
    0.875
    """
    high, low = scores[positive], scores[~positive]
    return Placements(_share_below(high, low), 1 - _share_below(low, high))


def _share_below(values: Values, others: Values) -> Values:
    """Return, for each value, the share of the others below it, equal ones counted half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left")
    upto = np.searchsorted(ordered, values, side="right")
    return np.asarray((below + upto) / (2 * len(others)))


def separation(inside: Values, outside: Values) -> Placements:
    """Return whose `area` is P(score inside > score outside) + P(equal) / 2, with its error.

    >>> separation(np.array([3.0, 2.0]), np.array([1.0, 2.0])).area
    0.875
    """
    known = np.repeat([True, False], [len(inside), len(outside)])
    return placements(np.concatenate([inside, outside]), known)


def distance_from_uniform(p: Values) -> float:
    """Return the Kolmogorov-Smirnov distance of values in 0..1 from uniform ones.

    >>> distance_from_uniform(np.array([0.25, 0.75]))
    0.25
    """
    ranked, n = np.sort(p), len(p)
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - ranked).max(), (ranked - steps[:-1]).max()))
