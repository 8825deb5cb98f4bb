"""Mean and scatter of feature vectors, added up part by part (Chan, Golub & LeVeque 1979).

Never sums of squares minus a squared sum: features near 1e6 would lose their covariance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics.estimate import Refused

Features = npt.NDArray[np.floating[Any]]
"""[n, d], in memory or a numpy.memmap; row i belongs to image i in the order of ids."""
Matrix = npt.NDArray[np.float64]
ROWS = 2048
"""Rows taken into float64 at a time."""
LARGEST = 1e150
"""No figure is larger, nor a sum that it is made of: for its error it is squared."""


def row_blocks(features: Features, size: int = ROWS) -> Iterator[Matrix]:
    """Yield the rows in order, `size` at a time, as float64."""
    for start in range(0, len(features), size):
        yield np.asarray(features[start : start + size], np.float64)


class Moments:
    """Number, mean [d] and scatter [d, d] (sum of outer products of centred rows), in float64."""

    def __init__(self, d: int) -> None:
        self.n = 0
        self.mean: Matrix = np.zeros(d)
        self.scatter: Matrix = np.zeros((d, d))

    @classmethod
    def of(cls, features: Features) -> Self:
        """Return the moments of the rows of [n, d]."""
        moments = cls(features.shape[1])
        moments.update(features)
        return moments

    @classmethod
    def given(cls, mean: Matrix, covariance: Matrix, n: int = 2) -> Self:
        """Return moments that are known from elsewhere: [d] and [d, d], of n rows."""
        moments = cls(len(mean))
        moments.n, moments.mean, moments.scatter = n, mean, covariance * (n - 1)
        return moments

    @property
    def d(self) -> int:
        """Length of a feature vector."""
        return len(self.mean)

    @property
    def covariance(self) -> Matrix:
        """Covariance with divisor n - 1; needs n >= 2."""
        return self.scatter / (self.n - 1)

    @property
    def is_finite(self) -> bool:
        """Whether all rows were finite, and no sum overflowed."""
        return bool(np.isfinite(self.mean).all() and np.isfinite(self.scatter).all())

    def update(self, features: Features) -> None:
        """Take in the rows of [n, d]; rows that are not finite spoil the sums visibly."""
        if features.ndim != 2 or features.shape[1] != self.d:
            raise ValueError(f"features must be [n, {self.d}], got {list(features.shape)}")
        for rows in row_blocks(features):
            part = type(self)(self.d)
            # `is_finite` detects what is not.
            with np.errstate(over="ignore", invalid="ignore"):
                part.n, part.mean = len(rows), rows.mean(axis=0)
                centred = rows - part.mean
                part.scatter = centred.T @ centred
            self.merge(part)

    def merge(self, other: Self) -> None:
        """Take in the rows of another part."""
        if other.d != self.d:
            raise ValueError(f"features of {other.d} values do not fit those of {self.d}")
        if other.n == 0:
            return
        n = self.n + other.n
        with np.errstate(over="ignore", invalid="ignore"):
            shift = other.mean - self.mean
            self.mean = self.mean + shift * (other.n / n)
            self.scatter = self.scatter + other.scatter
            self.scatter += np.outer(shift, shift * (self.n * other.n / n))
        self.n = n

    def without(self, part: Self) -> Self:
        """Return the moments of the rows that are not in `part`, some of the rows of this.

        `merge` undone. The loss of digits is harmless: what is subtracted is of the size of the
        whole, and the error is a rounding error of the whole's scatter.
        """
        rest = type(self)(self.d)
        rest.n = self.n - part.n
        if rest.n < 1:
            raise ValueError(f"{part.n} rows taken from {self.n} leave none")
        rest.mean = self.mean + (self.mean - part.mean) * (part.n / rest.n)
        shift = part.mean - rest.mean
        rest.scatter = self.scatter - part.scatter
        rest.scatter -= np.outer(shift, shift * (part.n * rest.n / self.n))
        return rest


def merged(parts: Sequence[Moments]) -> Moments:
    """Return the moments of all parts together, merged in their order; at least one."""
    total = Moments(parts[0].d)
    for part in parts:
        total.merge(part)
    return total


def require_comparable(real: Features, fake: Features) -> None:
    """Refuse feature matrices that no metric could compare: lengths, sizes, non-finite values."""
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise Refused(
            f"features of both sides must be [n, d] with equal d, got {list(real.shape)} and "
            f"{list(fake.shape)}"
        )
    if min(len(real), len(fake)) < 2:
        raise Refused(f"needs at least 2 images on each side, got {len(real)} and {len(fake)}")
    for name, side in (("real", real), ("completed", fake)):
        if not all(np.isfinite(rows).all() for rows in row_blocks(side)):
            raise Refused(f"some features of the {name} images are not finite")
