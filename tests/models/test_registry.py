"""What every registered family promises; the tests find a new one by themselves."""

from pathlib import Path
from typing import cast

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from inpaint_cli import models
from inpaint_cli.cli import main
from inpaint_cli.family import Completions, Config, Family, Model
from inpaint_cli.randomness import Noise, content_key

FAMILIES = list(models.FAMILIES)
PRESETS = [(name, preset) for name in FAMILIES for preset in models.get(name).presets]
SIZE = 12
"""Side of the pictures for families that take any size."""


def smallest(family: Family) -> tuple[str, Config]:
    """Gives the preset with the smallest picture."""
    return min(family.presets.items(), key=lambda item: item[1].size)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return models.get(request.param)


@pytest.fixture
def model(family: Family) -> Model:
    """Gives the family's smallest model, with random weights, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = family.build(smallest(family)[1])
    return cast(Model, cast(nn.Module, built).eval())


def task(model: Model) -> tuple[Tensor, Tensor]:
    """Gives a picture and what is visible of it."""
    side = model.size or SIZE
    generator = torch.Generator().manual_seed(1)
    image = torch.randint(0, 256, (1, model.channels, side, side), generator=generator)
    visible = torch.rand(1, 1, side, side, generator=generator) < 0.6
    return image.to(torch.uint8), visible


def completed(model: Model, image: Tensor, visible: Tensor, indices: range) -> Completions:
    noise = Noise.of_completions(0, content_key(image, visible), indices)
    with torch.no_grad():
        return model.complete(image, visible, noise)


def count(model: Model) -> int:
    return 5 if model.stochastic else 1


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_every_preset_builds_on_the_meta_device(name: str, preset: str) -> None:
    family = models.get(name)
    with torch.device("meta"):
        built = family.build(family.presets[preset])
    assert built.config == family.presets[preset]
    assert set(built.config.training) == set(family.stage_names)


def test_stages_bear_their_names_and_need_earlier_ones(family: Family) -> None:
    stages = family.stages()
    assert tuple(stage.name for stage in stages) == family.stage_names
    for number, stage in enumerate(stages):
        assert set(stage.needs) <= set(family.stage_names[:number])


def test_visible_pixels_are_untouched(model: Model) -> None:
    image, visible = task(model)
    result = completed(model, image, visible, range(count(model)))
    assert result.images.dtype == torch.uint8
    shown = visible.expand_as(result.images)
    assert torch.equal(result.images[shown], image.expand_as(result.images)[shown])


def test_nothing_depends_on_hidden_pixels(model: Model) -> None:
    image, visible = task(model)
    other = torch.where(visible, image, 255 - image)
    first = completed(model, image, visible, range(count(model)))
    second = completed(model, other, visible, range(count(model)))
    assert torch.equal(first.images, second.images)


def test_completion_i_does_not_depend_on_n_or_the_batch(model: Model) -> None:
    if not model.stochastic:
        pytest.skip("one completion only")
    image, visible = task(model)
    together = completed(model, image, visible, range(5))
    apart = [completed(model, image, visible, range(i, j)) for i, j in ((0, 2), (2, 5))]
    assert torch.equal(together.images, torch.cat([part.images for part in apart]))
    if together.log_prob is not None:
        log_probs = [part.log_prob for part in apart if part.log_prob is not None]
        torch.testing.assert_close(together.log_prob, torch.cat(log_probs))


def test_completions_differ_and_have_finite_likelihoods(model: Model) -> None:
    if not model.stochastic:
        pytest.skip("one completion only")
    image, visible = task(model)
    result = completed(model, image, visible, range(5))
    assert len({picture.numpy().tobytes() for picture in result.images}) > 1
    if result.log_prob is not None:
        assert result.log_prob.dtype == torch.float64
        assert torch.isfinite(result.log_prob).all()
        assert (result.log_prob <= 0).all()


def test_completing_leaves_the_global_generator_alone(model: Model) -> None:
    before = torch.get_rng_state()
    completed(model, *task(model), range(count(model)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", models.trainable())
def test_the_smallest_preset_trains_stops_resumes_and_completes(name: str, tmp_path: Path) -> None:
    family = models.get(name)
    preset, config = smallest(family)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, [*arguments, "--device", "cpu"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    settings = ("steps=2", "batch_size=4", "validate_images=4", "checkpoint_every=1")
    train = ["train", "--model", name, "--preset", preset, "--data", "digits"]
    sets = [part for setting in settings for part in ("--set", setting)]
    runs = ["--runs", str(tmp_path)]
    run(*train, *sets, *runs, "--workers", "0", "--stop-after", "0.0001")
    weights = Path(run("train", "--resume", *runs, "--model", name, "--data", "digits"))
    picture = tmp_path / "picture.png"
    from PIL import Image

    Image.new("L" if config.channels == 1 else "RGB", (20, 16), 90).save(picture)
    box = ["--box", "4,4,8,8"]
    out = ["-o", str(tmp_path / "out")]
    sheet = run("complete", str(picture), *box, "--model", str(weights.parent), "-n", "2", *out)
    assert Path(sheet).is_file()
    assert len(list((tmp_path / "out").glob("picture-[01].png"))) == 2
