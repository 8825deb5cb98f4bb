"""`make zoo`: a card's command is trained, gone on with, and packed."""

import os
from pathlib import Path

import pytest

from inpaint_cli import zoo
from inpaint_cli.configuration import read_toml, to_toml
from inpaint_cli.errors import UserError
from inpaint_cli.weights import hash_of, load_weights, read_header, save_weights
from inpaint_cli.zoo import making


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top: Path) -> Path:
    """Return a card without weights, in a zoo of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.fspath(top))
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "zoo")
    settings = ["steps=2", "batch_size=4", "validate_images=2", "sheet_images=0"]
    command = "inpaint train --model pcnn --data digits --device cpu --workers 0"
    command += "".join(f" --set {setting}" for setting in settings)
    facts = {"name": "pcnn-made", "summary": "kept", "training": {"command": command}}
    path = tmp_path / "zoo" / "pcnn-made.toml"
    path.parent.mkdir()
    path.write_text(to_toml(facts))
    return path


def test_a_card_is_trained_and_packed_and_a_finished_run_is_not_trained_again(card: Path) -> None:
    run = making.train(read_toml(card))
    weights = making.pack("pcnn-made", run)
    facts = read_toml(card)
    assert (facts["sha256"], facts["size"]) == (hash_of(weights), weights.stat().st_size)
    assert (facts["family"], facts["preset"], facts["summary"]) == ("pcnn", "digits", "kept")
    assert (facts["training"]["steps"], facts["training"]["seed"]) == (2, 0)
    assert load_weights(weights).size == 8
    assert making.train(facts) == run
    assert making.pack("pcnn-made", run).read_bytes() == weights.read_bytes()
    assert read_toml(card)["sha256"] == facts["sha256"]


def test_a_run_that_lacks_a_stage_is_not_packed_and_an_unfinished_one_is_told_of(
    card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = making.train(read_toml(card))
    weights = run / "model.safetensors"
    header = {**read_header(weights), "stages": "", "in_progress": "pixels"}
    model = load_weights(weights)

    def rewritten(**changes: str) -> None:
        extra = {n: v for n, v in {**header, **changes}.items() if n in ("stages", "step")}
        save_weights(weights, model, family="pcnn", preset="digits", extra={**extra, **changes})

    rewritten()
    with pytest.raises(UserError, match="not trained yet: pixels"):
        making.pack("pcnn-made", run)
    assert not (zoo.FOLDER / "pcnn-made.safetensors").exists()
    rewritten(in_progress="pixels")
    making.pack("pcnn-made", run)
    assert "'pixels' is not finished, its step 2 is packed" in capsys.readouterr().err
