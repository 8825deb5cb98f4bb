import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from inpaint_cli import data
from inpaint_cli.data import ImageSet, cache, decoding
from inpaint_cli.data.decoding import SourcePlan
from inpaint_cli.reporting import Reporter
from tests.data.image_files import folder_of, photos, png, zip_of

TREE = photos(*(f"train/{i}.png" for i in range(30)), "test/1.png")


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Lists the caches that were built."""
    built: list[Path] = []
    real = cache._build

    def counted(plans: list[SourcePlan], path: Path, reporter: Reporter) -> cache.Index:
        built.append(path)
        return real(plans, path, reporter)

    monkeypatch.setattr(cache, "_build", counted)
    return built


def opened(source: str, size: int = 8, levels: int = 256) -> ImageSet:
    return data.load_images([source], size=size, channels=3, levels=levels, split="train")


def test_a_second_opening_decodes_nothing(tmp_path: Path, builds: list[Path]) -> None:
    source = zip_of(tmp_path / "a.zip", TREE)
    first, second = opened(source), opened(source)
    data.load_images([source], size=8, channels=3, split="test")
    data.load_images([source], size=8, channels=3, levels=32, split="train")
    assert len(builds) == 1
    assert first.sha256 == second.sha256
    assert first.describe() == second.describe()


def test_size_and_binarising_have_caches_of_their_own(tmp_path: Path, builds: list[Path]) -> None:
    source = zip_of(tmp_path / "a.zip", TREE)
    opened(source)
    opened(source, size=4)
    opened(source, levels=2)
    assert len(set(builds)) == 3


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_changed_source_is_decoded_again(kind: str, tmp_path: Path, builds: list[Path]) -> None:
    tree = dict(TREE)
    make = folder_of if kind == "folder" else zip_of
    source = make(tmp_path / f"a.{kind}", tree)
    before = opened(source)
    time.sleep(0.02)  # so that the time of change differs on coarse clocks as well
    make(tmp_path / f"a.{kind}", {**tree, "train/0.png": png(200)})
    after = opened(source)
    assert len(builds) == 2
    assert before.sha256 != after.sha256
    assert after.images[after.ids.index("train/0.png")].min() == 200


def pixels_file(home: Path) -> Path:
    (path,) = (home / "cache" / "data").glob("*.raw")
    return path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def drop_a_key(path: Path) -> None:
    index = json.loads(path.read_text())
    del index["classes"]
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".raw", cut),
        (".raw", Path.unlink),
        (".json", cut),
        (".json", Path.unlink),
        (".json", drop_a_key),
        (".json", lambda path: path.write_text("[]")),
    ],
)
def test_a_damaged_cache_is_built_again(
    suffix: str, damage: object, tmp_path: Path, home: Path, builds: list[Path]
) -> None:
    source = zip_of(tmp_path / "a.zip", TREE)
    digest = opened(source).sha256
    damage(pixels_file(home).with_suffix(suffix))  # type: ignore[operator]
    image_set = opened(source)
    assert len(builds) == 2
    assert image_set.sha256 == digest
    assert image_set.images.shape == (len(image_set.ids), 3, 8, 8)


def test_several_builders_at_once_all_get_whole_images(tmp_path: Path, home: Path) -> None:
    source = zip_of(tmp_path / "a.zip", TREE)
    with ThreadPoolExecutor(4) as pool:
        image_set = list(pool.map(opened, [source] * 4))
    assert len({one.sha256 for one in image_set}) == 1
    assert all(np.array_equal(one.images, image_set[0].images) for one in image_set)
    assert len(list((home / "cache" / "data").iterdir())) == 2


def test_an_interrupted_build_leaves_nothing(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(decoding, "decode", interrupt)
    with pytest.raises(KeyboardInterrupt):
        opened(zip_of(tmp_path / "a.zip", TREE))
    assert list((home / "cache" / "data").iterdir()) == []


def test_files_of_a_clock_ahead_that_are_replaced_by_others_of_that_age_are_read_again(
    tmp_path: Path,
) -> None:
    def of_the_future(*seeds: int) -> ImageSet:
        tree = {f"{place}.bmp": png(seed) for place, seed in enumerate(seeds)}
        folder = folder_of(tmp_path / "set", tree)
        for path in Path(folder).iterdir():
            os.utime(path, (4e9, 4e9))
        return opened(folder)

    assert of_the_future(11, 12, 13).sha256 != of_the_future(21, 22, 23).sha256


def test_the_digest_depends_on_pixels_and_names_not_on_the_place(tmp_path: Path) -> None:
    here = opened(folder_of(tmp_path / "here", TREE))
    there = opened(folder_of(tmp_path / "there", TREE))
    renamed = opened(folder_of(tmp_path / "b", {**TREE, "train/x.png": png(0)}))
    assert here.sha256 == there.sha256
    assert here.sha256 != renamed.sha256


def test_the_cache_lies_under_inpaint_home_and_the_source_is_left_alone(
    tmp_path: Path, home: Path
) -> None:
    source = folder_of(tmp_path / "a", TREE)
    before = sorted(os.walk(source))
    opened(source)
    assert sorted(os.walk(source)) == before
    assert pixels_file(home).stat().st_size == 31 * 3 * 8 * 8


@pytest.mark.parametrize("suffix", [".raw", ".json"])
def test_a_cache_with_a_flipped_bit_is_built_again(
    suffix: str, tmp_path: Path, builds: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = zip_of(tmp_path / "a.zip", TREE)
    before = np.array(opened(source).images)
    path = builds[0].with_suffix(suffix)
    content = bytearray(path.read_bytes())
    place = content.index(b"train/3.png") + 6 if suffix == ".json" else 10
    content[place] ^= 1
    path.write_bytes(content)
    after = data.load_images([source], size=8, channels=3, split="train", reporter=Reporter())
    assert len(builds) == 2
    assert "damaged since it was written; built again" in capsys.readouterr().err
    assert np.array_equal(after.images, before)
    assert opened(source).ids == after.ids
    assert len(builds) == 2


def test_a_source_that_is_given_twice_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = zip_of(tmp_path / "a.zip", TREE)
    reporter = Reporter()
    for split in ("train", "test"):
        data.load_images([source, source], size=8, channels=3, split=split, reporter=reporter)
    assert capsys.readouterr().err.count("a is given more than once") == 1


def test_a_plan_counts_a_large_set_and_reads_nothing(
    tmp_path: Path, home: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "READ_FOR_A_PLAN", 1000)
    source = folder_of(tmp_path / "a", TREE)
    planned = data.load_images([source], size=8, channels=3, split="train", for_plan=True)
    assert not builds
    assert not home.exists()
    assert cache.NOT_READ in planned.describe()
    true = opened(source)
    assert planned.images.shape == true.images.shape
    assert (planned.ids, planned.counts, planned.classes) == (true.ids, true.counts, true.classes)
    assert planned.describe()[:2] == true.describe()[:2]


def test_a_plan_compares_no_large_cache_with_its_hash_and_others_do(
    tmp_path: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder_of(tmp_path / "a", TREE)
    true = opened(source)
    hashed: list[str] = []
    real = cache._hash_of_split

    def counted(handle: IO[bytes], index: cache.Index, split: data.Split) -> str:
        hashed.append(split)
        return real(handle, index, split)

    monkeypatch.setattr(cache, "_hash_of_split", counted)
    for limit, times in ((1000, 0), (1 << 24, 1)):
        monkeypatch.setattr(cache, "READ_FOR_A_PLAN", limit)
        planned = data.load_images([source], size=8, channels=3, split="train", for_plan=True)
        assert np.array_equal(planned.images, true.images)
        assert len(hashed) == times
    assert len(builds) == 1


def test_a_plan_enlarges_no_small_set_to_gigabytes(builds: list[Path]) -> None:
    planned = data.load_images(["digits"], size=1200, channels=1, split="train", for_plan=True)
    assert not builds
    assert cache.NOT_READ in planned.describe()
    assert planned.images.shape[1:] == (1, 1200, 1200)


def test_a_plan_on_drawn_pictures_draws_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inpaint_cli.data.graphics.draw", None)
    planned = data.load_images(["graphics"], size=64, channels=3, split="train", for_plan=True)
    assert planned.images.shape == (1616, 3, 64, 64)
