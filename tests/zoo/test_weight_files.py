"""Weight files of other projects: found in order, checked by hash, never downloaded."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from inpaint_cli.zoo import weight_files
from inpaint_cli.zoo.weight_files import MissingWeights

RIGHT = b"the weights"
FIRST, SECOND = weight_files.FILES["inception"].names


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Makes RIGHT the Inception weights; gives the folders that are searched, all empty."""
    entry = weight_files.FILES["inception"]
    expected = replace(entry, sha256=hashlib.sha256(RIGHT).hexdigest())
    monkeypatch.setitem(weight_files.FILES, "inception", expected)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for variable in ("INPAINT_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return [
        tmp_path / "given",
        tmp_path / "INPAINT_HOME" / "weights",
        tmp_path / "TORCH_HOME" / "hub" / "checkpoints",
        tmp_path / "XDG_CACHE_HOME" / "torch" / "hub" / "checkpoints",
        tmp_path / "me" / ".cache" / "torch" / "hub" / "checkpoints",
    ]


def put(folder: Path, name: str = FIRST, content: bytes = RIGHT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("first", range(5))
def test_the_first_folder_that_has_the_file_wins(places: list[Path], first: int) -> None:
    for folder in places[first:]:
        put(folder)
    assert weight_files.find("inception", places[0]) == places[first] / FIRST


def test_the_folders_that_nothing_names_are_not_searched(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weight_files.folders() == [places[1], places[4]]


def test_the_other_published_name_is_found_too(places: list[Path]) -> None:
    assert weight_files.find("inception", put(places[0], SECOND).parent).name == SECOND


def test_a_file_of_another_content_is_passed_over(places: list[Path]) -> None:
    put(places[0], content=b"damaged")
    right = put(places[2])
    assert weight_files.find("inception", places[0]) == right


def test_a_file_of_another_content_alone_is_named_with_its_hash(places: list[Path]) -> None:
    put(places[0], content=b"damaged")
    with pytest.raises(MissingWeights) as caught:
        weight_files.find("inception", places[0])
    assert hashlib.sha256(b"damaged").hexdigest()[:8] in str(caught.value)


def test_a_missing_file_is_named_with_all_folders_and_what_to_do_instead(
    places: list[Path],
) -> None:
    with pytest.raises(MissingWeights) as caught:
        weight_files.find("inception", places[0])
    lines = str(caught.value).splitlines()
    assert FIRST in lines[0]
    assert "nothing is fetched unasked" in lines[0]
    assert lines[1].strip() == f"Searched: {', '.join(map(str, places))}."
    for words in ("weights_dir", "features of a classifier", "cannot be compared"):
        assert words in str(caught.value)


def test_the_first_line_of_a_refusal_names_no_folder(places: list[Path]) -> None:
    with pytest.raises(MissingWeights) as caught:
        weight_files.find("inception", places[0])
    assert "/" not in str(caught.value).splitlines()[0]


def test_the_inception_of_torchvision_is_not_taken_and_the_refusal_says_why(
    places: list[Path],
) -> None:
    put(places[2], "inception_v3_google-0cc3c7bd.pth")
    with pytest.raises(MissingWeights, match="1000 classes"):
        weight_files.find("inception", places[0])


def test_the_inception_of_torchvision_under_the_right_name_is_not_taken_either(
    places: list[Path],
) -> None:
    put(places[0], content=b"those of torchvision")
    with pytest.raises(MissingWeights, match="another file"):
        weight_files.find("inception", places[0])


@pytest.mark.parametrize("name", weight_files.FILES)
def test_published_names_end_in_the_hash_that_is_checked(name: str) -> None:
    entry = weight_files.FILES[name]
    assert all(file.removesuffix(".pth").endswith(entry.sha256[:8]) for file in entry.names)
