"""Runs that stand on a weight file: its finished stages are kept, the others trained."""

from pathlib import Path
from typing import cast

import pytest
import torch

from inpaint_cli import models
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.training.folder import open_existing
from inpaint_cli.training.recipe import RecipeChoices
from inpaint_cli.training.run import Machine, train
from inpaint_cli.training.takeover import take_over
from inpaint_cli.weights import load_weights, read_header, save_weights
from tests.training.fake_family import FakeModel
from tests.training.fake_runs import session

QUIET = Reporter(quiet=True)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The weight file of a run of the first of two stages."""
    choices = RecipeChoices("fake-two", ["noise"], "small", "paint", settings=["steps=4"])
    return trained(tmp_path / "first", choices)


def trained(runs: Path, choices: RecipeChoices, resume: str | None = None) -> Path:
    result = train(choices, Machine("cpu", workers=0), QUIET, runs=runs, resume=resume)
    assert result is not None
    return Path(result.text)


def on_top(weights: Path, *settings: str, stage: str | None = None) -> RecipeChoices:
    return RecipeChoices(data=["noise"], weights=weights, settings=settings, stage=stage)


def test_the_stages_that_are_left_are_trained_as_in_one_run(begun: Path, tmp_path: Path) -> None:
    whole = session(tmp_path, "steps=4", model="fake-two")
    whole.train()
    weights = trained(tmp_path / "second", on_top(begun, "steps=4"))
    assert read_header(weights)["stages"] == "paint,polish"
    expected = load_weights(whole.folder.weights).state_dict()  # type: ignore[attr-defined]
    for name, tensor in load_weights(weights).state_dict().items():  # type: ignore[attr-defined]
        assert torch.equal(tensor, expected[name]), name


def test_such_a_run_can_be_resumed(begun: Path, tmp_path: Path) -> None:
    weights = trained(tmp_path / "second", on_top(begun, "steps=4"))
    folder, recipe = open_existing(weights.parent)
    assert (recipe.stages, folder.finished_stages()) == (("polish",), ["paint", "polish"])


def test_a_model_of_no_preset_keeps_its_own_settings(tmp_path: Path) -> None:
    choices = RecipeChoices(
        "fake-two", ["noise"], "small", "paint", settings=["steps=1", "filters=6"]
    )
    model = load_weights(trained(tmp_path / "first", choices))
    changed = tmp_path / "own.safetensors"
    save_weights(changed, model, family="fake-two", preset="own", extra={"stages": "paint"})
    folder, recipe = open_existing(trained(tmp_path / "second", on_top(changed, "steps=1")).parent)
    assert recipe.preset == "own"
    assert recipe.config.filters == 6  # type: ignore[attr-defined]
    assert folder.finished_stages() == ["paint", "polish"]


def test_a_preset_that_is_no_longer_known_is_the_model_s_own(begun: Path, tmp_path: Path) -> None:
    changed = tmp_path / "renamed.safetensors"
    save_weights(
        changed, load_weights(begun), family="fake-two", preset="gone", extra={"stages": "paint"}
    )
    assert on_top(changed).recipe().preset == "own"


def test_settings_that_reshape_what_is_trained_are_refused(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^set: .*'painter\.0\.weight', which is trained in"):
        trained(tmp_path / "second", on_top(begun, "filters=8"))
    assert not (tmp_path / "second").exists()


def test_a_finished_stage_can_be_trained_further(tmp_path: Path) -> None:
    whole = session(tmp_path, "steps=4", model="fake-two")
    whole.train()
    before = load_weights(whole.folder.weights).state_dict()  # type: ignore[attr-defined]
    settings = ("steps=2", "lr=1e-6")
    weights = trained(tmp_path / "further", on_top(whole.folder.weights, *settings, stage="polish"))
    after = load_weights(weights).state_dict()  # type: ignore[attr-defined]
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor)  # it began where the other run ended
    assert any(not torch.equal(after[name], tensor) for name, tensor in before.items())
    assert open_existing(weights.parent)[0].finished_stages() == ["paint", "polish"]


def test_a_group_that_is_all_0_in_the_file_starts_as_new(begun: Path, tmp_path: Path) -> None:
    left_out = cast(FakeModel, load_weights(begun))
    with torch.no_grad():
        for parameter in left_out.critic.parameters():
            parameter.zero_()
    bare = tmp_path / "bare.safetensors"
    save_weights(bare, left_out, family="fake-two", preset="small", extra={"stages": "paint"})
    model = cast(FakeModel, on_top(bare).recipe().build())
    take_over(model, models.get("fake-two").stages(), bare)
    assert all(parameter.any() for parameter in model.critic.parameters())
    for mine, theirs in zip(model.painter.parameters(), left_out.painter.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_what_stands_on_a_stage_that_is_trained_further_is_not_finished(tmp_path: Path) -> None:
    whole = session(tmp_path, "steps=2", model="fake-two")
    whole.train()
    weights = trained(tmp_path / "anew", on_top(whole.folder.weights, "steps=1", stage="paint"))
    assert read_header(weights)["stages"] == "paint"


def test_weights_with_every_stage_trained_are_refused(tmp_path: Path) -> None:
    whole = session(tmp_path, "steps=1")
    whole.train()
    with pytest.raises(UserError, match=r"every stage of .* is trained already.*stage: paint"):
        on_top(whole.folder.weights).recipe()


def test_weights_without_a_finished_stage_are_refused(begun: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.safetensors"
    extra = {"stages": "", "in_progress": "paint"}
    save_weights(bare, load_weights(begun), family="fake-two", preset="small", extra=extra)
    with pytest.raises(UserError, match="no finished stage"):
        on_top(bare).recipe()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "small"}, "preset: the weights bring their own"),
        ({"config": Path("config.toml")}, "config: the weights bring their own"),
        ({"model": "fake"}, "is of 'fake-two', not 'fake'"),
    ],
)
def test_what_the_weights_say_cannot_be_said_otherwise(
    begun: Path, given: dict[str, Path | str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        RecipeChoices(data=["noise"], weights=begun, **given).recipe()  # type: ignore[arg-type]


def test_a_resumed_run_takes_over_nothing(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="from_weights: a resumed run keeps"):
        trained(tmp_path, RecipeChoices(weights=begun), resume=str(begun.parent))
