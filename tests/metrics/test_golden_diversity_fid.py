"""Recorded distances between completion sets."""

from itertools import combinations

import numpy as np
import pytest

from inpaint_cli.metrics.frechet import div_fid, fid_all, fid_over_sets, frechet_distance_of_rows
from tests.metrics.recorded_metrics import arrays, close, expected

pytestmark = [pytest.mark.golden, pytest.mark.metrics]
RECORDED, EXPECTED = arrays("divfid"), expected("divfid")
REAL, SETS = RECORDED["real"], list(RECORDED["completions"])


def test_every_pair_of_sets_has_its_recorded_distance() -> None:
    for a, b in combinations(range(len(SETS)), 2):
        close(frechet_distance_of_rows(SETS[a], SETS[b]), RECORDED["fid_matrix"][a, b], rtol=1e-6)


def test_div_fid_is_the_mean_over_pairs() -> None:
    estimate = div_fid(SETS)
    close(estimate.value, EXPECTED["div_fid"], rtol=1e-6)
    assert estimate.k == len(SETS)
    assert estimate.se is not None
    assert estimate.se > 0


def test_all_completions_together_have_the_recorded_distance() -> None:
    close(fid_all(REAL, SETS).value, EXPECTED["fid_all_vs_real"], rtol=1e-6)


def test_fid_over_sets_gives_mean_and_spread() -> None:
    estimate = fid_over_sets(REAL, SETS)
    close(estimate.extra["values"], EXPECTED["fid_each_vs_real"], rtol=1e-6)
    close(estimate.value, EXPECTED["fid_mean"], rtol=1e-6)
    close(estimate.extra["std_over_sets"], EXPECTED["fid_std_ddof1"], rtol=1e-6)


def test_a_deterministic_method_has_no_div_fid() -> None:
    estimate = div_fid([SETS[0]] * 3)
    assert estimate.value == EXPECTED["deterministic_method_div_fid"]
    assert estimate.se == 0.0
    assert np.isfinite(estimate.value)
