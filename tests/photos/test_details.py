"""What families tell beside their completions, in batches and as pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint_cli.family import Completions
from inpaint_cli.photos.completing import Request, complete_photo
from inpaint_cli.photos.details import joined, of_completion, write_pictures
from inpaint_cli.photos.photo import of_array
from tests.models.picme.small import model_of


def free(name: str) -> None:
    """Lets every file be written."""


def test_smaller_batches_tell_the_same_of_each_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(primitives=3)
    visible = np.ones((8, 8), np.bool_)
    visible[2:6, 3:7] = False
    photo = of_array(np.full((8, 8), 90, np.uint8))
    whole = complete_photo(photo, visible, model, Request(n=5)).details
    complete = model.complete

    def at_most_two(*given: object, **options: object) -> Completions:
        if len(given[2]) > 2:  # type: ignore[arg-type]
            raise MemoryError
        return complete(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "complete", at_most_two)
    parts = complete_photo(photo, visible, model, Request(n=5)).details
    assert len(whole["primitive"]) == 5
    assert all(torch.equal(parts[name], whole[name]) for name in ("primitive", "weight"))


def test_details_of_the_image_are_taken_once() -> None:
    part = {"primitive": torch.tensor([1, 0]), "weights": torch.tensor([0.4, 0.6])}
    made = joined([part, part])
    assert made["primitive"].tolist() == [1, 0, 1, 0]
    assert torch.equal(made["weights"], part["weights"])


def test_a_completion_without_a_component_has_nothing_to_tell() -> None:
    assert of_completion([{"trace": 1}], 0) == {}
    assert of_completion([{}, {}], 0) == {}


def test_a_completion_of_several_windows_has_a_component_in_each() -> None:
    first = {"primitive": torch.tensor([2, 1]), "weight": torch.tensor([0.5, 0.25])}
    second = {"primitive": torch.tensor([0, 2]), "weight": torch.tensor([0.125, 0.5])}
    assert of_completion([first], 1) == {"primitive": 1, "weight": 0.25}
    assert of_completion([first, second], 1) == {"primitive": [1, 2], "weight": [0.25, 0.5]}


def test_grey_rows_and_latents_become_pictures(tmp_path: Path) -> None:
    rows = torch.zeros(2, 6, 1, 8, 8, dtype=torch.uint8)
    rows[1] = 200
    details = {
        "by_primitive": rows,
        "weights": torch.tensor([0.25, 0.75]),
        "latents": torch.full((5, 7, 3), 9, dtype=torch.uint8),
    }
    made = write_pictures(details, tmp_path, "a/b", free)
    assert made == {"by_primitive": "a/b-by-primitive.png", "latents": "a/b-latents.png"}
    with Image.open(tmp_path / made["latents"]) as latents:
        assert (latents.size, latents.getpixel((3, 3))) == ((7, 5), (9, 9, 9))
    with Image.open(tmp_path / made["by_primitive"]) as sheet:
        first, second = (sheet.getpixel((sheet.width - 70, y)) for y in (70, sheet.height - 70))
    assert (first, second) == ((0, 0, 0), (200, 200, 200))


def test_nothing_is_written_where_it_must_not_be(tmp_path: Path) -> None:
    def refuse(name: str) -> None:
        raise PermissionError(name)

    details = {"latents": torch.zeros(5, 7, 3, dtype=torch.uint8)}
    with pytest.raises(PermissionError, match="b-latents"):
        write_pictures(details, tmp_path, "b", refuse)
    assert list(tmp_path.iterdir()) == []
