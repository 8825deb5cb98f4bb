"""`inpaint pick`: one completion under a name of its own, and how it was made."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from inpaint_cli.cli import main


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of results of one photo."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    asked = ("--box", "10,10,12,12", "--model", "telea", "-o", tmp_path / "done")
    assert run("complete", tmp_path / "cat.png", *asked).exit_code == 0
    return tmp_path / "done"


def test_a_completion_is_copied_byte_for_byte_and_its_making_told(folder: Path) -> None:
    target = folder.parent / "final.png"
    picked = run("pick", folder / "cat-0.png", "-o", target)
    assert (picked.exit_code, picked.stdout) == (0, f"{target}\n")
    assert target.read_bytes() == (folder / "cat-0.png").read_bytes()
    assert f"completion 0 of {folder.parent / 'cat.png'} by telea, seed 0" in picked.stderr


def test_without_the_record_the_file_itself_tells(folder: Path) -> None:
    (folder / "completions.json").unlink()
    picked = run("pick", folder / "cat-0.png", "-o", folder / "final.png", "--json")
    assert json.loads(picked.stdout)["model"] == "telea"


def test_of_a_picture_of_unknown_making_it_says_so(tmp_path: Path) -> None:
    Image.new("L", (3, 3)).save(tmp_path / "a.png")
    picked = run("pick", tmp_path / "a.png", "-o", tmp_path / "b.png")
    assert picked.exit_code == 0
    assert "how it was made is not known" in picked.stderr


def test_a_file_that_is_not_what_its_record_knows_is_told_of(folder: Path, tmp_path: Path) -> None:
    other = ("--box", "20,20,5,5", "--model", "navier-stokes", "-o", tmp_path / "other")
    assert run("complete", tmp_path / "cat.png", *other).exit_code == 0
    (folder / "cat-0.png").write_bytes((tmp_path / "other" / "cat-0.png").read_bytes())
    picked = run("pick", folder / "cat-0.png", "-o", folder / "final.png")
    assert "completion 0 by navier-stokes, seed 0" in picked.stderr
    assert "not as its completions.json knows it" in picked.stderr
    Image.new("RGB", (50, 40)).save(folder / "cat-0.png")
    picked = run("pick", folder / "cat-0.png", "-o", folder / "black.png")
    assert "how it was made is not known" in picked.stderr
    assert "not as its completions.json knows it" in picked.stderr


def test_a_folder_is_no_completion(folder: Path) -> None:
    picked = run("pick", folder, "-o", folder / "final.png")
    assert (picked.exit_code, "a folder. Give the file" in picked.stderr) == (2, True)


def test_a_damaged_record_is_passed_over(folder: Path) -> None:
    (folder / "completions.json").write_text('{"items": [3]}')
    picked = run("pick", folder / "cat-0.png", "-o", folder / "final.png")
    assert "completion 0 by telea, seed 0" in picked.stderr


def test_the_record_above_is_found_for_folders_in_folders(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "cat-0.png").rename(folder / "sub" / "cat-0.png")
    record = folder / "completions.json"
    record.write_text(record.read_text().replace('"cat-0.png"', '"sub/cat-0.png"'))
    picked = run("pick", folder / "sub" / "cat-0.png", "-o", folder / "final.png", "--json")
    assert json.loads(picked.stdout)["image"] == str(folder.parent / "cat.png")


def test_a_file_that_exists_is_replaced_on_request_only(folder: Path) -> None:
    target = folder.parent / "final.png"
    target.write_bytes(b"mine")
    refused = run("pick", folder / "cat-0.png", "-o", target)
    assert (refused.exit_code, target.read_bytes()) == (2, b"mine")
    assert "--overwrite" in refused.stderr
    assert run("pick", folder / "cat-0.png", "-o", target, "--overwrite").exit_code == 0
    assert target.read_bytes() == (folder / "cat-0.png").read_bytes()


@pytest.mark.parametrize(
    ("completion", "target", "says"),
    [
        ("cat-9.png", "final.png", "no such file"),
        ("cat-0.png", "final.jpg", "--output: "),
        ("cat-0.png", "cat-0.png", "the completion itself"),
        ("completions.json", "final.json", "PNG, TIFF, JPEG or WebP"),
        ("cat-sheet.png", "final.png", "a sheet, and no completion"),
    ],
)
def test_what_cannot_be_copied_is_refused(
    folder: Path, completion: str, target: str, says: str
) -> None:
    before = sorted(path.name for path in folder.iterdir())
    refused = run("pick", folder / completion, "-o", folder / target)
    assert refused.exit_code == 2
    assert says in refused.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    ("kind", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp"), ("tiff", ".tiff")]
)
def test_completions_of_every_format_can_be_picked(folder: Path, kind: str, suffix: str) -> None:
    asked = ("--box", "10,10,12,12", "--model", "telea", "--format", kind, "-o", folder / kind)
    assert run("complete", folder.parent / "cat.png", *asked).exit_code == 0
    made, target = folder / kind / f"cat-0{suffix}", folder / f"final{suffix}"
    picked = run("pick", made, "-o", target)
    assert "by telea, seed 0" in picked.stderr
    assert target.read_bytes() == made.read_bytes()


def test_a_folder_keeps_the_name(folder: Path) -> None:
    picked = run("pick", folder / "cat-0.png", "-o", folder.parent)
    assert picked.exit_code == 0
    assert (folder.parent / "cat-0.png").is_file()


def test_another_seed_leaves_earlier_results_alone(tmp_path: Path) -> None:
    Image.new("RGB", (40, 50), (90, 20, 10)).save(tmp_path / "cat.png")
    asked = ("--box", "9,9,9,9", "--model", "telea", "-o", tmp_path)
    assert run("complete", tmp_path / "cat.png", *asked).exit_code == 0
    first = (tmp_path / "cat-0.png").stat().st_mtime_ns
    again = run("complete", tmp_path / "cat.png", *asked, "--seed", 7)
    assert again.stdout == f"{tmp_path / 'cat-s7-sheet.png'}\n"
    assert (tmp_path / "cat-0.png").stat().st_mtime_ns == first
    items = json.loads((tmp_path / "completions.json").read_text())["items"]
    assert [item["sheet"] for item in items] == ["cat-sheet.png", "cat-s7-sheet.png"]


def test_without_a_sheet_the_completions_are_printed(tmp_path: Path) -> None:
    Image.new("RGB", (40, 50), (90, 20, 10)).save(tmp_path / "cat.png")
    asked = ("--box", "9,9,9,9", "--model", "telea", "-o", tmp_path, "--no-sheet")
    printed = run("complete", tmp_path / "cat.png", *asked)
    assert printed.stdout == f"{tmp_path / 'cat-0.png'}\n"
    assert not (tmp_path / "cat-sheet.png").exists()
    assert run("complete", tmp_path / "cat.png", *asked, "--sheet", 400).exit_code == 2
    huge = run("complete", tmp_path / "cat.png", "--box", "1,1,3,3", "--sheet", 10**6)
    assert "must be at most 4096" in huge.stderr
