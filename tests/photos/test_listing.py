"""Folders as people have them: which files are photos, which masks, and what is left out."""

import os
import sys
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.photos import listing
from inpaint_cli.photos.listing import photos_of
from inpaint_cli.photos.pairing import tasks_of
from inpaint_cli.photos.record import dumps
from inpaint_cli.pictures import kinds


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def pairs(folder: Path, masks: Path, recursive: bool = False) -> dict[str, str | None]:
    """Return each photo with its mask, by their names below the folders."""
    listed = photos_of([str(folder)], recursive=recursive, masks=masks)
    tasks, _ = tasks_of(listed.photos, masks)
    masked = {task.photo: task.mask for task in tasks}
    return {
        str(photo.relative_to(folder)): str(mask.relative_to(masks)) if mask else None
        for photo, mask in masked.items()
    }


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("cat.jpg", "cat_mask.png"),
        ("cat.jpg", "cat-mask.png"),
        ("cat.jpg", "cat.mask.png"),
        ("cat.jpg", "cat mask.png"),
        ("cat.jpg", "cat_Mask.PNG"),
        ("Cat.JPG", "CAT_MASK.png"),
        ("cat.png", "cat_mask001.png"),
        ("cat.v2.png", "cat.v2_mask.png"),
        ("mask.png", "mask_mask.png"),
        (unicodedata.normalize("NFD", "été.png"), unicodedata.normalize("NFC", "été_mask.png")),
        (unicodedata.normalize("NFC", "가.png"), unicodedata.normalize("NFD", "가_mask.png")),
        (os.fsdecode(b"caf\xe9.png"), os.fsdecode(b"caf\xe9_mask.png")),
    ],
)
def test_a_mask_beside_its_photo_is_found_and_is_no_photo(
    photo: str, mask: str, tmp_path: Path
) -> None:
    folder = touch(tmp_path, photo, mask)
    assert pairs(folder, folder) == {photo: mask}


