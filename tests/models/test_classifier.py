"""The classifier: what gets into it, what it gives, what it refuses."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner, Result
from PIL import Image
from torch import Tensor

from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.family import Batch
from inpaint_cli.models.classifier.config import PRESETS, ClassifierConfig
from inpaint_cli.models.classifier.networks import Classifier, resized, with_channels
from inpaint_cli.models.classifier.objective import STAGES, cross_entropies, moved
from inpaint_cli.randomness import Noise
from inpaint_cli.weights import class_names_of, read_header


def classifier(channels: int = 3, **fields: Any) -> Classifier:
    config = ClassifierConfig(size=8, channels=channels, **{"widths": (4, 6), **fields})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Classifier(config).eval()


def pictures(n: int, channels: int, size: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(0, 256, (n, channels, size, size), generator=generator)
    return values.to(torch.uint8)


def noise(n: int) -> Noise:
    return Noise.of_samples(0, "classes", 0, range(n))


def batch(image: Tensor, label: list[int] | None) -> Batch:
    visible = torch.ones(len(image), 1, *image.shape[2:], dtype=torch.bool)
    return Batch(image, visible, None if label is None else torch.tensor(label))


def test_features_are_the_means_of_the_last_maps_and_logits_a_linear_map_of_them() -> None:
    model, images = classifier(), pictures(3, 3, 8)
    features, logits = model.outputs(images)
    last = model.maps(images.float() / 127.5 - 1)[-1]
    torch.testing.assert_close(features, last.detach().mean((2, 3)))
    torch.testing.assert_close(logits, model.head(features).detach())
    assert (features.shape, logits.shape, features.dtype) == ((3, 6), (3, 10), torch.float32)


def test_grey_images_are_to_an_rgb_model_what_three_equal_channels_are() -> None:
    model, grey = classifier(), pictures(2, 1, 8)
    assert torch.equal(model.features(grey), model.features(grey.repeat(1, 3, 1, 1)))


def test_rgb_becomes_grey_as_pillow_makes_it() -> None:
    image = pictures(1, 3, 8)
    expected = np.asarray(Image.fromarray(image[0].permute(1, 2, 0).numpy()).convert("L"))
    grey = with_channels(image.float(), 1)[0, 0]
    # Pillow rounds to whole levels.
    torch.testing.assert_close(grey, torch.tensor(expected).float(), rtol=0, atol=0.51)


def test_images_of_another_size_are_averaged_down_and_those_of_its_own_kept() -> None:
    fitting = pictures(1, 3, 8).float()
    assert resized(fitting, 8) is fitting
    # Antialiased: a chequerboard finer than the result becomes even grey, not stripes.
    board = (torch.arange(32)[:, None] + torch.arange(32)).float()[None, None] % 2
    inside = resized(board, 8)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(inside, torch.full_like(inside, 0.5), rtol=0, atol=0.02)


@pytest.mark.parametrize("size", [1, 5, 8, 33])
def test_images_of_any_size_have_features(size: int) -> None:
    assert classifier().features(pictures(2, 3, size)).shape == (2, 6)


def test_maps_are_one_a_level_at_the_size_of_the_image_and_differentiable() -> None:
    images = (pictures(2, 1, 16)[:, :, :12].float() / 127.5 - 1).requires_grad_()
    maps = classifier(widths=(4, 6, 5)).maps(images)
    assert [tuple(m.shape) for m in maps] == [(2, 4, 12, 16), (2, 6, 6, 8), (2, 5, 3, 4)]
    sum(m.sum() for m in maps).backward()  # type: ignore[union-attr]
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_every_move_is_a_crop_of_the_image_with_reflected_edges() -> None:
    image = torch.arange(9, dtype=torch.uint8).view(1, 1, 3, 3)
    reflected = F.pad(image.float(), (1,) * 4, mode="reflect").to(torch.uint8)[0, 0]
    crops = {
        reflected[top : top + 3, left : left + 3].numpy().tobytes()
        for top in range(3)
        for left in range(3)
    }
    moves = moved(image.repeat(200, 1, 1, 1), 1, noise(200))
    assert {picture.numpy().tobytes() for picture in moves} == crops
    assert torch.equal(moves, moved(image.repeat(200, 1, 1, 1), 1, noise(200)))
    assert moved(image, 0, noise(1)) is image


def test_validation_gives_the_share_of_errors_and_minus_log_p() -> None:
    model = classifier(classes=4)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor([0.0, math.log(3), 0.0, 0.0]))
    figures = STAGES[0].validate(model, batch(pictures(2, 3, 8), [1, 2]), noise(2))
    assert figures["error"].tolist() == [0, 1]
    expected = torch.tensor([math.log(2), math.log(6)], dtype=torch.float64)
    torch.testing.assert_close(figures["cross_entropy"], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("what", ["loss", "validate"])
def test_data_without_classes_are_refused(what: str) -> None:
    given, model = batch(pictures(2, 3, 8), None), classifier()
    calls: dict[str, Callable[[], Any]] = {
        "loss": lambda: STAGES[0].loss(model.train(), given, 0, noise(2)),
        "validate": lambda: STAGES[0].validate(model, given, noise(2)),
    }
    with pytest.raises(UserError, match="have no classes"):
        calls[what]()


def test_labels_have_a_sigmoid_each_and_the_sum_of_their_cross_entropies() -> None:
    model = classifier(multilabel=True, labels=("a", "b"), smoothing=0.0, masked=True)
    images, label = pictures(5, 3, 8), torch.tensor([[0, 1, 1], [0, 0, 0], [1, 1, 1]] * 2)[:5]
    visible = torch.ones(5, 1, 8, 8, dtype=torch.bool)
    p = model.probabilities(images, visible)
    assert p.shape == (5, 3)
    chosen = torch.where(label > 0, p, 1 - p)
    figures = STAGES[0].validate(model, Batch(images, visible, label), noise(5))
    torch.testing.assert_close(figures["cross_entropy"], -chosen.log().sum(1))
    torch.testing.assert_close(figures["error"], (chosen < 0.5).double().mean(1))
    assert next(iter(figures)) == "cross_entropy"
    still = classifier(multilabel=True, labels=("a", "b"), smoothing=0.0, masked=True, shift=0)
    loss = STAGES[0].loss(still, Batch(images, visible, label), 0, noise(5)).losses["all"]
    assert loss.item() == pytest.approx(figures["cross_entropy"].mean().item(), rel=1e-5)


def test_smoothed_labels_are_spread_over_both_answers() -> None:
    logits, label = torch.tensor([[2.0, -1.0]]), torch.tensor([[1, 0]])
    p = logits.sigmoid()
    nats = -(0.95 * p[0, 0].log() + 0.05 * (1 - p[0, 0]).log())
    nats -= 0.05 * p[0, 1].log() + 0.95 * (1 - p[0, 1]).log()
    assert cross_entropies(logits, label, 0.1).item() == pytest.approx(nats.item())


def test_labels_of_a_table_are_no_classes() -> None:
    given = Batch(pictures(2, 3, 8), torch.ones(2, 1, 8, 8).bool(), torch.tensor([[1, 1], [0, 0]]))
    with pytest.raises(UserError, match=r"data: .*set multilabel=true"):
        STAGES[0].validate(classifier(), given, noise(2))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"labels": ("a",)}, "labels: are for multilabel=true"),
        ({"multilabel": True, "labels": ("a", "a")}, "labels: each once"),
        ({"multilabel": True, "labels": ("a", "any")}, "labels: each once, and without 'any'"),
    ],
)
def test_labels_that_make_no_outputs_are_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        classifier(**fields)


def test_the_preset_of_x_rays_is_as_published_but_for_the_network() -> None:
    config = PRESETS["chestxray"]
    training = config.training["classes"]
    assert (training.lr, training.steps, training.batch_size) == (1e-5, 32_000, 32)
    assert (training.masks, config.masked, config.size, config.channels) == (
        *("patches-25", True, 256, 3),
    )
    assert len(config.output_names) == config.output_count == 15
    assert config.output_names[-1] == "any"


@pytest.mark.parametrize(
    "fields",
    [
        {"classes": 1},
        {"widths": ()},
        {"widths": (4, 0)},
        {"blocks": -1},
        {"shift": 8},
        {"smoothing": 1.0},
        {"size": 0},
    ],
)
def test_settings_that_make_no_network_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(fields))):
        ClassifierConfig(**{"size": 8, "channels": 1, **fields})


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_have_few_enough_features_for_the_identity_scores(preset: str) -> None:
    assert PRESETS[preset].widths[-1] <= 128


def test_it_completes_nothing() -> None:
    with pytest.raises(UserError, match="completes none"):
        classifier().complete(pictures(1, 3, 8), torch.ones(1, 1, 8, 8).bool(), noise(1))


def train(data: Path, runs: Path, *more: str) -> Result:
    settings = ("steps=2", "batch_size=4", "widths=4,6", "warmup_steps=0", *more)
    words = [word for setting in settings for word in ("--set", setting)]
    return CliRunner().invoke(
        main,
        [
            "train",
            "--model",
            "classifier",
            "--preset",
            "digits",
            "--data",
            str(data),
            *words,
            "-o",
            str(runs),
            "--workers",
            "0",
            "--device",
            "cpu",
        ],
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with twelve pictures of each of two classes."""
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "home"))
    for number in range(24):
        path = tmp_path / "pictures" / ("dark", "light")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 40 + 150 * (number % 2) + number).save(path)
    return tmp_path / "pictures"


