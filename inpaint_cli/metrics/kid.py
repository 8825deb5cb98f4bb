"""The kernel distance of two sets of features (Binkowski et al. 2018), one block at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import mean_of, permutation, standard_error
from inpaint_cli.metrics.metric import SEED, FeatureMetric, Line, Results
from inpaint_cli.metrics.moments import Features, Matrix, require_comparable, row_blocks

BLOCK = 1000
FEWEST_BLOCKS = 5
"""Fewer give no standard error."""
SUBSETS = 100
FIDELITY_SEED = 2020
"""torch-fidelity's seed of its subsets."""


def kernel(a: Matrix, b: Matrix) -> Matrix:
    """Return (a.b/d + 1)^3 of every row of a with every row of b."""
    return np.asarray((a @ b.T / a.shape[1] + 1.0) ** 3)


def mmd2(real: Features, fake: Features) -> float:
    """Return the squared maximum mean discrepancy of all rows, in memory of one block squared.

    Unbiased: the diagonals of real with real and fake with fake are left out, so it may fall below
    0, and does so for identical sets.
    """
    both = 2 * _kernel_sum(real, fake) / (len(real) * len(fake))
    within = [
        (_kernel_sum(x, x) - _diagonal_sum(x)) / (len(x) * (len(x) - 1)) for x in (real, fake)
    ]
    return within[0] + within[1] - both


def kid(real: Features, fake: Features, seed: int = 0) -> Estimate:
    """Return the mean over disjoint random blocks of image pairs, with the error over blocks.

    The figure is not times 1000. It may fall slightly below 0, and stays so.
    """
    require_comparable(real, fake)
    n = min(len(real), len(fake))
    size = _size(BLOCK, n)
    # One order for both sides: a pair in two blocks would make the blocks dependent.
    orders = [permutation(len(side), seed, "kid")[: n // size * size] for side in (real, fake)]
    values = [
        _finite(mmd2(real[r], fake[f]))
        for r, f in zip(*(order.reshape(-1, size) for order in orders), strict=True)
    ]
    se = standard_error(values) if len(values) >= FEWEST_BLOCKS else None
    few = f"{len(values)} blocks of {size} images: {FEWEST_BLOCKS} are needed for an error"
    return Estimate(
        mean_of(values),
        n,
        se,
        "" if se is None else "blocks",
        parameters={
            "estimator": "block",
            "block_size": size,
            "blocks": len(values),
            "images_used": len(values) * size,
            "seed": seed,
        },
        warnings=(*_reduced(BLOCK, size, n), *(() if se is not None else (few,))),
        extra={"values": values},
    )


def kid_of_subsets(
    real: Features,
    fake: Features,
    subsets: int = SUBSETS,
    size: int = BLOCK,
    seed: int = FIDELITY_SEED,
) -> Estimate:
    """Return the field's form: the mean over the random subsets that torch-fidelity draws.

    They overlap, so their spread (ddof 0, `std` in `extra`) is no standard error: there is none.
    """
    require_comparable(real, fake)
    n = min(len(real), len(fake))
    drawn = _size(size, n)
    # torch-fidelity's own generator and order, so that its figures are met.
    rng = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        fakes = fake[rng.choice(len(fake), drawn, replace=False)]
        values.append(_finite(mmd2(real[rng.choice(len(real), drawn, replace=False)], fakes)))
    return Estimate(
        mean_of(values),
        n,
        parameters={"estimator": "subsets", "subsets": subsets, "subset_size": drawn, "seed": seed},
        warnings=_reduced(size, drawn, n),
        extra={"std": float(np.std(values))},
    )


def _size(asked: int, n: int) -> int:
    if asked < 2:
        raise Refused(f"needs blocks of at least 2 images, got {asked}")
    return min(asked, n)


def _reduced(asked: int, size: int, n: int) -> tuple[str, ...]:
    return (f"blocks of {size} instead of {asked}: there are {n} images",) if size < asked else ()


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise Refused("the features are too large for their cubes")
    return value


def _kernel_sum(a: Features, b: Features) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        blocks = (
            float(kernel(x, y).sum()) for x in row_blocks(a, BLOCK) for y in row_blocks(b, BLOCK)
        )
        return sum(blocks)


def _diagonal_sum(a: Features) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(sum(_cubes(np.sum(x * x, axis=1) / a.shape[1]) for x in row_blocks(a, BLOCK)))


def _cubes(means: npt.NDArray[np.float64]) -> float:
    return float(((means + 1.0) ** 3).sum())


class Kid(FeatureMetric):
    """The distance of originals and first completions."""

    name = "kid"
    summary = "kernel distance of features, unbiased"
    by_default = True
    digits, factor, unit = 3, 1000, "x1000"

    def lines(self, results: Results) -> Iterator[Line]:
        yield self.line(
            results,
            "kid",
            "block, completion 0",
            lambda real, sets: kid(real, sets[0], seed=SEED),
        )


METRICS = {"kid": Kid()}
