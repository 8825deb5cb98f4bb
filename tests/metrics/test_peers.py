"""Independent implementations of the metrics give the same figures from the same inputs.

Their packages are the extra `peers` (`make test-peers`); what is not installed is skipped, unless
INPAINT_NEEDS_PEERS is set: then it fails.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inpaint_cli import torchvision_import
from inpaint_cli.metrics import statistics_file
from inpaint_cli.metrics.forecasts import forecast_scores
from inpaint_cli.metrics.frechet import fid_to, frechet_distance_of_rows
from inpaint_cli.metrics.images import psnr_of, ssim
from inpaint_cli.metrics.kid import kid_unpaired, mmd2
from inpaint_cli.metrics.moments import Moments
from inpaint_cli.models.vision_transformer import LAYOUTS, load

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)
REAL = np.maximum(RNG.normal(size=(300, 24)), -0.5)
FAKE = np.maximum(RNG.normal(size=(300, 24)), -0.5) * 1.3 + 0.2
COARSE = RNG.integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
TRUTH, IMAGE = COARSE.repeat(8, 2).repeat(8, 3)
TRUTH = np.clip(TRUTH + RNG.normal(0, 5, TRUTH.shape), 0, 255).astype(np.uint8)
IMAGE = np.clip(0.8 * TRUTH + 0.2 * IMAGE, 0, 255).astype(np.uint8)
MEMBERS, VALUES = RNG.random((7, 500)), RNG.random(500)


def peer(name: str) -> Any:
    torchvision_import.load()  # most of them import it, as it is
    if os.environ.get("INPAINT_NEEDS_PEERS"):
        return import_module(name)
    return pytest.importorskip(name, exc_type=ImportError)


def moments(side: Any) -> tuple[Any, Any]:
    return side.mean(axis=0), np.cov(side, rowvar=False)


def test_ssim_and_psnr_are_those_of_scikit_image() -> None:
    theirs = peer("skimage.metrics")
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    figure = theirs.structural_similarity(TRUTH, IMAGE, data_range=255, channel_axis=0, **how)
    assert ssim(TRUTH, IMAGE) == pytest.approx(figure, rel=1e-9)
    error = float(np.mean((TRUTH.astype(float) - IMAGE) ** 2))
    figure = theirs.peak_signal_noise_ratio(TRUTH, IMAGE, data_range=255)
    assert psnr_of(error) == pytest.approx(figure, rel=1e-12)


def test_ssim_of_torchmetrics_is_another_since_it_reflects_the_borders() -> None:
    theirs = peer("torchmetrics.functional.image")
    sides = [torch.from_numpy(side)[None].double() for side in (IMAGE, TRUTH)]
    figure = float(theirs.structural_similarity_index_measure(*sides, data_range=255.0))
    assert figure != pytest.approx(ssim(TRUTH, IMAGE), rel=1e-4)
    assert figure == pytest.approx(ssim(TRUTH, IMAGE), abs=0.05)


@pytest.mark.parametrize(("estimator", "form"), [("fair", "-fair"), ("nrg", "")])
def test_crps_and_energy_are_those_of_scoringrules(estimator: str, form: str) -> None:
    theirs = peer("scoringrules")
    ours = forecast_scores(np.round(255 * MEMBERS), np.round(255 * VALUES))
    members, values = np.round(255 * MEMBERS) / 255, np.round(255 * VALUES) / 255
    scores = theirs.crps_ensemble(values, members.T, estimator=estimator)
    assert ours[f"crps{form}"] == pytest.approx(float(np.mean(scores)), rel=1e-9)
    scores = theirs.es_ensemble(values, members, estimator=estimator)
    assert ours[f"energy{form}"] == pytest.approx(float(scores), rel=1e-9)


def test_fid_is_that_of_clean_fid() -> None:
    theirs = peer("cleanfid.fid")
    distance = theirs.frechet_distance(*moments(REAL), *moments(FAKE))
    assert frechet_distance_of_rows(REAL, FAKE) == pytest.approx(float(distance), rel=1e-8)


def test_fid_is_that_of_pytorch_fid() -> None:
    theirs = peer("pytorch_fid.fid_score")
    distance = theirs.calculate_frechet_distance(*moments(REAL), *moments(FAKE))
    assert frechet_distance_of_rows(REAL, FAKE) == pytest.approx(float(distance), rel=1e-8)


def test_pytorch_fid_reads_our_statistics_and_we_read_its(tmp_path: Path) -> None:
    theirs = peer("pytorch_fid.fid_score")
    described = {"id": "x", "dim": REAL.shape[1], "resize": "none", "weights_sha256": None}
    statistics_file.save(tmp_path / "ours.npz", Moments.of(REAL), described)
    mean, covariance = theirs.compute_statistics_of_path(str(tmp_path / "ours.npz"), None, 1, 1, "")
    distance = theirs.calculate_frechet_distance(mean, covariance, *moments(FAKE))
    # As its --save-stats writes them.
    np.savez_compressed(tmp_path / "theirs.npz", mu=mean, sigma=covariance)
    published = statistics_file.load(tmp_path / "theirs.npz")
    assert fid_to(published.moments, FAKE).value == pytest.approx(float(distance), rel=1e-8)


def test_fid_is_that_of_torchmetrics() -> None:
    theirs = peer("torchmetrics.image.fid")
    sides = [torch.from_numpy(part) for side in (REAL, FAKE) for part in moments(side)]
    distance = theirs._compute_fid(*sides)
    assert frechet_distance_of_rows(REAL, FAKE) == pytest.approx(float(distance), rel=1e-8)


@pytest.mark.parametrize(("name", "classes"), [(n, "clip" in n and 512) for n in LAYOUTS])
def test_vision_transformers_are_those_of_timm(name: str, classes: int) -> None:
    theirs = peer("timm").create_model(
        name, pretrained=False, num_classes=int(classes), dynamic_img_size=True
    )
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in theirs.eval().parameters():
            weights.uniform_(-0.1, 0.1)
        ours, images = load(theirs.state_dict(), name, "timm"), torch.randn(1, 3, 224, 224)
        expected = theirs(images)
        assert torch.allclose(ours(images), expected, rtol=1e-4, atol=1e-4)
    assert float(expected.std()) > 0.01


def test_the_kernel_distance_of_independent_sets_is_that_of_torchmetrics() -> None:
    theirs = peer("torchmetrics.image.kid")
    distance = theirs.poly_mmd(torch.from_numpy(REAL), torch.from_numpy(FAKE))
    assert mmd2(REAL, FAKE) == pytest.approx(float(distance), rel=1e-9)
    assert kid_unpaired(REAL, FAKE).value == pytest.approx(float(distance), rel=1e-9)
