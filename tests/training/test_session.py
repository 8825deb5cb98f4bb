"""Stopping and resuming, stages, log and folder, with tiny families."""

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from inpaint_cli import locking
from inpaint_cli.errors import Interrupted, ResourceError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.training.folder import create
from inpaint_cli.training.loop import Trainer
from inpaint_cli.training.recipe import RecipeChoices
from inpaint_cli.training.run import Machine, TrainingRun
from inpaint_cli.training.stopping import Stop
from inpaint_cli.weights import load_weights, read_header
from tests.training.fake_family import FakeConfig, FakeModel, PaintStage
from tests.training.fake_runs import (
    CPU,
    StopAt,
    assert_same_files,
    command,
    log_of,
    resumed,
    session,
)


@pytest.mark.parametrize("step", [1, 3, 5, 7, 12])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path, step: int) -> None:
    whole = session(tmp_path)
    whole.train()
    parts = session(tmp_path)
    parts.stop = StopAt(step)
    parts.train()
    assert parts.folder.weights.is_file()
    resumed(parts.folder).train()
    assert_same_files(whole.folder, parts.folder)
    assert [x["figures"] for x in log_of(whole.folder, "validation")] == [
        x["figures"] for x in log_of(parts.folder, "validation")
    ]


def test_a_run_that_lost_its_last_steps_takes_them_again(tmp_path: Path) -> None:
    whole = session(tmp_path)
    whole.train()
    killed = session(tmp_path)
    killed.train()
    for path in killed.folder.path.rglob("*.safetensors"):
        if path.name != "paint-00000009.safetensors":
            path.unlink()
    (killed.folder.checkpoints / ".0123456789abcdef.safetensors").write_bytes(b"half")
    resumed(killed.folder).train()
    (whole.folder.checkpoints / "paint-best.safetensors").unlink()
    best = killed.folder.checkpoints / "paint-best.safetensors"
    assert best.is_file()
    best.unlink()
    assert_same_files(whole.folder, killed.folder)
    assert [x["step"] for x in log_of(killed.folder, "step")] == [2, 4, 6, 8, 10, 12]


def test_a_damaged_checkpoint_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = session(tmp_path)
    whole.train()
    damaged = session(tmp_path)
    damaged.stop = StopAt(7)
    damaged.train()
    newest = damaged.folder.checkpoints / "paint-00000007.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    resumed(damaged.folder).train()
    assert "paint-00000007.safetensors: damaged" in capsys.readouterr().err
    assert_same_files(whole.folder, damaged.folder)


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    alone = session(tmp_path, "steps=5")
    alone.train()
    helped = session(tmp_path, "steps=5", machine=Machine("cpu", workers=2))
    helped.train()
    assert_same_files(alone.folder, helped.folder)


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    runs = [session(tmp_path, "steps=2", seed=seed) for seed in (0, 1)]
    for run in runs:
        run.train()
    weights = [load_file(run.folder.weights)["painter.0.weight"] for run in runs]
    assert not weights[0].equal(weights[1])


def test_a_signal_saves_and_names_the_command_that_goes_on(tmp_path: Path) -> None:
    run = session(tmp_path)
    run.stop = StopAt(4, signal.SIGTERM)
    with pytest.raises(Interrupted, match="saved after step 4") as caught:
        run.train()
    assert caught.value.signal_number == signal.SIGTERM
    assert f"inpaint train --resume {run.folder.path}" in str(caught.value)


def test_nan_stops_the_run_and_the_last_good_state_is_kept(tmp_path: Path) -> None:
    run = session(tmp_path, "break_at=7")
    with pytest.raises(ResourceError, match=r"step 8: the loss 'painter' is nan.*step 6 in"):
        run.train()
    kept = load_file(run.folder.checkpoints / "paint-00000006.safetensors")
    assert all(t.isfinite().all() for t in kept.values() if t.is_floating_point())


def test_a_step_of_nan_is_left_out_where_steps_may_be(tmp_path: Path) -> None:
    run = session(tmp_path, "break_at=3", "steps=6", "skip_norm=1e9")
    run.train()
    skips = [entry["step"] for entry in log_of(run.folder, "event") if entry["event"] == "skip"]
    assert skips == [4]
    assert all(t.isfinite().all() for t in load_file(run.folder.weights).values())


