"""Splits from the names of files that lie in no folder which says one."""

from pathlib import Path

import pytest

from inpaint_cli import data
from inpaint_cli.data.folders import Sorted, sort
from inpaint_cli.data.split_words import SplitMap
from inpaint_cli.errors import UserError
from tests.data.image_files import folder_of, photos, tar_of, zip_of


def sorted_of(*patterns: str, split_map: str = "", count: int = 8) -> Sorted:
    """Files by patterns with a place for a number."""
    keys = [pattern.format(i) for pattern in patterns for i in range(count)]
    return sort(list(dict.fromkeys(keys)), SplitMap.parse(split_map))


def splits(sorting: Sorted) -> dict[str, str | None]:
    return {member.key: member.split for member in sorting.members}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train_{:03}.png", "val_{:03}.png", "test_{:03}.png"),
        ("train{}.png", "valid{}.png", "test{}.png"),
        ("Train-{}.PNG", "Dev-{}.PNG", "Test-{}.PNG"),
        ("{:04}_train.png", "{:04}_val.png", "{:04}_test.png"),
        ("COCO_train2014_{:012}.jpg", "COCO_val2014_{:012}.jpg", "COCO_test2014_{:012}.jpg"),
        ("cat/train_{}.png", "dog/val_{}.png", "cat/test_{}.png"),
        ("photos/train_cat_{}.png", "photos/eval_cat_{}.png", "photos/test_dog_{}.png"),
    ],
)
def test_split_words_that_begin_or_end_file_names_are_splits(
    train: str, validation: str, test: str
) -> None:
    sorting = sorted_of(train, validation, test)
    expected = [split for split in data.SPLITS for _ in range(8)]
    assert list(splits(sorting).values()) == expected
    assert sorting.remarks[0].startswith("file names: ")
    for split in data.SPLITS:
        assert f" is {split} (8)" in sorting.remarks[0]


def test_names_of_a_word_and_a_hash_are_recognised_where_nearly_all_have_it() -> None:
    hashes = ["a8f3c2", "77be01", "c0ffee", "9dd101", "bada55", "f00b42", "e1e1aa", "123abc"]
    keys = [f"{word}-{text}.jpg" for word in ("train", "test") for text in hashes]
    assert set(splits(sort(keys)).values()) == {"train", "test"}


@pytest.mark.parametrize("pack", [folder_of, zip_of, tar_of])
def test_test_pictures_of_a_flat_set_are_not_trained_on(pack: type, tmp_path: Path) -> None:
    names = [f"flat/{word}_{i:03}.png" for word in ("train", "test") for i in range(30)]
    suffix = {"zip_of": ".zip", "tar_of": ".tar"}.get(pack.__name__, "")
    source = pack(tmp_path / f"a{suffix}", photos(*names))
    opened = {
        split: data.load_images([source], size=8, channels=1, split=split) for split in data.SPLITS
    }
    assert len(opened["test"]) == 30
    assert all("test_" in name for name in opened["test"].ids)
    assert not any("test_" in name for s in ("train", "validation") for name in opened[s].ids)
    assert "file names: test* is test (30), train* is train (30)" in opened["train"].describe()


@pytest.mark.parametrize(
    "names",
    [
        ["test.png", "beach.png", "cat.png"],
        ["train.png", "test.png", "val.png"],
        ["training-day.jpg", "test-drive.jpg", "beach.jpg", "cat.jpg"],
        ["training-day1.jpg", "training-day2.jpg", "test-drive1.jpg", "test-drive2.jpg"],
        ["test_1.png", "train_1.png", *[f"img_{i}.png" for i in range(20)]],
        ["train_val_1.png", "train_val_2.png", "test_train_1.png", "test_train_2.png"],
        [f"train_{i}.png" for i in range(20)],
        [
            f"{word}_{i}.png"
            for word in ("invalid", "attest", "trainers", "devil")
            for i in range(9)
        ],
        [f"the_test_of_time_{i}.png" for i in range(9)] + ["a.png"],
    ],
)
def test_ordinary_names_raise_no_alarm(names: list[str]) -> None:
    sorting = sort(names)
    assert set(splits(sorting).values()) == {None}
    assert not sorting.remarks


def test_names_that_are_splits_in_part_are_refused_with_the_list() -> None:
    expected = (
        r"test\* is test \(8\), train\* is train \(8\)\), those of 8 do not: "
        r"photo_0\.png, photo_1\.png, photo_2\.png and 5 more\..*"
        r"'test\*=test,train\*=train,\*=ignore'"
    )
    with pytest.raises(UserError, match=expected) as refusal:
        sorted_of("train_{}.png", "test_{}.png", "photo_{}.png")
    assert refusal.value.setting == "split_map"


def test_a_split_map_says_by_patterns_what_names_do_not() -> None:
    three = ("train_{}.png", "test_{}.png", "photo_{}.png")
    sorting = sorted_of(*three, split_map="photo*=val")
    assert [splits(sorting)[f"{n}_0.png"] for n in ("train", "test", "photo")] == [
        "train",
        "test",
        "validation",
    ]
    left = sorted_of(*three, split_map="test*=test,train*=train,*=ignore")
    assert "photo_0.png" not in splits(left)
    assert "8 pictures left out (as said)" in left.remarks
    assert set(splits(sorted_of(*three, split_map="*=class")).values()) == {None}
    one = sorted_of("a{}.png", split_map="a3.png=test,*=train")
    assert [key for key, split in splits(one).items() if split == "test"] == ["a3.png"]
    with pytest.raises(UserError, match=r"test as said \(8\)\), those of 8 do not"):
        sorted_of("a{}.png", "b{}.png", split_map="b*=test")


def test_patterns_hold_among_folders_that_are_splits() -> None:
    sorting = sorted_of(
        "train/{}.png", "test/{}.png", "{}.png", split_map="test/7*=train,3.png=ignore"
    )
    assert splits(sorting)["test/7.png"] == "train"
    assert "train/3.png" not in splits(sorting)
    assert splits(sorting)["test/6.png"] == "test"
    assert sorting.beside == 7


def test_held_out_words_that_are_no_splits_are_said(tmp_path: Path) -> None:
    sorting = sorted_of("{:03}.png", "test_{:03}.png")
    assert set(splits(sorting).values()) == {None}
    assert sorting.remarks == (
        "8 file names with the word of a split, as test*, are not taken for test; a split map "
        "(test*=test) says so",
    )
    source = folder_of(tmp_path / "a", photos("a.png", "b.png", "c.png"))
    with pytest.raises(UserError, match=r"'z\*' is no folder, file or array of a"):
        data.load_images([source], size=8, channels=1, split="train", split_map="z*=test")
