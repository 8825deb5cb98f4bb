import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inpaint_cli.metrics import forecasts
from inpaint_cli.metrics.forecasts import (
    crps,
    crps_mean,
    energy_scores,
    forecast_scores,
    hidden_values,
    nearest_interval,
    rank_counts,
    reliability_index,
)
from inpaint_cli.metrics.intervals import ends_of, resampled_means
from inpaint_cli.randomness import stream

ENSEMBLES = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(arrays(np.uint8, shape), arrays(np.uint8, shape[1]))
)


@given(ENSEMBLES)
def test_crps_is_its_definition(case: tuple[np.ndarray, np.ndarray]) -> None:
    members, truth = case[0].astype(float), case[1].astype(float)
    k = len(members)
    ordinary, fair = crps(*case)
    error = np.abs(members - truth).mean(0)
    spread = np.abs(members[:, None] - members[None]).sum((0, 1))
    np.testing.assert_allclose(ordinary, error - spread / (2 * k**2), atol=1e-10)
    assert (fair is None) == (k == 1)
    if fair is not None:
        np.testing.assert_allclose(fair, error - spread / (2 * k * (k - 1)), atol=1e-10)


@given(ENSEMBLES)
def test_crps_is_that_of_the_distribution_function_of_levels(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    members, truth = case
    levels = np.arange(255)[:, None]
    cdf = (members[:, None] <= levels).mean(0)
    by_levels = ((cdf - (truth <= levels)) ** 2).sum(0)
    ordinary, fair = crps(members, truth)
    np.testing.assert_allclose(ordinary, by_levels, atol=1e-9)
    if fair is not None:
        by_levels = by_levels - (cdf * (1 - cdf)).sum(0) / (len(members) - 1)
        np.testing.assert_allclose(fair, by_levels, atol=1e-9)


@given(ENSEMBLES)
def test_the_energy_score_is_its_definition(case: tuple[np.ndarray, np.ndarray]) -> None:
    members, truth = case[0].astype(float), case[1].astype(float)
    k = len(members)
    error = np.linalg.norm(members - truth, axis=1).mean()
    spread = np.linalg.norm(members[:, None] - members[None], axis=2).sum()
    for x, y in (case, (members, truth)):
        scores = energy_scores(x, y)
        assert scores["energy"] == pytest.approx(error - spread / (2 * k**2), abs=1e-9)
        if k > 1:
            fair = error - spread / (2 * k * (k - 1))
            assert scores["energy-fair"] == pytest.approx(fair, abs=1e-9)


@given(arrays(np.uint8, (5, 1)), st.integers(0, 255))
def test_in_one_dimension_the_energy_score_is_crps(members: np.ndarray, level: int) -> None:
    truth = np.array([level], np.uint8)
    ordinary, fair = crps_mean(members, truth)
    scores = energy_scores(members, truth)
    assert (scores["energy"], scores["energy-fair"]) == pytest.approx((ordinary, fair), abs=1e-9)


@given(ENSEMBLES)
def test_ranks_share_ties_and_add_up(case: tuple[np.ndarray, np.ndarray]) -> None:
    members, truth = case
    wanted = np.zeros(len(members) + 1)
    for column, level in zip(members.T, truth, strict=True):
        below, equal = int((column < level).sum()), int((column == level).sum())
        wanted[below : below + equal + 1] += 1 / (equal + 1)
    np.testing.assert_allclose(rank_counts(members, truth), wanted, atol=1e-12)
    assert rank_counts(members, truth).sum() == pytest.approx(len(truth))


@given(ENSEMBLES)
def test_order_of_completions_does_not_matter(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    members, truth = case
    order = np.argsort(members.sum(1), kind="stable")
    one, other = forecast_scores(members, truth), forecast_scores(members[order], truth)
    assert other == pytest.approx(one, abs=1e-12)


def test_pieces_of_an_image_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = stream(0, "test")
    members = (rng.random((4, 50)) * 256).astype(np.uint8)
    truth = (rng.random(50) * 256).astype(np.uint8)
    whole = forecast_scores(members, truth)
    monkeypatch.setattr(forecasts, "CHUNK", 7)
    assert forecast_scores(members, truth) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_equal_completions_are_scored_by_their_error(dtype: type) -> None:
    member: np.ndarray = np.array([10, 200, 31]).astype(dtype)
    truth: np.ndarray = np.array([13, 100, 31]).astype(dtype)
    scores = forecast_scores(np.tile(member, (5, 1)), truth)
    error = np.abs(member.astype(float) - truth)
    assert scores["crps"] == scores["crps-fair"] == pytest.approx(error.mean() / 255)
    distance = np.linalg.norm(error) / 255
    assert scores["energy"] == scores["energy-fair"] == pytest.approx(distance)
    assert scores["deterministic"] == 1


def test_perfect_copies_score_exactly_zero() -> None:
    truth = (stream(1, "test").random(1000) * 256).astype(np.uint8)
    scores = forecast_scores(np.tile(truth, (3, 1)), truth)
    names = ["crps", "crps-fair", "energy", "energy-fair"]
    assert [scores[name] for name in names] == [0, 0, 0, 0]


def test_one_completion_has_no_fair_scores() -> None:
    scores = forecast_scores(np.array([[3, 4]], np.uint8), np.array([0, 0], np.uint8))
    assert scores["crps"] * 255 == pytest.approx(3.5)
    assert scores["energy"] * 255 == pytest.approx(5)
    assert not [name for name in scores if "fair" in name]


def test_an_image_without_a_hole_has_no_scores() -> None:
    image = torch.zeros(3, 4, 4, dtype=torch.uint8)
    everything = torch.ones(1, 4, 4, dtype=torch.bool)
    members, truth = hidden_values(image, image[None].expand(2, -1, -1, -1), everything)
    assert members.shape == (2, 0)
    assert forecast_scores(members, truth) == {}
    assert rank_counts(members, truth).tolist() == [0, 0, 0]


def test_hidden_values_are_those_under_the_mask() -> None:
    truth = torch.arange(12, dtype=torch.uint8).reshape(3, 2, 2)
    visible = torch.tensor([[[True, False], [True, True]]])
    members, values = hidden_values(truth, torch.stack([truth, truth + 100]), visible)
    assert values.tolist() == [1, 5, 9]
    assert members.tolist() == [[1, 5, 9], [101, 105, 109]]


def test_exchangeable_completions_have_flat_ranks_and_nominal_coverage() -> None:
    rng = stream(3, "test")
    k, images, values = 8, 200, 10
    counts = []
    for _ in range(images):
        centre = rng.random() * 200
        draws = (centre + rng.random((k + 1, values)) * 40).astype(np.uint8)
        counts.append(rank_counts(draws[1:], draws[0]))
    frequencies = np.stack(counts) / values
    deviation = frequencies.std(0, ddof=1) / images**0.5
    assert (np.abs(frequencies.mean(0) - 1 / (k + 1)) < 4 * deviation).all()
    interval = nearest_interval(k)
    covered = interval.covered(frequencies)
    error = covered.std(ddof=1) / images**0.5
    assert abs(covered.mean() - interval.nominal) < 4 * error
    low, high = ends_of(resampled_means(frequencies))
    assert ((low <= frequencies.mean(0)) & (frequencies.mean(0) <= high)).all()
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.2)


def test_few_images_have_uneven_ranks_so_the_index_is_compared_at_equal_n_only() -> None:
    # A forecast without a fault, whose images are a little too bright or dark each.
    rng = np.random.default_rng(0)
    shifts = rng.normal(size=(2000, 1))
    truth = np.sqrt(0.5) * (shifts + rng.normal(size=(2000, 50)))
    members = rng.normal(size=(9, 2000, 50))
    ranks = np.stack([rank_counts(members[:, i], truth[i]) / 50 for i in range(2000)])
    few, many = (
        np.mean([reliability_index(part.mean(axis=0)) for part in np.split(ranks, count)])
        for count in (100, 10)
    )
    assert few > 2 * many > 4 * reliability_index(ranks.mean(axis=0))
    assert forecasts.METRICS["rank-histogram"].depends_on_n


@pytest.mark.parametrize(
    ("k", "nominal"), [(2, 1 / 3), (8, 7 / 9), (19, 0.9), (39, 0.9), (100, 91 / 101)]
)
def test_the_interval_is_the_nearest_that_k_can_express(k: int, nominal: float) -> None:
    assert nearest_interval(k).nominal == pytest.approx(nominal)


def test_a_deterministic_forecast_has_its_ranks_in_the_end_bins() -> None:
    counts = rank_counts(np.full((4, 3), 9, np.uint8), np.array([1, 8, 20], np.uint8))
    assert counts.tolist() == [2, 0, 0, 0, 1]
    assert reliability_index(counts / 3) == pytest.approx(1.2)
