"""JSON and TOML of anybody: whatever is wrong is one sentence that names the place."""

import os
from pathlib import Path

import pytest

from inpaint_cli.configuration import read_toml
from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import parse_box
from inpaint_cli.masks.kinds import parse
from inpaint_cli.parsing import brief, json_of, read_text, toml_of

LONG = "9" * 5000


def test_a_number_of_5000_digits_is_refused_with_its_name() -> None:
    with pytest.raises(UserError, match=r"a\.toml: not a TOML file \(betas is a number of more"):
        toml_of(f"lr = 1.0\nbetas = [0.9, {LONG}]\n", "a.toml")
    with pytest.raises(UserError, match=r"a\.json: damaged JSON \(depth is a number of more"):
        json_of(f'{{"size": 8, "depth": {LONG}}}', "a.json")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, b"\xff\xfe", '"\\ud800', ""])
def test_damaged_json_is_one_sentence(text: str | bytes) -> None:
    with pytest.raises(UserError, match="x: damaged JSON") as caught:
        json_of(text, "x")
    assert len(str(caught.value)) < 300


def test_a_file_beyond_its_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as handle:
        handle.truncate(2 << 20)
    with pytest.raises(UserError, match="larger than 1 MiB"):
        read_text(path, most=1 << 20)


def test_a_picture_in_place_of_a_text_is_not_said_to_be_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(UserError, match=r"a\.png: not a text file \("):
        read_text(path)


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")
    (tmp_path / "b.toml").symlink_to("/dev/zero")
    for name in ("a.toml", "b.toml"):
        with pytest.raises(UserError, match=r"toml: cannot be read \(not a regular file\)"):
            read_text(tmp_path / name)


def test_what_cannot_be_printed_is_quoted_all_the_same() -> None:
    assert brief(1 << 100_000) == "a number of more than 4300 digits"
    assert brief([1 << 100_000]) == "a number of more than 4300 digits"


def test_a_hexadecimal_number_without_end_is_no_value(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"seed = 0x{'f' * 5000}\n")
    assert brief(read_toml(path)["seed"]) == "a number of more than 4300 digits"


@pytest.mark.parametrize("text", [f"1,1,{LONG},2", f"1%,1%,{LONG}%,2%"])
def test_a_box_of_5000_digits_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write X,Y,W,H") as caught:
        parse_box(text)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "kind", [f"freeform@{LONG}-100", f"box-{LONG}", f"edge:{LONG}", "hide-top:1e999999999"]
)
def test_a_kind_of_5000_digits_is_refused(kind: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(kind)
    assert len(str(caught.value)) < 1000
