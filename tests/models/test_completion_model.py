"""What a model does where its family adds nothing, and a stage where it has nothing to do."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli import models, zoo
from inpaint_cli.errors import UserError
from inpaint_cli.family import Batch, ParameterGroup, Stage, StepResult
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.models.method import Method
from inpaint_cli.randomness import Noise
from inpaint_cli.weights import load_weights

IMAGE, VISIBLE = torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.ones(1, 1, 8, 8) > 0


def model_of(name: str) -> Any:
    family = models.get(name)
    model = family.build(family.presets.get("digits") or next(iter(family.presets.values())))
    assert isinstance(model, CompletionModel if family.stage_names else Method)
    return model


@pytest.mark.parametrize("name", models.FAMILIES)
def test_a_model_knows_whether_it_has_a_likelihood(name: str) -> None:
    model = model_of(name)
    assert model.has_log_prob == models.get(name).has_log_prob
    if model.has_log_prob:
        assert model.log_prob(IMAGE, VISIBLE).tolist() == [0.0]
    else:
        with pytest.raises(UserError, match="has no likelihood"):
            model.log_prob(IMAGE, VISIBLE)


@pytest.mark.parametrize("name", models.FAMILIES)
def test_a_model_gives_whole_pictures_back_if_its_family_says_so(name: str) -> None:
    model, generator = model_of(name), torch.Generator().manual_seed(0)
    shape = (3, model.channels, model.size or 8, model.size or 8)
    images = torch.randint(0, 256, shape, generator=generator).to(torch.uint8)
    why = model.no_reconstruction()
    if not models.get(name).reconstructs:
        assert why is not None
        with pytest.raises(UserError, match="this model has no autoencoder"):
            model.reconstruct(images)
        return
    assert why is None
    model.train()
    given = model.reconstruct(images)
    assert (given.shape, given.dtype, model.training) == (images.shape, torch.uint8, True)
    assert torch.equal(given, model.reconstruct(images))
    assert torch.equal(given[1:2], model.reconstruct(images[1:2]))


@pytest.mark.parametrize("name", ["latent-codes", "picme"])
def test_a_model_packed_for_completing_says_that_it_reconstructs_nothing(name: str) -> None:
    packed = model_of(name).changed(completion_only=True)
    with pytest.raises(UserError, match=r"packed for completing, without the .*Take the run"):
        packed.reconstruct(IMAGE)


@pytest.mark.parametrize("name", ["latent-codes-photos64", "latent-codes-photos64-f4"])
def test_latent_codes_ship_with_the_networks_of_their_vqgan(name: str) -> None:
    picture = torch.full((1, 3, 64, 64), 200, dtype=torch.uint8)
    given = load_weights(zoo.FOLDER / f"{name}.safetensors").reconstruct(picture)
    assert (given.float() - 200).abs().mean() < 12  # one step of plain grey at most


@pytest.mark.parametrize("name", models.FAMILIES)
def test_a_model_ships_with_the_weights_that_it_has_and_no_others(name: str) -> None:
    model = model_of(name)
    shipped = model.for_completion()
    assert type(shipped) is type(model)
    if isinstance(model, Method):
        assert shipped is model
        return
    theirs, ours = shipped.state_dict(), model.state_dict()
    assert theirs.keys() <= ours.keys()
    assert all(theirs[entry].equal(ours[entry]) for entry in theirs)


@pytest.mark.parametrize("name", models.FAMILIES)
def test_a_model_takes_a_perceptual_distance_if_its_family_says_so(name: str) -> None:
    model = model_of(name)
    if model.config.takes_perceptual:
        model.use_perceptual(torch.nn.Identity())
    else:
        with pytest.raises(UserError, match="take no perceptual distance"):
            model.use_perceptual(torch.nn.Identity())


class LeastStage(Stage[CompletionModel]):
    """A stage with nothing but what each must have."""

    name = "least"

    def trainable(self, model: CompletionModel) -> list[ParameterGroup]:
        return [ParameterGroup("all", list(model.parameters()))]

    def loss(self, model: CompletionModel, batch: Batch, step: int, noise: Noise) -> StepResult:
        return StepResult({"all": torch.zeros(())})

    def validate(self, model: CompletionModel, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        return {}


def test_a_stage_needs_nothing_covers_nothing_and_leaves_sheets_to_completions() -> None:
    stage, model = LeastStage(), model_of("pcnn")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    stage.begin(model)
    assert all(weight.equal(before[name]) for name, weight in model.state_dict().items())
    assert (stage.needs, stage.covers) == ((), ())
    noise = Noise.of_samples(0, "least", 0, [0])
    assert stage.pictures(model, Batch(IMAGE, VISIBLE), noise) is None
