"""The kernel distance of two sets of features (Binkowski et al. 2018), one block at a time.

Row i of both sides belongs to one image, so a completion and its own original are no independent
draws: where they are compared with each other the distance falls below its true value. The paired
form leaves these terms out (the U-statistic of pairs, Gretton et al. 2012, lemma 6), and those of
images of one picture, as under several masks. Pictures that do not pair have the ordinary form.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import Indices, Strata, groups_of, jackknife_se, mean_of
from inpaint_cli.metrics.metric import FeatureMetric, Line, Results
from inpaint_cli.metrics.moments import LARGEST, Features, Matrix, require_comparable, row_blocks

BLOCK = 1000
KID_SUBSETS, KID_SIZE = 100, 1000
"""The field's subsets, and the images of each."""
FIDELITY_SEED = 2020
"""torch-fidelity's seed of all that it draws."""
PAIRS_LEFT_IN = (
    "the field's form compares every completion with its own original too: too low, the more so "
    "the fewer images"
)


def kernel(a: Matrix, b: Matrix) -> Matrix:
    """Return (a.b/d + 1)^3 of every row of a with every row of b."""
    return np.asarray((a @ b.T / a.shape[1] + 1.0) ** 3)


def mmd2(real: Features, fake: Features) -> float:
    """Return the squared maximum mean discrepancy of all rows of two independent sets.

    Unbiased for such sets alone: the diagonals of real with real and fake with fake are left out,
    that of real with fake is not. In memory of one block squared.
    """
    both = 2 * _kernel_sum(real, fake) / (len(real) * len(fake))
    within = [
        (_kernel_sum(x, x) - _diagonal_sum(x)) / (len(x) * (len(x) - 1)) for x in (real, fake)
    ]
    return within[0] + within[1] - both


def pair_sums(real: Features, fake: Features, groups: list[Indices], pictures: Indices) -> Matrix:
    """Return for each image i the sums [n, groups] of h(i, j) over a group's other pictures.

    h(i, j) = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i), of originals x, completions y.
    """
    n = len(real)
    members = np.zeros((n, len(groups)))
    for place, group in enumerate(groups):
        members[group, place] = 1.0
    sums = np.zeros((n, len(groups)))
    starts = range(0, n, BLOCK)
    with np.errstate(over="ignore", invalid="ignore"):
        for a in starts:
            for b in range(a, n, BLOCK):
                h = _of_pairs(
                    *(
                        np.asarray(s[at : at + BLOCK], np.float64)
                        for at in (a, b)
                        for s in (real, fake)
                    )
                )
                h[pictures[a : a + BLOCK, None] == pictures[None, b : b + BLOCK]] = 0.0
                sums[a : a + BLOCK] += h @ members[b : b + BLOCK]
                if a != b:
                    sums[b : b + BLOCK] += h.T @ members[a : a + BLOCK]
    return sums


def _of_pairs(x_a: Matrix, y_a: Matrix, x_b: Matrix, y_b: Matrix) -> Matrix:
    return kernel(x_a, x_b) + kernel(y_a, y_b) - kernel(x_a, y_b) - kernel(y_a, x_b)


