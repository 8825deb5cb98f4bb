"""Archives of anybody: every member read or counted, and none that fills the machine."""

import bz2
import contextlib
import lzma
import os
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inpaint_cli import data
from inpaint_cli.data import ImageSet
from inpaint_cli.errors import UserError
from tests.data.image_files import folder_of, photos, png, tar_of, zip_of
from tests.hostile_files import (
    damaged_deflate,
    encrypted,
    grey,
    npy_header,
    npz,
    png_of,
    tar_of_zeros,
    tar_with,
    zip_link,
    zip_of_zeros,
)
from tests.resources import PeakMemory

FILE, HARD, SYMBOLIC, PIPE = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE


def opened(source: str) -> dict[str, int]:
    """The first pixel of every image by its id, over all splits."""
    first_pixels: dict[str, int] = {}
    for split in data.SPLITS:
        with contextlib.suppress(UserError):  # a split without images
            images = loaded(source, split)
            first_pixels |= dict(
                zip(images.ids, (int(i[0, 0, 0]) for i in images.images), strict=True)
            )
    return first_pixels


def loaded(source: str, split: data.Split = "train") -> ImageSet:
    return data.load_images((source,), size=8, channels=1, split=split)


def test_hard_links_of_a_tar_are_pictures(tmp_path: Path) -> None:
    source = tar_with(
        tmp_path / "a.tar",
        ("x/1.png", grey(1), FILE),
        ("x/2.png", grey(2), FILE),
        ("x/3.png", "x/1.png", HARD),
        ("x/4.png", "x/3.png", HARD),
    )
    assert opened(source) == {"1.png": 1, "2.png": 2, "3.png": 1, "4.png": 1}


def test_symbolic_links_of_a_tar_are_pictures_wherever_they_stand(tmp_path: Path) -> None:
    source = tar_with(
        tmp_path / "a.tar",
        ("x/0.png", "later/2.png", SYMBOLIC),
        ("x/1.png", grey(1), FILE),
        ("x/later/2.png", grey(2), FILE),
        ("x/later/3.png", "../1.png", SYMBOLIC),
        ("x/4.png", "0.png", SYMBOLIC),
    )
    first_pixels = {"0.png": 2, "1.png": 1, "later/2.png": 2, "later/3.png": 1, "4.png": 2}
    assert opened(source) == first_pixels


def test_the_last_of_two_members_of_one_name_counts(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(4)]
    twice = [(name, grey(value), FILE) for value in (0, 255) for name in names]
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content, _ in twice:
            archive.writestr(name, content)
    expected = dict.fromkeys(names, 255)
    assert opened(tar_with(tmp_path / "b.tar", *twice)) == opened(str(packed)) == expected


def test_a_hard_link_keeps_what_its_name_meant_then(tmp_path: Path) -> None:
    source = tar_with(
        tmp_path / "a.tar",
        ("1.png", grey(1), FILE),
        ("2.png", "1.png", HARD),
        ("1.png", grey(3), FILE),
        ("3.png", "1.png", HARD),
    )
    assert opened(source) == {"1.png": 3, "2.png": 1, "3.png": 3}


def test_links_to_nothing_and_pipes_are_counted_and_named(tmp_path: Path) -> None:
    source = tar_with(
        tmp_path / "a.tar",
        *((f"{i}.png", grey(i), FILE) for i in range(5)),
        ("gone.png", "nowhere.png", SYMBOLIC),
        ("lost.png", "nowhere.png", HARD),
        ("round.png", "round.png", SYMBOLIC),
        ("pipe.png", None, PIPE),
    )
    line = next(line for line in loaded(source).describe() if "left out" in line)
    assert line.startswith("4 files left out: ")
    for name in ("gone.png (a broken link)", "lost.png (a broken link)", "round.png (a broken"):
        assert name in line
    assert "pipe.png (no ordinary file)" in line


