"""Names that people, other systems and attackers give to files: nothing fails, nothing is lost."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from inpaint_cli import cli

NAMES = [
    os.fsdecode(b"caf\xe9.png"),
    os.fsdecode(b"\xff\xfe.png"),
    "b.png",
    "\x1b]0;title\x07\x1b[31mred.png",
    "two\nlines.png",
    "%d%s{0}.png",
    "-lead.png",
    "[red]markup[!].png",
    "\u202egnp.png",
]


def inpaint(*words: object) -> Result:
    return CliRunner().invoke(cli.main, list(map(str, words)))


def draw(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    Image.fromarray(values).save(path, format="PNG")
    return path


def draw_mask(path: Path, left: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((16, 20), np.uint8)
    mask[4:8, left : left + 4] = 255
    Image.fromarray(mask).save(path, format="PNG")
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of photos with all names that its file system can hold."""
    for number, name in enumerate(NAMES):
        try:
            draw(tmp_path / "in" / name, number)
        except OSError as error:
            if error.errno != errno.EILSEQ:
                raise
    return tmp_path / "in"


def test_every_name_is_completed_recorded_and_known_again(photos: Path) -> None:
    out = photos.parent / "out"
    words = ["complete", photos, "--box", "4,4,5,5", "--model", "telea", "-o", out, "--json"]
    result = inpaint(*words)
    assert result.exit_code == 0, result.stderr
    # No name can move the cursor, recolour the terminal or forge a line.
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", result.stderr)
    record = json.loads((out / "completions.json").read_bytes().decode("utf-8"))
    names = sorted(os.listdir(photos))
    assert sorted(Path(item["image"]).name for item in record["items"]) == names
    assert json.loads(result.stdout)["items"] == record["items"]
    again = inpaint(*words, "--skip-existing")
    assert json.loads(again.stdout)["skipped"] == [str(photos / name) for name in names]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system holds UTF-8 alone")
