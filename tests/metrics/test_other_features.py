"""Features of networks that are not ours: by their weights, or by a file that is trusted."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor, nn

from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.metrics import features
from inpaint_cli.models import efficientnet_lite as lite_network
from inpaint_cli.models import vision_transformer
from inpaint_cli.zoo import lite
from inpaint_cli.zoo.perceptual import load_perceptual

IMAGES = torch.arange(2 * 3 * 8 * 8, dtype=torch.uint8).reshape(2, 3, 8, 8)


def spelled(how: str) -> dict[str, Tensor]:
    """Random weights of EfficientNet-Lite0 under the names of timm or of the package."""
    torch.manual_seed(0)
    network = lite_network.EfficientNetLite0(lite_network.LAYOUTS[lite.LAYOUT])
    spell = lite_network._of_timm if how == "timm" else lite_network._of_package
    state = network.state_dict()
    return {spell(n): t for n, t in state.items() if "num_batches" not in n}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_file(spelled("timm"), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_both_spellings_of_weights_are_one_network() -> None:
    ours, theirs = (
        lite_network.load(spelled(how), lite.LAYOUT, "x") for how in ("timm", "package")
    )
    assert torch.equal(ours.outputs(IMAGES)[0], theirs.outputs(IMAGES)[0])


def test_a_padding_of_one_side_is_not_that_of_both() -> None:
    same, both = (lite_network.load(spelled("timm"), name, "x") for name in lite_network.LAYOUTS)
    assert same.stem(torch.ones(1, 3, 8, 8)).shape == both.stem(torch.ones(1, 3, 8, 8)).shape
    assert not torch.equal(same.stem(torch.ones(1, 3, 8, 8)), both.stem(torch.ones(1, 3, 8, 8)))


def test_features_of_a_file_carry_its_name_and_its_layout_decides_them(file: Path) -> None:
    extractor = features.load(f"tf_efficientnet_lite0={file}", device="cpu")
    assert (extractor.suffix, extractor.dimension, extractor.classes) == ("@mine", 1280, 1000)
    assert extractor.features(IMAGES[:, :1]).shape == (2, 1280)
    other = features.load(f"efficientnet_lite0={file}", device="cpu")
    assert not torch.equal(other.features(IMAGES), extractor.features(IMAGES))
    distance = load_perceptual(f"tf_efficientnet_lite0={file}")
    assert distance.name == "lpips@mine (uncalibrated)"
    pictures = torch.rand(2, 3, 40, 40)
    assert float(distance(pictures, pictures).abs().max()) == 0


@pytest.mark.parametrize(
    ("layout", "dimension"),
    [("vit_small_patch14_dinov2.lvd142m", 384), ("vit_base_patch32_clip_224.openai", 512)],
)
def test_features_of_a_vision_transformer_are_taken_by_timms_name(
    layout: str, dimension: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = vision_transformer.layout_named(layout)
    assert name is not None
    shorter = replace(vision_transformer.LAYOUTS[name], depth=1)
    monkeypatch.setitem(vision_transformer.LAYOUTS, name, shorter)
    state = vision_transformer.VisionTransformer(shorter).state_dict()
    save_file(dict(state), tmp_path / "mine.v2.safetensors")
    extractor = features.load(f"{layout}={tmp_path / 'mine.v2.safetensors'}", device="cpu")
    assert (extractor.suffix, extractor.dimension, extractor.classes) == ("@mine.v2", dimension, 0)
    assert extractor.features(IMAGES[:, :1]).shape == (2, dimension)
    described = extractor.description()
    assert (described["kind"], described["comparable_with_published"]) == (name, False)
    assert "bicubic to 224x224" in described["resize"]


def test_an_unknown_layout_is_told_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean 'vit_small_patch14_dinov2'"):
        features.load(f"vit_small_patch14_dino={tmp_path / 'a.safetensors'}")
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="given as LAYOUT=FILE; layouts: tf_efficientnet_lite0, "):
        features.load(str(tmp_path / "a.safetensors"))
    with pytest.raises(UserError, match="no such file"):
        features.load("vit_small_patch14_dinov2=nowhere.safetensors")


@pytest.mark.parametrize("change", ["missing", "left over", "shape"])
def test_weights_that_do_not_fit_are_named(change: str) -> None:
    tensors = spelled("package")
    if change == "missing":
        del tensors["_blocks.3._bn2.bias"]
    elif change == "left over":
        tensors["_blocks.3._se.bias"] = torch.zeros(1)
    else:
        tensors["_blocks.3._bn2.bias"] = torch.zeros(1)
    with pytest.raises(UserError, match=r"x: (no )?_blocks\.3\._(bn2|se)\.bias"):
        lite_network.load(tensors, lite.LAYOUT, "x")


def test_without_the_package_its_features_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lite, "MODULE", "no_such_package")
    with pytest.raises(UserError, match="extra 'features'"):
        features.load(lite.NAME)
    assert features.default()[0] == features.SHIPPED


def test_where_the_package_is_installed_it_stands_in_for_inception(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path))
    monkeypatch.setattr(lite, "installed", lambda: tmp_path)
    assert features.default(tmp_path)[0] == lite.NAME
    assert features.default(tmp_path, "mnist")[0] == "classifier-mnist"


class Means(nn.Module):
    """A trunk that passes maps on."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images * 2.0, images


def test_weights_of_a_layout_may_end_as_torchscript_does(tmp_path: Path) -> None:
    torch.save({"state_dict": spelled("timm")}, tmp_path / "mine.pt")
    assert features.load(f"tf_efficientnet_lite0={tmp_path / 'mine.pt'}").suffix == "@mine"
    with pytest.raises(UserError, match=f"{tmp_path / 'mine.pt'}: .* code"):
        features.load(str(tmp_path / "mine.pt"))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    torch.jit.save(torch.jit.script(Means()), str(tmp_path / "means.pt"))
    return tmp_path / "means.pt"


def test_a_torchscript_file_runs_only_where_its_code_is_trusted(script: Path) -> None:
    with pytest.raises(UserError, match="trust_code"):
        features.load(str(script))
    words = ("--metrics", "kid", "--limit", "4", "-k", "1", "--model", "telea", "--size", "16")
    refused = CliRunner().invoke(main, ["score", *words, "--features", str(script)])
    assert refused.exit_code == 2
    assert "holds code" in refused.stderr


@pytest.mark.parametrize(
    ("takes", "expected"), [("8,0..255", 510.0), ("8,0..1", 2.0), ("16,-1..1", 2.0)]
)
def test_a_torchscript_file_is_shown_what_it_takes(
    takes: str, expected: float, script: Path
) -> None:
    extractor = features.load(str(script), device="cpu", trust_code=True, shown=takes)
    white = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    assert torch.allclose(extractor.features(white), torch.full((1, 3), expected))
    assert (extractor.suffix, extractor.dimension) == ("@means", 3)


@pytest.mark.parametrize("odd", ["8", "8,0..2", "0,0..1", "x,imagenet"])
def test_an_odd_input_is_refused(odd: str, script: Path) -> None:
    with pytest.raises(UserError, match="SIDE,VALUES"):
        features.load(str(script), trust_code=True, shown=odd)


def test_what_is_no_torchscript_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"x" * 100)
    with pytest.raises(UserError, match="is no TorchScript file"):
        features.load(str(tmp_path / "a.pt"), trust_code=True)
    with pytest.raises(UserError, match="TorchScript file alone"):
        features.load("classifier-mnist", trust_code=True)
