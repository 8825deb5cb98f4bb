import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inpaint_cli import data
from inpaint_cli.data import ImageSet, Split
from inpaint_cli.errors import UserError
from inpaint_cli.pictures import opening
from tests.data.image_files import folder_of, photos, png, stored, tar_of, zip_of

SPLIT_TREE = photos(
    *(f"train/{c}/{i}.png" for c in ("cat", "dog") for i in range(20)),
    *(f"test/{c}/{i}.png" for c in ("cat", "dog") for i in range(3)),
)


def opened(*sources: str, split: Split = "train", **options: Any) -> ImageSet:
    return data.load_images(sources, **{"size": 8, "channels": 3, "split": split, **options})


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz", "tgz"])
def test_every_container_gives_the_same_images_in_the_same_splits(
    kind: str, tmp_path: Path
) -> None:
    expected = opened(folder_of(tmp_path / "set", SPLIT_TREE))
    image_set = opened(stored(kind, tmp_path / "other", SPLIT_TREE))
    assert image_set.ids == expected.ids
    assert image_set.sha256 == expected.sha256
    assert image_set.name == "set"
    assert image_set.classes == ("cat", "dog")


def test_split_folders_are_the_splits_and_sub_folders_the_classes(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "a.zip", SPLIT_TREE)
    test = opened(source, split="test")
    assert test.ids == tuple(f"test/{c}/{i}.png" for c in ("cat", "dog") for i in range(3))
    assert test.labels is not None
    assert test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert test.images[:, 0, 0, 0].tolist() == list(range(40, 46))
    assert all(name.startswith("train/") for name in opened(source).ids)


def test_train_validation_and_test_share_nothing_and_leave_nothing_out(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "a.zip", photos(*(f"{i}.png" for i in range(200))))
    ids = [opened(source, split=split).ids for split in data.SPLITS]
    assert sorted(sum(ids, ())) == sorted(f"{i}.png" for i in range(200))
    assert all(ids)


def test_a_folder_around_everything_is_no_class_and_changes_no_split(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(60)]
    plain = opened(folder_of(tmp_path / "photos", photos(*names)), split="test")
    wrapped = zip_of(tmp_path / "w.zip", photos(*(f"photos/{name}" for name in names)))
    image_set = opened(wrapped, split="test")
    assert image_set.ids == plain.ids
    assert image_set.labels is None


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val"])
def test_a_validation_split_of_the_source_is_taken(name: str, tmp_path: Path) -> None:
    tree = {**SPLIT_TREE, f"{name}/cat/0.png": png(7)}
    assert opened(zip_of(tmp_path / "a.zip", tree), split="validation").ids == (
        f"{name}/cat/0.png",
    )


def test_files_beside_train_are_left_out_and_counted(tmp_path: Path) -> None:
    tree = {**SPLIT_TREE, "overview.png": png(), "notes.txt": b"x", ".DS_Store": b"x"}
    image_set = opened(folder_of(tmp_path / "a", tree))
    assert image_set.classes == ("cat", "dog")
    assert any(line.startswith("2 other files") for line in image_set.describe())


def test_several_sources_follow_each_other_and_share_classes_of_one_name(tmp_path: Path) -> None:
    first = zip_of(tmp_path / "a.zip", {"train/cat/1.png": png(1), "test/cat/2.png": png(2)})
    second = zip_of(
        tmp_path / "b.zip",
        {f"{split}/{c}/1.png": png(3) for split in ("train", "test") for c in ("ant", "cat")},
    )
    image_set = opened(first, second, split="test")
    assert image_set.name == "a+b"
    assert image_set.ids == ("a/test/cat/2.png", "b/test/ant/1.png", "b/test/cat/1.png")
    assert image_set.classes == ("ant", "cat")
    assert image_set.labels is not None
    assert image_set.labels.tolist() == [1, 0, 1]


def test_two_sources_of_one_name_keep_their_ids_apart(tmp_path: Path) -> None:
    sources = [folder_of(tmp_path / x / "set", photos("test/1.png", "train/1.png")) for x in "ab"]
    image_set = opened(*sources, split="test")
    assert image_set.ids == ("set/test/1.png", "set-2/test/1.png")
    assert image_set.name == "set+set-2"


def test_labels_are_dropped_where_one_source_has_none(tmp_path: Path) -> None:
    first = zip_of(tmp_path / "a.zip", SPLIT_TREE)
    second = zip_of(tmp_path / "b.zip", photos("1.png", "2.png", "3.png"))
    image_set = opened(first, second)
    assert image_set.labels is None
    assert image_set.classes == ()


