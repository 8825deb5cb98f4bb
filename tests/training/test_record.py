"""What a run remembers of its data and settings, and what a resumption does where they differ."""

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint_cli import data, models, zoo
from inpaint_cli.data import ImageSet
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import checkpoints, record
from inpaint_cli.training.folder import NEWEST, RunFolder, create, resume_run
from inpaint_cli.training.recipe import RecipeChoices
from inpaint_cli.training.run import Machine, TrainingRun, train
from inpaint_cli.weights import hash_of, save_weights
from tests.training.fake_data import FakeImages, open_fake
from tests.training.fake_family import FakeConfig
from tests.training.fake_runs import StopAt, log_of, resumed, session

CPU = Machine("cpu")
QUIET = Reporter(quiet=True)


def facts_of(run: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((run / "environment.json").read_text())
    return facts


def stopped_run(tmp_path: Path) -> Path:
    run = session(tmp_path, "steps=4")
    run.stop = StopAt(2)
    run.train()
    return run.folder.path


def test_settings_and_data_are_written_once_and_sittings_are_added(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    before = facts_of(path)
    resumed_at(path).train()
    after = facts_of(path)
    assert after["sittings"][:1] == before["sittings"]
    assert len(after["sittings"]) == 2
    assert (after["settings"], after["data"]) == (before["settings"], before["data"])
    assert after["data"]["train"]["sha256"] == "0" * 64
    assert after["settings"]["config"]["training"]["paint"]["steps"] == 4


def resumed_at(path: Path, accept_changes: bool = False) -> TrainingRun:
    run = resumed(RunFolder(path))
    run.accept_changes = accept_changes
    return run


@pytest.mark.parametrize("fast", [True, False])
def test_the_log_says_which_precision_auto_is(
    fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpaint_cli.training.loop.has_fast_bf16", lambda device: fast)
    run = session(tmp_path, "steps=1", "precision=auto")
    run.train()
    assert log_of(run.folder, "event")[0]["precision"] == ("bfloat16" if fast else "float32")


def test_edited_settings_are_refused_by_name_until_they_are_accepted(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    config = path / "config.toml"
    config.write_text(config.read_text().replace("lr = 0.01", "lr = 0.5"))
    with pytest.raises(UserError, match=r"paint\.lr was 0\.01 and is 0\.5 now") as caught:
        resumed_at(path).train()
    assert caught.value.setting == "accept_changes"
    assert len(facts_of(path)["sittings"]) == 1
    run = resumed_at(path, accept_changes=True)
    run.stop = StopAt(1)
    run.train()
    assert facts_of(path)["sittings"][1]["accepted"] == ["paint.lr was 0.01 and is 0.5 now"]
    assert log_of(run.folder, "event")[-1]["accepted"]
    resumed_at(path).train()  # what was accepted is what the run has now
    assert facts_of(path)["settings"]["config"]["training"]["paint"]["lr"] == 0.01


def test_other_images_are_refused_by_split_and_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stopped_run(tmp_path)

    def others(*arguments: Any, **options: Any) -> FakeImages:
        images = open_fake(*arguments, **options)
        more = np.concatenate([images.images] * 2)
        sha = "1" * 64 if images.split == "train" else images.sha256
        return replace(images, images=more, sha256=sha, labels=None)

    monkeypatch.setattr(data, "load_images", others)
    with pytest.raises(UserError, match=r"the training images are others \(22 then, 44 now\)"):
        resumed_at(path).train()
    resumed_at(path, accept_changes=True).train()


def test_other_labels_are_refused_where_they_are_learned_and_there_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_labels(*arguments: Any, **options: Any) -> FakeImages:
        images = open_fake(*arguments, **options)
        return replace(images, labels=np.zeros(len(images.images), np.int64))

    def go_on(path: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(data, "load_images", other_labels)
            run = resumed_at(path)
            run.stop = StopAt(1)
            run.train()

    go_on(stopped_run(tmp_path))
    monkeypatch.setattr(FakeConfig, "class_count", 3)
    with pytest.raises(UserError, match=r"the classes or labels of the training images are others"):
        go_on(stopped_run(tmp_path))


def run_with_a_figure_never_reached_again(tmp_path: Path) -> TrainingRun:
    run = session(tmp_path, "steps=12", "validate_every=4")
    run.stop = StopAt(7)
    run.train()
    for path in checkpoints.paths(run.folder.checkpoints):
        checkpoint = checkpoints.load(path, QUIET)
        checkpoint.progress.best = -1.0
        checkpoints.save(run.folder.checkpoints, checkpoint)
    return run


def test_after_an_accepted_change_the_best_figure_is_counted_anew(tmp_path: Path) -> None:
    run = run_with_a_figure_never_reached_again(tmp_path)
    config = run.folder.config
    config.write_text(config.read_text().replace("validate_images = 6", "validate_images = 5"))
    goes_on = resumed_at(run.folder.path, accept_changes=True)
    goes_on.train()
    later = log_of(run.folder, "validation")[1:]
    assert later[0]["best"] == later[0]["figures"]["error"]


def test_it_is_counted_anew_though_the_sitting_of_the_change_lost_its_steps(
    tmp_path: Path,
) -> None:
    folder = run_with_a_figure_never_reached_again(tmp_path).folder
    shutil.copytree(folder.checkpoints, tmp_path / "before")
    text = folder.config.read_text()
    folder.config.write_text(text.replace("validate_images = 6", "validate_images = 5"))
    changed = resumed_at(folder.path, accept_changes=True)
    changed.stop = StopAt(1)
    changed.train()
    shutil.rmtree(folder.checkpoints)
    (tmp_path / "before").rename(folder.checkpoints)
    goes_on = resumed_at(folder.path)
    goes_on.stop = StopAt(2)
    goes_on.train()
    assert not goes_on.accepted
    latest = log_of(folder, "validation")[-1]
    assert (latest["step"], latest["best"]) == (8, latest["figures"]["error"])
    resumed_at(folder.path).train()  # and not a second time
    last = log_of(folder, "validation")[-1]
    assert last["best"] == min(latest["best"], last["figures"]["error"])


def test_a_run_that_has_more_steps_than_it_needs_by_now_is_finished(tmp_path: Path) -> None:
    run = session(tmp_path, "steps=12", "validate_every=4", model="fake-two")
    run.stop = StopAt(7)
    run.train()
    config = run.folder.config
    config.write_text(config.read_text().replace("steps = 12", "steps = 5"))
    resumed_at(run.folder.path, accept_changes=True).train()
    assert run.folder.finished_stages() == ["paint", "polish"]
    validated = [(line["stage"], line["step"]) for line in log_of(run.folder, "validation")]
    assert validated == [("paint", 4), ("paint", 7), ("polish", 4), ("polish", 5)]


def test_a_record_of_an_earlier_version_becomes_the_first_sitting(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    facts = facts_of(path)
    old = {**facts["sittings"][0], "data": facts["data"]}
    old["data"]["train"]["sha256"] = "2" * 64
    (path / "environment.json").write_text(json.dumps(old))
    with pytest.raises(UserError, match="the training images are others"):
        resumed_at(path).train()
    resumed_at(path, accept_changes=True).train()
    assert len(facts_of(path)["sittings"]) == 2


@pytest.mark.parametrize(
    "content",
    [
        *(
            "",
            "null",
            "12",
            "{}",
            '{"a": 1}',
            '{"sittings": 3}',
            "\0\0",
            '{"sittings": [3]}',
            '{"settings": 3}',
        ),
        *('{"data": {"sources": 3}}', '{"data": {"sources": [{}]}}'),
        '{"sittings": [{"data": {"sources": [{"given": "noise", "path": 3}]}}]}',
    ],
)
def test_a_damaged_record_is_said_so_and_stops_nothing(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stopped_run(tmp_path)
    (path / "environment.json").write_text(content)
    resumed_at(path).train()
    assert "environment.json: damaged" in capsys.readouterr().err
    assert facts_of(path)["sittings"]


def test_a_missing_record_is_said_so_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stopped_run(tmp_path)
    assert "missing" not in capsys.readouterr().err
    (path / "environment.json").unlink()
    resumed_at(path).train()
    assert "environment.json: missing; what the run began with" in capsys.readouterr().err
    assert facts_of(path)["sittings"]


def test_changes_of_a_sitting_that_cannot_begin_are_not_accepted(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    config, before = path / "config.toml", (path / "environment.json").read_text()
    text = config.read_text()
    config.write_text(text.replace("filters = 4", "filters = 6"))
    with pytest.raises(UserError, match="does not fit this checkpoint"):
        resumed_at(path, accept_changes=True).train()
    assert (path / "environment.json").read_text() == before
    config.write_text(text)
    resumed_at(path).train()


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_plan_or_a_refused_sitting_on_other_data_leaves_the_config(
    dry_run: bool, tmp_path: Path
) -> None:
    path = stopped_run(tmp_path)
    config = path / "config.toml"
    if not dry_run:  # which the checkpoint does not fit
        config.write_text(config.read_text().replace("filters = 4", "filters = 6"))
    before = config.read_bytes()
    options: dict[str, Any] = {"resume": str(path), "accept_changes": True, "dry_run": dry_run}
    with contextlib.suppress(UserError):
        train(RecipeChoices(data=["elsewhere"]), CPU, QUIET, runs=tmp_path, **options)
    assert config.read_bytes() == before


def test_a_model_of_another_family_in_a_run_is_not_replaced(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    model = models.get("pcnn").build(models.get("pcnn").presets["digits"])
    save_weights(path / "model.safetensors", model, family="pcnn", preset="digits")
    with pytest.raises(UserError, match="a model of 'pcnn' in a run of 'fake'"):
        resumed_at(path).train()
    (path / "model.safetensors").unlink()
    (path / "model.safetensors").mkdir()
    with pytest.raises(UserError, match="no ordinary file"):
        resumed_at(path).train()


def test_changes_are_accepted_of_a_resumed_run_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="belongs to a run that is resumed"):
        train(RecipeChoices("fake", ["noise"]), CPU, QUIET, runs=tmp_path, accept_changes=True)


def test_every_source_of_several_has_its_own_hash() -> None:
    def images(value: int) -> ImageSet:
        pixels = np.zeros((3, 1, 2, 2), np.uint8)
        pixels[2] = value
        ids = ("a/1", "a/2", "b/1")
        return ImageSet("a+b", "train", pixels, None, (), ids, (), {"train": 3}, (), "0")

    one, other = (record._by_source(images(value)) for value in (0, 1))
    assert one["a"] == other["a"]
    assert one["b"] != other["b"]


def test_the_data_of_a_run_are_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    monkeypatch.undo()  # the true data in the place of the fakes
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "cache"))
    for folder, shade in ((home / "mine", 40), (elsewhere / "mine", 200)):
        folder.mkdir(parents=True)
        for index in range(30):
            Image.new("L", (8, 8), shade + index).save(folder / f"{index}.png")
    small = ("depth=2", "filters=2", "cond_filters=2", "head=3", "batch_size=4", "steps=4")
    short = ("validate_images=4", "sheet_images=0")
    choices = RecipeChoices("pcnn", ["mine"], "digits", settings=(*small, *short))
    stop = Machine("cpu", 0, minutes=1e-9)
    monkeypatch.chdir(home)
    report = train(choices, stop, QUIET, runs=Path("runs"))
    assert report is not None
    monkeypatch.chdir(elsewhere)
    resumption = RecipeChoices(data=[str(home / "mine")])
    runs = home / "runs"
    report = train(resumption, replace(CPU, workers=0), QUIET, runs=runs, resume=NEWEST)
    assert report is not None
    assert report.facts["finished_stages"] == ["pixels"]
    with pytest.raises(UserError, match="is a run on mine"):
        train(RecipeChoices(data=["mine"]), CPU, QUIET, runs=runs, resume=report.facts["run"])


def classifier_at(path: Path, seed: int) -> str:
    family = models.get("classifier")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = family.build(family.presets["digits"])
    save_weights(path, model, family="classifier", preset="digits")
    return hash_of(path)


@pytest.fixture
def seeing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stopped run whose losses took the classifier in ./looks.safetensors."""
    monkeypatch.setattr(FakeConfig, "takes_perceptual", True)
    monkeypatch.chdir(tmp_path)
    classifier_at(Path("looks.safetensors"), 0)
    return stopped_seeing(tmp_path, "looks.safetensors")


def stopped_seeing(runs: Path, perceptual: str) -> Path:
    choices = RecipeChoices("fake", ["noise"], "small", settings=["steps=4"], perceptual=perceptual)
    recipe = choices.recipe()
    run = TrainingRun(recipe, create(runs, recipe), CPU, QUIET)
    run.stop = StopAt(2)
    run.train()
    return run.folder.path


def test_a_changed_perceptual_file_is_refused_by_name_until_it_is_accepted(
    tmp_path: Path, seeing: Path
) -> None:
    before = hash_of(tmp_path / "looks.safetensors")
    assert facts_of(seeing)["perceptual"]["sha256"] == before
    after = classifier_at(tmp_path / "looks.safetensors", 1)
    both = rf"looks\.safetensors' is another \(its SHA-256 began with {before[:12]} .* {after[:12]}"
    with pytest.raises(UserError, match=both) as caught:
        resumed_at(seeing).train()
    assert caught.value.setting == "accept_changes"
    run = resumed_at(seeing, accept_changes=True)
    run.stop = StopAt(1)
    run.train()
    assert facts_of(seeing)["sittings"][1]["perceptual"]["sha256"] == after
    resumed_at(seeing).train()  # what was accepted is what the run has now


def test_the_perceptual_file_of_a_run_is_found_from_another_folder(
    tmp_path: Path, seeing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    classifier_at(Path("looks.safetensors"), 1)  # of the same name, and not that of the run
    folder, recipe = resume_run(RecipeChoices(), tmp_path, str(seeing), QUIET)
    assert recipe.perceptual == "looks.safetensors"
    assert Path(recipe.distance) == tmp_path / "looks.safetensors"
    TrainingRun(recipe, folder, CPU, QUIET).train()
    (tmp_path / "looks.safetensors").unlink()
    assert (
        resume_run(RecipeChoices(), tmp_path, str(seeing), QUIET)[1].distance == recipe.perceptual
    )


def test_a_named_distance_that_has_changed_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConfig, "takes_perceptual", True)
    path = stopped_seeing(tmp_path, "classifier-mnist")
    known = facts_of(path)["perceptual"]
    ships = zoo.FOLDER / "classifier-mnist.safetensors"
    assert known == {"given": "classifier-mnist", "sha256": hash_of(ships)}
    facts = facts_of(path)
    facts["perceptual"]["sha256"] = "2" * 64  # as of another version of inpaint
    (path / "environment.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="the perceptual distance 'classifier-mnist' is another"):
        resumed_at(path).train()


def test_a_run_without_a_recorded_distance_goes_on_and_records_it(seeing: Path) -> None:
    facts = facts_of(seeing)
    known = facts.pop("perceptual")
    (seeing / "environment.json").write_text(json.dumps(facts))
    resumed_at(seeing).train()
    assert facts_of(seeing)["perceptual"] == known
