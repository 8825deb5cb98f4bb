import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint_cli.metrics.lpips import (
    SIGMAS,
    PerceptualFigures,
    enlarged,
    expected_minimum,
    hole_box,
    perceptual_figures,
)
from tests.metrics.perceptual_networks import tiny_distance

DISTANCE = tiny_distance(torch.float64)


def case(k: int, channels: int = 3, height: int = 10, width: int = 8) -> tuple[Tensor, ...]:
    """Return truth, k completions and the mask of one image with a hole of 5 x 3."""
    draw = torch.Generator().manual_seed(k)
    truth = torch.randint(0, 256, (channels, height, width), generator=draw).byte()
    visible = torch.ones(1, height, width, dtype=torch.bool)
    visible[:, 2:7, 3:6] = False
    noise = torch.randint(0, 256, (k, channels, height, width), generator=draw).byte()
    return truth, torch.where(visible, truth, noise), visible


def figures(k: int) -> PerceptualFigures:
    truth, completions, visible = case(k)
    return perceptual_figures(DISTANCE, truth, completions, visible, of_hole=True)


def spatial_map(a: list[Tensor], b: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Return [*size], the distance of two embeddings where it lies in the image."""
    return enlarged([(p - q).square().sum(1) for p, q in zip(a, b, strict=True)], size)[0]


def scaled(images: Tensor) -> Tensor:
    return images.double() / 127.5 - 1


def test_diversity_is_the_mean_over_all_pairs() -> None:
    _, completions, visible = case(5)
    ours = figures(5)
    pairs = list(itertools.combinations(scaled(completions), 2))
    whole = [float(DISTANCE(a[None], b[None])) for a, b in pairs]
    assert ours.diversity == pytest.approx(np.mean(whole), rel=1e-9)
    crop = [float(DISTANCE(a[None, :, 2:7, 3:6], b[None, :, 2:7, 3:6])) for a, b in pairs]
    assert ours.diversity_hole_crop == pytest.approx(np.mean(crop), rel=1e-9)
    maps = [
        spatial_map(DISTANCE.embedding(a[None]), DISTANCE.embedding(b[None]), (10, 8))
        for a, b in pairs
    ]
    inside = [float(m[~visible[0]].mean()) for m in maps]
    assert ours.diversity_hole_mean == pytest.approx(np.mean(inside), rel=1e-9)


@pytest.mark.parametrize("batch", range(1, 9))
def test_the_batch_size_changes_nothing(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = figures(7).columns()
    monkeypatch.setattr("inpaint_cli.metrics.lpips.BATCH", batch)
    assert figures(7).columns() == pytest.approx(reference, rel=1e-9)


def test_the_order_of_completions_changes_no_figure() -> None:
    truth, completions, visible = case(6)
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    one = perceptual_figures(DISTANCE, truth, completions, visible, of_hole=True)
    other = perceptual_figures(DISTANCE, truth, completions[order], visible, of_hole=True)
    assert other.columns() == pytest.approx(one.columns(), rel=1e-9)
    np.testing.assert_allclose(other.to_truth, one.to_truth[order.numpy()], rtol=1e-9)


def test_equal_completions_have_no_diversity_at_all() -> None:
    truth, completions, visible = case(1)
    columns = perceptual_figures(
        DISTANCE, truth, completions.expand(4, -1, -1, -1), visible, of_hole=True
    ).columns()
    names = ["lpips-diversity", "lpips-diversity-hole-crop", "lpips-diversity-hole-mean"]
    assert [columns[name] for name in names] == [0, 0, 0]
    assert all(columns[f"fwv@{sigma:g}"] == 0 for sigma in SIGMAS)
    assert columns["lpips-gt@1"] == columns["lpips-gt@4"] > 0


def test_repeated_completions_count_as_often_as_they_occur() -> None:
    truth, completions, visible = case(3)
    order = torch.tensor([0, 1, 0, 2, 0])
    ours = perceptual_figures(DISTANCE, truth, completions[order], visible)
    pairs = itertools.combinations(scaled(completions[order]), 2)
    whole = [float(DISTANCE(a[None], b[None])) for a, b in pairs]
    assert ours.diversity == pytest.approx(np.mean(whole), rel=1e-9)
    assert ours.to_truth[0] == ours.to_truth[2] == ours.to_truth[4]
    mean = scaled(completions[order]).mean(0, keepdim=True)
    to_mean = [float(DISTANCE(a[None], mean)) for a in scaled(completions[order])]
    np.testing.assert_allclose(ours.to_mean, to_mean, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 3])
def test_a_copy_of_the_original_is_at_distance_zero(k: int) -> None:
    truth, completions, visible = case(k)
    completions[-1] = truth
    ours = perceptual_figures(tiny_distance(), truth, completions, visible)
    assert ours.to_truth[-1] == 0
    assert ours.columns()[f"lpips-gt@{k}"] == 0


def test_one_completion_has_a_distance_and_no_diversity() -> None:
    assert sorted(figures(1).columns()) == ["lpips-gt@1"]


@pytest.mark.parametrize("k", [1, 2, 12])
@pytest.mark.parametrize("hole", ["none", "one pixel", "all"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_figure_is_a_number(k: int, hole: str, channels: int) -> None:
    truth, completions, visible = case(k, channels)
    visible[:] = hole != "all"
    if hole == "one pixel":
        visible[0, 4, 4] = False
    completions = torch.where(visible, truth, completions)
    columns = perceptual_figures(DISTANCE, truth, completions, visible, of_hole=True).columns()
    assert all(np.isfinite(value) for value in columns.values())
    assert f"lpips-gt@{k}" in columns
    assert ("lpips-diversity-hole-crop" in columns) == (k > 1 and hole != "none")


def test_flat_images_have_finite_figures() -> None:
    visible = torch.zeros(1, 4, 4, dtype=torch.bool)
    black, white = (torch.full((3, 3, 4, 4), level, dtype=torch.uint8) for level in (0, 255))
    columns = perceptual_figures(DISTANCE, white[0], black, visible, of_hole=True).columns()
    assert all(np.isfinite(value) for value in columns.values())


def test_the_expected_minimum_is_the_mean_over_all_subsets() -> None:
    values = np.array([0.4, 0.1, 0.7, 0.2, 0.2])
    for k in range(1, 6):
        subsets = [min(chosen) for chosen in itertools.combinations(values, k)]
        assert expected_minimum(values, k) == pytest.approx(np.mean(subsets), rel=1e-12)


def test_a_hundred_completions_do_not_overflow_the_expected_minimum() -> None:
    values = np.linspace(1, 2, 1000)
    assert expected_minimum(values, 1) == pytest.approx(1.5)
    assert expected_minimum(values, 1000) == 1


def test_the_box_of_a_hole_holds_it_tightly() -> None:
    visible = torch.ones(1, 6, 7, dtype=torch.bool)
    assert hole_box(visible) is None
    visible[0, 1, 5] = visible[0, 4, 2] = False
    assert hole_box(visible) == (slice(1, 5), slice(2, 6))
