"""Which completion belongs to which original, and that a photo counts once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inpaint_cli
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.folders import CommonSize, FilesTarget, target_of
from tests.metrics.score_kit import save

BOX = {"mask": None, "boxes": [[3, 3, 4, 4]]}


def pictures(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        save((folder / name).parent, Path(name).name, np.full((12, 12, 3), number + 1, np.uint8))
    return folder


def item(image: Path, *files: str, **more: Any) -> dict[str, Any]:
    lines = [{"file": file, "seed": 0, "index": n} for n, file in enumerate(files)]
    return {"image": str(image), "hole": BOX, "model": "telea", "completions": lines, **more}


def recorded(folder: Path, *items: dict[str, Any]) -> Path:
    """Writes a record, and the completions that it names."""
    files = [line["file"] for one in items for line in one["completions"]]
    pictures(folder, *files)
    record = {"schema": 2, "items": list(items)}
    (folder / "completions.json").write_text(json.dumps(record))
    return folder


def opened(results: Path, originals: Path | None = None) -> FilesTarget:
    return target_of(results, originals, None, None, CommonSize())


def test_a_completion_of_one_original_is_not_taken_for_a_numbered_one_of_another(
    tmp_path: Path,
) -> None:
    originals = pictures(tmp_path / "originals", "cat.png", "cat-0.png")
    results = pictures(tmp_path / "results", "cat-0.png")
    with pytest.raises(UserError, match="lacks a picture for cat "):
        opened(results, originals)


def test_completions_of_several_seeds_are_those_of_one_photo(tmp_path: Path) -> None:
    photo = pictures(tmp_path, "a.png") / "a.png"
    more = item(photo, "a-s7-0.png", "a-s7-1.png")
    for line in more["completions"]:
        line["seed"] = 7
    target = opened(recorded(tmp_path / "out", item(photo, "a-0.png", "a-1.png"), more))
    names = [path.name for path in target.pairs[0].completions]
    assert target.ids == ["a"]
    assert names == ["a-0.png", "a-1.png", "a-s7-0.png", "a-s7-1.png"]
    assert target.facts().completions["seed"] is None


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"hole": {"mask": None, "boxes": [[3, 3, 5, 5]]}}, "hole"),
        ({"model": "patches"}, "model"),
        ({"options": {"temperature": 0.5}}, "options"),
    ],
)
def test_a_photo_that_was_completed_in_two_ways_is_refused(
    other: dict[str, Any], what: str, tmp_path: Path
) -> None:
    photo = pictures(tmp_path, "a.png") / "a.png"
    results = recorded(tmp_path / "out", item(photo, "a-0.png"), item(photo, "a-s7-0.png", **other))
    with pytest.raises(UserError, match=f"a-0.png and a-s7-0.png differ in {what}, and a photo"):
        opened(results)


def test_originals_are_found_in_the_folders_that_the_photos_were_in(tmp_path: Path) -> None:
    photos = pictures(tmp_path / "photos", "a/x.png", "b/x.png")
    items = (item(photos / name, name.replace(".", "-0.")) for name in ("a/x.png", "b/x.png"))
    results = recorded(tmp_path / "out", *items)
    assert [pair.truth for pair in opened(results, photos).pairs] == [
        photos / "a/x.png",
        photos / "b/x.png",
    ]
    flat = pictures(tmp_path / "flat", "x.png")
    with pytest.raises(UserError, match=r"x\.png would be the original of a/x and of b/x"):
        opened(results, flat)


def test_a_canvas_that_grew_has_no_original(tmp_path: Path) -> None:
    photo = pictures(tmp_path, "a.png") / "a.png"
    grown = item(photo, "a-0.png", hole={**BOX, "extend": {"left": 4}})
    with pytest.raises(UserError, match="its canvas grew"):
        opened(recorded(tmp_path / "out", grown))


def test_the_likeliest_of_more_completions_are_told_to_be_no_sample(tmp_path: Path) -> None:
    photo = pictures(tmp_path, "a.png") / "a.png"
    kept = item(photo, "a-0.png", "a-1.png", drawn=8)
    assert opened(recorded(tmp_path / "first", kept)).cautions() == []
    for line in kept["completions"]:
        line["log_prob"] = -1.0
    (caution,) = opened(recorded(tmp_path / "likeliest", kept)).cautions()
    assert caution.startswith("of 1 pictures the likeliest completions alone were kept")


def test_folders_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    originals = pictures(tmp_path / "originals", "a.png", "b.png")
    folders = [pictures(tmp_path / name / "out", "a.png", "b.png") for name in ("one", "two")]
    reports = inpaint_cli.score(folders=folders, reference=originals, metrics="mae")
    assert [report["model"]["name"] for report in reports] == [f.as_posix() for f in folders]
    with pytest.raises(UserError, match="Give each once"):
        inpaint_cli.score(folders=[folders[0]] * 2, reference=originals, metrics="mae")
