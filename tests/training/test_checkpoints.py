"""Checkpoints that are damaged, incomplete, foreign, or of other settings; a full disk."""

import errno
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from inpaint_cli.errors import Interrupted, ResourceError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.tensors import DIGEST, save, write_tensors
from inpaint_cli.training import checkpoints
from inpaint_cli.training.checkpoints import best_path
from inpaint_cli.training.folder import RunFolder, recipe_of_new, start_new
from inpaint_cli.training.log import StageLog, cut
from inpaint_cli.training.recipe import RecipeChoices
from inpaint_cli.training.stage_run import StageRun
from inpaint_cli.training.validation import Validation
from tests.training.fake_runs import (
    StopAt,
    assert_same_files,
    log_of,
    resumed,
    session,
)

Tensors = dict[str, Tensor]
Header = dict[str, str]
Change = Callable[[Tensors, Header], object]


def run_with_one_checkpoint(tmp_path: Path, *settings: str, model: str = "fake") -> RunFolder:
    run = session(tmp_path, "steps=6", "checkpoint_every=100", *settings, model=model)
    run.stop = StopAt(4)
    run.train()
    return run.folder


def change(folder: RunFolder, edit: Change, *, old: bool = True) -> Path:
    """Changes the only checkpoint; `old`: it is one of a version that wrote no digest."""
    (path,) = checkpoints.paths(folder.checkpoints)
    with safe_open(path, framework="pt") as handle:
        header = dict(handle.metadata())
    tensors = load_file(path)
    if old:
        header.pop(DIGEST)
    edit(tensors, header)
    save_file(tensors, path, metadata=header)
    return path


def write_anew(folder: RunFolder, edit: Change) -> None:
    """Changes the only checkpoint as a version would that writes its digest as well."""
    path = change(folder, edit)
    with safe_open(path, framework="pt") as handle:
        header = dict(handle.metadata())
    save(path, load_file(path), header)


def drop(prefix: str) -> Change:
    def edit(tensors: Tensors, header: Header) -> None:
        for name in [name for name in tensors if name.startswith(prefix)]:
            del tensors[name]

    return edit


def progress(**fields: object) -> Change:
    def edit(tensors: Tensors, header: Header) -> None:
        header["progress"] = json.dumps({**json.loads(header["progress"]), **fields})

    return edit


