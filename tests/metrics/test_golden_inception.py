"""FID-Inception and its two rules of resizing, against recorded results."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from inpaint_cli.metrics import features, inception
from inpaint_cli.metrics.options import Resize
from inpaint_cli.weights import hash_of
from inpaint_cli.zoo import weight_files
from tests.golden_files import golden

pytestmark = [pytest.mark.golden, pytest.mark.metrics]

RESIZED = [
    name
    for name in load_file(golden("metrics") / "resize.safetensors")
    if name.startswith(("tf1_", "clean_"))
]
TAPS = {"64": "MaxPool_1", "192": "MaxPool_2", "768": "Mixed_6e"}
"""Size of a layer's recorded mean -> the layer."""


def chw(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize("name", RESIZED)
def test_images_are_resized_as_the_libraries_do(name: str) -> None:
    recorded = load_file(golden("metrics") / "resize.safetensors")
    kind, _, size = name.partition("_")
    height, width = map(int, size.split("x"))
    rule: Resize = "tf1" if kind == "tf1" else "clean"
    image = inception.resized(chw(recorded["image"]).float(), rule, (height, width))
    torch.testing.assert_close(image, chw(recorded[name]), rtol=0, atol=1e-3)


def value(name: str, shape: list[int], base_seed: int) -> Tensor:
    """Return the weights that the formula of the README makes of a name."""
    bits = np.random.PCG64(zlib.crc32(name.encode()) ^ base_seed)
    u = np.random.Generator(bits).random(int(np.prod(shape))).reshape(shape)
    if name.endswith(("running_var", "bn.weight")):
        weights = 0.5 + u
    elif name.endswith(("running_mean", ".bias")):
        weights = 0.2 * (u - 0.5)
    else:
        weights = (2 * u - 1) * np.sqrt(6 / np.prod(shape[1:]))
    return torch.from_numpy(weights.astype(np.float32))


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    shapes = json.loads((golden("metrics") / "inception_state_dict.json").read_text())
    with safe_open(golden("metrics") / "inception_synthetic.safetensors", "pt") as handle:
        base_seed = int(handle.metadata()["base_seed"])
    return {
        name: value(name, shape, base_seed)
        if shape
        else torch.zeros((), dtype=torch.int64)  # num_batches_tracked
        for name, shape in shapes.items()
    }


def assert_near(ours: Tensor, recorded: Tensor) -> None:
    torch.testing.assert_close(ours, recorded, rtol=0, atol=1e-4 * float(recorded.abs().max()))


def test_every_layer_gives_what_was_recorded(state: dict[str, Tensor]) -> None:
    recorded = load_file(golden("metrics") / "inception_synthetic.safetensors")
    network = inception.of_state(state)
    means: dict[str, Tensor] = {}
    for size, layer in TAPS.items():
        network.trunk.get_submodule(layer).register_forward_hook(
            lambda module, given, output, size=size: means.update({size: output.mean((2, 3))})
        )
    pooled, logits = network(chw(recorded["image"]))
    for size in TAPS:
        assert_near(means[size], recorded[f"feat_{size}"])
    assert_near(pooled, recorded["feat_2048"])
    assert_near(logits, recorded["feat_logits_unbiased"])
    assert_near(logits + network.fc.bias, recorded["feat_logits"])


def test_features_from_a_weight_file_are_those_that_were_recorded(
    state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = load_file(golden("metrics") / "inception_synthetic.safetensors")
    torch.save(state, tmp_path / "formula.pth")
    digest = hash_of(tmp_path / "formula.pth")
    file = replace(weight_files.FILES["inception"], address="/formula.pth", sha256=digest)
    monkeypatch.setitem(weight_files.FILES, "inception", file)
    extractor = features.load("inception", tmp_path, "cpu")
    assert (extractor.name, extractor.dimension, extractor.comparable) == ("inception", 2048, True)
    pooled, logits = extractor.outputs(chw(recorded["image"]))
    assert_near(pooled, recorded["feat_2048"])
    assert logits is not None
    assert_near(logits, recorded["feat_logits_unbiased"])
