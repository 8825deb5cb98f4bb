"""benchmarks.family_sheet: a row a model, made of the completions of one photo."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import family_sheet


def test_the_sheet_has_a_row_for_each_model(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets = {}
    for models in (["telea"], ["telea", "picme-photos32"]):
        chosen = [word for name in models for word in ("--model", name)]
        target = tmp_path / f"{len(models)}.png"
        photo, mask = (str(top / "examples" / name) for name in ("photo.png", "mask.png"))
        words = ["family_sheet", photo, "--mask", mask, *chosen, "-n", "2", "-o", str(target)]
        monkeypatch.setattr(sys, "argv", words)
        family_sheet.main()
        sheets[len(models)] = Image.open(target).convert("RGB")
    assert sheets[2].width == sheets[1].width
    assert sheets[2].height > 1.8 * sheets[1].height


def test_a_cut_holds_the_middle_of_the_hole() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    hole = np.zeros((40, 60), bool)
    hole[2:8, 50:58] = True
    picture[5, 54] = 255
    part = family_sheet.cut(picture, hole, 16)
    assert part.shape == (16, 16, 3)
    assert part.max() == 255
