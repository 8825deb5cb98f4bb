"""From features of a picture to a score of how usual they are, and to a p-value.

Scores are higher for pictures like those that the model was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import ResourceError, UserError

Values = npt.NDArray[np.float64]
RIDGE = 1e-6
"""Of the mean variance, added to each: the covariance can then be inverted."""
LARGEST = 1e100
"""Beyond it a feature counts as not finite: its square would overflow."""
MOST_NOT_FINITE = 0.01
"""Share of the pictures of a fit that may have features which are not finite."""
SPARE = 50
"""A fit takes at least this many pictures more than there are features."""


def signed_log(values: Values) -> Values:
    """Return sign(v) ln(1 + |v|): a few pictures reach 10^7 where most lie near 10.

    >>> signed_log(np.array([0.0, -1.0])).round(3).tolist()
    [0.0, -0.693]
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def is_finite(features: Values) -> npt.NDArray[np.bool_]:
    """Return which rows [N] of features [N, L] are numbers that can be computed with."""
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(features) < LARGEST).all(axis=1))


@dataclass(frozen=True)
class Scale:
    """How features become scores: as a Gaussian has it or, of one feature, as it is."""

    trend: Values
    """[4, L]: coefficients of 1, v, v^2, v^3 in the visible share v, taken off; or zeros."""
    mean: Values
    """[L]."""
    covariance: Values
    """[L, L], with the ridge; [0, 0] where the feature is the score."""

    def scores(self, features: Values, shares: Values) -> Values:
        """Return the scores [N] of features [N, L]; -inf where a feature is not finite.

        shares: [N], the visible share of each picture. Of a Gaussian: its log density, nats.
        """
        finite = is_finite(features)
        rest = np.where(finite[:, None], features, 0.0) - powers(shares) @ self.trend
        if not self.covariance.size:
            return np.where(finite, rest[:, 0], -np.inf)
        factor = np.linalg.cholesky(self.covariance)
        whitened = np.linalg.solve(factor, (rest - self.mean).T)
        log_det = 2 * np.log(np.diag(factor)).sum()
        nats = -0.5 * ((whitened**2).sum(axis=0) + log_det + len(factor) * np.log(2 * np.pi))
        return np.where(finite, nats, -np.inf)


def powers(shares: Values) -> Values:
    """Return [N, 4]: 1, v, v^2 and v^3 of the visible shares."""
    return np.asarray(np.vander(shares, 4, increasing=True))


def fit(features: Values, shares: Values, *, gaussian: bool, by_visible: bool) -> Scale:
    """Return the scale of features [N, L] of pictures that the model was trained on.

    Rows that are not finite are left out; ResourceError where they are more than 1 %.
    """
    finite = is_finite(features)
    lost, (count, length) = int((~finite).sum()), features.shape
    if lost > MOST_NOT_FINITE * count:
        raise ResourceError(
            f"{lost} of {count} pictures have features that are not finite, so the model says "
            "nothing on what is usual. Is its training finished?"
        )
    used, basis = features[finite], powers(shares[finite])
    trend: Values = np.zeros((4, length))
    if by_visible:
        trend = np.asarray(np.linalg.lstsq(basis, used, rcond=None)[0], np.float64)
        used = np.asarray(used - basis @ trend)
    mean = used.mean(axis=0)
    if not gaussian:
        return Scale(trend, mean, np.zeros((0, 0)))
    covariance = np.atleast_2d(np.cov(used, rowvar=False))
    ridge = RIDGE * max(float(np.trace(covariance)) / length, RIDGE)
    return Scale(trend, mean, covariance + ridge * np.eye(length))


def check_count(count: int, length: int, at_fault: str = "data") -> None:
    """Raise UserError about a setting where a fit of `length` features has too few pictures."""
    if count < length + SPARE:
        raise UserError(
            f"{count} pictures of use, where a fit of {length} features needs at least "
            f"{length + SPARE}. {'Take others' if at_fault == 'masks' else 'Give more'}.",
            setting=at_fault,
        )


def p_values(calibration: Values, scores: Values) -> Values:
    """Return (1 + how many of n calibration scores are <= each score) / (1 + n), [N].

    Split-conformal: of a new picture that is exchangeable with those of the calibration, the
    chance of a p-value of at most a is at most a.

    >>> p_values(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 9.0])).tolist()
    [0.25, 0.75, 1.0]
    """
    below = np.searchsorted(np.sort(calibration), scores, side="right")
    return np.asarray((1 + below) / (1 + len(calibration)))
