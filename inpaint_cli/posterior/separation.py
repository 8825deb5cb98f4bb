"""How well scores tell two sets of pictures apart, and how uniform p-values are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inpaint_cli.posterior.auroc import Placements, placements

Values = npt.NDArray[np.float64]


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