def test_symbolic_links_of_a_zip_are_pictures_or_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/1.png", grey(1))
        archive.writestr("x/2.png", grey(2))
        archive.writestr(zip_link("x/3.png"), "1.png")
        archive.writestr(zip_link("x/4.png"), "nowhere.png")
    assert opened(str(path)) == {"1.png": 1, "2.png": 2, "3.png": 1}
    assert "1 file left out: x/4.png (a broken link)" in loaded(str(path)).describe()


ASIDE = ("../up.png", "/root.png", "a/../../over.png", "..\\back.png", "C:\\drive.png")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_members_that_lead_out_of_an_archive_are_counted_and_named(
    suffix: str, tmp_path: Path
) -> None:
    names = [*(f"x/{i}.png" for i in range(5)), "x/y/../6.png", *ASIDE]
    pictures = {name: grey(i) for i, name in enumerate(names)}
    pack = zip_of if suffix == ".zip" else tar_of
    source = pack(tmp_path / f"a{suffix}", pictures)
    assert opened(source) == {
        "0.png": 0,
        "1.png": 1,
        "2.png": 2,
        "3.png": 3,
        "4.png": 4,
        "6.png": 5,
    }
    (line,) = (line for line in loaded(source).describe() if "leads out" in line)
    assert line.startswith("5 files left out: ")
    for name in ("../up.png", "/root.png", "../over.png", *ASIDE[3:]):
        assert f"{name} (leads out of the archive)" in line
    alone = pack(tmp_path / f"b{suffix}", {"../a.png": grey(1)})
    with pytest.raises(UserError, match=r"1 other file, \.\./a\.png \(leads out of the archive\)"):
        loaded(alone)


def test_an_encrypted_member_is_named_as_one(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "a.zip", {f"x/{i}.png": grey(i) for i in range(3)})
    encrypted(Path(source))
    with pytest.raises(UserError, match=r"\(0\.png: x/0\.png is encrypted; unpack") as caught:
        loaded(source)
    assert "ZipInfo" not in str(caught.value)
    np.savez(tmp_path / "b.npz", images=np.zeros((3, 8, 8), np.uint8))
    encrypted(tmp_path / "b.npz")
    with pytest.raises(UserError, match=r"b\.npz cannot be read, .*images\.npy is encrypted"):
        loaded(str(tmp_path / "b.npz"))


def test_broken_links_and_pipes_of_a_folder_are_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "odd", photos(*(f"{i}.png" for i in range(5))))
    (tmp_path / "odd" / "broken.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "odd" / "pipe.png")
    (tmp_path / "odd" / "dir.png").mkdir()
    (tmp_path / "odd" / "dir.png" / "in.png").write_bytes(png())
    images = loaded(folder)
    remark = "2 files left out: broken.png (a broken link), pipe.png (no ordinary file)"
    assert remark in images.describe()
    assert sum(images.counts.values()) == 6


def test_a_zip_of_zeros_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    source = zip_of_zeros(tmp_path / "a.zip", 80 << 20)
    with PeakMemory() as peak, pytest.raises(UserError, match=r"a\.zip: unpacks to \d+ MiB"):
        loaded(source)
    assert peak.bytes < 50 << 20


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_packed_tar_of_zeros_is_refused_before_it_fills_the_memory(
    mode: str, tmp_path: Path
) -> None:
    source = tar_of_zeros(tmp_path / f"a.tar.{mode[2:]}", 80 << 20, mode)
    with PeakMemory() as peak, pytest.raises(UserError, match=r"a\.tar\.\w+: unpacks to \d+ MiB"):
        loaded(source)
    assert peak.bytes < 200 << 20


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        ((1_000_000_000, 8, 8), 640),
        ((5_000_000, 8, 8), 0),
        ((2**62, 2**62, 8), 64),
        ((-1, 8, 8), 64),
        ((30_000_000, 1, 1), 30_000_000),
    ],
)
def test_an_npz_that_claims_more_than_it_holds_is_refused_at_once(
    shape: tuple[int, ...], content: int, tmp_path: Path
) -> None:
    source = npz(tmp_path / "a.npz", images=npy_header(shape) + bytes(content))
    with PeakMemory() as peak, pytest.raises(UserError, match=r"a\.npz"):
        loaded(source)
    assert peak.bytes < 50 << 20


