from typing import Any

import numpy as np
import pytest
import torch
from skimage import metrics
from torch import Tensor

from inpaint_cli.metrics.images import CAP_DB, METRICS, psnr_estimate, ssim
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.metric import Figures
from inpaint_cli.metrics.protocol import Setting
from inpaint_cli.metrics.targets import Case
from tests.metrics.score_kit import figures_of, target

SCIKIT: Any = metrics
"""Without types of its own."""


def case(k: int, channels: int = 3, side: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(k)
    truth = torch.randint(0, 256, (channels, side, side), generator=draw).byte()
    noise = torch.randint(0, 256, (k, channels, side, side), generator=draw).byte()
    visible = torch.rand(1, side, side, generator=draw) < 0.5
    return truth, torch.where(visible, truth, noise), visible


def image_scores(
    truth: Tensor, completions: Tensor, visible: Tensor, *names: str
) -> dict[str, float]:
    """Return the figures of one image; visible: [1, H, W]."""
    case = Case(truth, visible[0], completions)
    figures: Figures = figures_of(case, *(names or ("psnr", "ssim", "mae", "rmse")))
    return {n: float(v) for n, v in figures.items() if n not in ("visible", "hidden")}


def test_figures_are_those_of_scikit_image() -> None:
    truth, completions, visible = case(3)
    scores = image_scores(truth, completions, visible)
    x = truth.numpy()
    psnr = [SCIKIT.peak_signal_noise_ratio(x, y.numpy(), data_range=255) for y in completions]
    assert scores["psnr"] == pytest.approx(np.mean(psnr), rel=1e-12)
    assert scores["psnr-best"] == pytest.approx(max(psnr), rel=1e-12)
    theirs = [
        SCIKIT.structural_similarity(
            x.transpose(1, 2, 0),
            y.numpy().transpose(1, 2, 0),
            channel_axis=-1,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for y in completions
    ]
    assert scores["ssim"] == pytest.approx(np.mean(theirs), abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 11, 11), (3, 12, 40), (1, 64, 64)])
@pytest.mark.parametrize("kind", ["noise", "smooth", "flat", "equal"])
def test_ssim_is_that_of_scikit_image_to_a_millionth(
    kind: str, shape: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, shape).astype(np.uint8)
    if kind == "smooth":
        x = np.sort(x, axis=-1)
    if kind == "flat":
        x[:] = 7
    y = x if kind == "equal" else np.clip(x + rng.normal(0, 20, shape), 0, 255)
    theirs = SCIKIT.structural_similarity(
        x.astype(float),
        y.astype(float),
        channel_axis=0,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(x, y) == pytest.approx(theirs, abs=1e-6)
    assert (ssim(x, y) == 1) == (kind == "equal")


def test_a_perfect_completion_is_perfect_in_every_figure() -> None:
    truth, _, visible = case(1)
    scores = image_scores(truth, truth[None].expand(2, -1, -1, -1), visible)
    for name, value in scores.items():
        if name == "spent.alike":
            continue
        perfect = {"psnr": CAP_DB, "ssim": 1.0, "mae": 0.0, "rmse": 0.0}[name.split("-")[0]]
        assert value == (1.0 if name.endswith("-infinite") else pytest.approx(perfect)), name


def test_the_best_is_the_largest_psnr_and_the_smallest_error() -> None:
    truth, completions, visible = case(4)
    completions[2] = truth
    scores = image_scores(truth, completions, visible)
    assert (scores["psnr-best"], scores["mae-best"]) == (CAP_DB, 0)
    assert scores["psnr-infinite"] == 0.25
    assert scores["psnr"] < CAP_DB


def test_the_mean_image_is_not_rounded() -> None:
    truth = torch.zeros(1, 1, 1, dtype=torch.uint8)
    completions = torch.tensor([0, 1], dtype=torch.uint8).reshape(2, 1, 1, 1)
    scores = image_scores(truth, completions, torch.zeros(1, 1, 1, dtype=torch.bool), "mae")
    assert scores["mae-of-mean"] == 0.5 / 255


def test_rmse_is_the_root_of_each_completions_own_mean_square() -> None:
    truth = torch.zeros(1, 1, 2, dtype=torch.uint8)
    completions = torch.tensor([[3, 4], [0, 10]], dtype=torch.uint8).reshape(2, 1, 1, 2)
    scores = image_scores(truth, completions, torch.tensor([[[True, False]]]), "rmse")
    assert scores["rmse"] == pytest.approx((12.5**0.5 + 50**0.5) / 2 / 255, rel=1e-15)
    assert scores["rmse-best"] == pytest.approx(12.5**0.5 / 255, rel=1e-15)
    assert scores["rmse-of-mean"] == pytest.approx(((1.5**2 + 7**2) / 2) ** 0.5 / 255, rel=1e-15)
    assert scores["rmse-hole"] == pytest.approx(7 / 255, rel=1e-15)


def test_rmse_is_no_less_than_mae_and_says_what_psnr_says() -> None:
    truth, completions, visible = case(3)
    for one in completions:
        scores = image_scores(truth, one[None], visible, "rmse", "mae", "psnr")
        assert scores["rmse"] >= scores["mae"]
        assert scores["psnr"] == pytest.approx(-20 * np.log10(scores["rmse"]), rel=1e-12)


def test_hole_figures_look_at_hidden_values_alone() -> None:
    truth, completions, visible = case(2)
    hidden = ~visible.expand_as(truth)
    scores = image_scores(truth, completions, visible, "mae", "psnr")
    errors = (completions.double() - truth.double())[:, hidden]
    assert scores["mae-hole"] == pytest.approx(float(errors.abs().mean()) / 255, rel=1e-12)
    squared = errors.square().mean(1).numpy()
    assert scores["psnr-hole"] == pytest.approx(np.mean(10 * np.log10(255**2 / squared)), rel=1e-12)


def test_without_a_hole_there_are_no_hole_figures() -> None:
    truth, completions, _ = case(2)
    scores = image_scores(truth, completions, torch.ones(1, 12, 12, dtype=torch.bool))
    assert not [name for name in scores if "hole" in name]
    assert np.isfinite(list(scores.values())).all()


def test_order_of_completions_does_not_matter() -> None:
    truth, completions, visible = case(5)
    one, other = (image_scores(truth, y, visible) for y in (completions, completions.flip(0)))
    assert other == pytest.approx(one, rel=1e-12)


def test_images_below_its_window_have_no_ssim_and_the_others_have() -> None:
    small, tools = target(count=1), Instruments()
    assert METRICS["ssim"].refusal(small, tools) is None
    small.setting = Setting(10, 10, 3)
    refused = METRICS["ssim"].refusal(small, tools)
    assert refused is not None
    assert refused.reason == "images 10 pixels across are smaller than its window of 11"
    assert METRICS["psnr"].refusal(small, tools) is None


def test_psnr_is_infinite_only_if_every_image_is_perfect() -> None:
    assert psnr_estimate(np.array([100.0, 100.0]), np.ones(2)).value == float("inf")
    some = psnr_estimate(np.array([100.0, 20.0]), np.array([1.0, 0.0]))
    assert some.value == 60
    assert "1 image has" in some.warnings[0]
    none = psnr_estimate(np.array([30.0, 20.0]), np.zeros(2))
    assert (none.value, none.warnings) == (25, ())
    assert none.se == pytest.approx(5)
