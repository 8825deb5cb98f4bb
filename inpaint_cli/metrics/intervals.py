"""Error bars: over images, over completion sets, by jackknife and by bootstrap.

The unit is always the image: what one image has several of is averaged, or resampled, together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.randomness import stream

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Bounds:
    """The spread of resampled figures, and the ends of their 95 % interval."""

    se: float
    low: float
    high: float


def permutation(n: int, seed: int, tag: str, *key: int) -> Indices:
    """Return the order of n images that (seed, tag, key) draws."""
    return np.argsort(stream(seed, tag, *key).random(n), kind="stable")


def blocks_of(n: int, count: int, seed: int, tag: str) -> list[Indices]:
    """Part n images at random into `count` blocks whose sizes differ by one at most.

    At random, because files are often sorted by class, and then neighbours are no fair sample.
    """
    return [np.sort(block) for block in np.array_split(permutation(n, seed, tag), count)]


def mean_of(values: Sequence[float] | Floats) -> float:
    """Return the exactly rounded mean, whatever the order; Refused for none or for NaN."""
    if len(values) == 0:
        raise Refused("there is no image to average over")
    if np.isnan(values).any():
        raise Refused("some images have no number (NaN)")
    if not np.isfinite(values).all():
        both = {float(value) for value in values if math.isinf(value)}
        if len(both) > 1:
            raise Refused("some images have +inf and some -inf, which have no mean")
        return both.pop()
    return math.fsum(values) / len(values)


def spread_of(values: Sequence[float] | Floats) -> float | None:
    """Return the standard deviation (ddof 1); None for fewer than 2 values or infinite ones."""
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    mean = mean_of(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def standard_error(values: Sequence[float] | Floats) -> float | None:
    """Return std(ddof 1) / sqrt(n); None for fewer than 2 values or infinite ones.

    >>> standard_error([1.0, 3.0])
    1.0
    """
    spread = spread_of(values)
    return None if spread is None else spread / math.sqrt(len(values))


def over_images(
    values: Sequence[float] | Floats,
    k: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Estimate:
    """Return the mean of one value per image, with its standard error."""
    se = standard_error(values)
    return Estimate(
        value=mean_of(values),
        n=len(values),
        se=se,
        se_method="" if se is None else "images",
        k=k,
        parameters=parameters or {},
        warnings=tuple(warnings),
        extra=extra or {},
    )


def over_sets(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of a figure over the K completion sets, with their standard deviation.

    The sets share their images, so this spread is that of the draw, not of the choice of images.
    """
    values = [one.value for one in estimates]
    spread = spread_of(values)
    return Estimate(
        value=mean_of(values),
        n=estimates[0].n,
        se=spread,
        se_method="" if spread is None else "sets",
        k=len(values),
        parameters=estimates[0].parameters,
        warnings=tuple(dict.fromkeys(text for one in estimates for text in one.warnings)),
        extra={"values": values},
    )


def ratio_of_sums(over: Floats, under: Floats) -> Estimate:
    """Return sum(over) / sum(under), one pair per image, with the linearised standard error.

    For pooled figures such as bits per hidden dimension.
    """
    total = math.fsum(under)
    if not total > 0 or not (np.isfinite(over).all() and np.isfinite(under).all()):
        raise Refused("there is nothing to divide by, or some images have no finite number")
    value, n = math.fsum(over) / total, len(over)
    se = standard_error((over - value * under) * (n / total))
    return Estimate(value, n, se, "" if se is None else "images")


def jackknife_se(left_out: Sequence[float] | Floats) -> float:
    """Return the standard error from the figures that lack one of G blocks each.

    >>> round(jackknife_se([2.5, 2.0, 1.5]), 4)  # means of 1, 2, 3 without one: 1 / sqrt(3)
    0.5774
    """
    count = len(left_out)
    mean = mean_of(left_out)
    return math.sqrt((count - 1) / count * math.fsum((value - mean) ** 2 for value in left_out))


def resamples(n: int, seed: int) -> Iterator[Indices]:
    """Yield 1000 resamples of n images with replacement, [n] each."""
    rng = stream(seed, "bootstrap", n)
    for _ in range(RESAMPLES):
        # Rounding up to n would need a draw within 1e-16 of 1.
        yield np.minimum((rng.random(n) * n).astype(np.int64), n - 1)


def bootstrap(values: Floats, indices: Iterable[Indices]) -> Bounds:
    """Return the percentile bootstrap of the mean of one value per image, by the linear rule.

    indices: [n] for each resample, such as `resamples` draws or the rows of a matrix.
    """
    _require_finite(values)
    means = np.array([values[row].mean() for row in indices])
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="linear")
    return Bounds(float(np.std(means, ddof=1)), float(low), float(high))


def paired_difference(ours: Floats, theirs: Floats, seed: int = 0) -> Estimate:
    """Return the mean of ours - theirs over the same images, with bootstrap bounds in `extra`.

    The caller has made sure that ids and masks agree.
    """
    if len(ours) != len(theirs):
        raise Refused(f"a paired difference needs the same images, got {len(ours)}, {len(theirs)}")
    _require_finite(ours)
    _require_finite(theirs)
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    if len(differences) < 2:
        return over_images(differences)
    ends = bootstrap(differences, resamples(len(differences), seed))
    return over_images(
        differences,
        parameters={"level": LEVEL, "resamples": RESAMPLES, "seed": seed},
        extra={"low": ends.low, "high": ends.high},
    )


def _require_finite(values: Floats) -> None:
    if len(values) == 0 or not np.isfinite(values).all():
        raise Refused("some images have no finite number, so they cannot be resampled")
