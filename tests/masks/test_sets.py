"""Sets and caches: the same bits from the same seed, round trips, changed sets are noticed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.masks.cache import MaskCache
from inpaint_cli.masks.files import write_mask
from inpaint_cli.masks.sets import MANIFEST, draw_set, read_set, write_set
from inpaint_cli.reporting import Reporter
from tests.hostile_files import damaged_deflate, npy_header, npz
from tests.resources import PeakMemory

KIND = "freeform@mixture"


def test_a_set_holds_the_masks_of_its_indices() -> None:
    drawn = draw_set(KIND, 9, 13, 7, seed=4)
    assert len(drawn) == 7
    for index, mask in enumerate(drawn):
        np.testing.assert_array_equal(mask, masks.draw(KIND, 9, 13, seed=4, index=index))
        assert drawn.visible[index] == mask.sum()


def test_a_longer_set_begins_with_the_shorter_one() -> None:
    short, long = draw_set("blobs", 16, 16, 3), draw_set("blobs", 16, 16, 9)
    np.testing.assert_array_equal(long.packed[:3], short.packed)


def test_the_hash_is_that_of_the_packed_bits() -> None:
    drawn = draw_set("blobs", 9, 9, 5)
    digest = hashlib.sha256(b"".join(np.packbits(mask).tobytes() for mask in drawn))
    assert drawn.sha256 == digest.hexdigest()
    assert f"count 5 hash {drawn.sha256[:12]}" in drawn.protocol()


@pytest.mark.parametrize("target", ["set", "ä b/set.npz"])
def test_a_set_is_read_back_as_it_was_written(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = draw_set(KIND, 12, 9, 11, seed=2)
    write_set(drawn, tmp_path / target)
    read_back = read_set(tmp_path / target, Reporter())
    np.testing.assert_array_equal(read_back.packed, drawn.packed)
    assert read_back.manifest() == drawn.manifest()
    assert capsys.readouterr().err == ""


def test_the_manifest_says_how_to_draw_the_set_again(tmp_path: Path) -> None:
    write_set(draw_set("patches:n=3", 20, 30, 4, seed=9), tmp_path)
    facts = json.loads((tmp_path / MANIFEST).read_text())
    height, width = facts["size"]
    again = draw_set(facts["kind"], height, width, facts["count"], seed=facts["seed"])
    assert (again.sha256, again.visible) == (facts["sha256"], facts["visible"])
    assert facts["specification"] == "patches(n=3;share=0.35)@20x30"
    assert facts["versions"].keys() == {"numpy", "pillow", "opencv"}


def test_a_changed_set_is_read_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(draw_set("blobs", 16, 16, 3), tmp_path)
    write_mask(tmp_path / "0001.png", np.ones((16, 16), bool))
    assert read_set(tmp_path, Reporter(quiet=True))[1].all()
    warning = capsys.readouterr().err
    assert "not those of the manifest" in warning
    assert "numpy" in warning


def test_writing_again_replaces_the_older_set(tmp_path: Path) -> None:
    write_set(draw_set("blobs", 16, 16, 6), tmp_path)
    write_set(draw_set("centre", 16, 16, 2), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["0000.png", "0001.png"]
    assert read_set(tmp_path).kind == "centre"


def test_foreign_files_are_not_written_over(tmp_path: Path) -> None:
    drawn = draw_set("blobs", 16, 16, 2)
    (tmp_path / "0000.png").write_bytes(b"mine")
    (tmp_path / "mine.npz").write_bytes(b"mine")
    (tmp_path / "file").write_bytes(b"mine")
    for target in (tmp_path, tmp_path / "mine.npz", tmp_path / "file"):
        with pytest.raises(UserError):
            write_set(drawn, target)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"mine"}


@pytest.mark.parametrize(
    "manifest", ["", "[]", "{}", '{"format": "inpaint-masks-1"}', '{"format": "other"}']
)
def test_what_is_no_set_is_refused(manifest: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(UserError, match="not a mask set"):
        read_set(tmp_path)


def test_arrays_of_others_are_no_set(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros((2, 8, 8), bool))
    with pytest.raises(UserError, match=r"not a mask set that inpaint wrote \(no manifest in it"):
        read_set(tmp_path / "a.npz")


def test_a_set_with_a_missing_mask_is_refused(tmp_path: Path) -> None:
    write_set(draw_set("blobs", 16, 16, 3), tmp_path)
    (tmp_path / "0002.png").unlink()
    with pytest.raises(UserError, match=r"0002\.png"):
        read_set(tmp_path)


def test_a_set_with_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    write_set(draw_set("blobs", 16, 16, 3), tmp_path)
    write_mask(tmp_path / "0002.png", np.ones((8, 8), bool))
    with pytest.raises(UserError, match="lists 3 masks of 16x16"):
        read_set(tmp_path)


def test_a_cache_holds_the_set_and_is_drawn_once(tmp_path: Path) -> None:
    first = MaskCache.open(KIND, 12, 10, 15, 3, tmp_path)
    np.testing.assert_array_equal(first.packed, draw_set(KIND, 12, 10, 15, seed=3).packed)
    written = first.path.stat().st_mtime_ns
    again = MaskCache.open(KIND, 12, 10, 15, 3, tmp_path)
    assert again.path.stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]


def test_caches_of_other_masks_are_other_files(tmp_path: Path) -> None:
    keys = [("blobs", 8, 9, 2, 0), ("blobs", 9, 8, 2, 0), ("blobs", 8, 9, 3, 0)]
    keys += [("blobs", 8, 9, 2, 1), ("pixels", 8, 9, 2, 0)]
    assert len({MaskCache.open(*key, tmp_path).path for key in keys}) == len(keys)


def test_a_damaged_cache_is_drawn_again(tmp_path: Path) -> None:
    cache = MaskCache.open("blobs", 16, 16, 4, 0, tmp_path)
    expected = np.array(cache.packed)
    cache.path.write_bytes(b"short")
    np.testing.assert_array_equal(MaskCache.open("blobs", 16, 16, 4, 0, tmp_path).packed, expected)


def test_picks_depend_on_seed_epoch_and_index_alone_and_take_all_masks(tmp_path: Path) -> None:
    cache = MaskCache.open("pixels", 8, 8, 5, 0, tmp_path)

    def picks(seed: int, epoch: int) -> list[bytes]:
        return [cache.pick(seed, epoch, index).tobytes() for index in range(100)]

    assert cache.pick(1, 2, 42).shape == (8, 8)
    assert picks(1, 2) == picks(1, 2)
    assert len(set(picks(1, 2))) == 5
    assert picks(1, 2) != picks(1, 3)
    assert picks(1, 2) != picks(2, 2)


def test_an_empty_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 1"):
        MaskCache.open("blobs", 16, 16, 0, 0, tmp_path)


def test_a_failed_cache_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot give"):
        MaskCache.open("pixels@50-50.1", 8, 8, 3, 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_set_is_not_written_among_photos(tmp_path: Path) -> None:
    (tmp_path / "photo.JPG").touch()
    with pytest.raises(UserError, match="holds images"):
        write_set(draw_set("centre", 8, 8, 1), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.JPG"]


def manifest_of(path: Path, **changes: object) -> None:
    """Changes the manifest of a set in a folder."""
    facts = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**facts, **changes}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", [8]),
        ("size", ["8", 8]),
        ("size", [8, 10**9]),
        ("size", [8, -8]),
        ("count", True),
        ("count", 10**12),
        ("count", 0),
        ("seed", 1.5),
    ],
)
def test_a_manifest_with_unusable_numbers_is_refused(
    name: str, value: object, tmp_path: Path
) -> None:
    write_set(draw_set("blobs", 8, 8, 2), tmp_path)
    manifest_of(tmp_path, **{name: value})
    with pytest.raises(UserError, match=rf"\({name} missing or unusable\)"):
        read_set(tmp_path)


def test_a_manifest_that_lists_more_masks_than_there_are_costs_nothing(tmp_path: Path) -> None:
    write_set(draw_set("blobs", 8, 8, 2), tmp_path)
    manifest_of(tmp_path, count=9_000_000)
    with PeakMemory() as peak, pytest.raises(UserError, match="another number of masks"):
        read_set(tmp_path)
    assert peak.bytes < 10 << 20


def test_a_damaged_set_of_arrays_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for name in ("visible", "manifest"):
        write_set(draw_set("blobs", 32, 32, 8), path)
        damaged_deflate(path, name)
        with pytest.raises(UserError, match=r"a\.npz cannot be read, or not to its end"):
            read_set(path)
        path.unlink()


def test_a_set_of_arrays_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_set(draw_set("blobs", 8, 8, 2), path)
    with np.load(path) as arrays:
        manifest = json.loads(str(arrays["manifest"]))
    text = json.dumps({**manifest, "count": 5_000_000})
    head = npy_header((), f"<U{len(text)}") + text.encode("utf-32-le")
    npz(path, visible=npy_header((5_000_000, 8, 8), "|b1") + bytes(640), manifest=head)
    with pytest.raises(UserError, match="another number of masks"):
        read_set(path)


def test_a_mask_of_somebody_else_is_neither_removed_nor_replaced(tmp_path: Path) -> None:
    write_set(draw_set("blobs", 16, 16, 9), tmp_path)
    (tmp_path / "0007.png").write_bytes(b"mine")
    assert len(write_set(draw_set("blobs", 16, 16, 2), tmp_path)) == 2
    assert {path.name for path in tmp_path.glob("*.png")} == {"0000.png", "0001.png", "0007.png"}
    with pytest.raises(UserError, match=r"0007\.png: exists and is no mask of the set"):
        write_set(draw_set("blobs", 16, 16, 9), tmp_path)
    assert (tmp_path / "0007.png").read_bytes() == b"mine"


@pytest.mark.parametrize("count", [100_000_000, 0, -1, 5])
def test_a_count_that_does_not_fit_is_refused_at_once(count: int, tmp_path: Path) -> None:
    write_set(draw_set("blobs", 16, 16, 3), tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    for kept in (manifest, {k: v for k, v in manifest.items() if k not in ("masks", "visible")}):
        (tmp_path / MANIFEST).write_text(json.dumps({**kept, "count": count}))
        for action in (read_set, lambda folder: write_set(draw_set("blobs", 16, 16, 1), folder)):
            with pytest.raises(UserError):
                action(tmp_path)
    assert (tmp_path / "0002.png").exists()


def test_a_set_of_an_earlier_version_is_replaced_where_it_is_whole(tmp_path: Path) -> None:
    write_set(draw_set("blobs", 16, 16, 3), tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    del manifest["masks"]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    write_set(draw_set("blobs", 16, 16, 2, seed=1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"0000.png", "0001.png", MANIFEST}


def test_a_set_that_is_not_finished_is_not_read_but_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inpaint_cli.masks import sets

    write_set(draw_set("blobs", 16, 16, 4), tmp_path)

    def stopped(path: Path, mask: masks.Mask) -> None:
        if path.name == "0001.png":
            raise KeyboardInterrupt
        write_mask(path, mask)

    other = draw_set("blobs", 16, 16, 3, seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(sets, "write_mask", stopped)
        with pytest.raises(KeyboardInterrupt):
            write_set(other, tmp_path)
    with pytest.raises(UserError, match="was ended"):
        read_set(tmp_path)
    write_set(other, tmp_path)
    assert read_set(tmp_path).sha256 == other.sha256
    assert not (tmp_path / "0003.png").exists()
