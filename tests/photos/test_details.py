"""What families declare that they tell beside completions: in batches, records and pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint_cli import models
from inpaint_cli.declarations import Detail
from inpaint_cli.family import Completions
from inpaint_cli.photos.completing import complete_photo
from inpaint_cli.photos.details import (
    captions,
    joined,
    of_completion,
    of_window,
    write_pictures,
)
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.pictures.picture import of_array
from tests.models.picme.small import model_of

PEN = Detail("pen", per="completion", recorded=int, captioned=True)
FORCE = Detail("force", per="completion", recorded=float)
FORCES = Detail("forces")
STRIPS = Detail("strips", drawn="rows", ending="-strips.png", shares="forces")
MAP = Detail("map", drawn="picture", ending="-map.png", title="places of {ink}")
FILM = Detail("film", drawn="frames", ending="-film.gif")
SPREAD = Detail("spread", recorded=dict)
DECLARED = (PEN, FORCE, FORCES, STRIPS, MAP, FILM, SPREAD)


def allow(name: str) -> None:
    """Let every file be written."""


def test_smaller_batches_tell_the_same_of_each_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    model, family = model_of(primitives=3), models.get("picme")
    visible = np.ones((8, 8), np.bool_)
    visible[2:6, 3:7] = False
    photo = of_array(np.full((8, 8), 90, np.uint8))
    request = CompletionRequest.of_family(family, {}, n=5)
    (whole,) = complete_photo(photo, visible, model, request).details
    complete = model.complete

    def at_most_two(*given: object, **options: object) -> Completions:
        if len(given[2]) > 2:  # type: ignore[arg-type]
            raise MemoryError
        return complete(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "complete", at_most_two)
    (cut,) = complete_photo(photo, visible, model, request).details
    names = [detail.name for detail in family.details if detail.per == "completion"]
    assert [len(whole[name]) for name in names] == [5, 5]
    assert all(torch.equal(cut[name], whole[name]) for name in names)


def test_details_of_the_window_are_taken_once() -> None:
    batch = {"pen": torch.tensor([1, 0]), "forces": torch.tensor([0.4, 0.6])}
    details = joined([batch, batch], DECLARED)
    assert details["pen"].tolist() == [1, 0, 1, 0]
    assert torch.equal(details["forces"], batch["forces"])


def test_a_completion_without_what_is_declared_has_nothing_to_tell() -> None:
    assert of_completion([{"film": 1}], 0, DECLARED) == {}
    assert of_completion([{}, {}], 0, DECLARED) == {}
    assert of_window({}, DECLARED) == {}
    assert captions([{}, {}], 0, DECLARED) == []


def test_a_completion_of_several_windows_has_an_entry_for_each() -> None:
    first = {"pen": torch.tensor([2, 1]), "force": torch.tensor([0.5, 0.25])}
    second = {"pen": torch.tensor([0, 2]), "force": torch.tensor([0.125, 0.5])}
    assert of_completion([first], 1, DECLARED) == {"pen": 1, "force": 0.25}
    assert of_completion([first, second], 1, DECLARED) == {"pen": [1, 2], "force": [0.25, 0.5]}
    assert captions([first, second], 1, DECLARED) == ["pen 1, 2"]


def test_only_what_is_declared_as_recorded_is_kept_of_a_window() -> None:
    told = {"spread": {"near": 1.5}, "forces": torch.tensor([1.0]), "pen": torch.tensor([1])}
    assert of_window(told, DECLARED) == {"spread": {"near": 1.5}}


def test_each_way_of_drawing_becomes_its_file(tmp_path: Path) -> None:
    rows = torch.zeros(2, 6, 1, 8, 8, dtype=torch.uint8)
    rows[1] = 200
    film = torch.zeros(3, 8, 8, 3, dtype=torch.uint8)
    film[1:] = 255
    film[2] = 9
    details = {
        "strips": rows,
        "forces": torch.tensor([0.25, 0.75]),
        "map": torch.full((200, 300, 3), 9, dtype=torch.uint8),
        "ink": "blue",
        "film": film,
    }
    files = write_pictures(details, DECLARED, tmp_path, "a/b", allow)
    assert files == {"strips": "a/b-strips.png", "map": "a/b-map.png", "film": "a/b-film.gif"}
    with Image.open(tmp_path / files["map"]) as picture:
        assert (picture.width, picture.getpixel((3, picture.height - 9))) == (300, (9, 9, 9))
    with Image.open(tmp_path / files["strips"]) as sheet:
        first, second = (sheet.getpixel((sheet.width - 70, y)) for y in (70, sheet.height - 70))
    assert (first, second) == ((0, 0, 0), (200, 200, 200))
    with Image.open(tmp_path / files["film"]) as moving:
        assert (getattr(moving, "n_frames", 1), moving.size) == (3, (384, 384))


def test_rows_are_labelled_with_their_shares(tmp_path: Path) -> None:
    rows = torch.zeros(2, 2, 1, 8, 8, dtype=torch.uint8)
    widths = []
    for stem, shares in (("a", "forces"), ("b", "")):
        detail = Detail("strips", drawn="rows", ending=".png", shares=shares)
        details = {"strips": rows, "forces": torch.tensor([0.25, 0.75])}
        write_pictures(details, [detail], tmp_path, stem, allow)
        with Image.open(tmp_path / f"{stem}.png") as sheet:
            widths.append(sheet.width)
    assert widths[0] > widths[1]


def test_words_above_say_of_what_photo_a_picture_is_and_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from inpaint_cli.photos import details as room

    above = list[list[str]]()

    def heard(lines: Sequence[str], sheet: Image.Image) -> Image.Image:
        above.append(list(lines))
        return sheet

    monkeypatch.setattr(room, "headed", heard)
    details = {
        "map": torch.zeros(5, 7, 3, dtype=torch.uint8),
        "ink": "blue",
        "strips": torch.zeros(2, 2, 1, 8, 8, dtype=torch.uint8),
        "forces": torch.tensor([0.25, 0.75]),
    }
    write_pictures(details, DECLARED, tmp_path, "a", allow, heading="cat.jpg, toy, seed 0")
    assert above == [["cat.jpg, toy, seed 0"], ["cat.jpg, toy, seed 0", "places of blue"]]


def test_nothing_is_written_where_it_must_not_be(tmp_path: Path) -> None:
    def refuse(name: str) -> None:
        raise PermissionError(name)

    details = {"map": torch.zeros(5, 7, 3, dtype=torch.uint8), "ink": "blue"}
    with pytest.raises(PermissionError, match="b-map"):
        write_pictures(details, DECLARED, tmp_path, "b", refuse)
    assert list(tmp_path.iterdir()) == []