def test_weights_that_are_not_finite_are_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"model/x": torch.tensor([0.0, torch.inf])}
    monkeypatch.setattr(Trainer, "tensors", lambda self: broken)
    run = session(tmp_path)
    with pytest.raises(ResourceError, match=r"no longer finite. There is no checkpoint yet"):
        run.train()
    assert not run.folder.weights.exists()


@pytest.mark.parametrize(("steps", "skipped"), [(200, 100), (3, 3)])
def test_a_run_that_skips_every_step_gives_up(tmp_path: Path, steps: int, skipped: int) -> None:
    run = session(tmp_path, f"steps={steps}", "skip_norm=1e-9", "validate_every=1000")
    with pytest.raises(ResourceError, match=f"{skipped} steps in a row"):
        run.train()
    assert not run.folder.finished_stages()


def test_steps_above_the_threshold_are_left_out(tmp_path: Path) -> None:
    run = session(tmp_path, "steps=400", "skip_norm=1e-9", "ema_decay=0")
    before = load_weights_of_start(run)
    run.stop = StopAt(4)
    run.train()
    after = load_file(run.folder.weights)
    assert len([x for x in log_of(run.folder, "event") if x["event"] == "skip"]) == 4
    assert after["painter.0.weight"].equal(before["painter.0.weight"])


def load_weights_of_start(run: TrainingRun) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in run.recipe.build().state_dict().items()}


def test_only_the_last_two_checkpoints_and_the_best_weights_stay(tmp_path: Path) -> None:
    run = session(tmp_path)
    run.train()
    names = sorted(path.name for path in run.folder.checkpoints.iterdir())
    assert names == [f"paint-{n}.safetensors" for n in ("00000009", "00000012", "best")]
    load_weights(run.folder.checkpoints / "paint-best.safetensors")


def test_stages_follow_each_other_in_one_folder(tmp_path: Path) -> None:
    run = session(tmp_path, "steps=4", model="fake-two")
    run.train()
    first = load_file(run.folder.checkpoints / "paint-00000004.safetensors")
    last = load_file(run.folder.weights)
    assert read_header(run.folder.weights)["stages"] == "paint,polish"
    # The second stage trains the critic alone, and starts from the averaged weights of the first.
    assert last["painter.0.weight"].equal(first["average/painter.0.weight"])
    assert not last["critic.0.weight"].equal(first["average/critic.0.weight"])


def test_a_stopped_run_of_two_stages_is_the_uninterrupted_one(tmp_path: Path) -> None:
    whole = session(tmp_path, model="fake-two")
    whole.train()
    parts = session(tmp_path, model="fake-two")
    parts.stop = StopAt(14)
    parts.train()
    resumed(parts.folder).train()
    assert_same_files(whole.folder, parts.folder)


def test_a_stage_that_goes_on_keeps_what_another_trained_in_between(tmp_path: Path) -> None:
    folder = session(tmp_path, model="fake-three").folder
    for only, steps in (("paint", 100), ("polish", 4), ("tint", 100)):
        run = resumed(folder)
        run.only, run.stop = only, StopAt(steps)
        run.train()
    with_tint = load_file(folder.weights)
    resumed(folder).train()
    whole = load_file(folder.weights)
    assert folder.finished_stages() == ["paint", "tint", "polish"]
    painter = [name for name in whole if name.startswith("painter")]
    assert [name for name in painter if not whole[name].equal(with_tint[name])] == []
    assert not whole["critic.0.weight"].equal(with_tint["critic.0.weight"])
    assert {line["stage"]: line["step"] for line in log_of(folder, "step")} == {
        "paint": 12,
        "tint": 12,
        "polish": 12,
    }


def test_a_run_whose_folder_is_moved_away_can_be_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Mover(StopAt):
        """Moves the folder away before the last step of a sitting."""

        @property
        def reason(self) -> int:
            if self.steps == 2:
                run.folder.path.rename(tmp_path / "elsewhere")
            return super().reason

    whole, run = session(tmp_path), session(tmp_path)
    whole.train()
    run.reporter, run.stop = Reporter(), Mover(4)
    run.train()
    assert "its config.toml is gone" in capsys.readouterr().err
    resumed(run.folder).train()
    expected = load_file(whole.folder.weights)
    weights = load_file(run.folder.weights)
    assert [name for name in expected if not weights[name].equal(expected[name])] == []