def kid(
    real: Features, fake: Features, strata: Strata = None, copies: Indices | None = None
) -> Estimate:
    """Return the paired U-statistic of all images, with the jackknife error over images.

    Unbiased, so it may fall below 0, and stays so; the figure is not times 1000. Row i of both
    sides must belong to one image. With strata, pairs within and between ranges have the weights of
    the whole mixture, and the error is that within ranges. copies [n]: the picture that each image
    is of, where pictures repeat; those of one picture are not compared, and error and n are of
    pictures.
    """
    require_comparable(real, fake)
    n = len(real)
    pictures = np.arange(n) if copies is None else np.unique(copies, return_inverse=True)[1]
    units = int(pictures.max()) + 1
    if units < 2:
        raise Refused("needs at least 2 different pictures, and all images are of one")
    groups = groups_of(n, strata, least=3)
    if any(len(np.unique(pictures[group])) < 3 for group in groups):
        groups = [np.arange(n)]
    sums = pair_sums(real, fake, groups, pictures)
    if not (np.abs(sums) < LARGEST).all():
        raise Refused("the features are too large for their cubes")
    # Of each picture: its images in each group [P, H], and its sums [P, H, H].
    held = np.zeros((units, len(groups)))
    rows = np.zeros((units, len(groups), len(groups)))
    for place, group in enumerate(groups):
        np.add.at(held[:, place], pictures[group], 1.0)
        np.add.at(rows[:, place], pictures[group], sums[group])
    totals = np.stack([sums[group].sum(axis=0) for group in groups])
    value = _mixed(totals, held, held.sum(axis=0) / n)
    apart = [pictures[group] for group in groups] if copies is None else [np.arange(units)]
    se = _jackknife(rows, held, totals, apart) if units >= 3 else None
    return Estimate(
        value,
        units,
        se,
        "" if se is None else "jackknife over images",
        parameters={"estimator": "paired", "ranges": len(groups), "d": real.shape[1]},
        sides=(n, n),
    )


def _mixed(totals: Matrix, held: Matrix, weights: Matrix) -> float:
    """Return the mean of h over pairs of different pictures: totals [H, H] of ordered pairs."""
    sizes = held.sum(axis=0)
    pairs = np.outer(sizes, sizes) - held.T @ held
    return float(weights @ (totals / pairs) @ weights)


def _jackknife(rows: Matrix, held: Matrix, totals: Matrix, apart: list[Indices]) -> float:
    """Return the error from the figures that lack one picture each; no kernel is computed again.

    apart: the pictures of each range, whose spread within it counts.
    """
    weights, variance = held.sum(axis=0) / held.sum(), 0.0
    together, sizes = held.T @ held, held.sum(axis=0)
    for group in apart:
        figures = []
        for place in group:
            # A picture is the first of a pair, and the second.
            rest = totals - rows[place] - rows[place].T
            left, alike = sizes - held[place], np.outer(held[place], held[place])
            pairs = np.outer(left, left) - (together - alike)
            figures.append(float(weights @ (rest / pairs) @ weights))
        mean = mean_of(figures)
        count = len(group)
        variance += (count - 1) / count * math.fsum((figure - mean) ** 2 for figure in figures)
    return math.sqrt(variance)


def kid_unpaired(real: Features, fake: Features) -> Estimate:
    """Return the ordinary U-statistic of two independent sets, with its jackknife error.

    Unbiased where no picture of one side belongs to one of the other; the sides may differ in
    number. The error is that of leaving out one picture of either side (Arvesen 1969).
    """
    require_comparable(real, fake)
    n, m = len(real), len(fake)
    with np.errstate(over="ignore", invalid="ignore"):
        within = [_row_sums(side, side) - _diagonal(side) for side in (real, fake)]
        across = [_row_sums(real, fake), _row_sums(fake, real)]
    totals = [float(sums.sum()) for sums in (*within, across[0])]
    if not (np.abs(totals) < LARGEST).all():
        raise Refused("the features are too large for their cubes")
    value = _of_totals(totals[0], totals[1], totals[2], n, m)
    se = None
    if min(n, m) >= 3:
        left_out = (
            _of_totals(totals[0] - 2 * within[0], totals[1], totals[2] - across[0], n - 1, m),
            _of_totals(totals[0], totals[1] - 2 * within[1], totals[2] - across[1], n, m - 1),
        )
        se = math.sqrt(math.fsum(jackknife_se(figures) ** 2 for figures in left_out))
    return Estimate(
        float(value),
        min(n, m),
        se,
        "" if se is None else "jackknife over images",
        parameters={"estimator": "unpaired", "d": real.shape[1]},
        sides=(n, m),
    )


