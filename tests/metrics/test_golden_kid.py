"""Recorded kernel distances: whole sets, disjoint blocks, the library's subsets."""

import numpy as np
import pytest

from inpaint_cli.metrics.intervals import standard_error
from inpaint_cli.metrics.kid import kid_of_subsets, mmd2
from tests.metrics.recorded_metrics import arrays, close, expected, fidelity

pytestmark = [pytest.mark.golden, pytest.mark.metrics]
RECORDED, EXPECTED = arrays("kid"), expected("kid")
REAL, FAKE = RECORDED["real"], RECORDED["fake"]
SUBSETS, SIZE = RECORDED["idx_real"].shape
MEAN, STD = "kernel_inception_distance_mean", "kernel_inception_distance_std"


def test_whole_sets_give_the_recorded_distance() -> None:
    close(mmd2(REAL, FAKE), EXPECTED["full_unbiased"])


def test_identical_sets_are_below_zero() -> None:
    close(mmd2(REAL, REAL), EXPECTED["identical_unbiased"])


def test_recorded_subsets_give_their_distances() -> None:
    pairs = zip(RECORDED["idx_real"], RECORDED["idx_fake"], strict=True)
    ours = [mmd2(REAL[r], FAKE[f]) for r, f in pairs]
    close(ours, RECORDED["subset_mmd2_float64"])
    close(ours, RECORDED["subset_mmd2_float32"], rtol=1e-4)


def test_the_subsets_are_those_that_the_library_draws() -> None:
    estimate = kid_of_subsets(REAL, FAKE, SUBSETS, SIZE, paired=True)
    close(estimate.value, EXPECTED["subset_mmd2_float64_mean"])
    close(estimate.extra["std"], EXPECTED["subset_mmd2_float64_std_ddof0"])
    close(estimate.value, EXPECTED["torch_fidelity"][MEAN], rtol=1e-4)
    close(estimate.extra["std"], EXPECTED["torch_fidelity"][STD], rtol=1e-4)
    assert estimate.se is None


def test_the_library_agrees_today() -> None:
    import torch

    sides = [torch.from_numpy(side) for side in (FAKE, REAL)]
    theirs = fidelity("metric_kid").kid_features_to_metric(
        *sides, kid_subsets=SUBSETS, kid_subset_size=SIZE, rng_seed=2020, verbose=False
    )
    estimate = kid_of_subsets(REAL, FAKE, SUBSETS, SIZE, paired=True)
    close(estimate.value, theirs[MEAN], rtol=1e-4)
    close(estimate.extra["std"], theirs[STD], rtol=1e-4)


def test_disjoint_blocks_give_the_recorded_values_and_error() -> None:
    name = next(key for key in EXPECTED if key.startswith("blocks_of_"))
    recorded, size = EXPECTED[name], int(name.rpartition("_")[2])
    starts = range(0, size * len(recorded["values"]), size)
    ours = [mmd2(REAL[s : s + size], FAKE[s : s + size]) for s in starts]
    close(ours, recorded["values"])
    close(np.mean(ours), recorded["mean"])
    se = standard_error(ours)
    assert se is not None
    close(se, recorded["se"])
