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
    assert caution.startswith("of 1 picture the likeliest completions alone were kept")


def test_folders_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    originals = pictures(tmp_path / "originals", "a.png", "b.png")
    folders = [pictures(tmp_path / name / "out", "a.png", "b.png") for name in ("one", "two")]
    reports = inpaint_cli.score(folders=folders, reference=originals, metrics="mae")
    assert [report["model"]["name"] for report in reports] == [f.as_posix() for f in folders]
    with pytest.raises(UserError, match="Give each once"):
        inpaint_cli.score(folders=[folders[0]] * 2, reference=originals, metrics="mae")


def test_names_from_macos_are_those_of_other_systems(tmp_path: Path) -> None:
    """There an é is two characters: names that look alike must pair."""
    originals = pictures(tmp_path / "originals", "caf\u00e9.png")
    results = pictures(tmp_path / "results", "cafe\u0301.png")
    assert opened(results, originals).ids == ["caf\u00e9"]


def test_a_number_that_is_missing_among_completions_is_told(tmp_path: Path) -> None:
    originals = pictures(tmp_path / "originals", "a.png")
    results = pictures(tmp_path / "results", "a-0.png", "a-2.png")
    with pytest.raises(UserError, match="Numbers of completions begin at 0 and leave none out"):
        opened(results, originals)


@pytest.mark.parametrize("text", ["[]", '{"schema": 99, "items": []}'])
def test_a_record_of_another_version_is_no_output_folder(text: str, tmp_path: Path) -> None:
    (tmp_path / "completions.json").write_text(text)
    for unpaired in (False, True):
        with pytest.raises(UserError, match="lists no completions that are read here") as told:
            inpaint_cli.score((), folders=[tmp_path], reference=tmp_path, unpaired=unpaired)
        assert "overwrite" not in str(told.value)


def test_originals_that_changed_since_they_were_completed_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = pictures(tmp_path, "a.png", "b.png")
    items = [item(photos / f"{name}.png", f"{name}-0.png") for name in "ab"]
    results = recorded(tmp_path / "out", *items)
    same: dict[str, Any] = {"folders": [results], "metrics": "mae"}
    inpaint_cli.score((), **same)
    assert "no longer those" not in capsys.readouterr().err
    save(photos, "a.png", np.full((12, 12, 3), 99, np.uint8))
    inpaint_cli.score((), **same)
    assert "originals or masks are no longer those that were completed" in capsys.readouterr().err


def test_a_mask_that_is_gone_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = pictures(tmp_path, "a.png", "b.png")
    gone = {"mask": str(tmp_path / "gone.png"), "boxes": []}
    items = item(photos / "a.png", "a-0.png"), item(photos / "b.png", "b-0.png", hole=gone)
    inpaint_cli.score((), folders=[recorded(tmp_path / "out", *items)], metrics="mae")
    assert "the masks of 1 picture (such as b) are not where" in capsys.readouterr().err


def test_a_completion_that_is_gone_is_named_with_its_photo(tmp_path: Path) -> None:
    photos = pictures(tmp_path / "photos", "a.png", "b.png")
    done = recorded(tmp_path / "done", item(photos / "a.png", "a-0.png", "a-1.png"))
    (done / "a-1.png").unlink()
    with pytest.raises(UserError, match=r"a-1.png: is gone, and completions.json lists it"):
        target_of(done, None, None, None, CommonSize())


def test_an_archive_is_no_folder_and_is_said_to_be_a_file(tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    archive.write_bytes(b"PK")
    for results, originals in ((archive, tmp_path), (pictures(tmp_path, "a.png"), archive)):
        with pytest.raises(UserError, match=r"photos.zip: a file, and a folder of pictures is"):
            target_of(results, originals, None, None, CommonSize())
