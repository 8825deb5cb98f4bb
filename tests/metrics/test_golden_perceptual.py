import numpy as np
import pytest
import torch

from inpaint_cli.metrics.lpips import expected_minimum, perceptual_figures, weighted_variance
from inpaint_cli.models.perceptual import (
    PerceptualDistance,
    Scaling,
    embed,
    of_lpips,
    squared_distance,
)
from tests.metrics import recorded_images as recorded
from tests.metrics.perceptual_networks import Convolutions, of_formula
from tests.metrics.recorded_metrics import expected
from tests.metrics.test_lpips import spatial_map

pytestmark = [pytest.mark.golden, pytest.mark.metrics]


def layers(dtype: torch.dtype) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the embeddings of the recorded feature maps: of the images, and of each completion."""
    stored = recorded.tensors("lpips_layers")
    count = sum(name.startswith("lin") for name in stored)
    truth, samples = [], []
    for level in range(count):
        head = stored[f"lin{level}"].to(dtype)
        maps = stored[f"x_l{level}"].to(dtype)
        truth.append(embed(stored[f"gt_l{level}"].to(dtype), head))
        samples.append(torch.stack([embed(maps[:, k], head) for k in range(maps.shape[1])], 1))
    return truth, samples


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_recorded_feature_maps_have_the_recorded_distances(dtype: torch.dtype, rtol: float) -> None:
    stored = recorded.tensors("lpips_layers")
    truth, samples = layers(dtype)
    for k in range(samples[0].shape[1]):
        distances = squared_distance([level[:, k] for level in samples], truth)
        np.testing.assert_allclose(distances, stored["dist_to_gt"][:, k], rtol=rtol)
        for other in range(k):
            pair = squared_distance(
                [level[:, k] for level in samples], [level[:, other] for level in samples]
            )
            np.testing.assert_allclose(pair, stored["pairwise"][:, k, other], rtol=rtol)


def test_recorded_distances_have_the_recorded_minima() -> None:
    stored, wanted = recorded.tensors("lpips_layers"), expected("lpips_layers")
    distances = stored["dist_to_gt"].numpy()
    for image, row in enumerate(distances):
        for k, minima in wanted["expected_min_of_k"].items():
            assert expected_minimum(row, int(k)) == pytest.approx(minima[image], rel=1e-6)
    smallest = [expected_minimum(row, len(row)) for row in distances]
    assert np.mean(smallest) == pytest.approx(wanted["lpips_gt"], rel=1e-6)


def toy_distance() -> PerceptualDistance:
    stored = {n: t.double() for n, t in recorded.tensors("lpips_toy").items()}
    count = sum(name.startswith("lin") for name in stored)
    trunk = Convolutions(
        [stored[f"conv{i}.weight"] for i in range(count)],
        [stored[f"conv{i}.bias"] for i in range(count)],
    )
    heads = [stored[f"lin{i}"] for i in range(count)]
    return PerceptualDistance(torch.nn.Sequential(Scaling(), trunk), "toy", heads=heads)


def test_the_toy_chain_gives_the_recorded_figures() -> None:
    stored, wanted = recorded.tensors("lpips_toy"), expected("lpips_toy")
    distance = toy_distance()
    for image in range(len(stored["gt"])):
        figures = perceptual_figures(
            distance,
            recorded.ours(stored["gt"][image]),
            recorded.ours(stored["samples"][image]),
            recorded.visible(stored["mask"][image]),
        )
        np.testing.assert_allclose(figures.to_truth, wanted["dist_to_gt"][image], atol=1e-6)
        np.testing.assert_allclose(figures.to_mean, wanted["dist_to_mean_image"][image], atol=1e-6)
        assert figures.diversity == pytest.approx(wanted["diversity_per_image"][image], abs=1e-6)
        for sigma, values in wanted["fwv"].items():
            variance = weighted_variance(figures.to_truth, figures.to_mean, float(sigma))
            assert variance == pytest.approx(values["per_image_sum"][image], abs=1e-6)


def test_the_toy_chain_gives_the_recorded_spatial_map() -> None:
    stored, wanted = recorded.tensors("lpips_toy"), expected("lpips_toy")
    images = [recorded.ours(stored[n]).double() / 127.5 - 1 for n in ("gt", "samples")]
    distance = toy_distance()
    phi = [distance.embedding(images[0][:1]), distance.embedding(images[1][0, :1])]
    distances = spatial_map(phi[0], phi[1], (images[0].shape[-2], images[0].shape[-1]))
    np.testing.assert_allclose(distances, stored["spatial_map_image0_sample0"], atol=1e-6)
    hidden = stored["mask"][0] == 0
    key = "spatial_map_mean_over_hidden_image0_sample0"
    assert float(distances[hidden].mean()) == pytest.approx(wanted[key], abs=1e-6)


@pytest.mark.parametrize("net", ["alex", "vgg", "squeeze"])
def test_trunks_with_formula_weights_give_the_recorded_distances(net: str) -> None:
    stored, wanted = recorded.tensors("lpips_synthetic"), expected("lpips_synthetic")[net]
    seed = int(recorded.metadata("lpips_synthetic")["base_seed"])
    weights = {n: of_formula(n, shape, seed) for n, shape in wanted["parameters"].items()}
    trunk = {
        "features." + n.split(".", 2)[2]: t for n, t in weights.items() if n.startswith("net.")
    }
    heads = [t for n, t in sorted(weights.items()) if n.startswith("lin")]
    distance = of_lpips(net, trunk, heads=heads)
    a, b = (recorded.ours(stored[name]).float() / 127.5 - 1 for name in ("a", "b"))
    np.testing.assert_allclose(distance(a, b), wanted["distance"], atol=1e-5)
    phi = zip(distance.embedding(a), distance.embedding(b), strict=True)
    for level, (p, q) in enumerate(phi):
        distances = squared_distance([p], [q])
        np.testing.assert_allclose(distances, np.ravel(wanted["per_layer"][level]), atol=1e-5)