def test_a_mask_folder_may_call_masks_like_the_photos(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.jpg", "in/b.jpg", "in/sub/a.jpg")
    masks = touch(tmp_path / "m", "a.png", "b_mask.png", "sub/A.png")
    assert pairs(tmp_path / "in", masks, recursive=True) == {
        "a.jpg": "a.png",
        "b.jpg": "b_mask.png",
        "sub/a.jpg": "sub/A.png",
    }


def test_photos_below_the_folder_of_masks_find_theirs_beside_them(tmp_path: Path) -> None:
    folder = touch(tmp_path, "sub/a.jpg", "sub/a_mask.png", "a_mask.png", "a.jpg")
    assert pairs(folder / "sub", folder) == {"a.jpg": "sub/a_mask.png"}
    assert pairs(folder, folder, recursive=True) == {
        "a.jpg": "a_mask.png",
        "sub/a.jpg": "sub/a_mask.png",
    }


def test_photos_that_differ_by_case_each_have_their_mask(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.jpg", "A.jpg", "a_mask.png", "A_mask.png")
    if len(list(folder.iterdir())) < 4:
        pytest.skip("a file system that knows no case")
    assert pairs(folder, folder) == {"a.jpg": "a_mask.png", "A.jpg": "A_mask.png"}


def test_among_photos_only_files_named_as_masks_are_masks(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.jpg", "a.png", "b.jpg", "b_mask.png", "c_mask.png")
    listed = photos_of([str(folder)], masks=folder)
    tasks, left = tasks_of(listed.photos, folder)
    assert {task.photo.name: task.mask and task.mask.name for task in tasks} == {
        "a.jpg": None,
        "a.png": None,
        "b.jpg": "b_mask.png",
    }
    assert left == [folder / "c_mask.png"]


def test_a_photo_with_two_masks_is_told_which_fit(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.jpg")
    masks = touch(tmp_path / "m", "a.png", "a_mask.png")
    [task], left = tasks_of(photos_of([str(tmp_path / "in")], masks=masks).photos, masks)
    assert task.mask is None
    assert "several masks fit it (a.png, a_mask.png)" in str(task.problem)
    assert left == []


def test_a_folder_of_masks_alone_is_refused(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a_mask.png")
    with pytest.raises(UserError, match="all of them are named as masks"):
        tasks_of(photos_of([str(folder)], masks=folder).photos, folder)


def test_a_mask_beside_its_photo_is_no_photo_even_where_no_masks_are_asked_for(
    tmp_path: Path,
) -> None:
    folder = touch(tmp_path, "cat.jpg", "cat_mask.png", "gas_mask.png")
    for masks in (None, tmp_path / "one.png"):
        listed = photos_of([str(folder)], masks=masks)
        assert [entry.path.name for entry in listed.photos] == ["cat.jpg", "gas_mask.png"]
        assert listed.remarks == [
            f"{folder}: left out: cat_mask.png (the mask of a photo, by its name)"
        ]
    given = photos_of([str(folder / "cat.jpg"), str(folder / "cat_mask.png")])
    assert len(given.photos) == 2


def test_what_is_left_out_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "has_heif", lambda: False)
    names = ["a.png", "IMG_1", "b.HEIC", "c.jxl", "notes.txt", ".hidden.png", "masks.json"]
    folder = touch(tmp_path, *names, *(f"v{number}.mp4" for number in range(9)))
    (folder / "gone.png").symlink_to("nowhere.png")
    listed = photos_of([str(folder)])
    assert [entry.path.name for entry in listed.photos] == ["a.png"]
    assert listed.remarks == [
        f"{folder}: left out: IMG_1 (no suffix; give them by name)",
        f"{folder}: left out: b.HEIC (HEIC is read with pillow-heif only: pip install pillow-heif)",
        f"{folder}: left out: c.jxl, notes.txt, v0.mp4, v1.mp4, v2.mp4 and 6 more (not a kind "
        "of picture that is read)",
        f"{folder}: left out: gone.png (no file: a broken link, a loop of links, or a device)",
    ]
    (folder / "a.png").unlink()
    with pytest.raises(UserError, match=r"no photos in this folder.*b\.HEIC \(HEIC is read with"):
        photos_of([str(folder)])


@pytest.mark.parametrize("suffix", sorted(listing.SUFFIXES))
def test_what_is_taken_for_a_photo_is_of_a_kind_that_is_read(suffix: str) -> None:
    Image.init()
    kind = Image.registered_extensions().get(suffix, "")
    kind = {"PPM": "PNM", "MPO": "JPEG", "DIB": "BMP"}.get(kind, kind)
    assert kind in kinds.READ or suffix == ".pam"  # a PNM that Pillow knows by content alone


def test_pictures_of_unusual_suffixes_are_taken_and_others_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.pam", "b.pfm", "c.jpx", "d.sgi")
    listed = photos_of([str(tmp_path)])
    assert [found.path.name for found in listed.photos] == ["a.pam", "b.pfm", "c.jpx"]
    assert "d.sgi (not a kind of picture that is read)" in listed.remarks[0]


def test_heic_photos_are_taken_where_they_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "has_heif", lambda: True)
    listed = photos_of([str(touch(tmp_path, "b.HEIC"))])
    assert [entry.path.name for entry in listed.photos] == ["b.HEIC"]


@pytest.mark.parametrize("output", ["", "sub/.."])
def test_results_among_the_photos_are_no_photos_of_the_next_run(
    output: str, tmp_path: Path
) -> None:
    folder = touch(tmp_path, "a.png", "a-0.png", "a-sheet.png", "b-0.png", "sub/c.png")
    item = {"image": "a.png", "completions": [{"file": "a-0.png"}], "sheet": "a-sheet.png"}
    (folder / "completions.json").write_text(dumps([item]))
    listed = photos_of([str(folder)], output=folder / output)
    assert [entry.path.name for entry in listed.photos] == ["a.png", "b-0.png"]


def test_masks_and_results_in_folders_below_are_no_photos(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.png", "m/a.png", "o/a-0.png", "sub/b.png", "mask.png")
    given = {"recursive": True, "output": folder / "o"}
    listed = photos_of([str(folder)], masks=folder / "m", **given)  # type: ignore[arg-type]
    names = [str(entry.path.relative_to(folder)) for entry in listed.photos]
    assert names == ["a.png", "mask.png", "sub/b.png"]
    listed = photos_of([str(folder)], masks=folder / "mask.png")
    assert [entry.path.name for entry in listed.photos] == ["a.png"]


def test_the_work_of_pairing_grows_with_the_photos_and_not_with_their_square(
    tmp_path: Path,
) -> None:
    def calls(count: int) -> int:
        names = [name for i in range(count) for name in (f"p{i}.jpg", f"p{i}_mask.png")]
        folder, events = touch(tmp_path / str(count), *names), list[str]()
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, argument: events.append(event))
        try:
            paired = pairs(folder, folder)
        finally:
            sys.setprofile(before)
        assert len(paired) == count
        return len(events)

    calls(10)
    assert calls(400) < 15 * calls(40)
