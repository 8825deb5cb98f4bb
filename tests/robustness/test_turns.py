"""Processes that write into one folder at once lose nothing of each other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PHOTOS = 4


def complete(top: Path, folder: Path, *photos: str) -> subprocess.Popen[str]:
    hole = ["--box", "3,3,9,9", "--model", "telea", "-o", "out"]
    return subprocess.Popen(
        [sys.executable, "-m", "inpaint_cli", "complete", *photos, *hole],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(top)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("folders", [("a", "b"), ("a", "a")], ids=["other photos", "the same"])
def test_two_processes_at_once_keep_the_items_of_both(
    folders: tuple[str, str], tmp_path: Path, top: Path
) -> None:
    values = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(PHOTOS):
            Image.fromarray(values).save(tmp_path / folder / f"{folder}{number}.png")
    for _ in range(2):
        both = [complete(top, tmp_path, folder) for folder in folders]
        outputs = [process.communicate()[0] for process in both]
        assert [process.returncode for process in both] == [0, 0], outputs
    items = json.loads((tmp_path / "out" / "completions.json").read_text())["items"]
    names = [f"{folder}{number}" for folder in sorted(set(folders)) for number in range(PHOTOS)]
    assert [item["sheet"] for item in items] == [f"{name}-sheet.png" for name in names]
    files = {f"{name}-{end}.png" for name in names for end in ("0", "sheet")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*files, "completions.json"}
