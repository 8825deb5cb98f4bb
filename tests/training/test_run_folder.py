"""Numbered folders, resuming by name, and the log."""

import json
import os
from pathlib import Path

import pytest

from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import folder as folders
from inpaint_cli.training.log import Log, cut
from inpaint_cli.training.recipe import Recipe, RecipeChoices
from inpaint_cli.training.run import Machine, train

CPU = Machine("cpu")
QUIET = Reporter(quiet=True)


def recipe(model: str = "fake", *data: str) -> Recipe:
    return RecipeChoices(model, data or ("noise",), "small").recipe()


def test_runs_are_numbered_over_all_models(tmp_path: Path) -> None:
    (tmp_path / "0007-other").mkdir()
    first = folders.create(tmp_path, recipe())
    second = folders.create(tmp_path, recipe("fake-two", "/a/My Photos.zip", "noise"))
    assert first.path.name == "0008-fake-noise"
    assert second.path.name == "0009-fake-two-my-photos+noise"


def test_a_new_run_removes_what_a_killed_one_before_it_left_half_written(tmp_path: Path) -> None:
    killed = folders.create(tmp_path, recipe())
    killed.checkpoints.mkdir()
    half, theirs = (killed.checkpoints / name for name in (".0123456789abcdef.safetensors", ".a"))
    for path in (half, theirs):
        path.touch()
        os.utime(path, (0, 0))
    folders.create(tmp_path, recipe())
    assert not half.exists()
    assert theirs.exists()
    assert killed.config.exists()


def test_the_newest_run_of_that_model_and_data_with_a_checkpoint_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        folders.create(tmp_path, recipe(*names)).path
        for names in (("fake",), ("fake", "b"), ("fake",), ("fake-two",), ("fake",))
    ]
    for run in runs[:-1]:
        (run / "checkpoints").mkdir()
        (run / "checkpoints" / "paint-00000001.safetensors").touch()
    assert folders.newest(tmp_path, "fake", (), QUIET) == runs[2]
    assert folders.newest(tmp_path, "fake", ("b",), QUIET) == runs[1]
    assert folders.newest(tmp_path, None, (), Reporter()) == runs[3]
    assert f"{runs[4]}: passed over, it has no checkpoint" in capsys.readouterr().err
    with pytest.raises(UserError, match="no run of fake c"):
        folders.newest(tmp_path, "fake", ("c",), QUIET)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (RecipeChoices(settings=("lr=1",)), "set: a resumed run keeps its settings"),
        (RecipeChoices(split_map="a=test"), "split_map: a resumed run keeps its settings"),
        (RecipeChoices(seed=0), "seed: a resumed run"),
        (RecipeChoices("fake-two"), "is a run of 'fake', not of 'fake-two'"),
        (RecipeChoices(data=["other"]), "is a run on noise"),
        (RecipeChoices(stage="pain"), "Did you mean 'paint'"),
    ],
)
def test_a_resumed_run_takes_no_other_settings(
    tmp_path: Path, choices: RecipeChoices, message: str
) -> None:
    path = folders.create(tmp_path, recipe()).path
    with pytest.raises(UserError, match=message):
        train(choices, CPU, QUIET, runs=tmp_path, resume=str(path))


def test_a_folder_without_a_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        train(RecipeChoices(), CPU, QUIET, runs=tmp_path, resume=str(tmp_path))


def test_a_log_is_cut_behind_a_step_and_loses_a_half_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path)
    for stage, step in (("a", 5), ("a", 10), ("b", 2), ("b", 4)):
        log.write("step", stage, step, {"loss": float("nan")})
    log.close()
    cut(path, "b", 2, QUIET)
    path.write_text(path.read_text() + '{"kind": "st')
    cut(path, "b", 2, QUIET)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [("a", 5), ("a", 10), ("b", 2)]
    assert lines[0]["loss"] is None


