"""Completions as a forecast of the hidden values: proper scores, rank histogram, coverage.

A model that samples from the true distribution has the lowest expected CRPS and energy score, ranks
that are uniform, and intervals that cover as often as they say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.data.image_set import counted
from inpaint_cli.metrics.estimate import Estimate
from inpaint_cli.metrics.intervals import ends_of, resampled_means
from inpaint_cli.metrics.metric import (
    Chosen,
    Figures,
    Line,
    MeasuredCase,
    Metric,
    Results,
    mean_line,
)

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.photos.calibration import Calibration

CHUNK = 65536
"""Hidden values at a time: what is computed in float64 needs K times as many."""
UNEVEN = (
    "ranks of few images are uneven by chance, which the error leaves out; compare at equal n only"
)
CERTAIN = "K = 1: the completion counts as certain; of a model that draws this is too high"
NOMINAL = 0.9
"""Coverage is that of the interval whose nominal level is nearest to this."""

_Array = npt.NDArray[Any]
_Floats = npt.NDArray[np.float64]


def hidden_values(truth: Tensor, completions: Tensor, visible: Tensor) -> tuple[_Array, _Array]:
    """Return the hidden values of one image: members uint8 [K, M] and truth uint8 [M].

    truth: uint8 [C, H, W]; completions: uint8 [K, C, H, W]; visible: bool [1, H, W].
    """
    hidden = ~visible.expand_as(truth).cpu()
    return completions.cpu()[:, hidden].numpy(), truth.cpu()[hidden].numpy()


def forecast_scores(members: _Array, truth: _Array) -> dict[str, float]:
    """Return the scores of one image's hidden values, by name, in [0, 1]; lower is better.

    members: uint8 [K, M]; truth: uint8 [M]. `crps` and `energy` are the ordinary forms, `-fair`
    those that do not depend on K; they are left out for K = 1, all of them where nothing is hidden.
    `deterministic` is 1 where all members are equal, else 0.
    """
    if not truth.size:
        return {}
    ordinary, fair = crps_mean(members, truth)
    scores = {"crps": ordinary / 255}
    if fair is not None:
        scores["crps-fair"] = fair / 255
    for name, value in energy_scores(members, truth).items():
        scores[name] = value / 255
        scores[f"{name}-per-sqrt-dim"] = value / 255 / float(np.sqrt(truth.size))
    scores["deterministic"] = float(bool((members == members[:1]).all()))
    return scores


def crps(members: _Array, truth: _Array) -> tuple[_Floats, _Floats | None]:
    """Return the ordinary and the fair CRPS [M] of each value; the fair one is None for K = 1.

    members: [K, M], integers or floats; truth: [M].
    Ordinary: mean |x - y| - sum_kl |x_k - x_l| / (2 K^2); fair: divided by 2 K (K - 1) instead
    (Ferro 2014), which is unbiased for the forecast that the members were drawn from.

    >>> ordinary, fair = crps(np.array([[0.0], [1.0]]), np.array([2.0]))
    >>> float(ordinary[0]), float(fair[0])
    (1.25, 1.0)
    """
    k = len(members)
    ranked = np.sort(members, axis=0).astype(np.float64)
    error = np.abs(ranked - truth).mean(0)
    # Sum over pairs a < b of x_(b) - x_(a): the r-th smallest is the larger one r - 1 times.
    spread = (2 * np.arange(1, k + 1) - k - 1) @ ranked
    fair = error - spread / (k * (k - 1)) if k > 1 else None
    return error - spread / k**2, fair


def crps_mean(members: _Array, truth: _Array) -> tuple[float, float | None]:
    """Return the means of `crps` over the values."""
    sums = np.zeros(2)
    for part in _chunks(truth.size):
        ordinary, fair = crps(members[:, part], truth[part])
        sums += ordinary.sum(), 0.0 if fair is None else fair.sum()
    mean = sums / truth.size
    return float(mean[0]), float(mean[1]) if len(members) > 1 else None


def energy_scores(members: _Array, truth: _Array) -> dict[str, float]:
    """Return the energy scores of the whole vector, `energy` and, for K > 1, `energy-fair`.

    members: [K, M]; truth: [M]. As CRPS with Euclidean distances of vectors.
    """
    k = len(members)
    first, place = distinct(members)  # equal ones are at distance 0
    counts, distances = np.bincount(place).astype(np.float64), _distances(members[first], truth)
    error = float(counts @ distances[:-1, -1]) / k
    total = float(counts @ distances[:-1, :-1] @ counts)
    scores = {"energy": error - total / (2 * k**2)}
    if k > 1:
        scores["energy-fair"] = error - total / (2 * k * (k - 1))
    return scores


def distinct(members: _Array) -> tuple[list[int], list[int]]:
    """Return where each distinct member first occurs, and for each member which one it is.

    >>> distinct(np.array([[5], [7], [5]]))
    ([0, 1], [0, 1, 0])
    """
    numbers: dict[bytes, int] = {}
    first: list[int] = []
    place: list[int] = []
    for index, member in enumerate(members):
        number = numbers.setdefault(member.tobytes(), len(numbers))
        if number == len(first):
            first.append(index)
        place.append(number)
    return first, place


def _distances(members: _Array, truth: _Array) -> _Floats:
    """Return the distances [K + 1, K + 1] of the members and, last, the truth.

    From the Gram matrix about the first member: with integers every entry is exact.
    """
    gram = np.zeros((len(members) + 1,) * 2)
    for part in _chunks(truth.size):
        rows = np.concatenate([members[:, part], truth[None, part]]).astype(np.float64)
        rows -= rows[:1].copy()
        gram += rows @ rows.T
    norms = np.diag(gram)
    squares = np.maximum(norms[:, None] + norms[None] - gram - gram.T, 0)
    np.fill_diagonal(squares, 0)
    return np.sqrt(squares)


def _chunks(size: int) -> Iterator[slice]:
    for start in range(0, size, CHUNK):
        yield slice(start, start + CHUNK)


def rank_counts(members: _Array, truth: _Array) -> _Floats:
    """Return the rank histogram [K + 1] of one image: how many values have r members below them.

    members: [K, M]; truth: [M]. A value with e equal members counts 1 / (e + 1) in each of the
    ranks r..r + e. Bins add up to M.

    >>> rank_counts(np.array([[7], [7], [7]]), np.array([7])).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    k = len(members)
    below, equal = (members < truth).sum(0), (members == truth).sum(0)
    table = np.bincount(below * (k + 1) + equal, minlength=(k + 1) ** 2).reshape(k + 1, k + 1)
    counts = np.zeros(k + 1)
    for r, e in zip(*table.nonzero(), strict=True):
        counts[r : r + e + 1] += table[r, e] / (e + 1)
    return counts


