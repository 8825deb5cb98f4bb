"""`inpaint convert`: foreign weights in, ours out, and nothing overwritten by accident."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from inpaint_cli.cli import main
from inpaint_cli.weights import hash_of, load_weights, read_header
from tests.tiny_family import register


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a foreign file of the family "tiny"."""
    family, path = register(monkeypatch), tmp_path / "theirs.pt"
    torch.save(family.build(family.presets["wide"]).state_dict(), path)  # type: ignore[attr-defined]
    return path


def convert(theirs: Path, output: Path, *more: str, layout: str = "tiny-foreign") -> Result:
    arguments = ["convert", "--from", layout, str(theirs), "-o", str(output), *more]
    return CliRunner().invoke(main, arguments)


def test_foreign_weights_become_ours_and_load(theirs: Path, tmp_path: Path) -> None:
    output = tmp_path / "ä b.safetensors"
    done = convert(theirs, output)
    assert (done.exit_code, done.stdout) == (0, f"{output}\n")
    assert "tiny, preset wide" in done.stderr
    assert read_header(output)["converted-from"] == "tiny-foreign"
    assert load_weights(output).levels == 256


def test_the_result_is_there_as_json(theirs: Path, tmp_path: Path) -> None:
    output = tmp_path / "ours.safetensors"
    facts = json.loads(convert(theirs, output, "--json").stdout)
    assert facts == {
        "schema": 1,
        "weights": str(output),
        "family": "tiny",
        "preset": "wide",
        "sha256": hash_of(output),
    }


def test_a_file_that_is_there_is_kept_unless_asked_otherwise(theirs: Path, tmp_path: Path) -> None:
    output = tmp_path / "ours.safetensors"
    output.write_text("precious")
    refused = convert(theirs, output)
    assert (refused.exit_code, "--overwrite" in refused.stderr) == (2, True)
    assert output.read_text() == "precious"
    assert convert(theirs, output, "--overwrite").exit_code == 0
    assert load_weights(output).levels == 256


def test_an_input_is_never_overwritten(theirs: Path) -> None:
    renamed = theirs.rename(theirs.with_suffix(".safetensors"))
    before = renamed.read_bytes()
    refused = convert(renamed, renamed, "--overwrite")
    assert (refused.exit_code, "one of the files to read" in refused.stderr) == (2, True)
    assert renamed.read_bytes() == before


def test_the_suffix_of_the_result_is_its_format(theirs: Path, tmp_path: Path) -> None:
    refused = convert(theirs, tmp_path / "ours.pt")
    assert (refused.exit_code, "-o: " in refused.stderr) == (2, True)
    assert not (tmp_path / "ours.pt").exists()


def test_an_unknown_layout_is_answered_with_the_nearest(theirs: Path, tmp_path: Path) -> None:
    refused = convert(theirs, tmp_path / "ours.safetensors", layout="tiny-forein")
    assert refused.exit_code == 2
    assert "--from: no layout called 'tiny-forein'. Did you mean 'tiny-foreign'?" in refused.stderr


def test_a_missing_file_is_named(tmp_path: Path, theirs: Path) -> None:
    refused = convert(tmp_path / "none.pt", tmp_path / "ours.safetensors")
    assert (refused.exit_code, "none.pt" in refused.stderr) == (2, True)


def test_a_model_of_ours_is_not_converted(theirs: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours.safetensors"
    assert convert(theirs, ours).exit_code == 0
    refused = convert(ours, tmp_path / "again.safetensors")
    assert refused.exit_code == 2
    assert "a model of inpaint already ('tiny')" in refused.stderr