def test_a_folder_of_class_folders_trains_one(folder: Path, tmp_path: Path) -> None:
    result = train(folder, tmp_path / "runs")
    assert result.exit_code == 0, result.stderr
    weights = Path(result.stdout.strip())
    assert class_names_of(read_header(weights), weights) == ("dark", "light")
    assert not (Path(result.stdout.strip()).parent / "samples").exists()


def test_a_folder_without_classes_trains_none_and_says_so_in_a_line(
    folder: Path, tmp_path: Path
) -> None:
    result = train(folder / "dark", tmp_path / "runs")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "these images have no classes" in result.stderr.splitlines()[-1]


def test_data_with_more_classes_are_refused_at_once_however_rare_they_are(
    folder: Path, tmp_path: Path
) -> None:
    rare = folder / "rare" / "1.png"
    rare.parent.mkdir()
    Image.new("L", (8, 8), 100).save(rare)
    result = train(folder, tmp_path / "runs", "classes=2")
    assert result.exit_code == 2
    assert (
        "has 3 classes, and this classifier tells 2 apart. Say how many: classes=3"
        in (result.stderr.splitlines()[-1])
    )
    assert not (tmp_path / "runs").exists()


def test_the_list_of_models_names_it_apart_from_those_that_complete() -> None:
    shown = CliRunner().invoke(main, ["models"]).stdout
    families, apart = shown.split("For metrics, not for completions:")
    assert "classifier" in apart
    assert "pcnn" in families.partition("Families:")[2]
    assert "classifier" not in families.partition("Families:")[2]


