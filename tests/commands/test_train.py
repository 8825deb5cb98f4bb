"""`inpaint train` from the command line, on the digits that ship with scikit-learn."""

import json
from pathlib import Path
from typing import cast

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from torch import nn

from inpaint_cli import models, zoo
from inpaint_cli.cli import main
from inpaint_cli.weights import load_weights

SMALL = ("depth=2", "filters=2", "cond_filters=2", "head=3")
SHORT = ("steps=3", "batch_size=4", "validate_images=4", "sheet_images=1")
TINY = [word for setting in (*SMALL, *SHORT) for word in ("--set", setting)]
TINY += ["--device", "cpu", "--workers", "0"]


def train(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["train", *arguments])


def assert_same_tensors(one: Path, other: Path) -> None:
    a, b = load_file(one), load_file(other)
    assert a.keys() == b.keys()
    assert all(a[name].equal(b[name]) for name in a)


def test_training_prints_the_weight_file_alone_and_it_loads(tmp_path: Path) -> None:
    result = train("--model", "pcnn", "--data", "digits", *TINY, "-o", str(tmp_path))
    assert result.exit_code == 0, result.stderr
    path = tmp_path / "0001-pcnn-digits" / "model.safetensors"
    assert result.stdout == f"{path}\n"
    assert "digits:" in result.stderr
    assert load_weights(path).size == 8
    assert (path.parent / "samples" / "step-000003.png").is_file()
    assert json.loads((path.parent / "environment.json").read_text())["data"]["train"]["images"]


def test_the_config_of_a_run_gives_the_same_run(tmp_path: Path) -> None:
    first = train("--model", "pcnn", "--data", "digits", "--seed", "3", *TINY, "-o", str(tmp_path))
    config = tmp_path / "0001-pcnn-digits" / "config.toml"
    again = train("--config", str(config), "-o", str(tmp_path), "--device", "cpu", "--json")
    assert (first.exit_code, again.exit_code) == (0, 0), again.stderr
    weights = Path(json.loads(again.stdout)["weights"])
    assert weights == tmp_path / "0002-pcnn-digits" / "model.safetensors"
    assert_same_tensors(weights, Path(first.stdout.strip()))
    assert (weights.parent / "config.toml").read_text() == config.read_text()


def test_a_run_that_ran_out_of_time_ends_well_and_goes_on(tmp_path: Path) -> None:
    arguments = ["--model", "pcnn", "--data", "digits", *TINY, "-o", str(tmp_path)]
    stopped = train(*arguments, "--stop-after", "1e-9")
    assert stopped.exit_code == 0, stopped.stderr
    assert "saved after step 1; the time is up" in stopped.stderr
    resumed = train("--resume", "--model", "pcnn", "-o", str(tmp_path), "--device", "cpu")
    assert resumed.exit_code == 0, resumed.stderr
    assert "resumed after step 1" in resumed.stderr
    whole = train(*arguments)
    assert_same_tensors(*(Path(result.stdout.strip()) for result in (resumed, whole)))


def test_a_model_that_ships_is_trained_further_by_its_name(tmp_path: Path) -> None:
    few = ["--set", "steps=1", "--set", "lr=1e-6", "--set", "batch_size=4"]
    few += ["--set", "validate_images=4", "--set", "sheet_images=1", "--set", "ema_decay=0"]
    start = ["--from-weights", "pcnn-digits", "--stage", "pixels", "--data", "digits"]
    result = train(*start, *few, "-o", str(tmp_path), "--device", "cpu", "--workers", "0")
    assert result.exit_code == 0, result.stderr
    paths = [Path(str(zoo.find("pcnn-digits"))), Path(result.stdout.strip())]
    shipped, further = (list(cast(nn.Module, load_weights(path)).parameters()) for path in paths)
    for ours, theirs in zip(further, shipped, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert any(not ours.equal(theirs) for ours, theirs in zip(further, shipped, strict=True))


def test_a_dry_run_trains_nothing(tmp_path: Path) -> None:
    result = train(
        "--model", "pcnn", "--data", "digits", *TINY, "--dry-run", "--json", "-o", str(tmp_path)
    )
    assert result.exit_code == 0, result.stderr
    plan = json.loads(result.stdout)
    assert plan["parameters"]["total"] == plan["parameters"]["prior"] + plan["parameters"]["cond"]
    assert plan["stages"]["pixels"]["steps"] == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "digits"], f"--model: say what to train, one of {models.trainable()[0]}"),
        (["--model", "pcn", "--data", "digits"], "Did you mean 'pcnn'?"),
        (["--model", "pcnn", "--data", "digits", "--set", "filtres=3"], "Did you mean 'filters'?"),
        (["--model", "pcnn", "--data", "digits", "--set", "lr=-1"], "lr: must lie in (0, 1000]"),
        (["--from-weights", "telea"], "--from-weights: 'telea' has no weights"),
        (["--from-weights", "pcnn-digit"], "Did you mean 'pcnn-digits'?"),
        (["--resume", "nowhere"], "nowhere is not a run folder"),
        (["--model", "pcnn", "--data", "digits", "--device", "tpu"], "--device"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    result = train(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_tensorboard_is_an_extra_that_is_named_where_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    result = train(
        "--model", "pcnn", "--data", "digits", *TINY, "-o", str(tmp_path), "--tensorboard"
    )
    assert result.exit_code == 2
    assert "pip install 'inpaint[tensorboard]'" in result.stderr
