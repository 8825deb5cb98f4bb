from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inpaint_cli import models
from inpaint_cli.errors import UserError
from inpaint_cli.weights import hash_of, save_weights
from inpaint_cli.zoo.perceptual import NAMED, load_perceptual
from inpaint_cli.zoo.weight_files import MissingWeights
from tests.models.test_perceptual import squeeze_trunk


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def test_a_trunk_that_is_not_there_is_refused_with_the_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights) as refusal:
        load_perceptual("lpips", tmp_path / "mine")
    assert "alexnet-owt-7be5be79.pth" in str(refusal.value)
    assert str(tmp_path / "mine") in str(refusal.value)
    assert "perceptual distance" in str(refusal.value)


def test_a_trunk_with_another_content_is_not_taken_for_the_real_one(tmp_path: Path) -> None:
    torch.save(squeeze_trunk(), tmp_path / "squeezenet1_1-b8a52dc0.pth")
    with pytest.raises(MissingWeights, match="not the SqueezeNet weights"):
        load_perceptual("lpips-squeeze", tmp_path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_trunk_given_by_path_takes_its_own_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(squeeze_trunk(), path)
    else:
        save_file(squeeze_trunk(), path)
    distance = load_perceptual(str(path))
    assert distance.name == "lpips@mine"
    assert distance.calibrated
    assert distance.sha256 == hash_of(path)


def test_a_known_trunk_has_the_name_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(squeeze_trunk(), path)
    monkeypatch.setitem(NAMED, hash_of(path), "squeezenet-elsewhere")
    assert load_perceptual(str(path)).name == "lpips@squeezenet-elsewhere"


def test_a_classifier_gives_an_uncalibrated_distance_of_grey_and_of_colour(tmp_path: Path) -> None:
    path = tmp_path / "run" / "model.safetensors"
    family = models.get("classifier")
    with torch.random.fork_rng(devices=[]):
        model = family.build(family.presets["digits"])
    save_weights(path, model, family="classifier", preset="digits")
    for choice in (path, path.parent):
        distance = load_perceptual(str(choice))
        assert distance.name == "lpips@run (uncalibrated)"
        assert not distance.calibrated
    draw = torch.Generator().manual_seed(1)
    grey, other = torch.rand(2, 2, 1, 8, 8, generator=draw) * 2 - 1
    expected = distance(grey, other)
    assert bool((expected > 0).all())
    repeated = [image.expand(-1, 3, -1, -1) for image in (grey, other)]
    torch.testing.assert_close(distance(*repeated), expected)


def test_other_models_and_other_files_are_refused(tmp_path: Path, top: Path) -> None:
    with pytest.raises(UserError, match="a model of 'pcnn'"):
        load_perceptual(str(top / "inpaint_cli/zoo/pcnn-digits.safetensors"))
    with pytest.raises(UserError, match=r"Did you mean 'lpips'\?"):
        load_perceptual("lpipz")
    with pytest.raises(UserError, match="no file of weights"):
        load_perceptual(str(tmp_path / "nothing.pth"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(UserError, match=r"text\.pth: damaged, or not a PyTorch file"):
        load_perceptual(str(tmp_path / "text.pth"))
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="nor a trunk that lpips knows"):
        load_perceptual(str(tmp_path / "a.safetensors"))
