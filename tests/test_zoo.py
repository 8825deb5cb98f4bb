"""What ships: cards that tell the truth, and names that find their weights."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from inpaint_cli import models, zoo
from inpaint_cli.cli import main
from inpaint_cli.configuration import to_toml
from inpaint_cli.errors import UserError
from inpaint_cli.weights import hash_of, load_weights, read_header, save_weights
from tests.tiny_family import register

CARD = {
    "name": str,
    "family": str,
    "preset": str,
    "summary": str,
    "licence": str,
    "data": str,
    "use": str,
    "limits": str,
    "sha256": str,
    "size": int,
    "training": dict,
    "figures": dict,
}
"""Fields of a card, all required, and the type of each (docs/models.md)."""
CARD_OF_CLASSES = {"classes": list}
"""Further fields of the card of a classifier."""
CARD_TRAINING = {"command": str, "steps": int, "seed": int, "machine": str, "hours": float}
"""Fields of the table [training] of a card, all required."""


LARGEST_BYTES = 100 * 2**20


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ships two models of a family "tiny" from a folder of the test; gives the folder."""
    family, folder = register(monkeypatch), tmp_path / "zoo"
    for name, preset in (("tiny-a", "small"), ("tiny-b", "wide")):
        path = folder / f"{name}.safetensors"
        save_weights(path, family.build(family.presets[preset]), family="tiny", preset=preset)
        path.with_suffix(".toml").write_text(to_toml(card(path, preset)))
    monkeypatch.setattr(zoo, "FOLDER", folder)
    monkeypatch.setattr(zoo, "DEFAULT", "tiny-b")
    return folder


def card(weights: Path, preset: str) -> dict[str, Any]:
    texts = dict.fromkeys(("summary", "licence", "data", "use", "limits"), "text")
    training = {"command": "inpaint", "steps": 1, "seed": 0, "machine": "one", "hours": 0.5}
    return {
        **texts,
        "name": weights.stem,
        "family": "tiny",
        "preset": preset,
        "sha256": hash_of(weights),
        "size": weights.stat().st_size,
        "training": training,
        "figures": {"protocol": "none", "error (bits)": 0.25},
    }


def faults(entry: zoo.Entry) -> list[str]:
    """Return what is wrong with a card, by comparison with docs/models.md and with the weights."""
    further = CARD_OF_CLASSES if entry.card["family"] == "classifier" else {}
    faults = _misfits(entry.card, CARD | further) + _misfits(entry.card["training"], CARD_TRAINING)
    if entry.card["name"] != entry.name:
        faults.append("name")
    header = read_header(entry.weights)
    faults += [field for field in ("family", "preset") if header[field] != entry.card[field]]
    figures = {k: v for k, v in entry.card["figures"].items() if k != "protocol"}
    if not figures or not isinstance(entry.card["figures"].get("protocol"), str):
        faults.append("figures")
    problem = zoo.problem(entry)
    return faults + ([problem] if problem else [])


def _misfits(table: Mapping[str, Any], fields: Mapping[str, type]) -> list[str]:
    wrong = [name for name, kind in fields.items() if not isinstance(table.get(name), kind)]
    empty = [name for name, value in table.items() if value == ""]
    return wrong + empty + sorted(table.keys() - fields.keys())


def test_every_card_fits_its_weights() -> None:
    assert {entry.name: faults(entry) for entry in zoo.entries() if faults(entry)} == {}


def test_every_weight_file_has_a_card_and_every_card_its_weights() -> None:
    cards = {path.stem for path in zoo.FOLDER.glob("*.toml")}
    references = {path.stem for path in zoo.FOLDER.glob("*.ood.safetensors")}
    assert cards == {path.stem for path in zoo.FOLDER.glob("*.safetensors")} - references
    assert {name.removesuffix(".ood") for name in references} <= cards


def test_all_weights_that_ship_load() -> None:
    for entry in zoo.entries():
        assert load_weights(entry.weights).config.size >= 0


def test_classifiers_that_ship_say_the_names_of_their_classes() -> None:
    of_classes = [entry for entry in zoo.entries() if entry.card["family"] == "classifier"]
    assert of_classes
    for entry in of_classes:
        names = zoo.class_names_of(entry.weights)
        assert len(set(names)) == load_weights(entry.weights).config.class_count
    assert zoo.class_names_of(zoo.FOLDER / "pcnn-digits.safetensors") == ()


def test_all_that_ships_is_small_enough() -> None:
    assert sum(path.stat().st_size for path in zoo.FOLDER.iterdir()) <= LARGEST_BYTES


def test_the_default_model_ships() -> None:
    assert zoo.DEFAULT in {entry.name for entry in zoo.entries()}


def test_the_fields_of_a_card_are_the_documented_ones(top: Path) -> None:
    page = (top / "docs" / "models.md").read_text(encoding="utf-8")
    missing = [
        name for name in [*CARD, *CARD_OF_CLASSES, *CARD_TRAINING] if f"`{name}`" not in page
    ]
    assert [name for name in missing if f"`[{name}]`" not in page] == []


