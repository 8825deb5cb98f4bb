"""`inpaint masks`: files, manifest, sheet, and one sentence for what cannot be drawn."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from inpaint_cli import masks
from inpaint_cli.cli import main
from inpaint_cli.masks.files import read_mask
from inpaint_cli.masks.sets import read_set


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["masks", *map(str, arguments)])


def test_masks_a_manifest_and_a_sheet_are_written(tmp_path: Path) -> None:
    result = run("--kind", "freeform", "-n", 3, "--size", 40, "--seed", 5, "-o", tmp_path / "a b")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'a b' / 'sheet.png'}\n"
    assert "freeform 40x40 seed 5 count 3" in result.stderr
    names = sorted(path.name for path in (tmp_path / "a b").iterdir())
    assert names == ["0000.png", "0001.png", "0002.png", "masks.json", "sheet.png"]
    expected = masks.draw("freeform", 40, 40, seed=5, index=2)
    np.testing.assert_array_equal(read_mask(tmp_path / "a b" / "0002.png"), expected)


@pytest.mark.parametrize(
    ("kind", "size", "remarked"),
    [
        ("freeform", 64, True),
        ("freeform-scaled", 64, False),
        ("freeform", 256, False),
        ("strokes-absolute", 64, True),
        ("strokes", 64, False),  # scaled below 256
        ("blobs", 64, False),  # what is visible keeps its size, so more of it is
    ],
)
def test_shapes_measured_in_pixels_are_remarked_on_where_they_hide_more(
    tmp_path: Path, kind: str, size: int, remarked: bool
) -> None:
    result = run("--kind", kind, "-n", 1, "--size", size, "-o", tmp_path / "m")
    assert ("so less stays visible" in result.stderr) == remarked


def test_a_range_says_how_much_stays_visible(tmp_path: Path) -> None:
    result = run("--kind", "freeform@60-80", "-n", 1, "--size", 64, "-o", tmp_path / "m")
    assert "as many pixels wide at 64 as at 256. Those of freeform-scaled" in result.stderr


def test_the_same_command_gives_the_same_files(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        run("--kind", "strokes", "-n", 2, "--size", "24x40", "-o", tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_one_file_holds_a_whole_set(tmp_path: Path) -> None:
    result = run("-n", 4, "--size", "16x24", "-o", tmp_path / "set.npz", "-q")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{tmp_path}/set.npz\n", "")
    assert read_set(tmp_path / "set.npz")[0].shape == (16, 24)
    assert len(list(tmp_path.iterdir())) == 1


def test_json_is_the_manifest_and_the_paths(tmp_path: Path) -> None:
    result = run("-n", 2, "--size", 16, "-o", tmp_path, "--json")
    facts = json.loads(result.stdout)
    assert (facts["schema"], facts["count"], facts["size"]) == (1, 2, [16, 16])
    assert [Path(path).exists() for path in [*facts["files"], facts["sheet"]]] == [True] * 3
    manifest = json.loads((tmp_path / "masks.json").read_text())
    assert manifest.items() <= facts.items()


def test_the_sheet_of_a_mixture_has_a_column_a_range(tmp_path: Path) -> None:
    run("--kind", "pixels@mixture", "-n", 10, "--size", 16, "-o", tmp_path)
    run("--kind", "pixels", "-n", 10, "--size", 16, "-o", tmp_path / "plain")
    sheets = [tmp_path / "sheet.png", tmp_path / "plain" / "sheet.png"]
    with Image.open(sheets[0]) as five, Image.open(sheets[1]) as eight:
        assert five.width < eight.width


@pytest.mark.parametrize("size", ["8", "300", "8x200"])
def test_a_sheet_shows_masks_of_any_size(size: str, tmp_path: Path) -> None:
    assert run("--kind", "centre", "-n", 1, "--size", size, "-o", tmp_path).exit_code == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        values = set(np.asarray(sheet.convert("L")).ravel().tolist())
    assert {0, 128, 255} <= values


def test_all_kinds_are_listed() -> None:
    plain, listed = run("--list"), json.loads(run("--list", "--json").stdout)
    assert plain.exit_code == 0
    assert listed["kinds"] == masks.KINDS
    assert [line.split()[0] for line in plain.stdout.splitlines()[:-2]] == list(masks.KINDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "freform"], "Did you mean 'freeform'"),
        (["--kind", "centre@0-20"], "takes no range"),
        (["--kind", "blobs@99-100"], "blobs cannot give 99-100 % visible at 32x32"),
        (["--size", "7"], "at least 8x8"),
        (["--size", "0x9"], "at least 8x8"),
        (["--size", "big"], "HEIGHTxWIDTH"),
        (["--size", "100000"], "at most 16384"),
        (["-n", "0"], "must be at least 1, got 0"),
        (["--seed", "-1"], "must be at least 0, got -1"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence_and_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    result = run("--size", 32, "-o", tmp_path / "new", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_folder_of_other_images_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"mine")
    result = run("-o", tmp_path, "--size", 16)
    assert result.exit_code == 2
    assert "holds images but no masks.json" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize("kind", ["everything", "edge:40", "hide-left:0.001"])
def test_masks_without_a_hole_are_refused_as_complete_refuses_them(
    tmp_path: Path, kind: str
) -> None:
    result = run("--kind", kind, "-n", 2, "--size", 16, "-o", tmp_path / "m")
    assert result.exit_code == 2
    assert f"--kind: '{kind}' leaves all of 16x16 pixels visible" in result.stderr
    assert not (tmp_path / "m").exists()


def test_single_masks_without_a_hole_are_told_of(tmp_path: Path) -> None:
    result = run("--kind", "holes", "-n", 30, "--size", 32, "-o", tmp_path / "m.npz")
    assert result.exit_code == 0
    empty = sum(mask.all() for mask in read_set(tmp_path / "m.npz"))
    assert 0 < empty < 30
    assert f"holes: {empty} of 30 masks have no hole.\n" in result.stderr
