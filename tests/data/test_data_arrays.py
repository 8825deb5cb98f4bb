from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpaint_cli import data
from inpaint_cli.data import ImageSet, Split
from inpaint_cli.errors import UserError
from tests.data.image_files import folder_of, photos

IMAGES = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((20, 8, 8), np.uint8)


def npz(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def opened(source: str, split: Split = "train", channels: int = 1, size: int = 8) -> ImageSet:
    return data.load_images([source], size=size, channels=channels, split=split)


def test_npz_keys_are_the_splits(tmp_path: Path) -> None:
    source = npz(
        tmp_path / "a.npz",
        train_images=IMAGES,
        train_labels=np.arange(20) % 12,
        test_images=IMAGES[:3],
        test_labels=np.array([11, 2, 0]),
    )
    test = opened(source, "test")
    assert test.ids == ("test/0000000", "test/0000001", "test/0000002")
    assert test.classes == tuple(str(i) for i in range(12))
    assert test.labels is not None
    assert test.labels.tolist() == [11, 2, 0]
    assert (test.images[:, 0] == IMAGES[:3]).all()
    assert test.counts["train"] + test.counts["validation"] == 20


@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y"), ("arr_0", None)])
def test_an_npz_without_splits_is_split_by_seed(
    keys: tuple[str, str | None], tmp_path: Path
) -> None:
    arrays = {keys[0]: IMAGES} | ({keys[1]: np.arange(20)} if keys[1] else {})
    source = npz(tmp_path / "a.npz", **arrays)
    image_set = [opened(source, split) for split in data.SPLITS]
    assert sum(len(part) for part in image_set) == 20
    assert all((part.labels is not None) == bool(keys[1]) for part in image_set)
    for part in image_set:
        assert [int(name) for name in part.ids] == part.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    "layout",
    [
        lambda a: a,
        lambda a: a.transpose(0, 3, 1, 2),
        lambda a: a.transpose(0, 3, 1, 2).reshape(20, -1),
    ],
)
def test_npz_images_may_have_channels_last_first_or_be_flat(layout: Any, tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    source = npz(tmp_path / "a.npz", data=np.ascontiguousarray(layout(colour)))
    image_set = opened(source, channels=3)
    rows = [int(name) for name in image_set.ids]
    assert (image_set.images == colour[rows].transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 128, 129, 65535], np.uint16), [0, 0, 1, 255]),
        (np.array([0.0, 0.5, 1.0], np.float32), [0, 128, 255]),
        (np.array([0, 7, 255], np.int64), [0, 7, 255]),
        (np.array([False, True, True]), [0, 255, 255]),
    ],
)
def test_values_of_other_types_are_scaled_by_a_stated_rule(
    values: np.ndarray[Any, Any], expected: list[int], tmp_path: Path
) -> None:
    images = np.broadcast_to(values[:, None, None], (len(values), 8, 8))
    both = {"train_images": np.ascontiguousarray(images), "test_images": np.array(images)}
    assert opened(npz(tmp_path / "a.npz", **both), "test").images[:, 0, 0, 0].tolist() == expected


def test_floats_beyond_one_are_refused_with_their_range(tmp_path: Path) -> None:
    source = npz(tmp_path / "a.npz", images=IMAGES.astype(np.float32) + 3)
    with pytest.raises(UserError, match=r"floats of 32 bits from 3 .* to 22 .*, neither 0"):
        opened(source)


def test_an_npz_with_pickled_objects_is_never_loaded(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}, {"b": 2}], dtype=object)
    with pytest.raises(UserError, match="images is object"):
        opened(npz(tmp_path / "a.npz", images=objects))
    with pytest.raises(UserError, match="labels is object"):
        opened(npz(tmp_path / "b.npz", images=IMAGES[:2], labels=objects))


def test_an_npz_without_images_names_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds weights; expected images"):
        opened(npz(tmp_path / "a.npz", weights=IMAGES))


def test_an_npz_whose_arrays_are_empty_names_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.npz: no images in train_images, test_images\."):
        opened(npz(tmp_path / "a.npz", train_images=IMAGES[:0], test_images=IMAGES[:0]))


def test_images_without_a_pixel_are_no_black_pictures(tmp_path: Path) -> None:
    file = npz(tmp_path / "a.npz", images=np.zeros((5, 0, 8), np.uint8))
    with pytest.raises(UserError, match=r"images is uint8 \[5, 0, 8\]: images without a pixel"):
        opened(file)


def test_an_npz_with_too_few_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="images has 20 images, labels 3"):
        opened(npz(tmp_path / "a.npz", images=IMAGES, labels=np.arange(3)))