def _of_totals(real: Any, fake: Any, across: Any, n: int, m: int) -> Any:
    """Return the U-statistic from sums of the kernel over ordered pairs, the diagonals left out."""
    return real / (n * (n - 1)) + fake / (m * (m - 1)) - 2 * across / (n * m)


def _row_sums(a: Features, b: Features) -> Matrix:
    """Return for each row of a the sum of the kernel over all rows of b: [n]."""
    return np.concatenate(
        [sum(kernel(x, y).sum(axis=1) for y in row_blocks(b, BLOCK)) for x in row_blocks(a, BLOCK)]
    )


def _diagonal(a: Features) -> Matrix:
    """Return the kernel of each row with itself: [n]."""
    return np.concatenate(
        [(np.sum(x * x, axis=1) / a.shape[1] + 1.0) ** 3 for x in row_blocks(a, BLOCK)]
    )


def kid_of_subsets(
    real: Features,
    fake: Features,
    subsets: int,
    size: int,
    *,
    paired: bool,
) -> Estimate:
    """Return the field's form: the mean over the random subsets that torch-fidelity draws.

    They overlap, so their spread (ddof 0, `std` in `extra`) is no standard error: there is none.
    paired: row i of both sides belongs to one image, of which a warning tells.
    """
    require_comparable(real, fake)
    n = min(len(real), len(fake))
    drawn = min(size, n)
    # torch-fidelity's own generator and order, so that its figures are met.
    rng = np.random.RandomState(FIDELITY_SEED)
    values = []
    for _ in range(subsets):
        fakes = fake[rng.choice(len(fake), drawn, replace=False)]
        values.append(mmd2(real[rng.choice(len(real), drawn, replace=False)], fakes))
    if not (np.abs(values) < LARGEST).all():
        raise Refused("the features are too large for their cubes")
    value = mean_of(values)
    fewer = f"subsets of {drawn} instead of {size}: there are {n} images"
    used = {"subsets": subsets, "subset_size": drawn, "seed": FIDELITY_SEED, "d": real.shape[1]}
    return Estimate(
        value,
        n,
        parameters={"estimator": "subsets", **used},
        warnings=(*([fewer] if drawn < size else []), *([PAIRS_LEFT_IN] if paired else [])),
        extra={"std": float(np.std(values))},
        sides=(len(real), len(fake)),
    )


def _kernel_sum(a: Features, b: Features) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        blocks = (
            float(kernel(x, y).sum()) for x in row_blocks(a, BLOCK) for y in row_blocks(b, BLOCK)
        )
        return sum(blocks)


def _diagonal_sum(a: Features) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(_diagonal(a).sum())


class Kid(FeatureMetric):
    """The distance of originals and first completions."""

    name = "kid"
    summary = "kernel distance of features, unbiased for pairs"
    pairs = False
    by_default = True
    digits, factor, unit = 3, 1000, "x1000"

    def lines(self, results: Results) -> Iterator[Line]:
        options, paired = results.options, results.paired
        subsets, size = options.kid_subsets or KID_SUBSETS, options.kid_size or KID_SIZE

        def of_subsets(real: Features, sets: list[Features], _: Strata) -> Estimate:
            return kid_of_subsets(real, sets[0], subsets, size, paired=paired)

        def of_pairs(real: Features, sets: list[Features], *how: Any) -> Estimate:
            return kid(real, sets[0], *how)

        def of_others(real: Features, sets: list[Features], _: Strata) -> Estimate:
            return kid_unpaired(real, sets[0])

        which = "completion 0" if paired else "unpaired"
        if options.kid_form == "subsets":
            variant = f"{subsets} subsets of {size}, {which}"
            yield self.line(results, "kid-subsets", variant, of_subsets)
        elif paired:
            yield self.line(results, "kid", f"paired, {which}", of_pairs, by_picture=True)
        else:
            yield self.line(results, "kid", which, of_others)


METRICS = {"kid": Kid()}