def test_a_stage_refuses_to_start_without_what_it_stands_on(tmp_path: Path) -> None:
    run = session(tmp_path, model="fake-two")
    run.only = "polish"
    with pytest.raises(UserError, match="'polish' stands on 'paint'"):
        run.train()


def test_a_second_trainer_is_kept_out_of_a_folder(tmp_path: Path) -> None:
    run = session(tmp_path)
    with run.folder.locked():
        other = command("-q", "--resume", str(run.folder.path))
        _, errors = other.communicate(timeout=60)
    assert other.returncode == 2
    assert "another process" in errors


def test_validation_writes_a_sheet_and_restores_train_mode(tmp_path: Path) -> None:
    run = session(tmp_path, "steps=5", "sheet_images=2")
    run.train()
    assert (run.folder.samples / "step-000005.png").is_file()
    assert log_of(run.folder, "validation")[0]["images"] == 6


def test_the_log_tells_rate_wait_losses_and_gradient_norms(tmp_path: Path) -> None:
    run = session(tmp_path, "steps=2")
    run.train()
    (line,) = log_of(run.folder, "step")
    assert set(line["loss"]) == set(line["gradient_norm"]) == {"painter", "critic"}
    assert line["images_per_second"] > 0
    assert 0 <= line["wait_share"] <= 1
    assert line["epoch"] == pytest.approx(8 / 22)


def test_the_best_figure_of_the_run_is_kept_over_a_resumption(tmp_path: Path) -> None:
    run = session(tmp_path)
    run.stop = StopAt(11)
    run.train()
    resumed(run.folder).train()
    lines = log_of(run.folder, "validation")
    assert lines[-1]["best"] == min(line["figures"]["error"] for line in lines)


def test_a_signal_during_validation_puts_it_off_until_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = session(tmp_path)
    whole.train()
    run = session(tmp_path)
    validate = PaintStage.validate

    def interrupted(*arguments: Any) -> Mapping[str, torch.Tensor]:
        run.stop.signal_number = signal.SIGINT
        return validate(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(PaintStage, "validate", interrupted)
        with pytest.raises(Interrupted, match="saved after step 5"):
            run.train()
    assert log_of(run.folder, "validation") == []
    resumed(run.folder).train()
    assert_same_files(whole.folder, run.folder)
    assert [x["step"] for x in log_of(run.folder, "validation")] == [5, 10, 12]


def test_a_second_signal_is_not_caught() -> None:
    stop = Stop()
    before = signal.getsignal(signal.SIGINT)
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == signal.SIGINT
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows closes terminals otherwise")
def test_a_closed_terminal_ends_a_run_as_sigterm_does_however_often_it_tells() -> None:
    stop, before = Stop(), signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests, under nohup
    try:
        with stop.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.reason == signal.SIGTERM
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows closes terminals otherwise")
def test_a_run_under_nohup_outlives_its_terminal() -> None:
    stop, before = Stop(), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.reason == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_without_its_checkpoints_is_not_started_over(tmp_path: Path) -> None:
    run = session(tmp_path)
    run.stop = StopAt(4)
    run.train()
    for path in run.folder.checkpoints.iterdir():
        path.unlink()
    with pytest.raises(UserError, match="the checkpoints of 'paint' are gone"):
        resumed(run.folder).train()


@pytest.mark.parametrize("name", ["samples", "samples/paint", "checkpoints", "tensorboard"])
def test_a_file_in_the_place_of_a_folder_is_told_before_a_step(tmp_path: Path, name: str) -> None:
    run = session(tmp_path, model="fake-two")
    place = run.folder.path / name
    place.parent.mkdir(exist_ok=True)
    place.touch()
    with pytest.raises(UserError, match=rf"{name}: no folder\. Move it away, and resume"):
        run.train()
    assert not run.has_trained


@pytest.mark.parametrize("name", ["log.jsonl", "environment.json", ".lock", "model.safetensors"])
@pytest.mark.parametrize("kind", ["folder", "broken link"])
def test_what_is_no_file_of_the_run_is_told_and_no_link_of_it_written_through(
    tmp_path: Path, name: str, kind: str
) -> None:
    run = session(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    if kind == "folder":
        (run.folder.path / name).mkdir()
    else:
        (run.folder.path / name).symlink_to(elsewhere)
    with pytest.raises(UserError, match=rf"{name}: no ordinary file\. Move it away"):
        run.train()
    assert not elsewhere.exists()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    run = session(tmp_path)
    theirs = tmp_path / "theirs"
    theirs.touch()
    run.folder.lock.symlink_to(theirs)
    with pytest.raises(UserError, match=r"\.lock: a link\. Move it away"):
        run.train()
    with pytest.raises(OSError, match="symbolic"), locking.locked(run.folder.lock, "taken"):
        pass


def test_a_figure_that_no_held_out_image_has_is_said_so_and_is_no_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(*given: Any) -> dict[str, torch.Tensor]:
        return {"error": torch.full((1,), torch.nan, dtype=torch.float64)}

    monkeypatch.setattr(PaintStage, "validate", nothing)
    run = session(tmp_path, "masks=everything", "steps=2", "validate_every=2")
    run.reporter = Reporter()
    run.train()
    told = capsys.readouterr().err
    assert re.search(r"no error on \d+ held-out images: masks=everything gives them none", told)
    assert "nan" not in told
    assert log_of(run.folder, "validation")[0]["figures"] == {"error": None}
    assert not list(run.folder.checkpoints.glob("*-best*"))


def test_masks_drawn_beforehand_serve_every_run_of_that_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "home"))
    settings = ("mask_cache=5", "masks=freeform", "steps=3")
    runs = [session(tmp_path / "runs", *settings) for _ in range(2)]
    for run in runs:
        run.train()
    assert len(list((tmp_path / "home" / "masks").iterdir())) == 1
    assert_same_files(runs[0].folder, runs[1].folder)