def test_what_is_hidden_from_a_masked_classifier_has_no_influence() -> None:
    model, images = classifier(masked=True), pictures(2, 3, 8)
    visible = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1)) < 0.5
    others = torch.where(visible, images, pictures(2, 3, 8, seed=9))
    seen = model.probabilities(images, visible)
    assert torch.equal(seen, model.probabilities(others, visible))
    assert not torch.equal(seen, model.probabilities(images, torch.ones_like(visible)))
    torch.testing.assert_close(seen.sum(1), torch.ones(2, dtype=torch.float64))


def test_a_masked_classifier_serves_metrics_with_all_of_a_picture() -> None:
    model, images = classifier(masked=True), pictures(2, 3, 8)
    everything = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    softmax = model.logits(images).double().softmax(1)
    torch.testing.assert_close(softmax, model.probabilities(images, everything))


def test_a_masked_classifier_learns_from_what_is_visible() -> None:
    (stage,), model = STAGES, classifier(masked=True, shift=0)
    images, hidden = pictures(4, 3, 8), pictures(4, 3, 8, seed=5)
    visible = torch.zeros(4, 1, 8, 8, dtype=torch.bool)
    visible[:, :, :4] = True
    label = torch.tensor([0, 1, 2, 3])
    losses = [
        stage.loss(model, Batch(torch.where(visible, images, other), visible, label), 0, noise(4))
        for other in (images, hidden)
    ]
    assert torch.equal(losses[0].losses["all"], losses[1].losses["all"])


@pytest.mark.parametrize("name", [name for name in PRESETS if name.endswith("-masked")])
def test_masked_presets_are_trained_on_looks(name: str) -> None:
    assert PRESETS[name].masked
    assert PRESETS[name].training["classes"].masks == "patches-25"
