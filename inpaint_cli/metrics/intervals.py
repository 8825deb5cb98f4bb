"""Error bars: over images, within the ranges they were drawn from, by jackknife and by bootstrap.

The unit is always the image: what one image has several of is averaged, or resampled, together.
Under a mixture of mask ranges every range has its fixed share of the images. What differs between
ranges is then no sampling error: only the spread within each counts (Cochran 1977, chapter 5).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.randomness import stream

Indices = npt.NDArray[np.int64]
Strata = npt.NDArray[np.int64] | None
"""[n], the range that each image was drawn from; None where images are one plain sample."""
SEED = 0
"""Of resamples, blocks and orders: the same in every report."""
FEWEST_BLOCKS = 8
"""Fewer give an error that is itself too uncertain; then blocks hold some of most ranges only."""


def groups_of(n: int, strata: Strata, least: int = 2) -> list[Indices]:
    """Return the images of each range; all as one range where some range has fewer than `least`.

    A spread within a range needs two images. Without ranges an error is too large, never too small.

    >>> [group.tolist() for group in groups_of(4, np.array([1, 0, 1, 0]))]
    [[1, 3], [0, 2]]
    """
    if strata is not None:
        groups = [np.flatnonzero(strata == name) for name in np.unique(strata)]
        if all(len(group) >= least for group in groups):
            return groups
    return [np.arange(n)]


def are_used(n: int, strata: Strata) -> bool:
    """Return whether an error of these images is one within ranges."""
    return len(groups_of(n, strata)) > 1


def permutation(n: int, tag: str, *key: int, strata: Strata = None) -> Indices:
    """Return the order of n images that (tag, key) draws.

    With strata every part of the order, from its beginning or its middle, is balanced over them.
    """
    drawn = stream(SEED, tag, *key).random(n)
    if strata is None:
        return np.argsort(drawn, kind="stable")
    place = np.empty(n)
    for group in groups_of(n, strata, least=1):
        order = np.argsort(drawn[group], kind="stable")
        place[group[order]] = (np.arange(len(group)) + 0.5) / len(group)
    return np.lexsort((drawn, place))


def jackknife_blocks(n: int, count: int, strata: Strata = None) -> list[Indices]:
    """Part n images at random into `count` blocks whose sizes differ by one at most.

    At random, because files are often sorted by class, and then neighbours are no fair sample; but
    balanced over the strata.
    """
    order = permutation(n, "jackknife", strata=strata)
    return [np.sort(block) for block in np.array_split(order, count)]


def block_count(n: int, most: int, strata: Strata = None) -> int:
    """Return into how many blocks to part n images, so that each holds some of every range."""
    groups = groups_of(n, strata, least=FEWEST_BLOCKS)
    return min(most, *(len(group) for group in groups))


Floats = npt.NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.95
ALIKE = 1e-12
"""An error below this part of its figure is rounding: the images' figures are equal."""
ROUNDED = 1e-6
"""A difference below this part of an image's figure is none: so far networks in float32 round
apart what they are shown in batches of different sizes."""
AT_ONCE = 2**20
"""Values that are gathered at a time while resampling."""


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
    """Return the standard deviation (ddof 1); None for fewer than 2 values or infinite ones.

    0 where they differ by rounding alone.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    mean = mean_of(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return spread if spread > ALIKE * abs(mean) else 0.0


def standard_error(values: Sequence[float] | Floats, strata: Strata = None) -> float | None:
    """Return std(ddof 1) / sqrt(n); None for fewer than 2 values or infinite ones.

    With strata the root of sum (n_h / n)^2 s_h^2 / n_h over them.

    >>> standard_error([1.0, 3.0])
    1.0
    >>> standard_error([1.0, 1.0, 3.0, 3.0], np.array([0, 0, 1, 1]))
    0.0
    """
    rows, squares = np.asarray(values, np.float64), []
    for group in groups_of(len(rows), strata):
        spread = spread_of(rows[group])
        if spread is None:
            return None
        squares.append(len(group) * spread**2)
    return math.sqrt(math.fsum(squares)) / len(rows)


def over_images(
    values: Sequence[float] | Floats,
    k: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    strata: Strata = None,
) -> Estimate:
    """Return the mean of one value per image, with its standard error and their deviation."""
    se = standard_error(values, strata)
    return Estimate(
        value=mean_of(values),
        n=len(values),
        se=se,
        se_method=_method(se, len(values), strata),
        k=k,
        parameters=parameters or {},
        warnings=tuple(warnings),
        sd=spread_of(values),
    )


def _method(se: float | None, n: int, strata: Strata) -> str:
    if se is None:
        return ""
    return "strata" if are_used(n, strata) else "images"


def by_picture(values: Floats, pictures: npt.NDArray[np.int64]) -> Floats:
    """Return one value per picture [C, ...] of values [n, ...] that pictures [n] belong to.

    Of a picture that occurs as often as the others its mean. In general its sum of deviations from
    the mean of all, so that the mean stays what it is and its error is that of whole pictures
    (Cochran 1977, eq. 9A.5).

    >>> by_picture(np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1])).tolist()
    [2.0, 6.0]
    """
    if not np.isfinite(values).all():
        return values
    place = np.unique(pictures, return_inverse=True)[1]
    mean, count = values.mean(axis=0), int(place.max()) + 1
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, place, values - mean)
    return np.asarray(mean + sums * (count / len(values)))


def ratio_of_sums(over: Floats, under: Floats, strata: Strata = None) -> Estimate:
    """Return sum(over) / sum(under), one pair per image, with the linearised standard error.

    For pooled figures such as bits per hidden dimension.
    """
    total = math.fsum(under)
    if not total > 0 or not (np.isfinite(over).all() and np.isfinite(under).all()):
        raise Refused("there is nothing to divide by, or some images have no finite number")
    value, n = math.fsum(over) / total, len(over)
    se = standard_error((over - value * under) * (n / total), strata)
    return Estimate(value, n, se, _method(se, n, strata))


def jackknife_se(left_out: Sequence[float] | Floats) -> float:
    """Return the standard error from the figures that lack one of G blocks each.

    >>> round(jackknife_se([2.5, 2.0, 1.5]), 4)  # means of 1, 2, 3 without one: 1 / sqrt(3)
    0.5774
    """
    count = len(left_out)
    mean = mean_of(left_out)
    return math.sqrt((count - 1) / count * math.fsum((value - mean) ** 2 for value in left_out))


def jackknife_bias(value: float, left_out: Sequence[float] | Floats) -> float:
    """Return how far the figure lies above what endless images would give, where it falls as 1/n.

    >>> jackknife_bias(1.0, [1.5, 1.5])  # 1/n with n = 2 blocks, or 1: half a block more each
    0.5
    """
    return (len(left_out) - 1) * (mean_of(left_out) - value)


def resampled_means(values: Floats, strata: Strata = None) -> Floats:
    """Return the means [1000, ...] of values [n, ...] over 1000 resamples of the images.

    From each range of n_h images n_h - 1 are drawn with replacement, so that the spread of the
    means is not too small (McCarthy & Snowden 1985); each range keeps its share.
    """
    means = np.zeros((RESAMPLES, *values.shape[1:]))
    for number, group in enumerate(groups_of(len(values), strata)):
        count, rows = len(group), values[group]
        rng = stream(SEED, "bootstrap", len(values), number)
        step = max(1, AT_ONCE // rows.size)
        for start in range(0, RESAMPLES, step):
            part = means[start : start + step]
            # Rounding up to `count` would need a draw within 1e-16 of 1.
            drawn = (rng.random((len(part), max(1, count - 1))) * count).astype(np.int64)
            part += rows[np.minimum(drawn, count - 1)].mean(axis=1) * (count / len(values))
    return means


def ends_of(means: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % interval of resampled means [R, ...]: their percentiles."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def bootstrap(values: Floats, strata: Strata = None) -> tuple[float, float]:
    """Return the ends of the percentile bootstrap of the mean of one value per image.

    They are as much farther from the mean as Student's t is wider than the normal: few images know
    too little of their own spread.
    """
    from scipy.special import ndtri, stdtrit

    _require_finite(values)
    low, high = map(float, ends_of(resampled_means(values, strata)))
    if len(values) < 2:
        return low, high
    end, mean = (1 + LEVEL) / 2, mean_of(values)
    wider = float(stdtrit(freedom_of(values, strata), end) / ndtri(end))
    return mean + wider * (low - mean), mean + wider * (high - mean)


def freedom_of(values: Floats, strata: Strata = None) -> float:
    """Return the degrees of freedom of the mean's standard error (Cochran 1977, eq. 5.16).

    Of n values n - 1. Within ranges fewer than n less their number, where one range has most of the
    spread: it is that range's images that tell of it.

    >>> freedom_of(np.array([1.0, 2.0, 4.0]))
    2.0
    >>> freedom_of(np.array([1.0, 1.0, 3.0, 5.0]), np.array([0, 0, 1, 1]))
    1.0
    """
    groups = groups_of(len(values), strata)
    rows = np.asarray(values, np.float64)
    parts = [len(group) * (spread_of(rows[group]) or 0.0) ** 2 for group in groups]
    if not any(parts):
        return float(len(values) - len(groups))
    shares = [part / math.fsum(parts) for part in parts]
    return 1 / math.fsum(s**2 / (len(g) - 1) for s, g in zip(shares, groups, strict=True))


def paired_difference(ours: Floats, theirs: Floats, strata: Strata = None) -> Estimate:
    """Return the mean of ours - theirs over the same images, with bounds and p in `extra`.

    The caller has made sure that ids and masks agree. What may be rounding alone counts as equal.
    """
    if len(ours) != len(theirs):
        raise Refused(f"a paired difference needs the same images, got {len(ours)}, {len(theirs)}")
    _require_finite(ours)
    _require_finite(theirs)
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    differences[np.abs(differences) <= ROUNDED * np.maximum(np.abs(ours), np.abs(theirs))] = 0.0
    if len(differences) < 2:
        return over_images(differences)
    low, high = bootstrap(differences, strata)
    mean = over_images(
        differences,
        parameters={"level": LEVEL, "resamples": RESAMPLES, "seed": SEED},
        strata=strata,
    )
    freedom = freedom_of(differences, strata)
    p = p_value(differences, mean.se or 0.0, freedom)
    return replace(mean, extra={"low": low, "high": high, "p": p})


def p_value(differences: Floats, se: float, freedom: float) -> float:
    """Return how likely so large a mean difference is by chance alone, either way.

    se: of the mean. Student's t. Where all images of each range differ alike, as those that a
    classifier takes for two classes, t would be certain of it; the sign test tells of those that
    differ.

    >>> p_value(np.zeros(10), 0.0, 9), p_value(np.ones(3), 0.0, 2)
    (1.0, 0.25)
    >>> round(p_value(np.full(10, 2.262), 1.0, 9), 3)
    0.05
    """
    from scipy.special import stdtr

    mean = abs(mean_of(differences))
    if se <= ALIKE * mean:
        least = ALIKE * np.abs(differences).max()
        return sign_test(int((differences > least).sum()), int((differences < -least).sum()))
    return float(2 * stdtr(freedom, -mean / se))


def sign_test(more: int, less: int) -> float:
    """Return how likely so uneven a number of signs is, either way, if both are equally likely.

    >>> sign_test(3, 0), sign_test(2, 2), sign_test(0, 0)
    (0.25, 1.0, 1.0)
    """
    n = more + less
    tail = sum(math.comb(n, count) for count in range(min(more, less) + 1))
    return float(min(1.0, 2 * tail / 2**n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p corrected for how many there are (Holm 1979): below a, all are true but in a of all.

    >>> holm([0.04, 0.01, 0.5])
    [0.08, 0.03, 0.5]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def _require_finite(values: Floats) -> None:
    if len(values) == 0 or not np.isfinite(values).all():
        raise Refused("some images have no finite number, so they cannot be resampled")