def test_a_stage_hears_which_share_of_its_steps_is_done(tmp_path: Path) -> None:
    run = session(tmp_path, "log_every=1")
    run.stop = StopAt(5)
    run.train()
    resumed(run.folder).train()
    shares = [line["progress"] for line in log_of(run.folder, "step")]
    assert shares == pytest.approx([step / 12 for step in range(12)])


def test_a_stage_begins_once_and_not_again_when_it_goes_on(tmp_path: Path) -> None:
    name = "critic.2.bias"
    whole = session(tmp_path, "polish.lr=1e-30", "paint.steps=2", model="fake-two")
    whole.train()
    parts = session(tmp_path, "polish.lr=1e-30", "paint.steps=2", model="fake-two")
    parts.stop = StopAt(6)  # in the second stage
    parts.train()
    resumed(parts.folder).train()
    assert_same_files(whole.folder, parts.folder)
    first = session(tmp_path, "paint.steps=2", model="fake-two")
    first.only = "paint"
    first.train()
    before, after = (load_file(run.folder.weights)[name] for run in (first, whole))
    torch.testing.assert_close(after, 2 * before + 1)


def test_the_perceptual_distance_reaches_the_model_and_is_neither_trained_nor_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConfig, "takes_perceptual", True)
    given: list[Any] = []
    monkeypatch.setattr(FakeModel, "use_perceptual", lambda model, distance: given.append(distance))
    plain = session(tmp_path)
    plain.train()
    assert set(given) == {None}
    given.clear()
    recipe = replace(plain.recipe, perceptual="classifier-mnist")
    seeing = TrainingRun(recipe, create(tmp_path, recipe), CPU, Reporter(quiet=True))
    seeing.train()
    assert "classifier-mnist" in given[0].name
    assert resumed(seeing.folder).recipe.perceptual == "classifier-mnist"
    assert load_file(seeing.folder.weights).keys() == load_file(plain.folder.weights).keys()


def test_a_family_without_such_losses_refuses_a_perceptual_distance() -> None:
    with pytest.raises(UserError, match="fake trains without a perceptual distance"):
        RecipeChoices("fake", ["noise"], "small", perceptual="classifier-mnist").recipe()


def test_a_missing_perceptual_distance_ends_the_run_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConfig, "takes_perceptual", True)
    for name in ("INPAINT_HOME", "TORCH_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    recipe = replace(RecipeChoices("fake", ["noise"], "small").recipe(), perceptual="lpips")
    run = TrainingRun(recipe, create(tmp_path, recipe), CPU, Reporter(quiet=True))
    with pytest.raises(ResourceError, match=r"alexnet-owt-7be5be79\.pth"):
        run.train()
