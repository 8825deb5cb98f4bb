"""P-IDS and U-IDS (Zhao et al. 2021): how often a linear SVM takes a completion for the original.

The machine is scikit-learn's where the features fit into memory, and otherwise a Newton method of
ours for the same objective, which reads the rows in blocks.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from inpaint_cli.metrics.intervals import over_sets
from inpaint_cli.metrics.moments import Features, Matrix, require_comparable, row_blocks
from inpaint_cli.metrics.state import Estimate, Refused

Solver = Literal["auto", "library", "newton"]
FITS = 2 * 2**30
"""Bytes of float64 features of both sides up to which the library's solver is taken."""
STEPS = 100
HALVINGS = 40
C = 1.0
COMPARABLE = 20
"""2n below this many d: the fit is in sample, and the figure says more of n/d than of the model."""
MANY_TIES = 0.01


@dataclass(frozen=True)
class Separator:
    """A linear decision g(f) = w.f + b, positive for real; `solver` says who found it."""

    w: Matrix
    b: float
    solver: str

    def margins(self, features: Features) -> Matrix:
        """Gives g of every row: [n]."""
        return np.concatenate([rows @ self.w + self.b for rows in row_blocks(features)])


@dataclass(frozen=True)
class Margins:
    """Decisions of the separator of one completion set: g of the real and the completed images."""

    real: Matrix
    fake: Matrix
    d: int
    solver: str

    @property
    def misclassified(self) -> float:
        """The fraction on the wrong side, or, for real, on the border."""
        wrong = np.count_nonzero(self.real <= 0) + np.count_nonzero(self.fake > 0)
        return float(wrong / (len(self.real) + len(self.fake)))

    @property
    def fooled(self) -> float:
        """The fraction of pairs whose completion looks more real than its original."""
        return float(np.mean(self.fake > self.real))

    @property
    def tied(self) -> float:
        """The fraction of pairs of equal decisions."""
        return float(np.mean(self.fake == self.real))


def margins_of_sets(
    real: Features, sets: Sequence[Features], solver: Solver = "auto"
) -> list[Margins]:
    """Fits a separator to each completion set against the same originals.

    Never to all sets at once: the copies of one original would count as so many images. Refused
    where any n_r + n_f points in d dimensions can be separated, and so would mean nothing.
    """
    if not sets:
        raise Refused("there are no completions")
    return [_margins(real, fake, solver) for fake in sets]


def p_ids(sets: Sequence[Margins]) -> Estimate:
    """Gives the fraction of completions above their own originals, and half of the ties beside it.

    0 to 1, higher is better; with several sets the mean over them. Row i of both sides must belong
    to one image.
    """
    if any(len(one.real) != len(one.fake) for one in sets):
        raise Refused("p-ids needs one completion for every original")
    estimates = [
        Estimate(one.fooled, len(one.real), parameters=_parameters(one), warnings=_cautions(one))
        for one in sets
    ]
    halves = [one.fooled + one.tied / 2 for one in sets]
    ties = float(np.mean([one.tied for one in sets]))
    return _summary(
        estimates,
        {"p_ids_ties_half": float(np.mean(halves)), "ties": ties},
        (f"{ties:.1%} of the pairs tie, and count as not fooled",) if ties > MANY_TIES else (),
    )


def u_ids(sets: Sequence[Margins]) -> Estimate:
    """Gives the misclassified fraction of both sides together: 0 to 1, higher is better."""
    estimates = [
        Estimate(
            one.misclassified,
            min(len(one.real), len(one.fake)),
            parameters=_parameters(one),
            warnings=_cautions(one),
        )
        for one in sets
    ]
    return _summary(estimates, {}, ())


def fit(real: Features, fake: Features, solver: Solver = "auto") -> Separator:
    """Gives the separator of both sides; Refused where it does not converge.

    Minimises |w|^2/2 + b^2/2 + sum max(0, 1 - y g(f))^2, y = 1 for real and -1 for completed.
    """
    size = (len(real) + len(fake)) * real.shape[1] * 8
    if solver == "library" or (solver == "auto" and size <= FITS):
        found = _fit_with_library(real, fake)
        if found is not None:
            return found
    return fit_by_newton(real, fake)


