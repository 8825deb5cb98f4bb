"""The Frechet distance of two sets of features (Heusel et al. 2017), without a matrix root.

General roots of the product of two covariances turn complex or NaN where one of them is singular.
The trace of the root is the sum of the roots of the eigenvalues of a symmetric matrix instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import (
    SEED,
    Strata,
    block_count,
    jackknife_bias,
    jackknife_blocks,
    jackknife_se,
    mean_of,
    permutation,
    spread_of,
)
from inpaint_cli.metrics.moments import (
    LARGEST,
    Features,
    Matrix,
    Moments,
    merged,
    require_comparable,
)

BLOCKS = 20
POINTS = 10
"""Sizes of subsets from which fid-inf extrapolates."""
PUBLISHED_N = 10_000
"""Images from which on Inception figures are usually reported."""
NEGATIVE = 1e-6
"""How far below 0, as a part of both traces, rounding may bring the distance."""
ROUNDING = 1e-12
"""What is below this part of both traces is a rounding error of the eigenvalues: 0."""
BIASED = "too high by a bias of about 1/n, which the error leaves out; compare at equal n only"
Side = Features | Moments


def frechet_distance(real: Moments, fake: Moments) -> float:
    """Return |mu_r - mu_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)), divisor n - 1.

    Refused for fewer than 2 rows, different d, non-finite features, or a figure too far below 0.
    """
    _require(real, fake)
    if np.array_equal(real.mean, fake.mean) and np.array_equal(real.covariance, fake.covariance):
        return 0.0
    shift = real.mean - fake.mean
    traces = float(np.trace(real.covariance) + np.trace(fake.covariance))
    root = _trace_of_root(real.covariance, fake.covariance)
    return _settled(float(shift @ shift), traces, root)


def frechet_distance_of_rows(real: Features, fake: Features) -> float:
    """Return the distance from the features themselves; exact where no side has more rows than d.

    There the trace of the root is the nuclear norm of the product of the centred features, which
    keeps the digits that singular covariances lose.
    """
    if max(len(real), len(fake)) > real.shape[1]:
        return frechet_distance(Moments.of(real), Moments.of(fake))
    sides = [np.asarray(side, np.float64) for side in (real, fake)]
    with np.errstate(over="ignore", invalid="ignore"):
        means = [side.mean(axis=0) for side in sides]
        # Divided at once, so that constant sets of any size give exact zeros.
        rows = [(x - mean) / math.sqrt(len(x) - 1) for x, mean in zip(sides, means, strict=True)]
        product, traces = rows[0] @ rows[1].T, sum(float(np.sum(x * x)) for x in rows)
    if not (np.isfinite(product).all() and math.isfinite(traces)):
        raise Refused("some features are not finite, or too large to be squared")
    shift = means[0] - means[1]
    root = float(np.linalg.svd(product, compute_uv=False).sum())
    return _settled(float(shift @ shift), traces, root)


def distance(real: Side, fake: Side) -> float:
    """Return the distance of what `leaving_out` yields."""
    if isinstance(real, Moments) and isinstance(fake, Moments):
        return frechet_distance(real, fake)
    if isinstance(real, Moments) or isinstance(fake, Moments):
        raise TypeError("both sides must be features, or both moments")
    return frechet_distance_of_rows(real, fake)


def leaving_out(sets: Sequence[Features], count: int, strata: Strata) -> Iterator[list[Side]]:
    """Yield the sets without one of `count` random blocks each, as moments, or as rows where few.

    Row i of sets of one length goes into the same block; blocks are balanced over the strata. The
    moments of a block are taken from those of the whole, so that every row is read twice in all.
    """
    every = [jackknife_blocks(len(side), count, strata) for side in sets]
    drawn = zip(*every, strict=True)
    if max(len(side) for side in sets) <= sets[0].shape[1]:
        for blocks in drawn:
            yield [np.delete(x, block, 0) for x, block in zip(sets, blocks, strict=True)]
        return
    totals = [Moments.of(side) for side in sets]
    for blocks in drawn:
        parts = [Moments.of(x[block]) for x, block in zip(sets, blocks, strict=True)]
        yield [total.without(part) for total, part in zip(totals, parts, strict=True)]


def fid(
    real: Features,
    fake: Features,
    inception: bool = False,
    strata: Strata = None,
) -> Estimate:
    """Return the distance of two sets, with the jackknife error and bias over blocks of images.

    Row i of sides of one length goes into one block of both, as pairs must. Each block costs one
    more distance.
    """
    require_comparable(real, fake)
    strata = strata if len(real) == len(fake) else None
    warnings = cautions(len(real), len(fake), real.shape[1], inception)
    figure = _jackknifed(_mean_to_first, [real, fake], warnings, strata)
    return replace(figure, sides=(len(real), len(fake)))


def fid_to(
    reference: Moments,
    fake: Features,
    inception: bool = False,
    strata: Strata = None,
) -> Estimate:
    """Return the distance of a set from a mean and covariance whose pictures are not there.

    Error and bias are those of the set alone, by leaving out blocks of it.
    """
    if reference.d != fake.shape[1]:
        raise Refused(f"features of both sides differ in length: {reference.d}, {fake.shape[1]}")
    require_comparable(fake, fake)
    n, d = fake.shape

    def figure(sides: Sequence[Side]) -> float:
        (side,) = sides
        return frechet_distance(reference, side if isinstance(side, Moments) else Moments.of(side))

    return _jackknifed(figure, [fake], cautions(n, n, d, inception), strata)


def fid_inf(
    real: Features,
    fake: Features,
    inception: bool = False,
    strata: Strata = None,
    least: int = 2,
) -> Estimate:
    """Return the intercept of the distance against 1/n (Chong & Forsyth 2020), over random subsets.

    Subsets of n/4 (at least `least`) to n images, the same of both sides where they are as many. It
    may fall below 0, and has no error.
    """
    require_comparable(real, fake)
    n = min(len(real), len(fake))
    sizes = np.unique(np.linspace(max(least, -(-n // 4)), n, POINTS).round().astype(np.int64))
    if len(sizes) < 3:
        raise Refused(f"needs subsets of 3 sizes to extrapolate, and {n} images give fewer")
    strata = strata if len(real) == len(fake) else None
    values = []
    for key, size in enumerate(sizes):
        orders = [
            permutation(len(side), "fid-inf", key, strata=strata)[:size] for side in (real, fake)
        ]
        values.append(frechet_distance_of_rows(real[orders[0]], fake[orders[1]]))
    slope, intercept = np.polyfit(1.0 / sizes, values, 1)
    return Estimate(
        float(intercept),
        n,
        parameters={
            "points": len(sizes),
            "smallest": int(sizes[0]),
            "seed": SEED,
            "d": real.shape[1],
        },
        warnings=cautions(len(real), len(fake), real.shape[1], inception),
        extra={"slope": float(slope)},
        sides=(len(real), len(fake)),
    )


def fid_over_sets(
    real: Features,
    sets: Sequence[Features],
    inception: bool = False,
    strata: Strata = None,
) -> Estimate:
    """Return the mean FID of the K sets, each against the same originals, with the jackknife error.

    The sets share their images, so their own spread (`std_over_sets`, ddof 1) is that of the draw.
    """
    _require_sets([real, *sets], sets, fewest=1)
    warnings = cautions(len(real), len(real), real.shape[1], inception)
    estimate = _jackknifed(_mean_to_first, [real, *sets], warnings, strata)
    values = [frechet_distance_of_rows(real, fake) for fake in sets]
    extra = {"values": values, "std_over_sets": spread_of(values)}
    return replace(estimate, k=len(sets), extra={**estimate.extra, **extra})


def _require_sets(sides: Sequence[Features], sets: Sequence[Features], fewest: int) -> None:
    """Refuse fewer than `fewest` completion sets, and sides that hold other images."""
    if len(sets) < fewest:
        raise Refused(f"needs at least {fewest} completions of every image, got {len(sets)}")
    for side in sides[1:]:
        require_comparable(sides[0], side)
        if len(side) != len(sides[0]):
            raise Refused(
                f"every completion set must hold every image, got {len(sides[0])} and {len(side)}"
            )


def div_fid(sets: Sequence[Features], inception: bool = False, strata: Strata = None) -> Estimate:
    """Return the mean distance of two of the K sets, with the jackknife error over images.

    PICME prints DIV-FID without defining it; this is our definition. Higher is more diverse; 0
    where all completions of an image agree. Each block costs another K (K - 1) / 2 distances.
    """
    _require_sets(sets, sets, fewest=2)
    n, d = sets[0].shape
    warnings = cautions(n, n, d, inception)
    return replace(_jackknifed(_mean_distance, sets, warnings, strata), k=len(sets))


def fid_all(
    real: Features,
    sets: Sequence[Features],
    inception: bool = False,
    strata: Strata = None,
) -> Estimate:
    """Return the distance of all N K completions together to the originals, lower is better.

    A jackknife block holds images with all their completions.
    """
    _require_sets([real, *sets], sets, fewest=1)
    n, d = real.shape
    warnings = cautions(n, n * len(sets), d, inception)
    estimate = _jackknifed(_distance_to_union, [real, *sets], warnings, strata)
    return replace(estimate, k=len(sets), sides=(n, n * len(sets)))


def _mean_to_first(sides: Sequence[Side]) -> float:
    return mean_of([distance(sides[0], other) for other in sides[1:]])


def _mean_distance(sides: Sequence[Side]) -> float:
    return mean_of([distance(one, other) for one, other in combinations(sides, 2)])


def _distance_to_union(sides: Sequence[Side]) -> float:
    moments = [one if isinstance(one, Moments) else Moments.of(one) for one in sides]
    return frechet_distance(moments[0], merged(moments[1:]))


def cautions(n_real: int, n_fake: int, d: int, inception: bool) -> tuple[str, ...]:
    """Return what a reader of a Frechet distance must know about its sizes and features."""
    n = min(n_real, n_fake)
    texts = {
        f"n <= d ({n} images, {d} features): the covariances are rank deficient": n <= d,
        f"n = {n}: Inception figures are usually of {PUBLISHED_N} images or more": inception
        and n < PUBLISHED_N,
        f"the sides differ in size ({n_real} real, {n_fake} completed)": n_real != n_fake,
        "features are not Inception: not comparable with published FID": not inception,
    }
    return tuple(text for text, holds in texts.items() if holds)


def _jackknifed(
    figure: Callable[[Sequence[Side]], float],
    sides: Sequence[Features],
    warnings: tuple[str, ...],
    strata: Strata,
) -> Estimate:
    """Return the figure of some sides, with its error and bias by leaving out blocks of images."""
    value, n, d = figure(sides), min(map(len, sides)), sides[0].shape[1]
    count = block_count(n, BLOCKS, strata)
    # Every block's leaving must spare two images.
    has_error = count >= 2 and n >= 3
    left_out = [figure(s) for s in leaving_out(sides, count, strata)] if has_error else []
    parameters = {"covariance": "unbiased-cov", "blocks": len(left_out), "seed": SEED}
    counts = " and ".join(dict.fromkeys(str(len(side)) for side in sides))
    return Estimate(
        value,
        n,
        jackknife_se(left_out) if left_out else None,
        f"jackknife-{len(left_out)}" if left_out else "",
        parameters={**parameters, "d": d},
        warnings=(f"of {counts} images in {d} dimensions: {BIASED}", *warnings),
        bias=jackknife_bias(value, left_out) if left_out else None,
    )


def _require(real: Moments, fake: Moments) -> None:
    if real.d != fake.d:
        raise Refused(f"features of both sides differ in length: {real.d} and {fake.d}")
    if min(real.n, fake.n) < 2:
        raise Refused(f"needs at least 2 images on each side, got {real.n} and {fake.n}")
    if not (real.is_finite and fake.is_finite):
        raise Refused("some features are not finite, or too large to be squared")


def _trace_of_root(s_real: Matrix, s_fake: Matrix) -> float:
    """Return tr (S_r S_f)^(1/2), from the eigenvalues of F^T S_f F for any factor F F^T = S_r.

    The Cholesky factor saves two thirds of the time; a singular S_r has none, and takes `eigh`.
    """
    try:
        factor = np.linalg.cholesky(s_real)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(s_real)
        factor = vectors * np.sqrt(np.maximum(values, 0.0))
    inner = factor.T @ s_fake @ factor
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh((inner + inner.T) / 2), 0.0)).sum())


def _settled(shift: float, traces: float, root: float) -> float:
    """Return the distance, 0 where it is a rounding error of either sign."""
    value = shift + traces - 2 * root
    if not abs(value) < LARGEST:
        raise Refused("the features are too large to be squared")
    if value < -NEGATIVE * traces:
        raise Refused(f"the distance came out as {value:.3g}: the covariances are inconsistent")
    return 0.0 if value <= ROUNDING * traces else value
