"""Labels of a labels.csv: how rows find their pictures, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from inpaint_cli import data
from inpaint_cli.data import ImageSet
from inpaint_cli.errors import UserError
from tests.data.image_files import folder_of, photos, tar_of, zip_of

TREE = photos("train/a.png", "train/b.png", "train/c.png", "test/d.png")
TABLE = "image,labels\na.png,tall|blue\nb.png,\nc.png,blue\nd.png, tall | tall \n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "home"))


def opened(
    path: str, split: data.Split = "train", labels: tuple[str, ...] | None = None
) -> ImageSet:
    return data.load_images([path], size=8, channels=3, split=split, labels=labels)


def labelled(folder: Path, table: str) -> str:
    return folder_of(folder / "set", {**TREE, "labels.csv": table.encode()})


def by_id(images: ImageSet) -> dict[str, list[str]]:
    assert images.labels is not None
    return {
        Path(name).name: [images.classes[i] for i in np.flatnonzero(row)]
        for name, row in zip(images.ids, images.labels, strict=True)
    }


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_a_table_labels_the_pictures_of_a_folder_and_of_an_archive(
    kind: str, tmp_path: Path
) -> None:
    files = {**TREE, "labels.csv": TABLE.encode()}
    make = {"folder": folder_of, "zip": zip_of, "tar": tar_of}[kind]
    path = make(tmp_path / {"folder": "set", "zip": "set.zip", "tar": "set.tar.gz"}[kind], files)
    train, test = opened(path), opened(path, "test")
    assert train.classes == test.classes == ("blue", "tall", "any")
    labels = by_id(train) | by_id(opened(path, "validation")) | by_id(test)
    assert labels == {
        "a.png": ["blue", "tall", "any"],
        "b.png": [],
        "c.png": ["blue", "any"],
        "d.png": ["tall", "any"],
    }
    assert "2 labels" in train.describe()[0]
    assert "labels.csv: 4 rows, 2 labels" in train.describe()
    assert not any("other file" in line for line in train.describe())


def test_a_row_names_a_path_or_a_file(tmp_path: Path) -> None:
    table = TABLE.replace("a.png", "train/a.png")
    images = opened(labelled(tmp_path, table))
    assert by_id(images).get("a.png", ["blue", "tall", "any"]) == ["blue", "tall", "any"]
    files = photos("x/a.png", "y/a.png")
    path = folder_of(tmp_path / "two", {**files, "labels.csv": b"image,labels\na.png,blue\n"})
    with pytest.raises(UserError, match=r"data: labels.csv: 'a.png' may be x/a.png or y/a.png"):
        opened(path)


def test_pictures_without_a_row_leave_the_set_without_labels_and_a_line_says_so(
    tmp_path: Path,
) -> None:
    images = opened(labelled(tmp_path, "image,labels\na.png,blue\nz.png,blue\n"))
    assert images.labels is None
    (line,) = (line for line in images.describe() if line.startswith("labels.csv"))
    assert "1 row of pictures that are not here" in line
    assert "3 pictures without a row, so no labels are used" in line


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("file;what\na.png;blue\n", "labels.csv is not used: its first line is not image,labels"),
        ("", "labels.csv is not used"),
    ],
)
def test_a_table_of_another_kind_is_left_alone_in_words(
    table: str, sentence: str, tmp_path: Path
) -> None:
    images = opened(labelled(tmp_path, table))
    assert images.labels is None
    assert any(sentence in line for line in images.describe())


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("image,labels\na.png\n", "line 2: must be the name of a picture, a comma"),
        ("image,labels\na.png,x\na.png,y\n", "line 3: a second row of 'a.png'"),
        ("image,labels\na.png,any\n", "'any' is no label"),
        ('image,labels\na.png,"x,y"\n', "'x,y' is no label"),
        ('image,labels\na.png,"x\n', "no CSV in UTF-8"),
    ],
)
def test_a_broken_row_is_an_error_with_its_line(table: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"labels.csv.*{sentence}"):
        opened(labelled(tmp_path, table))


def test_a_table_that_is_no_utf8_is_an_error(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "set", {**TREE, "labels.csv": b"image,labels\na.png,\xff\n"})
    with pytest.raises(UserError, match="no CSV in UTF-8"):
        opened(path)


def test_a_model_gets_its_own_labels_in_its_own_order(tmp_path: Path) -> None:
    path = labelled(tmp_path, TABLE)
    images = opened(path, "test", labels=("tall", "rare", "blue"))
    assert images.classes == ("tall", "rare", "blue", "any")
    assert images.labels is not None
    assert images.labels.tolist() == [[1, 0, 0, 1]]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ((), r"has the labels blue, tall.*Say all of them: labels=blue,tall\."),
        (("blue",), r"has the labels tall, and they are none of the model's"),
    ],
)
def test_labels_that_a_model_does_not_know_are_an_error_that_says_the_setting(
    labels: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        opened(labelled(tmp_path, TABLE), labels=labels)


def test_a_model_of_labels_needs_a_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data: .* has no labels.csv with a row for every picture"):
        opened(folder_of(tmp_path / "plain", TREE), labels=("blue",))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            TABLE.replace(",", ";"),
            r"\(labels.csv is not used: its first line is not image,labels\)",
        ),
        (TABLE.replace("b.png,\n", ""), "1 picture without a row, so no labels are used"),
        (TABLE.replace(".png", ""), "4 rows of pictures that are not here; 4 pictures without"),
    ],
)
def test_a_table_that_a_model_cannot_learn_from_says_why(
    table: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"with a row for every picture.*{reason}"):
        opened(labelled(tmp_path, table), labels=("blue", "tall"))


def test_a_row_may_begin_at_the_folder_and_the_table_with_a_capital(tmp_path: Path) -> None:
    table = TABLE.replace("a.png", "./train/a.png").encode()
    images = opened(folder_of(tmp_path / "set", {**TREE, "Labels.csv": table}))
    assert images.classes == ("blue", "tall", "any")