def test_labels_of_one_hot_are_named_by_their_shape(tmp_path: Path) -> None:
    source = npz(tmp_path / "a.npz", images=IMAGES, labels=np.eye(5)[np.arange(20) % 5])
    with pytest.raises(UserError, match=r"labels is \[20, 5\]; expected one label for each of 20"):
        opened(source)


def test_arrays_in_a_folder_of_the_archive_are_read(tmp_path: Path) -> None:
    source = npz(tmp_path / "a.npz", **{"set/x_train": IMAGES, "set/x_test": IMAGES[:3]})
    assert (opened(source).counts["train"], opened(source).counts["test"]) == (19, 3)


def test_an_array_of_other_axes_says_what_is_read(tmp_path: Path) -> None:
    source = npz(tmp_path / "a.npz", images=np.zeros((8, 8, 3, 40), np.uint8))
    with pytest.raises(UserError, match=r"\[8, 3, 40\], no image; expected \[N, H, W\]"):
        opened(source)


def test_digits_need_no_file_and_keep_their_seventeen_values() -> None:
    image_set = [opened("digits", split) for split in data.SPLITS]
    assert sum(len(part) for part in image_set) == 1797
    assert set(np.unique(image_set[0].images)) == {int(v * 255 / 16 + 0.5) for v in range(17)}
    assert image_set[0].classes == tuple("0123456789")


def test_digits_agree_with_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    raw = load_digits()
    image_set = opened("digits", "test")
    rows = [int(name) for name in image_set.ids]
    assert image_set.labels is not None
    assert (image_set.labels == raw.target[rows]).all()
    assert (np.round(image_set.images[:, 0] * (16 / 255)) == raw.images[rows]).all()


def test_two_levels_make_digits_black_and_white() -> None:
    plain = opened("digits").images
    image_set = data.load_images(["digits"], size=8, channels=1, levels=2, split="train").images
    assert (image_set == np.where(np.asarray(plain) >= 128, 255, 0)).all()


def test_a_stray_npz_in_a_folder_of_pictures_is_left_out(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "a", photos("1.png", "2.png", "3.png"))
    npz(tmp_path / "a" / "statistics.npz", mean=np.zeros(3))
    assert sum(opened(source).counts.values()) == 3


def test_batches_of_downsampled_imagenet_are_read_by_their_file_names(home: Path) -> None:
    folder = home / "data" / "imagenet32"
    folder.mkdir(parents=True)
    flat = np.random.default_rng(0).integers(0, 256, (30, 3 * 32 * 32), np.uint8)
    for i in (1, 2):
        part = flat[10 * i - 10 : 10 * i]
        np.savez(folder / f"train_data_batch_{i}.npz", data=part, labels=np.arange(10), mean=0.0)
    np.savez(folder / "val_data.npz", data=flat[20:], labels=np.arange(10))
    test = opened("imagenet32", "test", channels=3, size=32)
    assert (test.images.reshape(10, -1) == flat[20:]).all()
    assert test.ids[0] == "val_data/0000000"
    assert test.counts == {"train": 19, "validation": 1, "test": 10}


@pytest.mark.parametrize(
    "nothing", [np.float32("nan"), np.float32("inf"), np.datetime64("NaT"), np.str_("")]
)
def test_labels_that_say_nothing_are_counted(nothing: Any, tmp_path: Path) -> None:
    labels = np.array([nothing] * 20)
    image_set = opened(npz(tmp_path / "a.npz", images=IMAGES, labels=labels))
    assert image_set.labels is None
    assert any("20 labels of images are no values" in line for line in image_set.describe())


def test_labels_of_bytes_are_text(tmp_path: Path) -> None:
    source = npz(tmp_path / "a.npz", images=IMAGES, labels=np.array([b"cat", b"dog"] * 10))
    assert opened(source).classes == ("cat", "dog")


def test_small_pictures_with_channels_first_are_no_pictures_of_four_channels(
    tmp_path: Path,
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 4), dtype=np.uint8)
    image_set = opened(npz(tmp_path / "a.npz", images=images), channels=3, size=4)
    assert (image_set.images == images[[int(name) for name in image_set.ids]]).all()


def test_a_folder_of_npz_files_takes_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name, images in (("a:b.npz", IMAGES[:10]), ("c.npz", IMAGES[10:])):
        npz(folder / name, images=images)
    (folder / "c.npz").rename(folder / "c.NPZ")
    assert sum(opened(str(folder)).counts.values()) == 20