def fit_by_newton(real: Features, fake: Features) -> Separator:
    """Gives the unique optimum, reading the features in blocks; memory d^2 + n."""
    features = _Labelled(real, fake)
    point = np.zeros(real.shape[1] + 1)
    slack = np.ones(features.n)  # 1 - y g
    for _ in range(STEPS):
        gradient, hessian = features.derivatives(point, slack)
        if np.abs(gradient).max() < 1e-8 * len(real):
            break
        direction: Matrix = -np.asarray(np.linalg.solve(hessian, gradient), np.float64)
        change = features.signed(direction)
        step = _step(point, slack, direction, change, float(gradient @ direction))
        before = slack > 0
        point, slack = point + step * direction, slack - step * change
        # The objective is quadratic as long as the same rows are active: this is its minimum.
        if step == 1.0 and np.array_equal(before, slack > 0):
            break
    else:
        raise Refused(f"the linear separator did not converge in {STEPS} steps")
    return Separator(point[:-1], float(point[-1]), "newton")


class _Labelled:
    """Rows of both sides with a column of ones, times their label: y (f, 1), block by block."""

    def __init__(self, real: Features, fake: Features) -> None:
        self.sides = ((real, 1.0), (fake, -1.0))
        self.n = len(real) + len(fake)

    def blocks(self) -> Iterator[Matrix]:
        for side, label in self.sides:
            for rows in row_blocks(side):
                yield label * np.hstack([rows, np.ones((len(rows), 1))])

    def signed(self, point: Matrix) -> Matrix:
        """Gives y (w.f + b) of every row: [n]."""
        return np.concatenate([rows @ point for rows in self.blocks()])

    def derivatives(self, point: Matrix, slack: Matrix) -> tuple[Matrix, Matrix]:
        """Gives gradient and Hessian of the objective; only rows within the margin count."""
        gradient, hessian, start = point.copy(), np.eye(len(point)), 0
        for rows in self.blocks():
            z = slack[start : start + len(rows)]
            start += len(rows)
            active = rows[z > 0]
            gradient -= 2 * C * (z[z > 0] @ active)
            hessian += 2 * C * (active.T @ active)
        return gradient, hessian


def _step(point: Matrix, slack: Matrix, direction: Matrix, change: Matrix, slope: float) -> float:
    """Halves the Newton step until the objective falls enough (Armijo)."""
    start, step = _objective(point, slack), 1.0
    for _ in range(HALVINGS):
        reached = _objective(point + step * direction, slack - step * change)
        # At the end both differ by less than rounding: any step that does not rise will do.
        if reached <= start + 1e-4 * step * slope or reached == start:
            return step
        step /= 2
    raise Refused("the linear separator did not converge: no step lowers its objective")


def _objective(point: Matrix, slack: Matrix) -> float:
    active = np.maximum(slack, 0.0)
    return float(point @ point / 2 + C * (active @ active))


def _fit_with_library(real: Features, fake: Features) -> Separator | None:
    """Gives scikit-learn's separator; None where it does not import or does not converge."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import LinearSVC
    except Exception:  # a broken installation raises more than ImportError
        return None
    machine = LinearSVC(dual=False)
    labels = np.repeat([1, -1], [len(real), len(fake)])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            machine.fit(np.concatenate([real, fake]).astype(np.float64), labels)
        except ConvergenceWarning:
            return None
    return Separator(machine.coef_[0], float(machine.intercept_[0]), "scikit-learn")


def _margins(real: Features, fake: Features, solver: Solver) -> Margins:
    require_comparable(real, fake)
    n, d = len(real) + len(fake), real.shape[1]
    if n <= d + 1:
        raise Refused(
            f"needs more than {d + 1} images of both sides together (d + 1), got {n}: fewer can "
            "always be separated"
        )
    separator = fit(real, fake, solver)
    return Margins(separator.margins(real), separator.margins(fake), d, separator.solver)


def _parameters(one: Margins) -> dict[str, object]:
    return {"solver": one.solver, "d": one.d, "in_sample": True}


def _cautions(one: Margins) -> tuple[str, ...]:
    n = len(one.real)
    if len(one.real) + len(one.fake) >= COMPARABLE * one.d:
        return ()
    return (f"2n < {COMPARABLE} d: comparable at n={n} only",)


def _summary(
    estimates: Sequence[Estimate], extra: dict[str, object], more: tuple[str, ...]
) -> Estimate:
    """Gives the mean over sets, with their spread where there are several."""
    whole = over_sets(estimates)
    return Estimate(
        whole.value,
        whole.n,
        whole.se,
        whole.se_method,
        whole.k,
        whole.parameters,
        (*whole.warnings, *more),
        {**whole.extra, **extra},
    )
