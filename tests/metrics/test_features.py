"""Features: what each kind gives, what is taken if nothing is said, what is refused."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli import models, zoo
from inpaint_cli.errors import UserError
from inpaint_cli.metrics import features, inception, instruments
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.features import load
from inpaint_cli.metrics.options import MeasureOptions
from inpaint_cli.weights import hash_of, save_weights
from inpaint_cli.zoo import weight_files


def pictures(n: int, channels: int = 3, height: int = 20, width: int = 17) -> Tensor:
    generator = torch.Generator().manual_seed(n)
    values = torch.randint(0, 256, (n, channels, height, width), generator=generator)
    return values.to(torch.uint8)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the weight files that the machine may have."""
    for variable in ("HOME", "INPAINT_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Saves a classifier of digits with random weights."""
    family, path = models.get("classifier"), tmp_path / "mine.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = family.build(family.presets["digits"])
    save_weights(path, model, family="classifier", preset="digits")
    return path


def test_grey_images_are_those_with_three_equal_channels(weights: Path) -> None:
    grey = pictures(3, 1)
    extractor = load(str(weights), device="cpu")
    torch.testing.assert_close(
        extractor.features(grey), extractor.features(grey.repeat(1, 3, 1, 1)), rtol=0, atol=1e-6
    )


def test_a_classifier_gives_features_and_logits_of_its_own(weights: Path) -> None:
    extractor = load(str(weights), device="cpu")
    assert (extractor.name, extractor.dimension, extractor.comparable) == ("mine", 32, False)
    assert (extractor.suffix, extractor.classes, extractor.accuracy) == ("@mine", 10, None)
    assert extractor.weights_sha256 == hash_of(weights)
    assert "8x8" in extractor.resize
    rows, logits = extractor.outputs(pictures(3))
    assert (rows.shape, rows.dtype) == ((3, 32), torch.float32)
    assert logits is not None
    assert logits.shape == (3, 10)


def test_the_images_beside_an_image_do_not_change_its_features(weights: Path) -> None:
    extractor = load(str(weights), device="cpu")
    images = pictures(features.BATCH + 5, 3, 9, 9)
    torch.testing.assert_close(
        extractor.features(images)[-2:], extractor.features(images[-2:]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "images",
    [torch.zeros(1, 3, 8, 8), pictures(1)[0], pictures(1).repeat(1, 2, 1, 1)],
    ids=["float", "no batch", "six channels"],
)
def test_what_is_no_batch_of_uint8_images_is_a_mistake_of_the_caller(
    images: Tensor, weights: Path
) -> None:
    with pytest.raises(ValueError, match="uint8 images"):
        load(str(weights), device="cpu").features(images)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("inceptoin", "Did you mean 'inception'"),
        ("pcnn-digits", "not a classifier"),
        ("telea", "has no weights"),
        ("none.safetensors", "no such file"),
    ],
)
def test_what_gives_no_features_is_refused_with_advice(name: str, words: str) -> None:
    with pytest.raises(UserError, match=r"^features: ") as caught:
        load(name, device="cpu")
    assert words in str(caught.value)


def test_a_rule_of_resizing_is_for_inception_alone() -> None:
    with pytest.raises(UserError, match="fid_resize: clean"):
        load(features.SHIPPED, resize="clean")


@pytest.mark.usefixtures("nowhere")
def test_who_asks_for_a_rule_of_resizing_asks_for_inception() -> None:
    request = MeasureOptions(metrics=("fid",), fid_resize="clean")
    ready = instruments.load(request, torch.device("cpu"))
    assert ready.extractor is None
    assert "Inception weights" in ready.missing["features"].reason


@pytest.mark.usefixtures("nowhere")
def test_inception_by_name_is_refused_where_its_weights_are_missing() -> None:
    with pytest.raises(Refused, match="are not on this machine") as caught:
        load("inception", device="cpu")
    assert caught.value.missing_file


@pytest.mark.usefixtures("nowhere")
def test_without_the_inception_weights_the_classifier_that_ships_is_taken_with_a_remark() -> None:
    name, remark = features.default()
    assert name == features.SHIPPED
    assert "cannot be compared" in remark


@pytest.mark.usefixtures("nowhere")
def test_a_classifier_of_the_data_at_hand_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    cards: list[dict[str, Any]] = [
        {"family": "pcnn", "preset": "mnist"},
        {"family": "classifier", "preset": "mnist"},
    ]
    entries = [zoo.Entry(f"m{i}", Path(f"m{i}"), card) for i, card in enumerate(cards)]
    monkeypatch.setattr(zoo, "entries", lambda: entries)
    assert features.default(data="mnist")[0] == "m1"
    assert features.default(data="faces")[0] == features.SHIPPED


def test_with_the_inception_weights_they_are_taken_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = weight_files.FILES["inception"]
    right = replace(entry, sha256=hashlib.sha256(b"w").hexdigest())
    monkeypatch.setitem(weight_files.FILES, "inception", right)
    (tmp_path / entry.names[0]).write_bytes(b"w")
    assert features.default(tmp_path) == ("inception", "")


def test_the_classifier_that_ships_gives_few_enough_features_for_the_identity_scores() -> None:
    extractor = load(features.SHIPPED, device="cpu")
    assert extractor.name == features.SHIPPED
    assert extractor.dimension <= 128
    assert extractor.features(pictures(2)).shape == (2, extractor.dimension)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"fc.weight": Trap()}, tmp_path / "weights.pth")
    with pytest.raises(Refused, match=r"weights\.pth: not a file of weights"):
        inception.load(tmp_path / "weights.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("state", [{}, {"fc.weight": torch.zeros(1000, 2048)}])
def test_weights_of_another_network_are_refused(state: dict[str, Tensor]) -> None:
    with pytest.raises(Refused, match="of another network"):
        inception.of_state(state)
