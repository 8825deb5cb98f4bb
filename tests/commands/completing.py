"""What tests of `inpaint complete` share: photos and holes, the command, its results."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from inpaint_cli.cli import main


def complete(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["complete", *map(str, arguments)])


def pixels(path: Path) -> npt.NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def draw_photo(path: Path, height: int = 60, width: int = 80, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def draw_hole(path: Path, height: int = 60, width: int = 80) -> npt.NDArray[np.bool_]:
    """Write a mask with a box, white = fill in; return bool [H, W], True = visible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hole = np.zeros((height, width), np.uint8)
    hole[height // 4 : height // 2, width // 3 : width // 2 + 1] = 255
    Image.fromarray(hole).save(path)
    return np.asarray(hole == 0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    draw_hole(tmp_path / "m.png")
    return draw_photo(tmp_path / "ä b.png")


def results_of(photo: Path, folder: str, *arguments: object) -> dict[str, bytes]:
    place = photo.parent / folder
    result = complete(photo, "--mask", photo.parent / "m.png", "-o", place, *arguments)
    assert result.exit_code == 0, result.output
    return {file.name: file.read_bytes() for file in place.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["a.png", "b.png", "sub/c.png"]):
        draw_photo(tmp_path / "in" / name, seed=number)
    for name in ["a.png", "b_mask001.png", "sub/c_mask.png", "lonely.png"]:
        draw_hole(tmp_path / "masks" / name)
    return tmp_path