def test_a_path_on_stdout_is_the_bytes_that_it_is(tmp_path: Path, top: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/m\xe9"
    words = [sys.executable, *["-m", "inpaint_cli", "masks", "-n", "1", "--size", "8", "-o"]]
    command = [*map(os.fsencode, words), folder]
    done = subprocess.run(command, cwd=top, capture_output=True, check=True)
    assert done.stdout == folder + b"/sheet.png\n"


def test_a_name_that_would_be_too_long_is_refused_before_the_model_is_asked(
    tmp_path: Path,
) -> None:
    # STEM-0.png would fit, STEM-sheet.png would not.
    photo = draw(tmp_path / ("x" * 246 + ".png"))
    words = ["complete", photo, "--box", "4,4,5,5", "--model", "telea"]
    refused = inpaint(*words, "-o", tmp_path / "out")
    assert refused.exit_code == 2
    assert "of 256 bytes" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert inpaint(*words, "--no-sheet", "-o", tmp_path / "out").exit_code == 0


def test_two_links_to_one_photo_each_get_their_own_mask(tmp_path: Path) -> None:
    photo = draw(tmp_path / "original.png")
    for left, name in enumerate(("one", "two")):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.png").symlink_to(photo)
        draw_mask(tmp_path / "masks" / f"{name}.png", 4 + 6 * left)
    out = tmp_path / "out"
    words = ["--mask", tmp_path / "masks", "--model", "telea", "-o", out]
    result = inpaint("complete", tmp_path / "in", *words)
    assert result.exit_code == 0, result.stderr
    assert "no photo for this mask" not in result.stderr
    assert (out / "one-0.png").read_bytes() != (out / "two-0.png").read_bytes()


def path_words(loop: Path, photo: Path) -> Iterator[list[object]]:
    box = ["--box", "4,4,5,5", "--model", "telea"]
    yield ["complete", loop, *box]
    yield ["complete", photo, "--mask", loop, "--model", "telea"]
    yield ["complete", photo, "--mask-painted", loop, "--model", "telea"]
    yield ["complete", photo, *box, "-o", loop]
    yield ["complete", photo, *box, "-o", loop / "below"]
    yield ["complete", photo, "--box", "4,4,5,5", "--model", loop]
    yield ["pick", loop, "-o", "x.png"]
    yield ["pick", photo, "-o", loop / "x.png"]
    yield ["train", "--model", "pcnn", "--data", loop]
    yield ["train", "--resume", loop]
    yield ["score", loop, "--reference", loop]
    yield ["masks", "-n", "1", "--size", "8", "-o", loop / "m.npz"]
    yield ["convert", loop, "--from", "pic", "-o", "x.safetensors"]
    yield ["models", loop]


def test_a_loop_of_links_is_one_sentence_wherever_it_is_given(tmp_path: Path) -> None:
    photo, loop = draw(tmp_path / "in" / "b.png"), tmp_path / "in" / "loop"
    loop.symlink_to("loop")
    for words in path_words(loop, photo):
        result = inpaint(*words)
        assert result.exit_code in (1, 2), words
        last = result.stderr.splitlines()[-1]
        assert last.startswith("error: "), (words, result.stderr)
        assert loop.is_symlink()


def test_a_loop_of_links_in_a_folder_is_left_out_with_a_remark(tmp_path: Path) -> None:
    draw(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "loop.png").symlink_to("loop.png")
    words = ["--box", "4,4,5,5", "--model", "telea", "-o", tmp_path / "out"]
    result = inpaint("complete", tmp_path / "in", *words)
    assert result.exit_code == 0
    assert "left out: loop.png (no file: a broken link" in result.stderr


def options() -> Iterator[tuple[str, str]]:
    """Yield each command with each option that takes a value."""
    context = click.Context(cli.main)
    for name in cli.COMMANDS:
        command = cli.main.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.is_flag:
                yield name, parameter.opts[-1]


def test_an_empty_value_is_refused_by_every_option_of_every_command(tmp_path: Path) -> None:
    for command, option in options():
        for words in ([option, ""], [f"{option}="])[: 1 + option.startswith("--")]:
            result = inpaint(command, *words)
            assert (result.exit_code, result.stdout) == (2, "")
            assert result.stderr.startswith(f"error: {option}: is empty."), words


@pytest.mark.parametrize(
    "words",
    [
        ("complete", "photo.png", "--box", "1,1,2,2", "--model"),
        ("models",),
        ("complete", "--box", "1,1,2,2", "--model", "telea"),
        ("complete", "photo.png", "--mask"),
        ("train", "--data", "digits", "--model"),
        ("train", "--model", "pcnn", "--data"),
        ("train", "--resume"),
        ("score",),
        ("calibrate", "--data", "digits", "--model"),
        ("paint",),
    ],
)
def test_a_name_that_no_file_can_have_is_refused_in_a_short_sentence(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "photo.png")
    refused = inpaint(*words, "x" * 3000)
    assert refused.exit_code == 2
    last = refused.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert len(last) < 300
    assert "no file can have so long a name" in last


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_an_empty_argument_is_refused(command: str) -> None:
    result = inpaint(command, "")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: an argument: is empty.")


@pytest.mark.parametrize("name", ["r.gif", "r.HEIC", "r.bmp", "r.pdf", "r.json"])
def test_a_result_of_a_kind_that_is_not_written_is_no_folder(name: str, tmp_path: Path) -> None:
    photo = draw(tmp_path / "b.png")
    words = ["--box", "4,4,5,5", "--model", "telea", "-o", tmp_path / name]
    for more in ([], ["--preview"]):
        refused = inpaint("complete", photo, *words, *more)
        assert refused.exit_code == 2
        assert "a file is written as .jpeg, .jpg, .png" in refused.stderr
    refused = inpaint("masks", "-n", "1", "--size", "8", "-o", tmp_path / name)
    assert refused.exit_code == 2
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("train", "--model", "pcnn", "--data", "digits", "--dry-run"), "model.safetensors"),
        (("models", "get", "vdvae-cifar10"), "cifar.th"),
        (("paint", "photo.png"), "result.png"),
        (("design", "photo.png"), "looks.png"),
        (("masks", "-n", "1", "--size", "8"), "set.NPZ"),
    ],
)
def test_a_file_is_not_silently_made_a_folder(
    words: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    refused = inpaint(*words, "-o", tmp_path / name)
    assert refused.exit_code == 2
    assert name in refused.stderr
    assert "folder" in refused.stderr
    assert not (tmp_path / name).exists()


def test_one_file_is_no_place_for_a_folder_of_photos(tmp_path: Path) -> None:
    draw(tmp_path / "in" / "a.png")
    draw(tmp_path / "in" / "b.png")
    words = ["--box", "4,4,5,5", "--model", "telea", "-o", tmp_path / "result.png"]
    refused = inpaint("complete", tmp_path / "in", *words)
    assert refused.exit_code == 2
    assert "is one file, but there are 2 photos" in refused.stderr
    assert not (tmp_path / "result.png").exists()