@pytest.mark.parametrize("field", CARD)
def test_a_card_without_a_field_would_be_seen(shipped: Path, field: str) -> None:
    entry = zoo.entries()[0]
    assert faults(entry) == []
    wrong = {name: value for name, value in entry.card.items() if name != field}
    assert field in _misfits(wrong, CARD)


def test_changed_weights_are_noticed(shipped: Path) -> None:
    entry = zoo.entries()[0]
    content = bytearray(entry.weights.read_bytes())
    content[-1] ^= 1
    entry.weights.write_bytes(content)
    assert "not the file that its card describes" in (zoo.problem(entry) or "")
    shown = run(entry.name)
    assert shown.exit_code == 0
    assert shown.stderr.startswith("warning: ")


def test_missing_weights_are_named_with_place_size_and_hash(shipped: Path) -> None:
    entry = zoo.entries()[0]
    entry.weights.unlink()
    with pytest.raises(UserError) as caught:
        zoo.find(entry.name)
    for part in (str(entry.weights), str(entry.card["size"]), entry.card["sha256"]):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "shipped_name"),
    [("tiny-a", "tiny-a"), ("tiny-b", "tiny-b"), ("tiny", "tiny-b")],
)
def test_a_name_finds_its_weights(shipped: Path, typed: str, shipped_name: str) -> None:
    assert zoo.find(typed) == shipped / f"{shipped_name}.safetensors"


def test_the_name_of_a_family_is_a_model_for_photos_if_one_ships() -> None:
    for family in {entry.card["family"] for entry in zoo.entries()} - {"classifier"}:
        ships = [e.weights for e in zoo.entries() if e.card["family"] == family]
        path = zoo.find(family)
        assert isinstance(path, Path)
        assert load_weights(path).channels == max(load_weights(path).channels for path in ships)


def test_a_family_is_known_by_its_card_not_by_the_start_of_a_name(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(models.FAMILIES, "tin", models.FAMILIES["tiny"])
    monkeypatch.setattr(models, "get", lambda name: register(monkeypatch))
    (shipped / "tin-y.toml").write_text('family = "other"\n')
    with pytest.raises(UserError, match="no weights of 'tin' ship"):
        zoo.find("tin")


def test_a_family_without_weights_is_found_by_name() -> None:
    assert zoo.find("telea") == "telea"


def test_a_run_folder_and_a_file_are_found(shipped: Path, tmp_path: Path) -> None:
    run_folder = tmp_path / "0001-tiny"
    run_folder.mkdir()
    with pytest.raises(UserError, match=r"holds no model\.safetensors"):
        zoo.find(str(run_folder))
    file = run_folder / "model.safetensors"
    file.write_bytes((shipped / "tiny-a.safetensors").read_bytes())
    assert zoo.find(str(run_folder)) == zoo.find(str(file)) == file


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("tiny-c", "Did you mean 'tiny-"),
        ("tinny", "Did you mean 'tiny'?"),
        ("none.safetensors", "no such file or folder"),
        ("runs/x", "no such file or folder"),
    ],
)
def test_an_unknown_model_is_answered_with_advice(shipped: Path, typed: str, words: str) -> None:
    with pytest.raises(UserError, match=r"^model: ") as caught:
        zoo.find(typed)
    assert words in str(caught.value)


def test_the_list_names_models_families_and_folders(shipped: Path) -> None:
    shown = run()
    assert (shown.exit_code, shown.stderr) == (0, "")
    for part in ("tiny-a", "(the default)", *models.FAMILIES, str(shipped), "INPAINT_HOME"):
        assert part in shown.stdout


def test_the_list_is_there_as_json(shipped: Path) -> None:
    facts = json.loads(run("--json").stdout)
    assert facts["schema"] == 1
    assert facts["default"] == "tiny-b"
    assert [card["name"] for card in facts["models"]] == ["tiny-a", "tiny-b"]
    assert facts["models"][0]["figures"]["error (bits)"] == 0.25
    assert [family["family"] for family in facts["families"]] == list(models.FAMILIES)
    assert facts["families"][-1]["ships"] == ["tiny-a", "tiny-b"]
    assert facts["families"][-1]["stands_for"] == "tiny-b"


def test_a_card_is_shown_whole(shipped: Path) -> None:
    shown = run("tiny-a").stdout
    facts = tomllib.loads((shipped / "tiny-a.toml").read_text())
    assert facts["sha256"] in shown
    assert "  command: inpaint\n" in shown
    assert "  error (bits): 0.25\n" in shown
    assert json.loads(run("tiny-a", "--json").stdout)["sha256"] == facts["sha256"]


def test_a_family_and_a_file_are_shown(shipped: Path) -> None:
    assert "layouts: tiny-foreign\n" in run("tiny").stdout
    file = shipped / "tiny-b.safetensors"
    facts = json.loads(run(str(file), "--json").stdout)
    assert (facts["preset"], facts["config"]["width"]) == ("wide", 6)
    assert facts["sha256"] == hash_of(file)


def test_a_file_that_changed_since_it_was_written_is_shown_with_a_warning(shipped: Path) -> None:
    file = shipped / "tiny-b.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    shown = run(str(file))
    assert shown.exit_code == 0
    assert "the content has changed since it was written" in shown.stderr


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    shown = run("tela")
    assert shown.exit_code == 2
    assert "Did you mean 'telea'?" in shown.stderr
