"""Whatever makes figures with a model that is not trained yet says so."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from inpaint_cli import models
from inpaint_cli.cli import main
from inpaint_cli.weights import save_weights

ON_DIGITS = ["--data", "digits", "--device", "cpu", "--limit"]


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """Return a weight file of a run that was stopped in its only stage."""
    family = models.get("pcnn")
    path = tmp_path / "model.safetensors"
    model = family.build(family.presets["digits"])
    extra = {"in_progress": "pixels", "stages": "", "step": "7"}
    save_weights(path, model, family="pcnn", preset="digits", extra=extra)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["score", *ON_DIGITS, "2", "-k", "1", "--metrics", "mae"],
        ["calibrate", *ON_DIGITS, "9", "-k", "2", "-o", "c.json"],
        ["ood", "--fit", *ON_DIGITS, "40", "--held-out", "20", "--passes", "1", "-o", "r.ood"],
        ["design", *ON_DIGITS, "2", "--classifier", "x", "--grid", "2", "-n", "2"],
    ],
)
def test_figures_of_an_unfinished_model_are_remarked_on(
    words: list[str], unfinished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*words, "--model", str(unfinished)])
    assert f"{unfinished}: training not finished: stage 'pixels', step 7" in result.stderr


def test_an_unfinished_classifier_of_looks_is_remarked_on(tmp_path: Path) -> None:
    path, family = tmp_path / "c.safetensors", models.get("classifier")
    extra = {"in_progress": family.stage_names[0], "stages": "", "step": "7"}
    model = family.build(family.presets["digits-masked"])
    save_weights(path, model, family="classifier", preset="digits-masked", extra=extra)
    words = ["design", *ON_DIGITS, "2", "--classifier", str(path), "--grid", "2", "-n", "2"]
    words += ["--model", "pcnn-digits", "--steps", "1", "--estimator", "random"]
    result = CliRunner().invoke(main, words)
    assert f"{path.stem}: training not finished: stage" in result.stderr, result.output