def test_labels_that_claim_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    images = npy_header((4, 8, 8)) + bytes(256)
    for shape, dtype in (((10**15,), "<f8"), ((4,), "<U100000000")):
        source = npz(tmp_path / "a.npz", images=images, labels=npy_header(shape, dtype))
        with pytest.raises(UserError, match=r"a\.npz cannot be read, .*labels ends early"):
            loaded(source)


@pytest.mark.parametrize("text", ["{'descr': (\n", "(" * 5000, "{'a': 1}", "import os", "\0"])
def test_an_npz_header_that_is_no_literal_is_one_sentence(text: str, tmp_path: Path) -> None:
    source = npz(tmp_path / "a.npz", images=npy_header((4, 8, 8), text=text) + bytes(256))
    with pytest.raises(UserError, match=r"a\.npz cannot be read") as caught:
        loaded(source)
    assert len(str(caught.value)) < 600


def test_damaged_deflate_and_lzma_data_are_named(tmp_path: Path) -> None:
    arrays = tmp_path / "a.npz"
    np.savez_compressed(arrays, images=np.random.default_rng(0).integers(0, 9, (9, 8, 8), np.uint8))
    damaged_deflate(arrays, "images")
    with pytest.raises(UserError, match=r"a\.npz cannot be read, or not to its end"):
        loaded(str(arrays))
    packed = tmp_path / "b.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("1.png", grey(1) * 20)
    raw = bytearray(packed.read_bytes())
    raw[50:60] = b"\xff" * 10
    packed.write_bytes(bytes(raw))
    with pytest.raises(UserError, match=r"b: none of 1 images can be read \(1\.png: "):
        loaded(str(packed))


def test_a_zip_packed_by_lzma_is_read_and_one_by_bzip2_is_refused(tmp_path: Path) -> None:
    for name, method in (("a", zipfile.ZIP_LZMA), ("b", zipfile.ZIP_BZIP2)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", method) as archive:
            for index in range(3):
                archive.writestr(f"{index}.png", grey(index))
    assert opened(str(tmp_path / "a.zip")) == {"0.png": 0, "1.png": 1, "2.png": 2}
    with pytest.raises(UserError, match="packed by a method that is not read here"):
        loaded(str(tmp_path / "b.zip"))


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_a_tar_packed_in_other_ways_is_read(pack: object, tmp_path: Path) -> None:
    plain = Path(tar_with(tmp_path / "a.tar", *((f"{i}.png", grey(i), FILE) for i in range(3))))
    packed = tmp_path / "b.tar.xz"
    packed.write_bytes(pack(plain.read_bytes()))  # type: ignore[operator]
    assert opened(str(packed)) == {"0.png": 0, "1.png": 1, "2.png": 2}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda raw: raw[:3072], "no mark of its end"),  # between two members
        (lambda raw: raw[:3072] + bytes(1024) + raw[4096:], "goes on behind the mark"),
        (lambda raw: raw[:3072] + b"x" * 512 + raw[3584:], "a damaged head"),
        (lambda raw: raw + raw, "goes on behind the mark"),
    ],
)
def test_a_tar_of_which_a_part_is_damaged_is_no_smaller_set(
    spoil: Callable[[bytes], bytes], why: str, tmp_path: Path
) -> None:
    members = [(f"{i}.png", grey(i), FILE) for i in range(9)]
    source = Path(tar_with(tmp_path / "a.tar", *members))
    source.write_bytes(spoil(source.read_bytes()))
    with pytest.raises(UserError, match=rf"a\.tar cannot be read, or not to its end \({why}"):
        loaded(str(source))


def test_a_picture_that_claims_too_much_is_skipped_wherever_it_stands(tmp_path: Path) -> None:
    tree = {"0.png": png_of(60_000, 60_000), **photos(*(f"{i}.png" for i in range(1, 60)))}
    images = loaded(folder_of(tmp_path / "a", tree))
    assert [name for name, _ in images.skipped] == ["0.png"]
