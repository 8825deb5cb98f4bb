"""The hole of a completed picture, read from a record of either schema."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpaint_cli.metrics.folders import CommonSize, target_of
from inpaint_cli.metrics.holes import HoleFiles, hole_of
from inpaint_cli.photos import record
from tests.metrics.score_kit import report, save

FIELDS: dict[str, Any] = {
    "mask": None,
    "boxes": [],
    "invert": False,
    "alpha": False,
    "grow": 0,
    "resize": False,
}


def hidden(hole: HoleFiles | None, height: int = 8, width: int = 8) -> list[list[int]]:
    """Return rows and columns of what a hole hides."""
    assert hole is not None
    return np.argwhere(~hole.visible(height, width)).tolist()


def white(path: Path, *places: tuple[int, int], side: int = 8) -> str:
    """Save a mask that is white at some places; return its path."""
    pixels = np.zeros((side, side, 1), np.uint8)
    for place in places:
        pixels[place] = 255
    save(path.parent, path.name, pixels)
    return str(path)


def test_fields_are_read_as_complete_wrote_them(tmp_path: Path) -> None:
    mask = white(tmp_path / "m.png", (1, 2))
    assert hidden(hole_of({"hole": {**FIELDS, "mask": mask}})) == [[1, 2]]
    inverted = hole_of({"hole": {**FIELDS, "mask": mask, "invert": True}})
    assert len(hidden(inverted)) == 63
    both = hole_of({"hole": {**FIELDS, "mask": mask, "boxes": [[5, 6, 2, 1], [0, 0, 1, 1]]}})
    assert hidden(both) == [[0, 0], [1, 2], [6, 5], [6, 6]]
    grown = hole_of({"hole": {**FIELDS, "mask": mask, "grow": 1}})
    assert hidden(grown) == [[0, 2], [1, 1], [1, 2], [1, 3], [2, 2]]


def test_a_mask_of_another_size_is_resized_only_where_it_was(tmp_path: Path) -> None:
    mask = white(tmp_path / "m.png", (0, 0), side=4)
    resized = hole_of({"hole": {**FIELDS, "mask": mask, "resize": True}})
    assert hidden(resized) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    with pytest.raises(Exception, match="4x4 pixels, its picture 8x8"):
        hidden(hole_of({"hole": {**FIELDS, "mask": mask}}))


@pytest.mark.parametrize("beside", ["mask", "image"])
def test_transparency_is_the_masks_or_else_the_photos_own(tmp_path: Path, beside: str) -> None:
    pixels = np.full((8, 8, 4), 255, np.uint8)
    pixels[3, 4, 3] = 0
    save(tmp_path, "clear.png", pixels)
    path = str(tmp_path / "clear.png")
    fields = {**FIELDS, "alpha": True, "mask": path if beside == "mask" else None}
    assert hidden(hole_of({"image": path, "hole": fields})) == [[3, 4]]


@pytest.mark.parametrize(
    "fields",
    [
        None,
        FIELDS,
        {**FIELDS, "mask": "gone.png"},
        {**FIELDS, "kind": "freeform", "boxes": [[0, 0, 1, 1]]},
        {**FIELDS, "everything": True},
    ],
)
def test_a_hole_in_no_file_is_unknown(fields: dict[str, Any] | None) -> None:
    assert hole_of({"hole": fields}) is None


@pytest.mark.parametrize(
    "name", ["m.png", "a + b.png", "x, inverted.png", "box 1,1,2,2.png", "a + grown by 2.png"]
)
def test_the_words_of_an_older_record_keep_the_name_of_the_mask(name: str, tmp_path: Path) -> None:
    mask = white(tmp_path / "m.png", (1, 2))
    path = str(Path(mask).rename(tmp_path / name))
    assert hole_of({"mask": path}) == HoleFiles(Path(path))
    words = f"{path}, inverted + box 1,1,2,2 + box 50%,0%,25%,25% + grown by 2"
    photo = white(tmp_path / "photo.png")
    assert hole_of({"mask": words, "image": photo}) == HoleFiles(
        Path(path), ("1,1,2,2", "4,0,2,2"), invert=True, grow=2
    )
    assert hole_of({"mask": f"{path}, its alpha"}) == HoleFiles(Path(path), alpha=True)


@pytest.mark.parametrize("words", ["freeform", "everything", "alpha", "gone.png + box 1,1,2,2"])
def test_words_that_name_no_file_are_no_hole(words: str) -> None:
    assert hole_of({"mask": words}) is None


@pytest.mark.parametrize("schema", [1, 2])
def test_a_mask_with_a_plus_in_its_name_keeps_its_hole_in_a_score(
    schema: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "SCHEMA", schema)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    save(tmp_path, "photo.png", pixels)
    save(tmp_path / "out", "photo-0.png", 255 - pixels)
    mask = white(tmp_path / "a + b.png", (1, 2), (3, 4), side=16)
    item: dict[str, Any] = {"image": str(tmp_path / "photo.png")}
    item |= {"mask": mask} if schema == 1 else {"hole": {**FIELDS, "mask": mask}}
    item["completions"] = [{"file": "photo-0.png", "index": 0, "seed": 0}]
    document = {"schema": schema, "items": [item]}
    (tmp_path / "out" / "completions.json").write_text(json.dumps(document))
    scored = report(("mae", "crps"), target_of(tmp_path / "out", None, None, None, CommonSize()))
    assert scored["refused"] == []
    assert "mae-hole" in [entry["params"]["label"] for entry in scored["metrics"]]
