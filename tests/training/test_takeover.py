"""Runs that stand on a weight file: its finished stages are kept, the others trained."""

import shutil
from pathlib import Path
from typing import cast

import pytest
import torch

from inpaint_cli import models
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import checkpoints
from inpaint_cli.training import folder as folders
from inpaint_cli.training.checkpoints import best_path
from inpaint_cli.training.folder import RunFolder, open_existing, recipe_of_new, start_new
from inpaint_cli.training.recipe import RecipeChoices
from inpaint_cli.training.run import Machine, train
from inpaint_cli.training.takeover import names_to_take, take_over
from inpaint_cli.weights import load_weights, read_header, save_weights
from tests.training.fake_family import FakeModel
from tests.training.fake_runs import StopAt, assert_same_files, resumed, session

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


def test_the_best_weights_of_a_stage_count_as_trained(tmp_path: Path) -> None:
    whole = session(tmp_path, "steps=4", "validate_every=2", model="fake-two")
    whole.train()
    best = best_path(whole.folder.checkpoints, "paint")
    weights = trained(tmp_path / "second", on_top(best, "steps=1"))
    assert read_header(weights)["stages"] == "paint,polish"
    held = load_weights(best).state_dict()  # type: ignore[attr-defined]
    new = load_weights(weights).state_dict()  # type: ignore[attr-defined]
    assert all(torch.equal(held[name], new[name]) for name in held if "painter" in name)


def test_a_stage_that_is_finished_without_what_it_stands_on_is_trained_anew(
    begun: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.safetensors"
    save_weights(
        alone, load_weights(begun), family="fake-two", preset="small", extra={"stages": "polish"}
    )
    weights = trained(tmp_path / "second", on_top(alone, "steps=1"))
    assert read_header(weights)["stages"] == "paint,polish"


def test_weights_of_an_unfinished_stage_say_which_to_give(tmp_path: Path) -> None:
    stopped = session(tmp_path, "steps=4")
    stopped.stop = StopAt(2)
    stopped.train()
    with pytest.raises(UserError, match=r"'paint' is not\)\. Resume .*STAGE-best\.safetensors"):
        on_top(stopped.folder.weights).recipe()
    checkpoint = checkpoints.paths(stopped.folder.checkpoints)[-1]
    with pytest.raises(UserError, match=r"a checkpoint, .* or paint-best\.safetensors beside it"):
        on_top(checkpoint, stage="paint").recipe()


@pytest.mark.parametrize("stage", ["paint", None])
def test_the_config_of_a_run_on_weights_repeats_it(
    begun: Path, tmp_path: Path, stage: str | None
) -> None:
    weights = trained(tmp_path / "second", on_top(begun, "steps=2", stage=stage))
    again = trained(tmp_path / "again", RecipeChoices(config=weights.parent / "config.toml"))
    assert_same_files(RunFolder(weights.parent), RunFolder(again.parent))
    assert read_header(again)["stages"] == read_header(weights)["stages"]


def test_a_config_whose_weights_are_others_by_now_is_refused(begun: Path, tmp_path: Path) -> None:
    weights = trained(tmp_path / "second", on_top(begun, "steps=1"))
    choices = RecipeChoices(config=weights.parent / "config.toml")
    shutil.copy(weights, begun)
    with pytest.raises(UserError, match=r"^from_weights: .* is no longer the file that"):
        trained(tmp_path / "again", choices)
    begun.unlink()
    with pytest.raises(UserError, match=r"^from_weights: .*no such file"):
        trained(tmp_path / "again", choices)
    assert not (tmp_path / "again").exists()
    assert read_header(trained(tmp_path, RecipeChoices(), resume=str(weights.parent)))


def test_a_run_that_lost_the_weights_it_began_from_does_not_begin_at_random(
    begun: Path, tmp_path: Path
) -> None:
    recipe = recipe_of_new(on_top(begun, "steps=2", stage="paint"))
    folder = start_new(recipe, tmp_path / "second")
    folder.weights.unlink()
    with pytest.raises(UserError, match=r"model\.safetensors: gone, and with it the weights"):
        resumed(folder).train()


def test_a_discriminator_that_a_finished_stage_never_had_starts_as_new(begun: Path) -> None:
    model = cast(FakeModel, on_top(begun).recipe().build())
    stages = models.get("fake-two").stages()
    held = cast(FakeModel, load_weights(begun)).state_dict()
    without = {name: tensor for name, tensor in held.items() if "critic" not in name}
    names = names_to_take(model, stages, begun, without)
    assert [name for name in without if name not in names] == []
    assert not [name for name in names if "critic" in name]


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


@pytest.mark.parametrize("writer", ["write_text", "save_weights"])
def test_a_new_run_whose_first_files_cannot_be_written_leaves_no_folder(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise ResourceError("no space left on the disk.")

    monkeypatch.setattr(folders, writer, full)
    with pytest.raises(ResourceError):
        start_new(recipe_of_new(on_top(begun)), tmp_path / "second")
    assert not list((tmp_path / "second").iterdir())
