"""benchmarks.fills: a row a photo, its hole and its fills."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import fills


@pytest.mark.parametrize(("words", "pictures"), [(["-n", "2"], 3), (["--before"], 3)])
def test_the_picture_has_a_row_for_each_photo(
    words: list[str], pictures: int, top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, mask = (str(top / "examples" / name) for name in ("coffee.jpg", "coffee-mask.png"))
    target = tmp_path / "fills.jpg"
    asked = [photo, mask] * 2 + ["--model", "picme-photos32", "--tile", "90", "-o", str(target)]
    monkeypatch.setattr(sys, "argv", ["fills", *asked, *words])
    fills.main()
    with Image.open(target) as picture:
        assert picture.width == 6 + pictures * 96
        assert picture.height > 2 * 60


def test_every_example_has_a_hole_of_its_size(top: Path) -> None:
    for name in fills.EXAMPLES:
        photo = Image.open(top / "examples" / f"{name}.jpg")
        mask = Image.open(top / "examples" / f"{name}-mask.png")
        assert photo.size == mask.size
        assert mask.convert("L").getextrema() == (0, 255)
