"""Recorded P-IDS and U-IDS, and the unique optimum of the linear separator."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from inpaint_cli.metrics.state import Refused

from inpaint_cli.metrics.identity import Solver, fit, fit_by_newton, margins_of_sets, p_ids, u_ids
from tests.metrics.recorded_metrics import arrays, close, expected

pytestmark = [pytest.mark.golden, pytest.mark.metrics]
RECORDED, EXPECTED = arrays("ids"), expected("ids")
REAL, FAKE = RECORDED["real"], RECORDED["fake"]
ROUNDED = 1e-12  # of a fraction of rows: the counts are exact
Rows = npt.NDArray[Any]
CASES = {
    "base": (REAL, FAKE),
    "fake_permuted": (REAL, FAKE[RECORDED["perm_fake"]]),
    "identical": (REAL, REAL),
    "features_times_0.01": (REAL * np.float32(0.01), FAKE * np.float32(0.01)),
}
each_case = pytest.mark.parametrize("case", CASES)


def scores(real: Rows, fake: Rows, solver: Solver) -> dict[str, float]:
    margins = margins_of_sets(real, [fake], solver)
    paired = p_ids(margins)
    return {
        "p_ids": paired.value,
        "p_ids_ties_half": paired.extra["p_ids_ties_half"],
        "u_ids": u_ids(margins).value,
    }


def test_newton_finds_the_unique_optimum() -> None:
    found = fit_by_newton(REAL, FAKE)
    close(found.w, RECORDED["w_exact"], rtol=0, atol=1e-8)
    close(found.b, RECORDED["b_exact"].item(), rtol=0, atol=1e-8)
    close(found.margins(REAL), RECORDED["decision_real_exact"], rtol=0, atol=1e-7)
    close(found.margins(FAKE), RECORDED["decision_fake_exact"], rtol=0, atol=1e-7)


def test_newtons_objective_is_the_recorded_minimum() -> None:
    found = fit_by_newton(REAL, FAKE)
    slack = np.concatenate([1 - found.margins(REAL), 1 + found.margins(FAKE)])
    penalty = (found.w @ found.w + found.b**2) / 2
    close(
        penalty + (np.maximum(slack, 0) ** 2).sum(), EXPECTED["base"]["exact"]["objective"], 1e-12
    )


def test_the_library_finds_what_it_found_then() -> None:
    found = fit(REAL, FAKE, "library")
    assert found.solver == "scikit-learn"
    close(found.w, RECORDED["coef_sklearn"], rtol=0, atol=1e-3)
    close(found.b, RECORDED["intercept_sklearn"].item(), rtol=0, atol=1e-3)
    close(found.w, RECORDED["w_exact"], rtol=0, atol=1e-3)


@each_case
def test_newtons_scores_are_the_exact_ones(case: str) -> None:
    ours = scores(*CASES[case], solver="newton")
    for name, value in ours.items():
        close(value, EXPECTED[case]["exact"][name], rtol=0, atol=ROUNDED)


@each_case
def test_the_librarys_scores_differ_by_one_row_at_most(case: str) -> None:
    ours = scores(*CASES[case], solver="library")
    for kind in ("exact", "sklearn"):
        for name, value in EXPECTED[case].get(kind, {}).items():
            if name in ours:
                close(ours[name], value, rtol=0, atol=1 / len(REAL) + ROUNDED)


def test_breaking_the_pairs_changes_p_ids_alone() -> None:
    whole, broken = (scores(*CASES[case], solver="newton") for case in ("base", "fake_permuted"))
    assert whole["p_ids"] != broken["p_ids"]
    assert whole["u_ids"] == broken["u_ids"]


def test_what_can_always_be_separated_is_refused() -> None:
    with pytest.raises(Refused, match="can always be separated"):
        margins_of_sets(RECORDED["small_real"], [RECORDED["small_fake"]])


@pytest.mark.parametrize("solver", ["newton", "library"])
def test_completion_sets_are_scored_one_by_one(solver: Solver) -> None:
    case, sets = EXPECTED["three_completions_separately"], RECORDED["multi_fake"].swapaxes(0, 1)
    row = 0.0 if solver == "newton" else 1 / sets.shape[1]
    margins = margins_of_sets(REAL[: sets.shape[1]], list(sets), solver)
    paired, single = p_ids(margins), u_ids(margins)
    each = [one["p_ids"] for one in case["values"]]
    close(paired.extra["values"], each, rtol=0, atol=row + ROUNDED)
    close(paired.value, case["p_ids_mean"], rtol=0, atol=row + ROUNDED)
    close(single.value, case["u_ids_mean"], rtol=0, atol=row + ROUNDED)
    assert paired.se is not None
    close(paired.se, case["p_ids_std_ddof1"], rtol=0, atol=row + ROUNDED)
    assert (paired.k, paired.se_method) == (len(sets), "sets")
