"""Recorded P-IDS and U-IDS, and the unique optimum of the linear separator."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.identity import fit, margins_of_sets, p_ids, u_ids
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


def scores(real: Rows, fake: Rows) -> dict[str, float]:
    margins = margins_of_sets(real, [fake])
    paired = p_ids(margins)
    return {
        "p_ids": paired.value,
        "p_ids_ties_half": paired.extra["p_ids_ties_half"],
        "u_ids": u_ids(margins).value,
    }


def test_the_library_finds_what_it_found_then() -> None:
    separator = fit(REAL, FAKE)
    close(separator.w, RECORDED["coef_sklearn"], rtol=0, atol=1e-3)
    close(separator.b, RECORDED["intercept_sklearn"].item(), rtol=0, atol=1e-3)
    close(separator.w, RECORDED["w_exact"], rtol=0, atol=1e-3)


@each_case
def test_scores_differ_from_the_exact_ones_by_one_row_at_most(case: str) -> None:
    ours = scores(*CASES[case])
    for kind in ("exact", "sklearn"):
        for name, value in EXPECTED[case].get(kind, {}).items():
            if name in ours:
                close(ours[name], value, rtol=0, atol=1 / len(REAL) + ROUNDED)


def test_breaking_the_pairs_changes_p_ids_alone() -> None:
    whole, broken = (scores(*CASES[case]) for case in ("base", "fake_permuted"))
    assert whole["p_ids"] != broken["p_ids"]
    assert whole["u_ids"] == broken["u_ids"]


def test_what_can_always_be_separated_is_refused() -> None:
    with pytest.raises(Refused, match="can always be separated"):
        margins_of_sets(RECORDED["small_real"], [RECORDED["small_fake"]])


def test_completion_sets_are_scored_one_by_one() -> None:
    case, sets = EXPECTED["three_completions_separately"], RECORDED["multi_fake"].swapaxes(0, 1)
    row = 1 / sets.shape[1]  # of one completion set
    margins = margins_of_sets(REAL[: sets.shape[1]], list(sets))
    paired, single = p_ids(margins), u_ids(margins)
    each = [one["p_ids"] for one in case["values"]]
    close(paired.extra["values"], each, rtol=0, atol=row + ROUNDED)
    close(paired.value, case["p_ids_mean"], rtol=0, atol=row + ROUNDED)
    close(single.value, case["u_ids_mean"], rtol=0, atol=row + ROUNDED)
    close(paired.extra["std_over_sets"], case["p_ids_std_ddof1"], rtol=0, atol=row + ROUNDED)
    assert paired.k == len(sets)
