"""DIV-FID and FID over several completion sets; set k holds the k-th completion of every image.

PICME prints DIV-FID without defining it. Ours is the mean distance of two sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from inpaint_cli.metrics.frechet import (
    BLOCKS,
    Side,
    cautions,
    distance,
    fid,
    frechet_distance,
    leaving_out,
)
from inpaint_cli.metrics.intervals import jackknife_se, mean_of, over_sets
from inpaint_cli.metrics.moments import Features, Moments, merged, require_comparable
from inpaint_cli.metrics.state import Estimate, Refused


def fid_over_sets(real: Features, sets: Sequence[Features], inception: bool = False) -> Estimate:
    """Gives the mean FID of the K sets, each against the same originals, with their spread."""
    _require_sets([real, *sets], sets, fewest=1)
    return over_sets([fid(real, fake, blocks=0, inception=inception) for fake in sets])


def div_fid(
    sets: Sequence[Features], blocks: int = BLOCKS, seed: int = 0, inception: bool = False
) -> Estimate:
    """Gives the mean distance of two of the K sets, with the jackknife error over images.

    Higher is more diverse; 0 where all completions of an image agree. Each block costs another
    K (K - 1) / 2 distances; blocks=0 gives no error.
    """
    _require_sets(sets, sets, fewest=2)
    n, d = sets[0].shape
    left_out = [_mean_distance(rest) for rest in _without_blocks(sets, blocks, seed)]
    return _estimate(
        _mean_distance(sets), n, left_out, len(sets), seed, cautions(n, n, d, inception)
    )


def fid_all(
    real: Features,
    sets: Sequence[Features],
    blocks: int = BLOCKS,
    seed: int = 0,
    inception: bool = False,
) -> Estimate:
    """Gives the distance of all N K completions together to the originals, lower is better.

    A jackknife block holds images with all their completions.
    """
    _require_sets([real, *sets], sets, fewest=1)
    n, d = real.shape
    left_out = [
        _distance_to_union(rest[0], rest[1:])
        for rest in _without_blocks([real, *sets], blocks, seed)
    ]
    return _estimate(
        _distance_to_union(real, sets),
        n,
        left_out,
        len(sets),
        seed,
        cautions(n, n * len(sets), d, inception),
    )


def _require_sets(sides: Sequence[Features], sets: Sequence[Features], fewest: int) -> None:
    if len(sets) < fewest:
        raise Refused(f"needs at least {fewest} completions of every image, got {len(sets)}")
    for side in sides[1:]:
        require_comparable(sides[0], side)
        if len(side) != len(sides[0]):
            raise Refused(
                f"every completion set must hold every image, got {len(sides[0])} and {len(side)}"
            )


def _without_blocks(sides: Sequence[Features], blocks: int, seed: int) -> Iterator[list[Side]]:
    n = len(sides[0])
    count = min(blocks, n)
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
