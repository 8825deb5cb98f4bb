"""Recorded Frechet distances, shard states and numeric traps."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from inpaint_cli.metrics.frechet import fid, frechet_distance, frechet_distance_of_rows
from inpaint_cli.metrics.moments import Moments, merged
from tests.metrics.recorded_metrics import arrays, close, expected, fidelity

pytestmark = [pytest.mark.golden, pytest.mark.metrics]
RECORDED, EXPECTED = arrays("fid"), expected("fid")
REAL, FAKE = RECORDED["real"], RECORDED["fake"]
Wide = npt.NDArray[np.float64]


def by_moments(real: npt.NDArray[np.floating], fake: npt.NDArray[np.floating]) -> float:
    return frechet_distance(Moments.of(real), Moments.of(fake))


def of_moments(mean: Wide, covariance: Wide, n: int) -> Moments:
    moments = Moments(len(mean))
    moments.n, moments.mean, moments.scatter = n, mean, covariance * (n - 1)
    return moments


@pytest.mark.parametrize("side", ["real", "fake"])
def test_mean_and_covariance_are_the_recorded_ones(side: str) -> None:
    moments = Moments.of(RECORDED[side])
    close(moments.mean, RECORDED[f"mean_{side}"], rtol=1e-9, atol=1e-12)
    close(moments.covariance, RECORDED[f"cov_{side}"], rtol=1e-9, atol=1e-12)


def test_recorded_shards_merge_to_the_whole() -> None:
    shards = []
    for i, size in enumerate(RECORDED["shard_sizes"]):
        shard = Moments(REAL.shape[1])
        shard.n = int(size)
        shard.mean, shard.scatter = RECORDED[f"shard{i}_mean"], RECORDED[f"shard{i}_m2"]
        shards.append(shard)
    whole = merged(shards)
    assert whole.n == len(REAL)
    close(whole.mean, RECORDED["mean_real"], rtol=0, atol=1e-10)
    close(whole.scatter, RECORDED["cov_real"] * (len(REAL) - 1), rtol=0, atol=1e-10)


def test_our_shards_are_the_recorded_ones() -> None:
    ends = np.cumsum(RECORDED["shard_sizes"])
    for i, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        shard = Moments.of(REAL[start:end])
        close(shard.mean, RECORDED[f"shard{i}_mean"], rtol=0, atol=1e-10)
        close(shard.scatter, RECORDED[f"shard{i}_m2"], rtol=0, atol=1e-10)


def test_large_means_cost_no_digits_of_the_covariance() -> None:
    offset = RECORDED["offset"]
    moments = Moments(offset.shape[1])
    for row in offset:
        moments.update(row[None])
    close(moments.mean, RECORDED["offset_mean"], rtol=0, atol=1e-7)
    close(moments.covariance, RECORDED["offset_cov"], rtol=0, atol=1e-7)


@pytest.mark.parametrize("form", ["eigh", "nuclear", "sqrtm"])
def test_the_distance_is_that_of_every_exact_form(form: str) -> None:
    close(frechet_distance_of_rows(REAL, FAKE), EXPECTED["base"][form])
    close(by_moments(REAL, FAKE), EXPECTED["base"][form])


def test_the_distance_is_that_of_torch_fidelity() -> None:
    library = fidelity("metric_fid")
    sides = [library.fid_features_to_statistics(torch.from_numpy(x)) for x in (REAL, FAKE)]
    theirs = library.fid_statistics_to_metric(*sides, verbose=False)["frechet_inception_distance"]
    close(theirs, EXPECTED["base"]["torch_fidelity"], rtol=1e-9)
    close(by_moments(REAL, FAKE), theirs, rtol=1e-5)


def test_a_set_is_at_no_distance_from_itself() -> None:
    assert abs(EXPECTED["real_real"]["eigh"]) < 1e-8
    assert fid(REAL, REAL).value == 0.0
    assert fid(REAL, REAL[::-1]).value == 0.0


def test_halves_of_a_set_differ_by_the_recorded_bias() -> None:
    half = len(REAL) // 2
    close(by_moments(REAL[:half], REAL[half:]), EXPECTED["half_half"]["eigh"])


def test_a_shift_gives_its_square() -> None:
    real = REAL.astype(np.float64)
    close(by_moments(real, real + RECORDED["shift"]), EXPECTED["shift"]["exact"])


def test_doubled_deviations_give_the_trace() -> None:
    real = REAL.astype(np.float64)
    doubled = real.mean(axis=0) + 2 * (real - real.mean(axis=0))
    close(by_moments(real, doubled), EXPECTED["scale2_centred"]["exact"])


@pytest.mark.parametrize("case", ["rank_deficient_10_vs_12", "n2"])
def test_few_rows_give_the_exact_distance_and_a_warning(case: str) -> None:
    recorded = EXPECTED[case]
    real, fake = REAL[: recorded["rows_real"]], FAKE[: recorded["rows_fake"]]
    estimate = fid(real, fake)
    close(estimate.value, recorded["exact"])
    close(by_moments(real, fake), recorded["exact"], rtol=1e-6)
    assert any("n <= d" in text for text in estimate.warnings)


def test_constant_rows_give_the_recorded_distances() -> None:
    d, both, one = REAL.shape[1], EXPECTED["const_vs_const"], EXPECTED["const_vs_fake"]
    sides = [np.full((n, d), x) for n, x in zip(both["rows"], both["values"], strict=True)]
    constant = np.full((one["rows"], d), one["value"])
    for distance in (by_moments, frechet_distance_of_rows):
        close(distance(sides[0], sides[1]), both["exact"])
        close(distance(constant, FAKE), one["exact"])
        close(distance(FAKE, constant), one["exact"])


def test_diagonal_gaussians_have_their_closed_form() -> None:
    case = EXPECTED["gaussian_closed_form"]
    sides = [
        of_moments(np.array(case[f"mu{i}"]), np.diag(np.array(case[f"var{i}"])), 100)
        for i in (1, 2)
    ]
    close(frechet_distance(*sides), case["fid"])
