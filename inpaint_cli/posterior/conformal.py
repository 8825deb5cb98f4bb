"""Conformal risk control of the share of hidden values outside an interval.

Angelopoulos et al. 2022, "Conformal Risk Control", Theorem 1: with losses in [0, 1] that do not
grow with the factor, the smallest factor whose sum of losses on n exchangeable pictures satisfies
(sum + 1) / (n + 1) <= alpha has an expected loss of at most alpha on a new one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError

Scores = npt.NDArray[np.float64]
ROUNDING = 1e-9
"""Sums of up to ten million weights are exact to this."""


def needed(alpha: float) -> int:
    """Return the fewest pictures for which there is a factor.

    >>> needed(0.1), needed(0.05)
    (9, 19)
    """
    return max(1, math.ceil(1 / alpha - 1 - ROUNDING))


def controlling_factor(scores: Sequence[Scores], alpha: float) -> float:
    """Return the smallest factor that controls the risk at alpha, exactly.

    scores: of each picture, r >= 0 of its hidden values; its loss at a factor is the share of r
    above it. UserError for too few pictures.
    """
    count = len(scores)
    if count < needed(alpha):
        raise UserError(
            f"{count} pictures with something hidden, where a level of {100 * (1 - alpha):g} % "
            f"needs at least {needed(alpha)}. Give more."
        )
    pooled = np.concatenate(scores)
    weights = np.concatenate([np.full(len(one), 1 / len(one)) for one in scores])
    order = np.argsort(pooled, kind="stable")
    pooled, weights = pooled[order], weights[order]
    # The sum of losses at factor pooled[i]: all weight of what lies strictly above it.
    above = np.append(np.cumsum(weights[::-1])[::-1], 0.0)
    losses = above[np.searchsorted(pooled, pooled, side="right")]
    allowed = alpha * (count + 1) - 1 + ROUNDING
    if above[0] <= allowed:
        return 0.0
    return float(pooled[np.argmax(losses <= allowed)])


def loss(scores: Scores, factor: float) -> float:
    """Return the share of a picture's hidden values outside their intervals."""
    return float((scores > factor).mean())
