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

from inpaint_cli.metrics.state import Refused
from inpaint_cli.randomness import stream

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 65536
"""Hidden values at a time: what is computed in float64 needs K times as many."""

_Array = npt.NDArray[Any]
_Floats = npt.NDArray[np.float64]


def hidden_values(truth: Tensor, completions: Tensor, visible: Tensor) -> tuple[_Array, _Array]:
    """Gives the hidden values of one image: members uint8 [K, M] and truth uint8 [M].

    truth: uint8 [C, H, W]; completions: uint8 [K, C, H, W]; visible: bool [1, H, W].
    """
    hidden = ~visible.expand_as(truth).cpu()
    return completions.cpu()[:, hidden].numpy(), truth.cpu()[hidden].numpy()


def forecast_scores(members: _Array, truth: _Array, energy_spread: str = "all") -> dict[str, float]:
    """Gives the scores of one image's hidden values, by name, in [0, 1]; lower is better.

    members: uint8 [K, M]; truth: uint8 [M]. `crps` and `energy` are the ordinary forms, `-fair`
    those that do not depend on K; they are left out for K = 1, all of them where nothing is hidden.
    energy_spread: "all" pairs of members, or disjoint "pairs" alone (`energy-pairs`).
    `deterministic` is 1 where all members are equal, else 0.
    """
    if not truth.size:
        return {}
    ordinary, fair = crps_mean(members, truth)
    found = {"crps": ordinary / 255}
    if fair is not None:
        found["crps-fair"] = fair / 255
    for name, value in energy_scores(members, truth, energy_spread).items():
        found[name] = value / 255
        found[f"{name}-per-sqrt-dim"] = value / 255 / float(np.sqrt(truth.size))
    found["deterministic"] = float(bool((members == members[:1]).all()))
    return found


def crps(members: _Array, truth: _Array) -> tuple[_Floats, _Floats | None]:
    """Gives the ordinary and the fair CRPS [M] of each value; the fair one is None for K = 1.

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
    """Gives the means of `crps` over the values."""
    sums = np.zeros(2)
    for part in _chunks(truth.size):
        ordinary, fair = crps(members[:, part], truth[part])
        sums += ordinary.sum(), 0.0 if fair is None else fair.sum()
    mean = sums / truth.size
    return float(mean[0]), float(mean[1]) if len(members) > 1 else None


def energy_scores(members: _Array, truth: _Array, spread: str = "all") -> dict[str, float]:
    """Gives the energy scores of the whole vector: `energy` and `energy-fair`, or `energy-pairs`.

    members: [K, M]; truth: [M]. As CRPS with Euclidean distances of vectors. spread "pairs": the
    distances of members 0 and 1, 2 and 3, ... alone; unbiased too, but noisier.
    """
    if spread == "pairs":
        return _energy_of_pairs(members, truth)
    k = len(members)
    distinct, counts = _distinct(members)
    distances = _distances(distinct, truth)
    error = float(counts @ distances[:-1, -1]) / k
    total = float(counts @ distances[:-1, :-1] @ counts)
    found = {"energy": error - total / (2 * k**2)}
    if k > 1:
        found["energy-fair"] = error - total / (2 * k * (k - 1))
    return found


def _energy_of_pairs(members: _Array, truth: _Array) -> dict[str, float]:
    if len(members) < 2:
        return {}
    error = float(np.mean([_length(member, truth) for member in members]))
    return {"energy-pairs": error - pairs_spread(members) / 2}


def pairs_spread(members: _Array) -> float:
    """Gives the mean distance of members 0 and 1, 2 and 3, ...: O(1) memory in K."""
    pairs = zip(members[::2], members[1::2], strict=False)
    return float(np.mean([_length(a, b) for a, b in pairs]))


def _length(a: _Array, b: _Array) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b))


def _distinct(members: _Array) -> tuple[_Array, _Floats]:
    """Gives the distinct members and how often each occurs: equal ones are at distance 0."""
    found: dict[bytes, int] = {}
    first: list[int] = []
    counts: list[float] = []
    for index, member in enumerate(members):
        place = found.setdefault(member.tobytes(), len(found))
        if place == len(first):
            first.append(index)
            counts.append(0.0)
        counts[place] += 1
    return members[first], np.array(counts)


def _distances(members: _Array, truth: _Array) -> _Floats:
    """Gives the distances [K + 1, K + 1] of the members and, last, the truth.

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
    """Gives the rank histogram [K + 1] of one image: how many values have r members below them.

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
    """Gives sum |h - 1 / (K + 1)| of a rank histogram that adds up to 1; 0 if it is flat."""
    return float(np.abs(frequencies - 1 / len(frequencies)).sum())


def chi_square(counts: _Floats) -> float:
    """Gives chi-square of rank counts against flat ones.

    No p-value follows from it: the values of an image depend on each other.
    """
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum()) if expected else 0.0


@dataclass(frozen=True)
class Interval:
    """The central interval from the j-th smallest to the j-th largest of K completions."""

    j: int
    k: int

    @property
    def nominal(self) -> float:
        """The share of values that it covers if the forecast is right."""
        return (self.k + 1 - 2 * self.j) / (self.k + 1)

    def covered(self, counts: _Floats) -> float:
        """Gives the share of values that it covers, from a rank histogram that is not empty."""
        return float(counts[self.j : self.k + 1 - self.j].sum() / counts.sum())


def nearest_interval(k: int, level: float) -> Interval:
    """Gives the interval of K completions with the nominal level nearest to `level`.

    Refused for K = 1, which has no interval.

    >>> nearest_interval(8, 0.9)
    Interval(j=1, k=8)
    """
    intervals = [Interval(j, k) for j in range(1, k // 2 + 1)]
    if not intervals:
        raise Refused(f"coverage: needs at least 2 completions, got {k}.")
    return min(intervals, key=lambda interval: abs(interval.nominal - level))


def histogram_band(
    frequencies: _Floats, seed: int, resamples: int = 1000, level: float = 0.95
) -> tuple[_Floats, _Floats]:
    """Gives the lower and upper ends [K + 1] of an interval for each bin, by resampling images.

    frequencies: [N, K + 1], one rank histogram for each image.
    """
    n = len(frequencies)
    rng = stream(seed, "rank-histogram-band")
    means = np.empty((resamples, frequencies.shape[1]))
    for row in means:
        times = np.bincount((rng.random(n) * n).astype(np.int64), minlength=n)
        row[:] = times @ frequencies / n
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high