def test_broken_files_are_skipped_counted_and_named(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(jpeg, "JPEG")
    broken = {
        "train/cut.jpg": jpeg.getvalue()[:700],
        "train/empty.png": b"",
        "train/text.png": b"no picture",
    }
    good = photos(*(f"train/{i}.png" for i in range(60)), "test/1.png")
    image_set = opened(folder_of(tmp_path / "a", {**broken, **good}), channels=1)
    why = dict(image_set.skipped)
    assert why.keys() == broken.keys()
    assert "truncated" in why["train/cut.jpg"]
    assert why["train/empty.png"] == "empty file"
    assert why["train/text.png"] == "not an image, or of a kind that cannot be read"
    assert "skipped 3 files: train/cut.jpg (damaged or truncated" in image_set.describe()[-1]
    expected = [good[name] for name in image_set.ids]
    assert [int(image.max()) for image in image_set.images] == [
        Image.open(io.BytesIO(content)).getpixel((0, 0))[0]  # type: ignore[index]
        for content in expected
    ]


def test_a_picture_of_too_many_pixels_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = {
        **photos("train/1.png", "train/2.png", "test/1.png"),
        "train/bomb.png": png(1, (64, 64)),
    }
    source = zip_of(tmp_path / "a.zip", tree)
    monkeypatch.setattr(opening, "PIXEL_LIMIT", 1000)
    assert opened(source).skipped == (("train/bomb.png", "64x64 pixels, more than 0 megapixels"),)


def test_an_encrypted_member_is_skipped(tmp_path: Path) -> None:
    path = Path(zip_of(tmp_path / "a.zip", photos("train/1.png", "train/2.png", "test/1.png")))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    raw[6] |= 1
    path.write_bytes(bytes(raw))
    image_set = opened(str(path), split="test")
    assert [file for file, _ in image_set.skipped] == ["train/1.png"]


def test_images_outside_the_archive_s_folder_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "evil.png").write_bytes(png(9))
    tree = {**photos("1.png", "2.png", "3.png"), "../evil.png": png(1)}
    image_set = [opened(zip_of(tmp_path / "a.zip", tree), split=s).ids for s in data.SPLITS]
    assert sorted(sum(image_set, ())) == ["1.png", "2.png", "3.png"]
    assert (tmp_path / "evil.png").read_bytes() == png(9)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "npz"])
def test_a_damaged_archive_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"set.{kind}"
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match=rf"set\.{kind} cannot be read"):
        opened(str(path))


def test_a_tar_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = Path(tar_of(tmp_path / "a.tar.gz", SPLIT_TREE))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not to its end"):
        opened(str(path))


def test_a_folder_without_images_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no images found \(1 other file; looked for"):
        opened(folder_of(tmp_path / "a", {"list.txt": b"x"}))


def test_a_folder_of_broken_images_alone_is_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none of 2 images can be read \(1.png: not an image,"):
        opened(folder_of(tmp_path / "a", {"1.png": b"x", "2.png": b"x"}))


def test_an_empty_split_is_refused_with_the_counts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no train images \(there are 1 test\)"):
        opened(folder_of(tmp_path / "a", photos("test/1.png")))


def test_a_wrong_name_gets_the_nearest_and_a_wrong_path_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean 'celeba32'"):
        opened("celebA32")
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        opened(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"\./digit: no such file or folder"):
        opened("./digit")
    with pytest.raises(UserError, match="give at least one"):
        opened("")


def test_a_single_picture_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    with pytest.raises(UserError, match="put them into a folder"):
        opened(str(tmp_path / "a.png"))


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "a", photos("x/1.png", "x/2.png", "x/3.png"))
    (tmp_path / "a" / "x" / "back").symlink_to(tmp_path / "a")
    assert sum(opened(source).counts.values()) == 3


@pytest.mark.parametrize(("link", "target"), [("test", "train"), ("again", "train"), ("up", "..")])
def test_a_link_to_a_folder_that_counts_already_is_left_out_and_told(
    link: str, target: str, tmp_path: Path
) -> None:
    source = folder_of(tmp_path / "a", photos(*(f"train/{i}.png" for i in range(5))))
    (tmp_path / "a" / link).symlink_to(target)
    image_set = opened(source)
    assert sum(image_set.counts.values()) == 5
    assert all(name.startswith("train/") for name in image_set.ids)
    told = f"1 file left out: {link} (a link to a folder that is here already, or around it)"
    assert told in image_set.describe()


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path: Path) -> None:
    folder_of(tmp_path / "b", photos(*(f"{i}.png" for i in range(5))))
    source = folder_of(tmp_path / "a", photos("x/1.png"))
    (tmp_path / "a" / "linked").symlink_to(tmp_path / "b")
    assert sum(opened(source).counts.values()) == 6


def test_no_two_sources_share_a_name(tmp_path: Path) -> None:
    folders = ("x/a", "y/a", "a-2")
    sources = [folder_of(tmp_path / f, photos("1.png", "2.png", "3.png")) for f in folders]
    image_set = opened(*sources)
    assert image_set.name == "a+a-2+a-2-2"
    assert {name.split("/")[0] for name in image_set.ids} == {"a", "a-2", "a-2-2"}


def test_the_first_lines_say_counts_size_rules_and_conversions(tmp_path: Path) -> None:
    tree = {f"{split}/{i}.png": png(i, (4, 6), "L") for split in ("train", "test") for i in (1, 2)}
    lines = opened(folder_of(tmp_path / "mine", tree)).describe()
    assert lines[0] == "mine: 1 train image (1 validation, 2 test), 8x8 RGB"
    assert "4 images smaller than 8x8, so enlarged" in lines
    assert "4 images grey, so repeated to RGB" in lines
    assert any("Lanczos to 8x8" in line for line in lines)


def test_the_protocol_names_no_path(tmp_path: Path) -> None:
    image_set = opened(folder_of(tmp_path / "mine", SPLIT_TREE))
    assert str(tmp_path) not in str(image_set.protocol())
    assert image_set.protocol()["count"] == len(image_set)


def test_images_are_memory_mapped_and_read_only(tmp_path: Path) -> None:
    images = opened(folder_of(tmp_path / "mine", SPLIT_TREE)).images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0
