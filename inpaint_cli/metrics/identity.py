"""P-IDS and U-IDS (Zhao et al. 2021): how often a linear SVM takes completions for originals."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import Strata, are_used, mean_of, spread_of, standard_error
from inpaint_cli.metrics.metric import SETS, FeatureMetric, Line, Results
from inpaint_cli.metrics.moments import Features, Matrix, require_comparable, row_blocks

FITS = 2 * 2**30
"""Bytes of float64 features of both sides up to which a separator is fitted: it copies them."""
STEPS = 10_000
COMPARABLE = 20
"""2n below this many d: the fit is in sample, and the figure says more of n/d than of the model."""
MANY_TIES = 0.01


@dataclass(frozen=True)
class Separator:
    """A linear decision g(f) = w.f + b, positive for real."""

    w: Matrix
    b: float

    def margins(self, features: Features) -> Matrix:
        """Return g of every row: [n]."""
        return np.concatenate([rows @ self.w + self.b for rows in row_blocks(features)])


@dataclass(frozen=True)
class Margins:
    """Decisions of the separator of one completion set: g of the real and the completed images."""

    real: Matrix
    fake: Matrix
    d: int

    @property
    def is_small(self) -> bool:
        """Whether the figures say more of n/d than of the model."""
        return len(self.real) + len(self.fake) < COMPARABLE * self.d

    @property
    def misclassified(self) -> float:
        """The fraction on the wrong side, or, for real, on the border."""
        wrong = np.count_nonzero(self.real <= 0) + np.count_nonzero(self.fake > 0)
        return float(wrong / (len(self.real) + len(self.fake)))

    @property
    def errors(self) -> Matrix:
        """The same of each pair: [n], 0, 1/2 or 1."""
        return ((self.real <= 0) + (self.fake > 0).astype(np.float64)) / 2

    @property
    def fooled(self) -> Matrix:
        """Whether the completion of each pair looks more real than its original: [n], 0 or 1."""
        return (self.fake > self.real).astype(np.float64)

    @property
    def tied(self) -> float:
        """The fraction of pairs of equal decisions."""
        return float(np.mean(self.fake == self.real))


def margins_of_sets(real: Features, sets: Sequence[Features]) -> list[Margins]:
    """Fit a separator to each completion set against the same originals.

    Never to all sets at once: the copies of one original would count as so many images. Refused
    where any n_r + n_f points in d dimensions can be separated, and so would mean nothing.
    """
    if not sets:
        raise Refused("there are no completions")
    margins = list[Margins]()
    for place, fake in enumerate(sets):  # a deterministic model's sets are one
        twin = next((n for n in range(place) if np.array_equal(sets[n], fake)), None)
        margins.append(_margins(real, fake) if twin is None else margins[twin])
    return margins


def p_ids(sets: Sequence[Margins], strata: Strata = None) -> Estimate:
    """Return the fraction of completions above their own originals, and half of the ties beside it.

    0 to 1, higher is better; with several sets the mean over them. Row i of both sides must belong
    to one image.
    """
    if any(len(one.real) != len(one.fake) for one in sets):
        raise Refused("p-ids needs one completion for every original")
    fooled = np.stack([one.fooled for one in sets])
    whole = _over_sets(sets, fooled.mean(axis=1).tolist(), fooled.mean(axis=0), strata)
    halves = [value + one.tied / 2 for value, one in zip(whole.extra["values"], sets, strict=True)]
    ties = float(np.mean([one.tied for one in sets]))
    warning = f"{ties:.1%} of the pairs tie, and count as not fooled"
    return replace(
        whole,
        warnings=(*whole.warnings, *([warning] if ties > MANY_TIES else [])),
        extra={**whole.extra, "p_ids_ties_half": float(np.mean(halves)), "ties": ties},
    )


def u_ids(sets: Sequence[Margins], strata: Strata = None) -> Estimate:
    """Return the misclassified fraction of both sides together: 0 to 1, higher is better."""
    paired = all(len(one.real) == len(one.fake) for one in sets)
    each = np.mean([one.errors for one in sets], axis=0) if paired else None
    return _over_sets(sets, [one.misclassified for one in sets], each, strata)


def _over_sets(
    sets: Sequence[Margins], values: Sequence[float], each: Matrix | None, strata: Strata
) -> Estimate:
    """Return the mean over sets, with the error over images of what `each` of them adds to it.

    The separator is taken as it is: simulations (docs/statistics.md) find this error right, and one
    of separators fitted again without blocks of images more than twice too large. The spread over
    sets, which share their images, is that of the draw.
    """
    first = sets[0]
    n, few = min(len(first.real), len(first.fake)), f"2n < {COMPARABLE} d"
    warnings = [f"{few}: comparable at n={len(first.real)} only"] * first.is_small
    same = each is not None and bool((each == each[0]).all())
    warnings += ["no error: all images have the same figure"] * same
    se = None if each is None or same else standard_error(each, strata)
    return Estimate(
        mean_of(values),
        n,
        se,
        "" if se is None else "strata" if are_used(n, strata) else "images",
        len(sets),
        {"solver": "scikit-learn", "d": first.d, "in_sample": True},
        tuple(warnings),
        {"values": list(values), "std_over_sets": spread_of(values)},
    )


def fit(real: Features, fake: Features) -> Separator:
    """Return the separator of both sides; Refused where the features are too many for memory.

    Minimises |w|^2/2 + b^2/2 + sum max(0, 1 - y g(f))^2, y = 1 for real and -1 for completed.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    count = len(real) + len(fake)
    if count * real.shape[1] * 8 > FITS:
        raise Refused(
            f"{count} images of {real.shape[1]} features take more than {FITS / 2**30:.0f} GiB; "
            "score fewer images, or take features of fewer dimensions"
        )
    machine = LinearSVC(dual=False, max_iter=STEPS)
    labels = np.repeat([1, -1], [len(real), len(fake)])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            machine.fit(np.concatenate([real, fake]).astype(np.float64), labels)
        except ConvergenceWarning:
            raise Refused(f"the linear separator did not converge in {STEPS} steps") from None
    return Separator(machine.coef_[0], float(machine.intercept_[0]))


