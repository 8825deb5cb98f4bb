"""What every registered family promises; the tests find a new one by themselves."""

import dataclasses
import re
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from inpaint_cli import masks, models
from inpaint_cli.cli import main
from inpaint_cli.commands.complete import complete
from inpaint_cli.configuration import from_dict, to_dict
from inpaint_cli.family import Batch, Family, Model, Training
from inpaint_cli.randomness import Noise
from inpaint_cli.weights import load_weights

TOP = Path(__file__).parent.parent.parent
SMALL = "digits"
"""The preset that every trained family has: 8x8 grey, quick enough for a test."""
PRESETS = [(name, preset) for name in models.FAMILIES for preset in models.get(name).presets]
each_family = pytest.mark.parametrize("name", models.FAMILIES)
COMPLETING = [name for name in models.FAMILIES if models.get(name).completes]
each_completing = pytest.mark.parametrize("name", COMPLETING)
each_trained = pytest.mark.parametrize("name", models.trainable())
each_preset = pytest.mark.parametrize(("name", "preset"), PRESETS)


def small(name: str) -> Model:
    """Return a small model of a family, its random weights large enough to matter."""
    family = models.get(name)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = family.build(family.presets.get(SMALL) or first(family))
        if isinstance(model, nn.Module):
            for parameter in model.eval().parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def first(family: Family) -> Any:
    return next(iter(family.presets.values()))


