from statistics import NormalDist

import numpy as np
import pytest

from inpaint_cli.metrics.forecasts import (
    CentralInterval,
    chi_square,
    crps,
    crps_mean,
    energy_scores,
    forecast_scores,
    hidden_values,
    rank_counts,
    reliability_index,
)
from tests.metrics import recorded_images as recorded
from tests.metrics.recorded_metrics import expected

pytestmark = [pytest.mark.golden, pytest.mark.metrics]


def test_recorded_ensembles_have_the_recorded_crps() -> None:
    stored, wanted = recorded.tensors("ensemble"), expected("ensemble")["float"]
    for image, (x, y) in enumerate(zip(stored["x"].numpy(), stored["y"].numpy(), strict=True)):
        ordinary, fair = crps(x, y)
        np.testing.assert_allclose(ordinary, stored["crps"][image], rtol=1e-9, atol=1e-12)
        assert fair is not None
        np.testing.assert_allclose(fair, stored["crps_fair"][image], rtol=1e-9, atol=1e-12)
        means = wanted["crps_per_image"][image], wanted["crps_fair_per_image"][image]
        assert crps_mean(x, y) == pytest.approx(means, rel=1e-9)


def test_recorded_ensembles_have_the_recorded_energy_scores() -> None:
    stored, wanted = recorded.tensors("ensemble"), expected("ensemble")["float"]
    for image, (x, y) in enumerate(zip(stored["x"].numpy(), stored["y"].numpy(), strict=True)):
        scores = energy_scores(x, y)
        assert scores["energy"] == pytest.approx(wanted["energy"][image], rel=1e-9)
        assert scores["energy-fair"] == pytest.approx(wanted["energy_fair"][image], rel=1e-9)


def test_recorded_ensembles_have_the_recorded_ranks_and_coverage() -> None:
    stored, wanted = recorded.tensors("ensemble"), expected("ensemble")["float"]
    rows = zip(stored["x"].numpy(), stored["y"].numpy(), strict=True)
    counts = np.stack([rank_counts(x, y) for x, y in rows])
    np.testing.assert_allclose(counts, wanted["rank_hist_per_image"], rtol=1e-9)
    pooled = counts.sum(0)
    np.testing.assert_allclose(pooled, wanted["rank_hist"], rtol=1e-9)
    assert chi_square(pooled) == pytest.approx(wanted["rank_chi2"], rel=1e-9)
    index = reliability_index(pooled / pooled.sum())
    assert index == pytest.approx(wanted["rank_reliability_index"], rel=1e-9)
    check_coverage(pooled, wanted["coverage"])


def check_coverage(counts: np.ndarray, wanted: dict[str, dict[str, float]]) -> None:
    for name, values in wanted.items():
        interval = CentralInterval(int(name[1:]), len(counts) - 1)
        assert interval.nominal == pytest.approx(values["nominal"], rel=1e-9)
        assert interval.covered(counts[None] / counts.sum())[0] == pytest.approx(
            values["covered"], rel=1e-9
        )


def test_recorded_images_have_the_recorded_scores() -> None:
    stored, wanted = recorded.tensors("ensemble"), expected("ensemble")["uint8"]
    counts = []
    for image, values in enumerate(wanted["per_image"]):
        members, truth = hidden_values(
            recorded.ours(stored["gt_uint8"][image]),
            recorded.ours(stored["samples_uint8"][image]),
            recorded.visible(stored["mask_uint8"][image]),
        )
        assert len(truth) == values["hidden_values"]
        scores = forecast_scores(members, truth)
        named = {
            "crps": values["crps_255"] / 255,
            "crps-fair": values["crps_fair_255"] / 255,
            "energy": values["energy_01"],
            "energy-fair": values["energy_fair_01"],
            "energy-fair-per-sqrt-dim": values["energy_fair_01_per_sqrt_dim"],
        }
        for name, value in named.items():
            assert scores[name] == pytest.approx(value, rel=1e-9), name
        counts.append(rank_counts(members, truth))
        np.testing.assert_allclose(counts[-1], values["rank_hist"], rtol=1e-9)
    np.testing.assert_allclose(np.sum(counts, 0), wanted["rank_hist"], rtol=1e-9)
    check_coverage(np.sum(counts, 0), wanted["coverage"])


def test_small_ensembles_have_the_scores_of_the_closed_form() -> None:
    wanted = expected("ensemble")["closed_form"]
    for name in ("two_members", "two_members_outside", "all_equal_to_y"):
        case = wanted[name]
        ordinary, fair = crps(np.array(case["x"])[:, None], np.array([case["y"]]))
        assert fair is not None
        assert (ordinary[0], fair[0]) == pytest.approx((case["crps"], case["fair"]), rel=1e-9)
    case = wanted["k1"]
    ordinary, fair = crps(np.array(case["x"])[:, None], np.array([case["y"]]))
    assert (ordinary[0], fair) == (case["crps"], None)


def test_large_ensembles_come_near_the_closed_form() -> None:
    wanted = expected("ensemble")["closed_form"]

    levels = (np.arange(4000) + 0.5) / 4000
    members = np.array([NormalDist().inv_cdf(level) for level in levels])[:, None]
    for case in wanted["gaussian"]:
        ordinary, _ = crps(members, np.array([case["y"]]))
        # Quantiles at equal steps, not draws: the error is that of the sum, about 1 / K.
        assert ordinary[0] == pytest.approx(case["crps"], abs=2e-3)
    flat = wanted["uniform_01"]
    ordinary, _ = crps(levels[:, None], np.array([flat["y"]]))
    assert ordinary[0] == pytest.approx(flat["crps"], abs=1e-4)