def put(name: str, tensor: Tensor) -> Change:
    return lambda tensors, header: tensors.update({name: tensor})


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (drop("optimiser/"), "the state of the optimiser 'painter' is missing"),
        (drop("optimiser/critic/"), "the state of the optimiser 'critic' is missing"),
        (drop("optimiser/painter/0/exp_avg_sq"), "the state 0 of the optimiser 'painter' holds"),
        (put("optimiser/painter/0/exp_avg", torch.zeros(3)), "exp_avg has the shape [3]"),
        (put("optimiser/painter/99/step", torch.zeros(())), "belongs to no parameter"),
        (drop("average/"), "'average/critic.0.bias' is missing"),
        (drop("model/painter.0.weight"), "'model/painter.0.weight' is missing"),
        (put("model/painter.0.bias", torch.full((4,), torch.nan)), "values that are no numbers"),
        (progress(step="many"), "its progress is not readable"),
        (progress(seconds=None), "its progress is not readable"),
        (progress(stage="polish"), "it is of the stage 'polish'"),
        (lambda t, h: h.update(progress="3"), "its header is not readable"),
        (lambda t, h: h.update(progress="{"), "its header is not readable"),
        (lambda t, h: h.pop("progress"), "its header is not readable"),
    ],
)
def test_a_checkpoint_that_lacks_something_is_refused_and_says_what(
    tmp_path: Path, edit: Change, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_with_one_checkpoint(tmp_path)
    change(folder, edit)
    with pytest.raises(UserError, match="no checkpoint of 'paint' can be read"):
        resumed(folder).train()
    assert words in capsys.readouterr().err


def test_a_changed_value_is_found_by_the_digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_with_one_checkpoint(tmp_path)
    change(folder, lambda t, h: t["model/painter.0.bias"].add_(1e-6), old=False)
    with pytest.raises(UserError, match="no checkpoint of 'paint' can be read"):
        resumed(folder).train()
    assert "its content is not what was written" in capsys.readouterr().err


@pytest.mark.parametrize("old", [True, False])
def test_a_field_that_a_newer_version_adds_is_left_out_and_said(
    tmp_path: Path, old: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_with_one_checkpoint(tmp_path)
    (change if old else write_anew)(folder, progress(mood="good"))
    resumed(folder).train()
    assert "mood: left out, unknown to this version" in capsys.readouterr().err


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    folder = run_with_one_checkpoint(tmp_path)
    change(folder, lambda t, h: h.update(format="2"))
    with pytest.raises(UserError, match="of another version of inpaint"):
        resumed(folder).train()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("filters = 4", "filters = 6", r"is float32 \["),
        ("ema_decay = 0.9", "ema_decay = 0.0", "'average/critic.0.bias' stands there"),
        ('optimiser = "adam"', 'optimiser = "adamax"', "state 0 of the optimiser 'painter' holds"),
    ],
)
def test_a_config_that_does_not_fit_its_checkpoints_is_one_sentence(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    folder = run_with_one_checkpoint(tmp_path)
    folder.config.write_text(folder.config.read_text().replace(before, after))
    run = resumed(folder)
    run.accept_changes = True
    with pytest.raises(UserError, match=words) as caught:
        run.train()
    assert "config.toml does not fit this checkpoint" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("model", "steps", "content"),
    [
        ("fake", 7, b""),
        ("fake", 12, b"half"),
        ("fake-two", 12, b"\0" * 999),
        ("fake-two", 15, b"half"),
    ],
)
def test_a_damaged_weight_file_beside_checkpoints_is_made_again(
    tmp_path: Path, model: str, steps: int, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = session(tmp_path, model=model)
    whole.train()
    damaged = session(tmp_path, model=model)
    damaged.stop = StopAt(steps)
    damaged.train()
    good = damaged.folder.weights.read_bytes()
    damaged.folder.weights.write_bytes(good[:-50] if content == b"half" else content)
    resumed(damaged.folder).train()
    assert "model.safetensors" in capsys.readouterr().err
    assert_same_files(whole.folder, damaged.folder)


def test_a_lost_weight_file_is_made_again_where_it_held_finished_stages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = session(tmp_path / "first", model="fake-two")
    first.train()
    choices = RecipeChoices(
        data=["noise"], weights=best_path(first.folder.checkpoints, "paint"), seed=1
    )
    runs = [start_new(recipe_of_new(choices), tmp_path / name) for name in ("whole", "lost")]
    resumed(runs[0]).train()
    stopped = resumed(runs[1])
    stopped.stop = StopAt(4)
    stopped.train()
    runs[1].weights.unlink()
    last = resumed(runs[1])
    last.reporter = Reporter()
    last.train()
    assert "model.safetensors: gone. It is made again" in capsys.readouterr().err
    assert_same_files(*runs)


def test_a_damaged_weight_file_alone_is_refused(tmp_path: Path) -> None:
    folder = run_with_one_checkpoint(tmp_path)
    for path in checkpoints.paths(folder.checkpoints):
        path.unlink()
    folder.weights.write_bytes(b"")
    with pytest.raises(UserError, match=r"model\.safetensors"):
        resumed(folder).train()


def test_a_full_disk_names_the_path_and_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = session(tmp_path)

    def full(path: Path, tensors: Tensors, header: dict[str, str]) -> None:
        if "5" in header.get("progress", "").partition('"step": ')[2][:1]:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_tensors(path, tensors, header)

    monkeypatch.setattr("inpaint_cli.tensors.write_tensors", full)
    run.stop = StopAt(5)
    with pytest.raises(ResourceError) as caught:
        run.train()
    text = str(caught.value)
    assert "paint-00000005.safetensors: no space left on the disk" in text
    assert f"A checkpoint takes 0.0 MiB; only the newest of {run.folder.checkpoints}" in text
    assert f"step 3 in {run.folder.path}" in text
    assert f"inpaint train --resume {run.folder.path}" in text
    assert not list(run.folder.path.rglob(".*.safetensors"))
    monkeypatch.undo()


@pytest.mark.parametrize("what", ["best weights", "weights", "sheet", "log"])
def test_a_disk_that_is_full_between_checkpoints_is_told_with_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def full(*given: Any, **more: Any) -> None:
        raise ResourceError("no space left on the disk.")

    run = session(tmp_path, "checkpoint_every=3", "validate_every=4", "sheet_images=1")
    if what == "best weights":
        monkeypatch.setattr(StageRun, "_save_weights", full)
        run = session(tmp_path, "checkpoint_every=100", "validate_every=4")
    elif what == "weights":  # their checkpoint has just been written
        monkeypatch.setattr(StageRun, "_save_weights", full)
    elif what == "sheet":
        monkeypatch.setattr(Validation, "sheet", full)
    else:
        monkeypatch.setattr(StageLog, "step", full)
    kept = {
        "best weights": "no checkpoint yet",
        "log": "no checkpoint yet",
        "weights": "of step 3 in",
        "sheet": "of step 3 in",
    }
    with pytest.raises(ResourceError, match=rf"no space left.* {kept[what]}.*train --resume"):
        run.train()


DAMAGED = ["", '{"kind": "st', "\0" * 40, "null", "12", "[]", '{"kind": "step"}', '"\\ud800']


@pytest.mark.parametrize("text", DAMAGED)
def test_a_log_keeps_its_readable_lines_round_a_damaged_one(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_with_one_checkpoint(tmp_path, "log_every=1")
    lines = folder.log.read_text().splitlines()
    folder.log.write_text("\n".join([*lines[:2], text, *lines[2:]]) + "\n")
    cut(folder.log, "paint", 4, Reporter())
    assert folder.log.read_text().splitlines() == lines
    assert "damaged lines left out: 1" in capsys.readouterr().err
    assert len(log_of(folder, "step")) == 4


def test_nuls_before_a_line_do_not_cost_the_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\0" * 512 + '{"kind": "step", "stage": "a", "step": 1}\n')
    cut(path, "a", 1, Reporter())
    assert path.read_text() == '{"kind": "step", "stage": "a", "step": 1}\n'


def test_a_signal_in_the_last_step_changes_nothing_of_what_the_run_leaves(tmp_path: Path) -> None:
    settings = ("steps=6", "checkpoint_every=2", "validate_every=3", "validate_images=4")
    whole, stopped = (session(tmp_path / name, *settings) for name in ("whole", "stopped"))
    whole.train()
    stopped.stop = StopAt(6, signal.SIGTERM)
    with pytest.raises(Interrupted, match="saved after step 6"):
        stopped.train()
    left = stopped.folder.checkpoints
    (left / "paint-00000001.safetensors").write_bytes(b"")  # a kill came before it was removed
    resumed(stopped.folder).train()
    paths = [checkpoints.paths(run.folder.checkpoints) for run in (whole, stopped)]
    assert [path.name for path in paths[0]] == [path.name for path in paths[1]]
    ends = [checkpoints.load(path[-1], Reporter()).progress for path in paths]
    assert replace(ends[0], seconds=0) == replace(ends[1], seconds=0)