def _margins(real: Features, fake: Features) -> Margins:
    require_comparable(real, fake)
    n, d = len(real) + len(fake), real.shape[1]
    if n <= d + 1:
        raise Refused(
            f"needs more than {d + 1} images of both sides together (d + 1), got {n}: fewer can "
            "always be separated"
        )
    separator = fit(real, fake)
    return Margins(separator.margins(real), separator.margins(fake), d)


class IdentityScore(FeatureMetric):
    """A figure of the separators of the completion sets."""

    better = "higher"
    depends_on_n = True
    feature_sets = SETS
    digits, factor, unit = 1, 100, "%"

    def lines(self, results: Results) -> Iterator[Line]:
        variant = "in-sample linear svm C=1"
        yield self.line(
            results,
            self.name,
            variant,
            lambda real, sets, strata: self.score(margins_of_sets(real, sets), strata),
            target=0.5,
        )

    def score(self, sets: Sequence[Margins], strata: Strata) -> Estimate:
        """Return the figure of all completion sets."""
        raise NotImplementedError


class PIds(IdentityScore):
    """The share of pairs whose completion looks more real than its original."""

    name = "p-ids"
    summary = "originals that a linear classifier finds less real than their completion"

    def score(self, sets: Sequence[Margins], strata: Strata) -> Estimate:
        return p_ids(sets, strata)


class UIds(IdentityScore):
    """The share of both sides that is taken for the other."""

    name = "u-ids"
    summary = "errors of a linear classifier of originals and completions"

    def score(self, sets: Sequence[Margins], strata: Strata) -> Estimate:
        return u_ids(sets, strata)


METRICS = {"p-ids": PIds(), "u-ids": UIds()}
