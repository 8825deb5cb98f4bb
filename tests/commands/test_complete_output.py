"""The files of completions: their format, one file alone, some of many, and what they cost."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from inpaint_cli.cli import main
from tests.pictures.pictures_of import tiff

BOX = ("--box", "20,20,12,12")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    ramp = np.add.outer(np.arange(60), np.arange(70))[..., None]
    noise = np.random.default_rng(0).integers(0, 30, (60, 70, 3))
    path = tmp_path / "a.jpg"
    Image.fromarray((ramp + noise).astype(np.uint8)).save(path, quality=90)
    return path


def complete(*arguments: object, model: str = "telea", stdin: bytes | None = None) -> Result:
    words = ["complete", *map(str, arguments), "--model", model]
    return CliRunner().invoke(main, words, input=stdin)


def test_a_jpeg_can_stay_one_and_it_is_told_how_far_visible_pixels_are_off(photo: Path) -> None:
    folder = photo.parent / "o"
    done = complete(photo, *BOX, "--format", "keep", "-o", folder)
    assert done.exit_code == 0
    assert "as jpeg, visible pixels differ by 0." in done.stderr
    with Image.open(folder / "a-0.jpg") as image, Image.open(photo) as source:
        assert image.quantization == source.quantization  # type: ignore[attr-defined]


def test_a_quality_of_an_exact_format_is_refused(photo: Path) -> None:
    done = complete(photo, *BOX, "--quality", 80, "-o", photo.parent / "o")
    assert done.exit_code == 2
    assert "--quality: png is exact" in done.stderr
    assert "take jpeg or webp with --format." in done.stderr


@pytest.mark.parametrize(
    ("name", "more"), [("a-0.png", ()), ("a-preview.png", ("--preview",)), ("b.png", ("-n", "1"))]
)
def test_a_painted_copy_is_an_input_that_is_never_replaced(
    photo: Path, name: str, more: tuple[str, ...]
) -> None:
    copy = photo.with_name(name)
    with Image.open(photo) as image:
        image.paste((255, 0, 0), (5, 5, 15, 15))
        image.save(copy)
    before = copy.read_bytes()
    out = copy if name == "b.png" else photo.parent
    done = complete(photo, "--mask-painted", copy, "-o", out, "--overwrite", *more)
    assert done.exit_code == 2
    assert "is an input, which is never replaced" in done.stderr
    assert copy.read_bytes() == before


def test_what_a_format_cannot_hold_is_told_before_anything_is_drawn(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []
    monkeypatch.setattr("inpaint_cli.photos.batch.complete_photo", lambda *a: drawn.append(a))
    out = ("-o", photo.parent / "o", "--format", "webp")
    done = complete(photo, "--extend", "left=17000", *out)
    assert (done.exit_code, drawn) == (2, [])
    assert "--format: webp holds sides of up to 16383 pixels" in done.stderr
    assert "17070x60. Write png or tiff." in done.stderr
    wide = photo.with_name("wide.png")
    Image.new("L", (17000, 2)).save(wide)
    assert "17000x2. Write png" in complete(wide, "--box", "0,0,5,2", *out).stderr
    assert drawn == []


def test_a_file_name_gets_the_one_completion_and_nothing_beside_it(photo: Path) -> None:
    target = photo.parent / "new" / "b.png"
    assert complete(photo, *BOX, "-o", target).stdout == f"{target}\n"
    assert [file.name for file in target.parent.iterdir()] == ["b.png"]
    assert "exists" in complete(photo, *BOX, "-o", target).stderr
    assert complete(photo, *BOX, "-o", target, "--overwrite").exit_code == 0
    assert complete(photo, *BOX, "-o", photo, "--overwrite").exit_code == 2


def test_several_completions_never_make_a_folder_called_like_a_file(photo: Path) -> None:
    target = photo.parent / "b.png"
    done = complete(photo, *BOX, "-o", target, "-n", 2, model="patches")
    assert done.exit_code == 2
    assert "is one file, but there are 2 completions" in done.stderr
    assert not target.exists()


@pytest.mark.parametrize("format", ["jpeg", "webp", "png", "tiff"])
def test_notes_on_what_a_photo_holds_are_true_in_every_format(tmp_path: Path, format: str) -> None:
    five = np.zeros((40, 50, 5), np.uint8)
    (tmp_path / "a.tif").write_bytes(tiff(five, 2, extras=(0, 0)))
    Image.fromarray(five[..., 0]).convert("P").save(tmp_path / "b.png", transparency=0)
    done = complete(tmp_path, *BOX, "-o", tmp_path / "o", "--format", format)
    assert "further channels are not filled in" in done.stderr
    assert ("2 further channels are left out" in done.stderr) == (format != "tiff")
    assert "a palette image, taken as RGBA" in done.stderr
    assert "stay as they are" not in done.stderr
    assert "completions are" not in done.stderr


def test_little_that_is_hidden_is_not_told_as_nothing(tmp_path: Path) -> None:
    Image.fromarray(np.arange(60000, dtype=np.uint8).reshape(200, 300)).save(tmp_path / "a.png")
    hole = ("--box", "9,9,2,2", "-o", tmp_path / "o")
    assert "below 0.1 % hidden; telea" in complete(tmp_path / "a.png", *hole).stderr
    assert "below 0.1 % hidden" in complete(tmp_path / "a.png", *hole, "--preview").stderr


def test_a_format_that_the_file_name_contradicts_is_refused(photo: Path) -> None:
    done = complete(photo, *BOX, "-o", photo.parent / "b.png", "--format", "webp")
    assert "b.png is a name for png" in done.stderr


def test_some_of_many_are_kept_and_the_others_never_written(photo: Path) -> None:
    folder = photo.parent / "o"
    arguments = (photo, *BOX, "-n", 3, "--keep", 2, "-o", folder)
    assert complete(*arguments, model="patches").exit_code == 0
    assert sorted(file.name for file in folder.glob("a-?.png")) == ["a-0.png", "a-1.png"]
    (item,) = json.loads((folder / "completions.json").read_text())["items"]
    assert item["drawn"] == 3
    again = complete(*arguments, "--skip-existing", model="patches")
    assert "its results exist" in again.stderr
    assert "must be 1 to 3" in complete(*arguments[:-2], "--keep", 4, model="patches").stderr


def test_a_photo_comes_by_standard_input_and_the_same_command_goes_on(photo: Path) -> None:
    folder, sent = photo.parent / "o", photo.read_bytes()
    for _ in range(2):
        done = complete("-", *BOX, "-o", folder, stdin=sent)
        assert done.exit_code == 0, done.stderr
    assert complete(photo, *BOX, "-o", photo.parent / "p").exit_code == 0
    piped, given = (
        np.asarray(Image.open(photo.parent / name)) for name in ("o/stdin-0.png", "p/a-0.png")
    )
    assert (piped == given).all()
    assert (folder / "stdin").read_bytes() == sent
    record = json.loads((folder / "completions.json").read_text())
    assert Path(record["items"][0]["image"]).name == "stdin"


def test_another_photo_by_standard_input_needs_a_word(photo: Path) -> None:
    folder, other = photo.parent / "o", photo.parent / "b.png"
    Image.new("RGB", (70, 60)).save(other)
    complete("-", *BOX, "-o", folder, stdin=photo.read_bytes())
    done = complete("-", *BOX, "-o", folder, stdin=other.read_bytes())
    assert done.exit_code == 2
    assert "it holds another photo" in done.stderr
    assert (folder / "stdin").read_bytes() == photo.read_bytes()
    assert complete("-", *BOX, "-o", folder, "--overwrite", stdin=other.read_bytes()).exit_code == 0


def test_standard_input_and_a_file_leave_that_file_alone(photo: Path) -> None:
    target = photo.parent / "new" / "b.png"
    assert complete("-", *BOX, "-o", target, stdin=photo.read_bytes()).exit_code == 0
    assert [file.name for file in target.parent.iterdir()] == ["b.png"]


def test_nothing_by_standard_input_is_told(photo: Path) -> None:
    done = complete("-", *BOX, "-o", photo.parent / "o", stdin=b"")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "standard input is empty" in done.stderr
    assert not (photo.parent / "o" / "stdin").exists()
    assert "results are files" in complete(photo, *BOX, "-o", "-").stderr
