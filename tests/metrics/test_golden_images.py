import numpy as np
import pytest
import torch

from inpaint_cli.metrics.images import ssim
from tests.metrics import recorded_images as recorded
from tests.metrics.recorded_metrics import expected
from tests.metrics.test_images import image_scores

pytestmark = [pytest.mark.golden, pytest.mark.metrics]


@pytest.mark.parametrize("kind", ["completed", "full"])
def test_recorded_images_have_the_recorded_figures(kind: str) -> None:
    stored, wanted = recorded.tensors("images"), expected("images")[kind]
    names = {"psnr": "psnr", "ssim_gauss": "ssim", "mae01": "mae"}
    if kind == "completed":
        names |= {"hole_psnr": "psnr-hole", "hole_mae01": "mae-hole"}
    for image, values in enumerate(wanted):
        scores = image_scores(
            recorded.ours(stored["gt"][image]),
            recorded.ours(stored[f"pred_{kind}"][image])[None],
            recorded.visible(stored["mask"][image]),
        )
        for theirs, our_name in names.items():
            assert scores[our_name] == pytest.approx(values[theirs], rel=1e-7), our_name


def test_the_mean_is_of_decibels_and_not_of_errors() -> None:
    stored, wanted = recorded.tensors("images"), expected("images")
    scores = [
        image_scores(recorded.ours(x), recorded.ours(y)[None], recorded.visible(m), "psnr")
        for x, y, m in zip(stored["gt"], stored["pred_full"], stored["mask"], strict=True)
    ]
    mean = np.mean([one["psnr"] for one in scores])
    assert mean == pytest.approx(wanted["mean_psnr"], rel=1e-7)
    assert mean != pytest.approx(wanted["psnr_of_mean_mse"], rel=1e-7)


def test_five_completions_have_the_recorded_mean_and_best() -> None:
    stored, wanted = recorded.tensors("images"), expected("images")["five_samples_image3"]
    scores = image_scores(
        recorded.ours(stored["gt"][3]),
        recorded.ours(stored["samples_image3"]),
        recorded.visible(stored["mask"][3]),
        "psnr",
    )
    assert scores["psnr"] == pytest.approx(wanted["mean"], rel=1e-7)
    assert scores["psnr-best"] == pytest.approx(wanted["best"], rel=1e-7)
    assert scores["psnr-of-mean"] == pytest.approx(wanted["psnr_of_mean_image"], rel=1e-7)


def test_flat_images_have_the_recorded_figures() -> None:
    wanted = expected("images")["degenerate"]

    def flat(level: int) -> torch.Tensor:
        return torch.full((3, 16, 16), level, dtype=torch.uint8)

    nothing = torch.zeros(1, 16, 16, dtype=torch.bool)
    scores = image_scores(flat(100), flat(110)[None], nothing)
    near = wanted["constant_100_vs_110_16px"]
    assert scores["psnr"] == pytest.approx(near["psnr"], rel=1e-7)
    assert scores["ssim"] == pytest.approx(near["ssim"], rel=1e-7)
    far = wanted["black_vs_white_16px"]
    assert image_scores(flat(0), flat(255)[None], nothing)["psnr"] == far["psnr"]
    assert ssim(flat(0).numpy(), flat(255).numpy()) == pytest.approx(far["ssim"], rel=1e-7)