def test_a_log_keeps_what_another_stage_wrote_in_between(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path)
    for stage, step in (("a", 5), ("a", 6), ("b", 2), ("b", 4)):
        log.write("step", stage, step, {})
    log.close()
    cut(path, "a", 5, QUIET)
    kept = [(line["stage"], line["step"]) for line in map(json.loads, path.open())]
    assert kept == [("a", 5), ("b", 2), ("b", 4)]


def test_a_log_loses_validations_that_are_done_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path)
    for kind, step in (("step", 3), ("validation", 3), ("step", 6), ("validation", 6)):
        log.write(kind, "a", step, {})
    log.write("event", "a", 6, {})
    log.close()
    cut(path, "a", 6, QUIET, validated=3)
    kinds = [(line["kind"], line["step"]) for line in map(json.loads, path.open())]
    assert kinds == [("step", 3), ("validation", 3), ("step", 6), ("event", 6)]


def test_a_stage_is_added_to_a_run_that_has_finished_what_it_needs(tmp_path: Path) -> None:
    settings = ("steps=2",)
    first = RecipeChoices("fake-two", ["noise"], "small", "paint", settings=settings)
    result = train(first, CPU, QUIET, runs=tmp_path)
    assert result is not None
    assert result.facts["finished_stages"] == ["paint"]
    run = result.facts["run"]
    result = train(RecipeChoices(stage="polish"), CPU, QUIET, runs=tmp_path, resume=run)
    assert result is not None
    assert result.facts["finished_stages"] == ["paint", "polish"]
    saved = folders.open_existing(Path(result.facts["run"]))[1]
    assert saved.stages == ("paint", "polish")


def test_stages_added_in_another_order_leave_a_run_that_can_be_read(tmp_path: Path) -> None:
    first = RecipeChoices("fake-three", ["noise"], "small", "paint", settings=("steps=2",))
    result = train(first, CPU, QUIET, runs=tmp_path)
    assert result is not None
    run = result.facts["run"]
    for stage in ("tint", "polish"):
        train(RecipeChoices(stage=stage), CPU, QUIET, runs=tmp_path, resume=run)
    assert folders.open_existing(Path(run))[1].stages == ("paint", "polish", "tint")


def test_a_stage_alone_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    choices = RecipeChoices("fake-two", ["noise"], "small", "polish")
    with pytest.raises(UserError, match="'polish' stands on 'paint'"):
        train(choices, CPU, QUIET, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


FAILURES = {
    "masks=nonsense": "no mask kind called 'nonsense'",
    "accumulate=3": "does not divide",
    "break_at=0": "step 1: the loss 'painter' is nan",
}
"""Setting -> what is said of it."""


@pytest.mark.parametrize("setting", FAILURES)
def test_a_start_that_fails_leaves_no_folder(tmp_path: Path, setting: str) -> None:
    choices = RecipeChoices("fake", ["noise"], "small", settings=(setting,))
    with pytest.raises((UserError, ResourceError), match=FAILURES[setting]):
        train(choices, CPU, QUIET, runs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_start_that_is_interrupted_leaves_no_folder_and_a_run_that_trained_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = RecipeChoices("fake", ["noise"], "small", settings=("break_at=1",))
    with pytest.raises(ResourceError, match="step 2"):
        train(choices, CPU, QUIET, runs=tmp_path)
    assert (tmp_path / "0001-fake-noise" / "log.jsonl").is_file()

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inpaint_cli.training.loop.Trainer.step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(choices, CPU, QUIET, runs=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0001-fake-noise"]


@pytest.mark.parametrize("name", ["checkpoints", "model.safetensors", "samples/paint"])
def test_what_lies_in_a_run_folder_names_the_folder_to_resume(tmp_path: Path, name: str) -> None:
    path = folders.create(tmp_path, recipe()).path
    with pytest.raises(UserError, match=rf"Give the folder that it is in: {path}\."):
        folders.open_existing(path / name)
