"""`inpaint complete`: its record, and what is skipped because the record knows it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.commands.completing import complete, folder, photo, results_of
from tests.pretend_model import PretendModel, pretend

__all__ = ["folder", "photo", "pretend"]
pytestmark = pytest.mark.usefixtures("pretend")

NO_HOLE: dict[str, Any] = {
    "mask": None,
    "kind": None,
    "seed": None,
    "boxes": [],
    "invert": False,
    "alpha": False,
    "grow": 0,
    "resize": False,
    "everything": False,
}


def test_the_record_describes_each_completion(photo: Path) -> None:
    result = complete(
        photo,
        "--mask",
        photo.parent / "m.png",
        "-n",
        2,
        "--seed",
        9,
        "--json",
        "-o",
        photo.parent / "o",
    )
    document = json.loads(result.stdout)
    assert (document.pop("failed"), document.pop("skipped")) == ([], [])
    assert document == json.loads((photo.parent / "o" / "completions.json").read_text())
    (item,) = document["items"]
    assert document["schema"] == 2
    assert (item["image"], item["model"]) == (str(photo), "pretend")
    assert item["hole"] == {**NO_HOLE, "mask": str(photo.parent / "m.png")}
    assert item["hole_fraction"] == pytest.approx(15 * 15 / (60 * 80))
    for index, line in enumerate(item["completions"]):
        assert (line["file"], line["seed"], line["index"]) == (f"ä b-s9-{index}.png", 9, index)
        per_value = line["log_prob"] / item["hidden_values"]
        assert line["log_prob_per_value"] == pytest.approx(per_value, abs=1e-6)
        assert line["log_prob"] == round(line["log_prob"], 6)


def test_finished_photos_can_be_skipped(folder: Path, pretend: PretendModel) -> None:
    arguments = [folder / "in", "--box", "0,0,5,5", "-n", 1, "-o", folder / "o"]
    complete(*arguments)
    count = len(pretend.batches)
    (folder / "o" / "b-sheet.png").unlink()
    result = complete(*arguments, "--skip-existing")
    assert result.stdout == f"{folder / 'o' / 'b-sheet.png'}\n"
    assert len(pretend.batches) == count + 1


@pytest.mark.parametrize(
    "change",
    [
        ["--temperature", 0.5],
        ["--box", "9,9,5,5"],
        ["--grow", 2],
        ["--model", "telea", "-n", 1],
        ["--rank", "log-prob", "-n", 3],
    ],
)
def test_results_made_with_other_settings_are_not_skipped(photo: Path, change: list[Any]) -> None:
    arguments = [photo, "--box", "0,0,5,5", "-n", 4, "-o", photo.parent / "o"]
    complete(*arguments)
    assert "skipped" in complete(*arguments, "--skip-existing").stderr
    assert "skipped" in complete(*arguments, "-n", 2, "--skip-existing").stderr
    result = complete(*arguments, *change, "--skip-existing")
    assert result.exit_code == 0, result.output
    assert "made from other files or settings, done again" in result.stderr
    again = complete(*arguments, *change, "--skip-existing")
    assert "skipped" in again.stderr


@pytest.mark.parametrize("changed", ["m.png", "ä b.png"])
def test_results_of_a_photo_or_a_mask_that_was_changed_are_not_skipped(
    photo: Path, changed: str
) -> None:
    arguments = [photo, "--mask", photo.parent / "m.png", "-n", 1, "-o", photo.parent / "o"]
    complete(*arguments)
    with Image.open(photo.parent / changed) as image:
        altered = image.rotate(180)
    altered.save(photo.parent / changed)
    result = complete(*arguments, "--skip-existing")
    assert "made from other files or settings, done again" in result.stderr
    assert "skipped" in complete(*arguments, "--skip-existing").stderr


def test_each_seed_is_skipped_by_its_own_results_alone(photo: Path) -> None:
    asked = [photo, "--box", "0,0,5,5", "-n", 2, "-o", photo.parent / "o", "--skip-existing"]
    complete(*asked)
    assert ", skipped" not in complete(*asked, "--seed", 3).stderr
    assert ", skipped" in complete(*asked, "--seed", 3).stderr
    assert ", skipped" in complete(*asked).stderr


SENTENCES: dict[str, list[Any]] = {
    "m.png": ["--mask", "m.png"],
    "a + b.png, its alpha, inverted + box 1,2,3,4 + box 10%,10%,50%,25.5% + grown by 2": [
        *("--mask", "a + b.png", "--mask-alpha", "--invert-mask", "--grow", 2),
        *("--box", "1,2,3,4", "--box", "10%,10%,50%,25.5%"),
    ],
    "freeform, inverted": ["--mask", "freeform", "--invert-mask"],
    "box 0,0,5,5": ["--box", "0,0,5,5"],
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_record_of_schema_1_is_continued(
    photo: Path, monkeypatch: pytest.MonkeyPatch, sentence: str
) -> None:
    monkeypatch.chdir(photo.parent)
    alpha = np.full((60, 80, 4), 255, np.uint8)
    alpha[:20, :20, 3] = 0
    Image.fromarray(alpha).save("a + b.png")
    asked = [photo, *SENTENCES[sentence], "-n", 2, "-o", "o"]
    assert complete(*asked).exit_code == 0
    record = photo.parent / "o" / "completions.json"
    document = json.loads(record.read_text())
    hole = document["items"][0].pop("hole")
    document["items"][0]["mask"] = sentence
    record.write_text(json.dumps({**document, "schema": 1}))
    assert "skipped" in complete(*asked, "--skip-existing").stderr
    assert complete(*asked).exit_code == 0
    assert json.loads(record.read_text())["items"][0]["hole"] == hole


def test_an_old_hole_that_means_nothing_is_completed_again(photo: Path) -> None:
    results_of(photo, "o", "-n", 1)
    record = photo.parent / "o" / "completions.json"
    document = json.loads(record.read_text())
    del document["items"][0]["hole"]
    document["items"][0]["mask"] = ", inverted"
    record.write_text(json.dumps({**document, "schema": 1}))
    result = complete(
        *(photo, "--mask", photo.parent / "m.png", "-n", 1, "-o", photo.parent / "o"),
        "--skip-existing",
    )
    assert "made from other files or settings, done again" in result.stderr


def test_a_record_keeps_all_that_makes_the_hole(photo: Path) -> None:
    out = photo.parent / "o"
    asked = ["--mask", "freeform", "--box", "0,0,5,5", "--box", "50%,50%,10%,10%", "--grow", 3]
    result = complete(photo, *asked, "--seed", 7, "-n", 1, "--json", "-o", out)
    (item,) = json.loads(result.stdout)["items"]
    boxes = [[0, 0, 5, 5], [40, 30, 8, 6]]
    wanted = {"kind": "freeform", "seed": 7, "boxes": boxes, "grow": 3, "model_size": 16}
    assert item["hole"] == {**NO_HOLE, **wanted}


def test_a_record_of_a_later_version_is_refused(photo: Path) -> None:
    (photo.parent / "o").mkdir()
    (photo.parent / "o" / "completions.json").write_text('{"schema": 3, "items": []}')
    result = complete(photo, "--box", "0,0,5,5", "-o", photo.parent / "o")
    assert (result.exit_code, "not a record of this version" in result.stderr) == (2, True)


def test_a_foreign_record_is_refused(photo: Path) -> None:
    (photo.parent / "o").mkdir()
    (photo.parent / "o" / "completions.json").write_text('{"schema": 1, "items": [5]}')
    result = complete(photo, "--box", "0,0,5,5", "-o", photo.parent / "o")
    assert result.exit_code == 2
    assert "not a record" in result.stderr


def test_a_record_cannot_make_us_remove_other_files(photo: Path) -> None:
    precious = photo.parent / "precious-0.png"
    precious.write_bytes(b"precious")
    results_of(photo, "o", "-n", 1)
    record = photo.parent / "o" / "completions.json"
    document = json.loads(record.read_text())
    document["items"][0]["completions"].append({"file": "../precious-0.png"})
    document["items"][0]["completions"].append({"file": "notes.txt"})
    (photo.parent / "o" / "notes.txt").write_text("precious")
    record.write_text(json.dumps(document))
    results_of(photo, "o", "-n", 1)
    assert precious.exists()
    assert (photo.parent / "o" / "notes.txt").exists()