def task(model: Model, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = model.size or 12
    image = torch.randint(0, 256, (1, model.channels, size, size), generator=generator)
    visible = torch.rand(1, 1, size, size, generator=generator) < 0.6
    return image.to(torch.uint8), visible


def noise(n: int) -> Noise:
    return Noise.of_completions(0, b"every family", range(n))


@each_family
def test_a_family_bears_the_name_under_which_it_is_registered(name: str) -> None:
    assert models.get(name).name == name


def test_every_folder_of_a_family_is_registered() -> None:
    folders = {p.parent.name for p in (TOP / "models").glob("*/__init__.py")}
    assert folders == {module.rpartition(".")[2] for module in models.FAMILIES.values()}


@each_family
def test_stage_names_are_those_of_the_stages_and_each_stands_on_earlier_ones(name: str) -> None:
    family = models.get(name)
    assert tuple(stage.name for stage in family.stages()) == family.stage_names
    for number, stage in enumerate(family.stages()):
        assert set(stage.needs) <= set(family.stage_names[:number])


@each_preset
def test_a_preset_says_how_each_stage_is_trained_and_no_other(name: str, preset: str) -> None:
    config = models.get(name).presets[preset]
    assert set(config.training) == set(models.get(name).stage_names)
    for training in config.training.values():
        masks.parse(training.masks)


@each_preset
def test_a_preset_is_saved_and_read_back(name: str, preset: str) -> None:
    config = models.get(name).presets[preset]
    assert type(config) is type(first(models.get(name)))
    assert from_dict(type(config), to_dict(config)) == config


@each_family
def test_no_setting_of_a_model_hides_one_of_training(name: str) -> None:
    settings = {f.name for f in dataclasses.fields(first(models.get(name)))}
    assert not settings & {f.name for f in dataclasses.fields(Training)}


def test_no_layout_is_claimed_twice() -> None:
    claimed = [layout for name in models.FAMILIES for layout in models.get(name).layouts]
    assert len(claimed) == len(set(claimed))


def test_no_option_of_a_family_hides_another() -> None:
    names = [parameter.name for parameter in complete.params]
    assert len(names) == len(set(names))


@each_trained
def test_a_trained_family_has_a_page_that_lists_its_presets_options_and_settings(name: str) -> None:
    family = models.get(name)
    page = TOP / "docs" / f"{getattr(family, 'page', name)}.md"
    text = page.read_text(encoding="utf-8")
    settings = {f.name for f in dataclasses.fields(first(family))}
    settings -= {"size", "channels", "levels", "training"}
    wanted = [f"`{word}`" for word in [*family.presets, *sorted(settings)]]
    wanted += [f"`--{option.name}" for option in family.options]
    assert [word for word in wanted if word not in text] == []
    assert not re.search(r"^[A-Z]{4,}(_[A-Z]+)*$", text, re.MULTILINE), "a place holder"


@each_preset
def test_a_preset_builds_on_the_meta_device_and_fits_the_interface(name: str, preset: str) -> None:
    family = models.get(name)
    config = family.presets[preset]
    with torch.device("meta"):
        model = family.build(config)
    assert all(p.is_meta for p in model.parameters()) if isinstance(model, nn.Module) else True
    assert model.config == config
    assert (model.size, model.channels, model.levels) == (
        config.size,
        config.channels,
        config.levels,
    )
    assert model.stochastic == family.stochastic


@each_trained
def test_every_parameter_is_trained_by_a_stage_and_every_loss_has_its_group(name: str) -> None:
    model, family = small(name), models.get(name)
    module = cast(nn.Module, model).train()
    image, visible = task(model)
    batch = Batch(image.repeat(2, 1, 1, 1), visible.repeat(2, 1, 1, 1), torch.tensor([0, 1]))
    reached: set[str] = set()
    for stage in family.stages():
        groups = stage.trainable(model)
        module.zero_grad()
        result = stage.loss(model, batch, 0, Noise.of_samples(0, "t", 0, [0, 1]))
        assert set(result.losses) == {group.name for group in groups}
        assert all(loss.shape == () for loss in result.losses.values())
        torch.stack(list(result.losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        reached |= {n for n, p in module.named_parameters() if p.grad is not None}
    assert {n for n, p in module.named_parameters()} - reached == set()


@each_trained
def test_figures_of_a_validation_are_per_image_and_of_each_image_alone(name: str) -> None:
    model = small(name)
    tasks = [task(model, seed) for seed in range(3)]
    image, visible = (torch.cat(parts) for parts in zip(*tasks, strict=True))
    label = torch.arange(3)
    for stage in models.get(name).stages():
        with torch.no_grad():
            figures = stage.validate(
                model, Batch(image, visible, label), Noise.of_samples(0, "t", 0, range(3))
            )
            alone = stage.validate(
                model,
                Batch(image[1:2], visible[1:2], label[1:2]),
                Noise.of_samples(0, "t", 0, [1]),
            )
        for figure, value in figures.items():
            assert (value.dtype, value.shape) == (torch.float64, (3,)), figure
            torch.testing.assert_close(value[1:2].cpu(), alone[figure].cpu(), rtol=1e-4, atol=1e-5)


@each_completing
@pytest.mark.parametrize("seed", [0, 1])
def test_completions_keep_the_visible_and_ignore_the_hidden(name: str, seed: int) -> None:
    model = small(name)
    image, visible = task(model, seed)
    other = torch.where(visible, image, 255 - image)
    n = 3 if model.stochastic else 1
    one, two = (model.complete(x, visible, noise(n)) for x in (image, other))
    assert (one.images.dtype, one.images.shape) == (torch.uint8, (n, *image.shape[1:]))
    assert torch.equal(
        torch.where(visible, one.images, 0), torch.where(visible, image, 0).expand_as(one.images)
    )
    assert torch.equal(one.images, two.images)
    assert not one.images.requires_grad
    if one.log_prob is not None:
        assert (one.log_prob.dtype, one.log_prob.shape) == (torch.float64, (n,))
        assert torch.equal(one.log_prob, cast(Tensor, two.log_prob))


STOCHASTIC = [name for name in COMPLETING if models.get(name).stochastic]


@pytest.mark.parametrize("name", STOCHASTIC)
def test_completion_i_is_the_same_whatever_n_the_batch_and_the_global_generator(name: str) -> None:
    model = small(name)
    image, visible = task(model)
    torch.manual_seed(1)
    whole = model.complete(image, visible, noise(5))
    torch.manual_seed(2)
    parts = [model.complete(image, visible, noise(5)[s]) for s in (slice(0, 2), slice(2, 5))]
    assert torch.equal(whole.images, torch.cat([part.images for part in parts]))
    assert len({picture.numpy().tobytes() for picture in whole.images}) > 1
    if whole.log_prob is not None:
        again = torch.cat([cast(Tensor, part.log_prob) for part in parts])
        torch.testing.assert_close(whole.log_prob, again, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in STOCHASTIC if models.get(name).stage_names])
def test_temperature_zero_gives_one_completion_whatever_the_noise(name: str) -> None:
    model = small(name)
    image, visible = task(model)
    other = Noise.of_completions(7, b"other", range(1))
    one = model.complete(image, visible, other, temperature=0.0).images
    every = model.complete(image, visible, noise(3), temperature=0.0).images
    assert torch.equal(every, one.expand_as(every))
    drawn = model.complete(image, visible, noise(3)).images
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("name", STOCHASTIC)
def test_the_log_prob_of_a_completion_is_that_of_the_model(name: str) -> None:
    model = small(name)
    image, visible = task(model)
    completed = model.complete(image, visible, noise(4))
    if completed.log_prob is None or completed.lower_bound:
        pytest.skip("no exact likelihood")
    scored = cast(Any, model).log_prob(completed.images, visible.expand(4, -1, -1, -1))
    torch.testing.assert_close(scored, completed.log_prob, rtol=1e-4, atol=1e-3)
    none_hidden = cast(Any, model).log_prob(image, torch.ones_like(visible))
    assert none_hidden.abs().item() < 1e-9


def run(*words: str) -> str:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


@each_trained
def test_the_small_preset_trains_saves_resumes_and_completes_or_says_that_it_does_not(
    name: str, tmp_path: Path
) -> None:
    from PIL import Image

    Image.new("L", (8, 8), 90).save(tmp_path / "photo.png")
    settings = ("steps=2", "batch_size=4", "validate_images=2", "sheet_images=1")
    words = [word for setting in settings for word in ("--set", setting)]
    words += ["--workers", "0", "--device", "cpu", "--model", name, "--data", SMALL]
    whole = Path(run("train", *words, "-o", str(tmp_path / "whole")))
    run("train", *words, "-o", str(tmp_path / "cut"), "--stop-after", "1e-9")
    folder = next((tmp_path / "cut").iterdir())
    for _ in models.get(name).stage_names:
        run("train", "--resume", str(folder), "--device", "cpu", "--workers", "0")
    states = [cast(nn.Module, load_weights(p)).state_dict() for p in (whole, folder / whole.name)]
    assert all(torch.equal(tensor, states[1][key]) for key, tensor in states[0].items())
    photo, out = str(tmp_path / "photo.png"), str(tmp_path / "out")
    asked = ("complete", photo, "--box", "2,2,3,3", "--model", str(folder), "-n", "2", "-o", out)
    if models.get(name).completes:
        run(*asked)
    else:
        refused = CliRunner().invoke(main, asked)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "completes nothing" in refused.stderr
