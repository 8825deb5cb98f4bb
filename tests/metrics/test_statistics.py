"""Errors are true: a nominal 90 % interval holds the figure of the population 90 times in 100."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks import statistics
from benchmarks.statistics import Form, Indices, of_column, trial
from inpaint_cli.metrics.estimate import Estimate
from inpaint_cli.metrics.frechet import fid, frechet_distance_of_rows
from inpaint_cli.metrics.identity import margins_of_sets, p_ids, u_ids
from inpaint_cli.metrics.intervals import Strata, paired_difference
from inpaint_cli.metrics.kid import kid
from inpaint_cli.metrics.protocol import bin_of

RNG = np.random.default_rng(0)
RANGES = np.arange(5000) % 5
Floats = npt.NDArray[np.float64]
COLUMNS = {
    "normal": RNG.normal(size=5000) + 2.0 * RANGES,
    "skewed": RNG.gamma(4.0, size=5000) * (1 + RANGES),
    "shares": RNG.beta(2.0, 1.0 + RANGES),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_intervals_of_means_cover_as_often_as_they_say(name: str) -> None:
    trials = trial(of_column(COLUMNS[name]), RANGES, 100, 2000, again=True)
    assert 88 <= trials.covers(COLUMNS[name].mean()) <= 92
    assert 0.95 < trials.ratio < 1.05


def test_without_ranges_they_would_cover_too_often() -> None:
    trials = trial(of_column(COLUMNS["normal"]), RANGES, 100, 400, plain=True, again=True)
    assert trials.covers(COLUMNS["normal"].mean()) > 98


def test_intervals_of_paired_differences_and_of_the_bootstrap_cover_too() -> None:
    ours, theirs = COLUMNS["normal"], COLUMNS["normal"] * 0.7 + 0.3 * RNG.normal(size=5000)
    truth, held, likely = float(np.mean(ours - theirs)), 0, 0
    for chosen in statistics.samples(RANGES, 100, 400, 1):
        difference = paired_difference(ours[chosen], theirs[chosen], RANGES[chosen])
        held += difference.extra["low"] <= truth <= difference.extra["high"]
        equal = paired_difference(ours[chosen] - truth, theirs[chosen], RANGES[chosen])
        likely += equal.extra["p"] <= 0.1
    assert 92.5 <= held / 4 <= 97.5
    assert 7 <= likely / 4 <= 13


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Floats]:
    """Columns of a classical method on small digits."""
    options = {"metrics": "psnr,mae,crps,energy,lpips-gt", "data": "digits", "limit": 600, "k": 1}
    more = {"perceptual": "classifier-mnist", "masks": "freeform@mixture", "size": 8}
    folder: Path = tmp_path_factory.mktemp("population")
    population = statistics.population("telea", folder, **options, **more)
    return population.figures


@pytest.mark.parametrize("name", ["psnr", "mae", "crps", "energy", "lpips-gt@1"])
def test_intervals_of_real_figures_cover_as_often_as_they_say(
    name: str, measured: dict[str, Floats]
) -> None:
    ranges = np.array([bin_of(share) for share in measured["visible"]])
    kept = ~np.isnan(measured[name])
    values, ranges = measured[name][kept], ranges[kept]
    rng, held, groups = np.random.default_rng(2), 0, [np.flatnonzero(ranges == r) for r in range(5)]
    truth = float(np.mean([values[group].mean() for group in groups]))
    figure = of_column(values)
    for _ in range(1000):
        chosen = np.concatenate([rng.choice(group, 20) for group in groups])
        estimate = figure(chosen, ranges[chosen])
        assert estimate.se is not None
        held += abs(estimate.value - truth) <= statistics.NOMINAL * estimate.se
    assert 88 <= held / 10 <= 92


def features() -> tuple[Floats, Floats]:
    """Return features of originals and of completions that are farther where more is hidden."""
    rng = np.random.default_rng(3)
    real = rng.normal(size=(5000, 12)) + 0.3 * RANGES[:, None]
    noise = rng.normal(size=(5000, 12)) + 0.5
    return np.maximum(real, 0), np.maximum(real + 0.25 * RANGES[:, None] * noise, 0)


def test_intervals_of_distances_cover_their_expectation() -> None:
    real, fake = features()
    for figure in (
        lambda chosen, strata: fid(real[chosen], fake[chosen], strata=strata),
        lambda chosen, strata: kid(real[chosen], fake[chosen], strata),
    ):
        trials = trial(figure, RANGES, 100, 400)
        assert 84 <= trials.covers(trials.mean) <= 94


def test_errors_of_p_ids_and_u_ids_are_of_the_size_of_their_spread() -> None:
    real, fake = features()
    for form in (p_ids, u_ids):

        def figure(chosen: Indices, strata: Strata, form: Form = form) -> Estimate:
            return form(margins_of_sets(real[chosen], [fake[chosen]]), strata)

        trials = trial(figure, RANGES, 200, 200)
        assert 0.8 < trials.ratio < 1.3


def test_the_bias_of_the_frechet_distance_is_what_the_jackknife_says() -> None:
    real, fake = features()
    whole = frechet_distance_of_rows(real, fake)
    trials = trial(lambda c, s: fid(real[c], fake[c], strata=s), RANGES, 100, 200)
    assert trials.biases.mean() == pytest.approx(trials.mean - whole, rel=0.3)


def test_the_tables_have_a_row_for_every_figure_and_size() -> None:
    real, fake = features()
    lines = statistics.means({"one": COLUMNS["normal"]}, RANGES, 100, 5)
    lines += statistics.distances(real[:200], fake[:200], RANGES[:200], (20, 40), 3)
    lines += statistics.identities(real[:200], fake[:200], RANGES[:200], (60,), 3)
    assert [line.split(" | ")[0] for line in lines if "---" not in line] == [
        *("| metric", "| one", "| metric", "| fid", "| fid", "| kid x1000", "| kid x1000"),
        *["| kid, pairs left in, x1000"] * 2,
        *("| metric", "| p-ids", "| u-ids"),
    ]
