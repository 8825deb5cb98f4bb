"""DIV-FID: the distance between completion sets; set k holds the k-th completion of every image.

PICME prints DIV-FID without defining it. Ours is the mean distance of two sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from inpaint_cli.metrics.estimate import Estimate
from inpaint_cli.metrics.frechet import (
    BLOCKS,
    Side,
    cautions,
    distance,
    frechet_distance,
    leaving_out,
    require_sets,
)
from inpaint_cli.metrics.intervals import jackknife_se, mean_of
from inpaint_cli.metrics.metric import SEED, SETS, FeatureMetric, Line, Results
from inpaint_cli.metrics.moments import Features, Moments, merged


def div_fid(sets: Sequence[Features], seed: int = 0, inception: bool = False) -> Estimate:
    """Return the mean distance of two of the K sets, with the jackknife error over images.

    Higher is more diverse; 0 where all completions of an image agree. Each block costs another
    K (K - 1) / 2 distances.
    """
    require_sets(sets, sets, fewest=2)
    n, d = sets[0].shape
    left_out = [_mean_distance(rest) for rest in _without_blocks(sets, seed)]
    return _estimate(
        _mean_distance(sets), n, left_out, len(sets), seed, cautions(n, n, d, inception)
    )


def fid_all(
    real: Features, sets: Sequence[Features], seed: int = 0, inception: bool = False
) -> Estimate:
    """Return the distance of all N K completions together to the originals, lower is better.

    A jackknife block holds images with all their completions.
    """
    require_sets([real, *sets], sets, fewest=1)
    n, d = real.shape
    left_out = [
        _distance_to_union(rest[0], rest[1:]) for rest in _without_blocks([real, *sets], seed)
    ]
    return _estimate(
        _distance_to_union(real, sets),
        n,
        left_out,
        len(sets),
        seed,
        cautions(n, n * len(sets), d, inception),
    )


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


def _estimate(
    value: float,
    n: int,
    left_out: Sequence[float],
    k: int,
    seed: int,
    warnings: tuple[str, ...],
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


class DivFid(FeatureMetric):
    """The mean distance of two completion sets, and of all completions from the originals."""

    name = "div-fid"
    summary = "Frechet distance between sets of completions; fid-all beside it"
    better = "higher"
    needs = frozenset({"features", "several"})
    feature_sets = SETS
    digits = 2

    def lines(self, results: Results) -> Iterator[Line]:
        extractor = results.instruments.extractor
        published = extractor is not None and extractor.comparable
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


METRICS = {"div-fid": DivFid()}
