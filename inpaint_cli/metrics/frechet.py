"""The Frechet distance of two sets of features (Heusel et al. 2017), without a matrix root.

General roots of the product of two covariances turn complex or NaN where one of them is singular.
The trace of the root is the sum of the roots of the eigenvalues of a symmetric matrix instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations

import numpy as np

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import blocks_of, jackknife_se, mean_of, over_sets, permutation
from inpaint_cli.metrics.metric import SEED, SETS, FeatureMetric, Line, Results
from inpaint_cli.metrics.moments import Features, Matrix, Moments, merged, require_comparable

BLOCKS = 20
PUBLISHED_N = 10_000
"""Images from which on Inception figures are usually reported."""
NEGATIVE = 1e-6
"""How far below 0, as a part of both traces, rounding may bring the distance."""
ROUNDING = 1e-12
"""What is below this part of both traces is a rounding error of the eigenvalues: 0."""
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


def leaving_out(sets: Sequence[Features], count: int, seed: int) -> Iterator[list[Side]]:
    """Yield the sets without one of `count` random blocks each, as moments, or as rows where few.

    Row i of sets of one length goes into the same block. The moments of a block are taken from
    those of the whole, so that every row is read twice in all.
    """
    drawn = zip(*(blocks_of(len(side), count, seed, "jackknife") for side in sets), strict=True)
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
    blocks: int = BLOCKS,
    seed: int = 0,
    inception: bool = False,
) -> Estimate:
    """Return the distance of two sets, with the jackknife error over `blocks` blocks of pairs.

    Row i of both sides belongs to one image, and goes into one block. Each block costs one more
    distance; blocks=0 gives no error.
    """
    require_comparable(real, fake)
    value = frechet_distance_of_rows(real, fake)
    count = min(blocks, len(real), len(fake))
    # Every block's leaving must spare two images on each side.
    has_error = count >= 2 and min(len(real), len(fake)) >= 3
    pairs = leaving_out([real, fake], count, seed) if has_error else ()
    left_out = [distance(*pair) for pair in pairs]
    warnings = cautions(len(real), len(fake), real.shape[1], inception)
    return _jackknifed(value, left_out, min(len(real), len(fake)), seed, warnings)


def fid_inf(
    real: Features, fake: Features, points: int = 10, seed: int = 0, inception: bool = False
) -> Estimate:
    """Return the intercept of the distance against 1/n (Chong & Forsyth 2020), over random subsets.

    Subsets of n/4 to n images, the same of both sides where they are as many. It may fall below 0.
    """
    require_comparable(real, fake)
    n = min(len(real), len(fake))
    sizes = np.unique(np.linspace(max(2, -(-n // 4)), n, points).round().astype(np.int64))
    if len(sizes) < 3:
        raise Refused(f"needs subsets of 3 sizes to extrapolate, and {n} images give fewer")
    values = []
    for key, size in enumerate(sizes):
        orders = [permutation(len(side), seed, "fid-inf", key)[:size] for side in (real, fake)]
        values.append(frechet_distance_of_rows(real[orders[0]], fake[orders[1]]))
    slope, intercept = np.polyfit(1.0 / sizes, values, 1)
    return Estimate(
        float(intercept),
        n,
        parameters={"points": len(sizes), "smallest": int(sizes[0]), "seed": seed},
        warnings=cautions(len(real), len(fake), real.shape[1], inception),
        extra={"slope": float(slope)},
    )


def fid_over_sets(real: Features, sets: Sequence[Features], inception: bool = False) -> Estimate:
    """Return the mean FID of the K sets, each against the same originals, with their spread."""
    _require_sets([real, *sets], sets, fewest=1)
    return over_sets([fid(real, fake, blocks=0, inception=inception) for fake in sets])


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


def div_fid(sets: Sequence[Features], seed: int = 0, inception: bool = False) -> Estimate:
    """Return the mean distance of two of the K sets, with the jackknife error over images.

    PICME prints DIV-FID without defining it; this is our definition. Higher is more diverse; 0
    where all completions of an image agree. Each block costs another K (K - 1) / 2 distances.
    """
    _require_sets(sets, sets, fewest=2)
    n, d = sets[0].shape
    left_out = [_mean_distance(rest) for rest in _without_blocks(sets, seed)]
    warnings = cautions(n, n, d, inception)
    return _jackknifed(_mean_distance(sets), left_out, n, seed, warnings, len(sets))


def fid_all(
    real: Features, sets: Sequence[Features], seed: int = 0, inception: bool = False
) -> Estimate:
    """Return the distance of all N K completions together to the originals, lower is better.

    A jackknife block holds images with all their completions.
    """
    _require_sets([real, *sets], sets, fewest=1)
    n, d = real.shape
    left_out = [
        _distance_to_union(rest[0], rest[1:]) for rest in _without_blocks([real, *sets], seed)
    ]
    warnings = cautions(n, n * len(sets), d, inception)
    return _jackknifed(_distance_to_union(real, sets), left_out, n, seed, warnings, len(sets))


def _without_blocks(sides: Sequence[Features], seed: int) -> Iterator[list[Side]]:
    n = len(sides[0])
    count = min(BLOCKS, n)
    # Every block's leaving must spare two images.
    if count >= 2 and n >= 3:
        yield from leaving_out(sides, count, seed)


def _mean_distance(sets: Sequence[Side]) -> float:
    return mean_of([distance(one, other) for one, other in combinations(sets, 2)])


def _distance_to_union(real: Side, sets: Sequence[Side]) -> float:
    moments = [one if isinstance(one, Moments) else Moments.of(one) for one in sets]
    whole = real if isinstance(real, Moments) else Moments.of(real)
    return frechet_distance(whole, merged(moments))


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
    value: float,
    left_out: Sequence[float],
    n: int,
    seed: int,
    warnings: tuple[str, ...],
    k: int | None = None,
) -> Estimate:
    return Estimate(
        value,
        n,
        jackknife_se(left_out) if left_out else None,
        f"jackknife-{len(left_out)}" if left_out else "",
        k,
        {"covariance": "unbiased-cov", "blocks": len(left_out), "seed": seed},
        warnings,
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
    if not math.isfinite(value):
        raise Refused("the features are too large to be squared")
    if value < -NEGATIVE * traces:
        raise Refused(f"the distance came out as {value:.3g}: the covariances are inconsistent")
    return 0.0 if value <= ROUNDING * traces else value


class Fid(FeatureMetric):
    """The distance of originals and first completions; the mean over sets if several are kept."""

    name = "fid"
    summary = "Frechet distance of features, one completion each"
    by_default = True
    digits = 2

    def lines(self, results: Results) -> Iterator[Line]:
        published = self.extractor(results).comparable
        yield self.line(
            results,
            "fid",
            "unbiased-cov, completion 0",
            lambda real, sets: fid(real, sets[0], seed=SEED, inception=published),
        )
        if min(results.options.sets or 1, len(results.columns.sets)) > 1:
            yield self.line(
                results,
                "fid of sets",
                "mean over completion sets",
                partial(fid_over_sets, inception=published),
            )


class DivFid(FeatureMetric):
    """The mean distance of two completion sets, and of all completions from the originals."""

    name = "div-fid"
    summary = "Frechet distance between sets of completions; fid-all beside it"
    better = "higher"
    needs = frozenset({"features", "several"})
    feature_sets = SETS
    digits = 2

    def lines(self, results: Results) -> Iterator[Line]:
        published = self.extractor(results).comparable
        yield self.line(
            results,
            "div-fid",
            "mean over pairs of sets (our definition)",
            lambda real, sets: div_fid(sets, seed=SEED, inception=published),
        )
        yield self.line(
            results,
            "fid-all",
            "all completions against the originals",
            lambda real, sets: fid_all(real, sets, seed=SEED, inception=published),
            better="lower",
        )


METRICS = {"fid": Fid(), "div-fid": DivFid()}
