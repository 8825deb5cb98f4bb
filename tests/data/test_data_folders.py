"""Splits and classes from names of folders, at any depth, and what a user says instead."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpaint_cli import data
from inpaint_cli.data import ImageSet
from inpaint_cli.data.folders import Sorted, sort
from inpaint_cli.data.split_words import SplitMap
from inpaint_cli.errors import UserError
from tests.data.image_files import folder_of, photos, png


def placed(*folders: str, split_map: str = "") -> Sorted:
    keys = [f"{folder}/{i}.png" for folder in folders for i in range(3)]
    return sort(keys, SplitMap.parse(split_map))


def splits(sorting: Sorted) -> dict[str, str | None]:
    return {member.key.rpartition("/")[0]: member.split for member in sorting.members}


def opened(source: str, split: data.Split = "train", **options: Any) -> ImageSet:
    return data.load_images([source], size=8, channels=1, split=split, **options)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train2017", "val2017", "test2017"),
        ("train_set", "valid_set", "test_set"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "DEV", "TEST"),
        ("trainA", "valA", "testA"),
        ("imagenet-train", "imagenet-val", "imagenet-test"),
        ("DIV2K_train_HR", "DIV2K_valid_HR", "DIV2K_test_HR"),
        ("train_256", "eval_256", "test_256"),
        ("x_train", "x_dev", "x_t10k"),
        ("trainset", "valset", "testset"),
        ("minitrain", "minival", "minitest"),
        ("imagestrain", "imagesval", "imagestest"),
        ("train_val", "dev", "test-dev2017"),
    ],
)
@pytest.mark.parametrize("around", ["", "set/", "a/b/", "{}"])
def test_split_words_are_found_with_years_prefixes_and_suffixes(
    train: str, validation: str, test: str, around: str
) -> None:
    names = (train, validation, test)
    if around == "{}":  # classes first
        folders = [f"{kind}/{name}" for kind in ("cat", "dog") for name in names]
    else:
        folders = [f"{around}{name}" for name in names]
    split_of = splits(placed(*folders))
    assert {folder: split_of[folder] for folder in folders} == dict(
        zip(folders, ["train", "validation", "test"] * (len(folders) // 3), strict=True)
    )


def test_eval_is_test_unless_another_folder_is() -> None:
    assert splits(placed("paris_train", "paris_eval"))["paris_eval"] == "test"
    assert splits(placed("train", "eval", "test"))["eval"] == "validation"


@pytest.mark.parametrize("name", ["test_tube", "weight training", "train_station", "gas_mask"])
def test_a_thing_whose_name_has_such_a_word_is_a_class(name: str) -> None:
    sorting = placed("bottle", "cup", name)
    assert set(splits(sorting).values()) == {None}
    assert {member.label for member in sorting.members} == {"bottle", "cup", name}


def test_classes_stand_above_or_below_the_splits() -> None:
    above = placed("bottle/train/good", "bottle/test/broken", "cable/train/good")
    assert {m.label for m in above.members} == {"bottle", "cable"}
    below = placed("train/cat", "train/dog", "test/cat")
    assert {m.label for m in below.members} == {"cat", "dog"}


def test_masks_beside_pictures_are_left_out_and_counted() -> None:
    sorting = placed("bottle/train/good", "bottle/test/broken", "bottle/ground_truth/broken")
    assert set(splits(sorting)) == {"bottle/train/good", "bottle/test/broken"}
    assert "3 pictures in ground_truth/ left out (masks or annotations" in " ".join(sorting.remarks)
    for truth in ("masks", "gt", "Annotations", "train_masks", "SegmentationClass", "labels"):
        assert set(splits(placed("images", truth))) == {"images"}
    assert set(splits(placed("train/images", "train/masks", "test/images"))) == {
        "train/images",
        "test/images",
    }


@pytest.mark.parametrize(
    ("pictures", "truth"),
    [
        ("leftImg8bit/train/ulm", "gtFine/train/ulm"),
        ("JPEGImages", "SegmentationObject"),
        ("DUTS-TR-Image", "DUTS-TR-Mask"),
        ("CelebA-HQ-img", "CelebAMask-HQ-mask-anno"),
        ("ISIC2018_Training_Input", "ISIC2018_Training_GroundTruth"),
        ("images/training", "annotations/training"),
        ("train/rgb", "train/depth"),
        ("image", "depth_map"),
        ("frames", "disparities"),
    ],
)
def test_masks_of_published_sets_are_left_out(pictures: str, truth: str) -> None:
    assert set(splits(placed(pictures, truth))) == {pictures}


def test_classes_with_mask_in_their_name_stay() -> None:
    assert len(splits(placed("with_mask", "without_mask", "gas_mask", "gas"))) == 4


def test_classes_called_like_maps_stay_where_no_pictures_stand_beside_them() -> None:
    assert len(splits(placed("depth", "edges", "normals", "drawings"))) == 4


@pytest.mark.parametrize(
    ("train", "test"), [("imagesTr", "imagesTs"), ("DUTS-TR", "DUTS-TE"), ("x_tr", "x_te")]
)
def test_short_words_are_splits_where_the_names_are_alike(train: str, test: str) -> None:
    assert splits(placed(train, test)) == {train: "train", test: "test"}


def test_short_words_alone_are_classes() -> None:
    assert set(splits(placed("tr", "te", "news_tr", "news_de")).values()) == {None}


def test_a_split_that_holds_others_is_divided_by_them() -> None:
    inside = {"trainval/train": "train", "trainval/val": "validation", "test": "test"}
    assert splits(placed(*inside)) == inside
    vehicles = {"train/train": "train", "train/car": "train", "test/car": "test"}
    assert splits(placed(*vehicles)) == vehicles


def test_a_split_map_that_says_two_things_of_a_folder_is_refused() -> None:
    with pytest.raises(UserError, match="says two things of 'a'"):
        SplitMap.parse("a=train,b=test,a=test")


def test_a_set_of_held_out_pictures_alone_says_what_to_do(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "a", photos("val/1.png", "val/2.png"))
    with pytest.raises(UserError, match=r"no train images \(there are 2 validation\).*split_map"):
        opened(source)
    with pytest.raises(UserError, match=r"no images found .*2 pictures left out \(as said\)"):
        opened(source, split_map="*=ignore")


def test_the_advice_names_a_folder_by_its_path_where_its_name_is_not_one() -> None:
    with pytest.raises(UserError, match="'chest/chest=ignore'"):
        placed("chest/train", "chest/test", "chest/chest/train", "chest/chest/test")


def test_pictures_that_are_masks_alone_are_pictures() -> None:
    assert set(splits(placed("masks/a", "masks/b"))) == {"masks/a", "masks/b"}
    assert set(splits(placed("mask", "no_mask", split_map="mask=class"))) == {"mask", "no_mask"}


def test_folders_that_are_splits_in_part_are_refused_with_the_list() -> None:
    with pytest.raises(UserError, match=r"\(test, train\), others are not: extra \(3\)") as error:
        placed("train", "test", "extra")
    assert error.value.on_command_line().startswith("--split-map: ")
    assert "'extra=ignore'" in str(error.value)
    with pytest.raises(UserError, match=r"cable \(3\).*'cable=ignore'.*'test=class'"):
        placed("bottle/train", "bottle/test", "cable/images")


def test_a_split_map_says_what_names_do_not() -> None:
    sorting = placed("train", "test", "extra", "more", split_map="extra=ignore,more=val")
    assert splits(sorting) == {"train": "train", "test": "test", "more": "validation"}
    assert "3 pictures in extra/ left out (as said)" in sorting.remarks
    by_path = placed("a/one", "a/two", "b/one", split_map="a/one=test,a/two=train,b/one=train")
    assert splits(by_path) == {"a/one": "test", "a/two": "train", "b/one": "train"}
    cifar = placed("train", "car", split_map="train=class")
    assert splits(cifar) == {"train": None, "car": None}


@pytest.mark.parametrize("text", ["train", "a=b", "=train", "a=train,b"])
def test_a_split_map_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected NAME=SPLIT"):
        SplitMap.parse(text)


def test_an_entry_about_nothing_is_refused(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "a", photos("train/1.png", "test/1.png"))
    with pytest.raises(UserError, match=r"'tset' is no folder, file or array of a"):
        opened(source, split_map="tset=test")


def test_a_lone_folder_around_everything_is_no_split() -> None:
    sorting = placed("test2017")
    assert splits(sorting) == {"test2017": None}
    assert sorting.remarks == ("test2017/ is around everything, so it is not taken for a split",)
    assert splits(placed("test")) == {"test": "test"}


def test_arrays_of_an_npz_are_recognised_by_the_same_words(tmp_path: Path) -> None:
    images = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((20, 8, 8), np.uint8)
    for train, test in (("x_train", "x_t10k"), ("trainX", "testX"), ("Xtrain", "Xtest")):
        labels = {test.replace("x_", "y_").replace("X", "Y"): np.arange(4)}
        np.savez(tmp_path / f"{test}.npz", **{train: images, test: images[:4] + 100}, **labels)  # type: ignore[arg-type]
        test_set = opened(str(tmp_path / f"{test}.npz"), "test")
        assert len(test_set) == 4
        assert f"arrays: {train} is train (20), {test} is test (4)" in test_set.describe()


def test_two_arrays_of_images_are_never_chosen_from_in_silence(tmp_path: Path) -> None:
    images = np.zeros((20, 8, 8), np.uint8)
    images[:, 0] = 255
    path = str(tmp_path / "a.npz")
    np.savez(path, images=images, x=images[:9], other=images[:3])
    with pytest.raises(UserError, match=r"images and x could both be the images.*'x=ignore'"):
        opened(path)
    chosen = opened(path, split_map="x=ignore,other=test")
    assert sum(chosen.counts.values()) == 23
    assert "arrays left out: x" in chosen.describe()


def test_labels_that_are_no_numbers_leave_no_class_called_nan(tmp_path: Path) -> None:
    images = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((20, 8, 8), np.uint8)
    labels = np.arange(20) % 3 + 0.0
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    assert opened(str(tmp_path / "a.npz")).classes == ("0", "1", "2")
    labels[4] = np.nan
    np.savez(tmp_path / "b.npz", images=images, labels=labels)
    labelled = opened(str(tmp_path / "b.npz"))
    assert labelled.classes == ()
    told = "1 label of images are no values (NaN, NaT, infinite or empty), so there are no classes"
    assert told in labelled.describe()


@pytest.mark.parametrize("copies", [0, 10])
def test_test_pictures_that_are_in_train_are_warned_of_once(
    copies: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = {f"train/{i}.png": png(i * 4) for i in range(40)}
    test = {f"test/{i}.png": png(i * 4 if i < copies else 200 + i) for i in range(10)}
    source = folder_of(tmp_path / "a", {**train, **test})
    for split in data.SPLITS:
        opened(source, split)
    told = capsys.readouterr().err
    warning = "warning: a: 10 of 10 test images are also in train or validation, byte for byte"
    assert told.count(warning) == (copies > 0)


def test_near_equal_pictures_are_found_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = np.random.Generator(np.random.Philox(0)).integers(20, 200, (44, 8, 8), np.uint8)
    drawn[40] = drawn[0] + 5
    drawn[41] = np.clip(drawn[1].astype(int) + np.indices((8, 8)).sum(0) % 2, 0, 255)
    np.savez(tmp_path / "a.npz", train_images=drawn[:40], test_images=drawn[40:])
    opened(str(tmp_path / "a.npz"), check_leaks=True)
    told = capsys.readouterr().err
    assert "warning: 2 of 4 test images are near-equal to one in train or validation" in told
    assert "test/0000001 and train/0000001" in told


@pytest.mark.parametrize(
    ("good", "worse"),
    [
        ("train/GT", "train/LQ"),
        ("gt", "blur"),
        ("train_GT", "train_LQ"),
        ("DIV2K_train_HR", "DIV2K_train_LR_bicubic"),
        ("hq", "noisy"),
    ],
)
def test_worse_copies_are_left_out_and_not_the_pictures_they_are_of(good: str, worse: str) -> None:
    sorting = placed(good, worse)
    assert set(splits(sorting)) == {good}
    assert "left out (worse copies of the pictures beside them)" in sorting.remarks[-1]
    kept = placed(good, worse, split_map=f"{worse.rpartition('/')[2]}=class,{good}=class")
    assert len(splits(kept)) == 2


def test_annotations_beside_pictures_by_their_short_name_are_left_out() -> None:
    assert set(splits(placed("img_dir/train", "ann_dir/train"))) == {"img_dir/train"}
    assert len(splits(placed("ann", "bob", "eve"))) == 3


def test_short_words_alone_are_splits_where_all_of_a_level_are() -> None:
    assert splits(placed("tr", "va", "te")) == {"tr": "train", "va": "validation", "te": "test"}
    assert set(splits(placed("tr", "te", "en")).values()) == {None}


@pytest.mark.parametrize("mask", ["{}_mask", "{}-Mask", "{}.seg", "{}_label"])
def test_masks_beside_their_pictures_in_one_folder_are_left_out(mask: str) -> None:
    names = ["cat", "dog", "7.input" if mask == "{}.seg" else "7"]
    masks = [mask.format(name.removesuffix(".input")) for name in names]
    keys = [f"train/{name}.png" for name in (*names, *masks, "gas_mask", "mask")]
    sorting = sort(keys)
    kept = {member.key for member in sorting.members}
    assert kept == {f"train/{name}.png" for name in (*names, "gas_mask", "mask")}
    assert "3 pictures such as" in sorting.remarks[-1]
    for there in (keys, [key.removeprefix("train/") for key in keys]):
        told = sort(there, SplitMap.parse(f"*{mask.format('')}*=class"))
        assert len(told.members) == len(keys)
