"""The hole of a completed picture, read from a record of either schema."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import parse_box
from inpaint_cli.metrics.folders import CommonSize, target_of
from inpaint_cli.metrics.pairs import PictureHole, hole_of
from inpaint_cli.photos import batch, completing, record
from inpaint_cli.photos.holes import HoleSource
from inpaint_cli.photos.old_records import upgraded
from tests.metrics.score_kit import report, save

FIELDS: dict[str, Any] = {
    "mask": None,
    "boxes": [],
    "invert": False,
    "alpha": False,
    "grow": 0,
    "resize": False,
}


def hidden(
    fields: dict[str, Any] | None, height: int = 8, width: int = 8, picture: str = "gone.png"
) -> list[list[int]]:
    """Return rows and columns of what a hole hides."""
    hole = hole_of({"hole": fields}, Path(picture))
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
    assert hidden({**FIELDS, "mask": mask}) == [[1, 2]]
    assert len(hidden({**FIELDS, "mask": mask, "invert": True})) == 63
    both = {**FIELDS, "mask": mask, "boxes": [[5, 6, 2, 1], [0, 0, 1, 1]]}
    assert hidden(both) == [[0, 0], [1, 2], [6, 5], [6, 6]]
    grown = {**FIELDS, "mask": mask, "grow": 1}
    assert hidden(grown) == [[0, 2], [1, 1], [1, 2], [1, 3], [2, 2]]


def test_a_mask_of_another_size_is_resized_only_where_it_was(tmp_path: Path) -> None:
    mask = white(tmp_path / "m.png", (0, 0), side=4)
    assert hidden({**FIELDS, "mask": mask, "resize": True}) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    with pytest.raises(UserError, match="4x4 pixels, the photo 8x8") as told:
        hidden({**FIELDS, "mask": mask})
    assert "resize_mask" not in str(told.value)  # a score has no such setting


@pytest.mark.parametrize("beside", ["mask", "image"])
def test_transparency_is_the_masks_or_else_the_photos_own(tmp_path: Path, beside: str) -> None:
    pixels = np.full((8, 8, 4), 255, np.uint8)
    pixels[3, 4, 3] = 0
    save(tmp_path, "clear.png", pixels)
    path = str(tmp_path / "clear.png")
    fields = {**FIELDS, "alpha": True, "mask": path if beside == "mask" else None}
    assert hidden(fields, picture=path) == [[3, 4]]


@pytest.mark.parametrize(
    "fields",
    [
        None,
        FIELDS,
        {**FIELDS, "mask": "gone.png"},
        {**FIELDS, "painted": "gone.png"},
        {**FIELDS, "kind": "centre"},  # drawn by a seed that is unknown
        {**FIELDS, "kind": "freeform", "seed": 0},  # at a scale that is unknown
        {**FIELDS, "everything": True},
    ],
)
def test_a_hole_that_cannot_be_drawn_again_is_unknown(fields: dict[str, Any] | None) -> None:
    assert hole_of({"hole": fields}, Path("photo.png")) is None


def test_a_set_of_masks_without_the_place_in_it_is_unknown(tmp_path: Path) -> None:
    masks = tmp_path / "masks.npz"
    masks.write_bytes(b"")
    assert hole_of({"hole": {**FIELDS, "mask": str(masks)}}, Path("photo.png")) is None


def invoke(*arguments: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "options",
    [
        ["--mask", "freeform", "--seed", "3"],
        ["--mask", "centre", "--grow", "2"],
        ["--mask", "freeform", "--invert-mask", "--box", "1,1,9,9"],
        ["--mask", "SET"],
        ["--mask-painted", "COPY"],
        ["--mask-colour", "ff00ff", "--shrink", "1"],
        ["--mask", "VALUES", "--mask-values", "7"],
        ["--polygon", "10%,10%,60%,10%,10%,70%", "--box", "50%,50%,25%,25%"],
    ],
    ids=" ".join,
)
def test_every_hole_of_complete_is_drawn_again_from_its_record(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (60, 90, 3), dtype=np.uint8)
    photo, copy, values, drawn = (tmp_path / f"{n}" for n in ("a.png", "b.png", "c.png", "d.npz"))
    save(tmp_path, "a.png", pixels)
    pixels[20:40, 30:50] = 255, 0, 255
    if "--mask-colour" in options:
        save(tmp_path, "a.png", pixels)
    save(tmp_path, "b.png", pixels)
    save(tmp_path, "c.png", np.eye(60, 90, dtype=np.uint8)[..., None] * 7)
    invoke("masks", "-n", "2", "--size", "60x90", "-o", str(drawn))
    named = {"SET": str(drawn), "COPY": str(copy), "VALUES": str(values)}
    seen: list[Any] = []
    complete = completing.complete_photo

    def spying(photo: Any, visible: Any, *rest: Any) -> Any:
        seen.append(visible)
        return complete(photo, visible, *rest)

    monkeypatch.setattr(batch, "complete_photo", spying)
    given = [named.get(option, option) for option in options]
    invoke("complete", str(photo), "--model", "telea", *given, "-o", str(tmp_path / "out"))
    (item,) = json.loads((tmp_path / "out" / "completions.json").read_text())["items"]
    hole = hole_of(item, photo)
    assert hole is not None
    assert np.array_equal(hole.visible(60, 90), seen[0])


@pytest.mark.parametrize(
    "name", ["m.png", "a + b.png", "x, inverted.png", "box 1,1,2,2.png", "a + grown by 2.png"]
)
def test_the_words_of_an_older_record_keep_the_name_of_the_mask(name: str, tmp_path: Path) -> None:
    mask = white(tmp_path / "m.png", (1, 2))
    path = Path(mask).rename(tmp_path / name)
    photo = Path(white(tmp_path / "photo.png"))

    def read(words: str) -> PictureHole | None:
        return hole_of(upgraded({"image": str(photo), "mask": words, "completions": []}), photo)

    assert read(str(path)) == PictureHole(HoleSource(path, resize=None), photo)
    words = f"{path}, inverted + box 1,1,2,2 + box 50%,0%,25%,25% + grown by 2"
    boxes = parse_box("1,1,2,2"), parse_box("4,0,2,2")
    source = HoleSource(path, boxes=boxes, invert=True, grow=2, resize=None)
    assert read(words) == PictureHole(source, photo)
    assert read(f"{path}, its alpha") == PictureHole(
        HoleSource(path, alpha=True, resize=None), photo
    )


@pytest.mark.parametrize("words", ["freeform", "everything", "gone.png + box 1,1,2,2"])
def test_words_that_name_no_file_are_no_hole(words: str) -> None:
    item = upgraded({"image": "photo.png", "mask": words, "completions": []})
    assert hole_of(item, Path("photo.png")) is None


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