def reliability_index(frequencies: _Floats) -> float:
    """Return sum |h - 1 / (K + 1)| of a rank histogram that adds up to 1; 0 if it is flat."""
    return float(np.abs(frequencies - 1 / len(frequencies)).sum())


def chi_square(counts: _Floats) -> float:
    """Return chi-square of rank counts against flat ones.

    No p-value follows from it: the values of an image depend on each other.
    """
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum()) if expected else 0.0


@dataclass(frozen=True)
class CentralInterval:
    """The central interval from the j-th smallest to the j-th largest of K completions."""

    j: int
    k: int

    @property
    def nominal(self) -> float:
        """The share of values that it covers if the forecast is right."""
        return (self.k + 1 - 2 * self.j) / (self.k + 1)

    def covered(self, frequencies: _Floats) -> _Floats:
        """Return the shares [N] of values that it covers, from rank histograms [N, K + 1]."""
        return np.asarray(frequencies[:, self.j : self.k + 1 - self.j].sum(axis=1))


def nearest_interval(k: int) -> CentralInterval:
    """Return the interval of K > 1 completions with the nominal level nearest to `NOMINAL`.

    >>> nearest_interval(8)
    CentralInterval(j=1, k=8)
    """
    intervals = [CentralInterval(j, k) for j in range(1, k // 2 + 1)]
    return min(intervals, key=lambda interval: abs(interval.nominal - NOMINAL))


def forecast_figures(case: MeasuredCase) -> Figures:
    """Return the scores of one image's completions, and their rank histogram as shares."""
    members, truth = hidden_values(case.truth, case.completions, case.visible)
    figures: Figures = dict(forecast_scores(members, truth))
    if truth.size:
        figures["ranks"] = rank_counts(members, truth) / truth.size
    return figures


def calibrated_figures(case: MeasuredCase, calibration: Calibration) -> Figures:
    """Return share inside, mean width in 0..1 and interval score of one image's hidden values."""
    hidden = ~case.visible[0].numpy()
    if not hidden.any():
        return {}
    members = case.completions.numpy()[..., hidden].reshape(len(case.completions), -1) / 255.0
    truth = case.truth.numpy()[..., hidden].reshape(-1) / 255.0
    low, high = calibration.intervals(members, float(case.visible[0].double().mean()))
    beyond = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    # The interval score (Gneiting & Raftery 2007, eq. 43).
    score = high - low + 2 / (1 - calibration.level) * beyond
    return {
        "calibrated-inside": float((beyond == 0).mean()),
        "calibrated-width": float((high - low).mean()),
        "interval-score": float(score.mean()),
    }


class Forecast(Metric):
    """A figure of the completions as a forecast of the hidden values."""

    by_default = True
    needs = frozenset({"hole"})

    def figures(self, case: MeasuredCase) -> Figures:
        return case.once(forecast_figures)


class ProperScore(Forecast):
    """A proper score: in the fair form, which does not depend on K, where K > 1."""

    def lines(self, results: Results) -> Iterator[Line]:
        few = ("K < 5: noisy",) if 1 < results.k < 5 else ()
        if results.k > 1:
            yield mean_line(
                self, results, f"{self.name}-fair", "fair", label=self.name, warnings=few
            )
            label = f"{self.name} ordinary"
            yield mean_line(self, results, self.name, "ordinary", label=label, depends_on_k=True)
        else:
            variant = "ordinary (K = 1: no fair form)"
            yield mean_line(self, results, self.name, variant, warnings=(CERTAIN,))


class Crps(ProperScore):
    """The mean score of each hidden value."""

    name = "crps"
    summary = "ranked probability score of each hidden value"


class Energy(ProperScore):
    """The score of all hidden values of an image together."""

    name = "energy"
    summary = "energy score of all hidden values together"

    def lines(self, results: Results) -> Iterator[Line]:
        yield from super().lines(results)
        column = "energy-fair-per-sqrt-dim" if results.k > 1 else "energy-per-sqrt-dim"
        variant = "over the root of the hidden values"
        few = () if results.k > 1 else (CERTAIN,)
        label = "energy per root of size"
        yield mean_line(self, results, column, variant, label=label, warnings=few)


class Coverage(Forecast):
    """How often the central interval of the completions holds the original value."""

    name = "coverage"
    summary = "share of hidden values inside the central interval of the K"
    better = "target"
    needs = frozenset({"hole", "several"})
    digits, factor, unit = 1, 100, "%"

    def figures(self, case: MeasuredCase) -> Figures:
        forecast = dict(super().figures(case))
        if "ranks" in forecast:
            interval = nearest_interval(len(case.completions))
            covered = interval.covered(np.atleast_2d(forecast["ranks"]))
            forecast[self.name] = float(covered[0])
        chosen = case.options.calibration
        return forecast if chosen is None else {**forecast, **calibrated_figures(case, chosen)}

    def lines(self, results: Results) -> Iterator[Line]:
        interval = nearest_interval(results.k)
        yield mean_line(
            self,
            results,
            self.name,
            "central interval",
            label=f"coverage {100 * interval.nominal:.1f} %",
            target=interval.nominal,
            params={"j": interval.j, "nominal": interval.nominal},
        )
        if results.options.calibration is not None:
            yield from self._calibrated(results, results.options.calibration)

    def _calibrated(self, results: Results, calibration: Calibration) -> Iterator[Line]:
        """Yield how often the intervals of a calibration hold, and how wide they are."""
        factors = [one.factor for one in calibration.factors]
        yield mean_line(
            self,
            results,
            "calibrated-inside",
            "conformal risk control",
            label=f"coverage {100 * calibration.level:g} % calibrated",
            target=calibration.level,
            params={"level": calibration.level, "factors": factors},
        )
        for column, variant, label in (
            ("calibrated-width", "width, share of black to white", "width calibrated"),
            ("interval-score", "interval score", "interval score"),
        ):
            yield mean_line(self, results, column, variant, label=label, better="lower")


class RankHistogram(Forecast):
    """How far the ranks of the originals among the completions are from equally frequent."""

    name = "rank-histogram"
    summary = "rank of the truth among the K: distance from a flat histogram"
    depends_on_n = True

    def lines(self, results: Results) -> Iterator[Line]:
        yield Line(
            self,
            "rank-histogram",
            "reliability index",
            lambda chosen: self._estimate(results, chosen),
            depends_on_k=True,
        )

    def _estimate(self, results: Results, chosen: Chosen) -> Estimate:
        ranks, strata = results.sample("ranks", chosen)
        columns, mean, n = results.columns.figures, ranks.mean(axis=0), len(ranks)
        hidden = columns["hidden"][chosen]
        # Every hidden value counts once in chi-square, every image once in the histogram.
        counts = mean * hidden[hidden > 0].sum()
        means = resampled_means(ranks, strata)
        low, high = ends_of(means)
        equal = results.k > 1 and np.nanmin(columns["deterministic"][chosen]) == 1
        warnings = [f"of {counted(n, 'image')}: {UNEVEN}"]
        if equal:
            warnings.append(
                "all completions of an image are equal: values they miss fill the end bins alone, "
                "and values they meet fill all bins alike"
            )
        return Estimate(
            reliability_index(mean),
            n,
            float(np.std([reliability_index(one) for one in means], ddof=1)) if n > 1 else None,
            "image bootstrap" if n > 1 else "",
            results.k,
            {"chi_square": chi_square(counts), "band": "image bootstrap 95 %"},
            tuple(warnings),
            entries={"arrays": {"rank_histogram": mean, "band_low": low, "band_high": high}},
        )


METRICS = {one.name: one for one in (Crps(), Energy(), Coverage(), RankHistogram())}
