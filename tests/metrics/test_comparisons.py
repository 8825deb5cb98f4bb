"""What may stand side by side: the same pictures, the same masks, as many completions."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import inpaint_cli
from inpaint_cli import metrics
from inpaint_cli.data.image_set import ImageSet
from inpaint_cli.masks.sets import draw_set, write_set
from inpaint_cli.metrics.blocks import blocks_of, heads_of
from inpaint_cli.metrics.folders import CommonSize, FilesTarget, in_colours_alike, target_of
from inpaint_cli.metrics.intervals import by_picture, over_images, paired_difference
from inpaint_cli.metrics.options import CompletionOptions
from inpaint_cli.metrics.protocol import Setting
from inpaint_cli.metrics.score import prepared
from inpaint_cli.metrics.tables import csv_of, text_of
from inpaint_cli.reporting import Reporter
from tests.metrics.score_kit import SIDE, contestant, pictures, report, save, scoring, target


def smooth(folder: Path, count: int, seed: int = 0) -> Path:
    """Writes pictures of flat squares."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        save(folder, f"{number:02}.png", coarse.repeat(4, 0).repeat(4, 1))
    return folder


def filled(originals: Path, folder: Path, k: int = 1, seed: int = 0) -> Path:
    """Writes K completions of the middle of each picture."""
    rng = np.random.default_rng(seed)
    for path in sorted(originals.iterdir()):
        for number in range(k):
            pixels = np.array(Image.open(path))
            pixels[4:12, 4:12] = rng.integers(0, 256, (8, 8, 3))
            name = path.name if k == 1 else f"{path.stem}-{number}.png"
            save(folder, name, pixels)
    return folder


def masks(originals: Path, folder: Path, left: int = 4) -> Path:
    """Writes a white box of 8 x 8 for each picture."""
    white = np.zeros((16, 16, 1), np.uint8)
    white[4:12, left : left + 8] = 255
    for path in originals.iterdir():
        save(folder, path.name, white)
    return folder


def opened(name: str, results: Path, originals: Path, holes: Path | None = None) -> FilesTarget:
    one = target_of(results, originals, holes, None, CommonSize())
    one.name = one.label = name
    return one


def scored(names: tuple[str, ...], *targets: Any) -> list[dict[str, Any]]:
    return scoring(names).run(targets)


def of_label(document: dict[str, Any], label: str) -> dict[str, Any]:
    (entry,) = (e for e in document["metrics"] if e["params"]["label"] == label)
    return dict(entry)


def test_other_pictures_of_the_same_names_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every folder has its 00.png: names do not tell which pictures they are."""
    sides = [smooth(tmp_path / f"originals-{n}", 8, seed=n) for n in (1, 2)]
    targets = [
        opened(side.name, filled(side, tmp_path / f"{side.name}-out"), side) for side in sides
    ]
    documents = scored(("mae",), *targets)
    assert "paired" not in of_label(documents[1], "mae")["params"]
    assert [len(block) for block in blocks_of(documents)] == [1, 1]
    assert "originals-2: other originals of the same names" in capsys.readouterr().err


def test_results_in_other_holes_have_tables_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    originals = smooth(tmp_path / "originals", 8)
    results = filled(originals, tmp_path / "out")
    here, there = (masks(originals, tmp_path / f"m{n}", n) for n in (2, 6))
    documents = scored(
        ("crps",), opened("a", results, originals, here), opened("b", results, originals, there)
    )
    assert [len(block) for block in blocks_of(documents)] == [1, 1]
    assert "b: other masks of the same names than those of a" in capsys.readouterr().err
    same = scored(
        ("crps",), opened("a", results, originals, here), opened("b", results, originals, here)
    )
    assert [len(block) for block in blocks_of(same)] == [2]


def test_figures_that_the_number_of_completions_moves_need_as_many(tmp_path: Path) -> None:
    originals = smooth(tmp_path / "originals", 12)
    holes = masks(originals, tmp_path / "masks")
    few, many = (
        opened(f"k{k}", filled(originals, tmp_path / f"k{k}", k, seed=k), originals, holes)
        for k in (2, 6)
    )
    names = ("psnr", "crps", "rank-histogram")
    first, second = scored(names, few, many)
    moved = ("psnr of mean image", "psnr-hole of mean image", "crps ordinary", "rank-histogram")
    for label in moved:
        entry = of_label(second, label)
        assert "paired" not in entry["params"], label
        assert any("they do not compare" in text for text in entry["warnings"]), label
    for label in ("psnr", "psnr-hole", "crps"):
        assert of_label(second, label)["params"]["paired"]["against"] == "k2"
    assert "of 6 completions, and k2's of 2" in text_of([first, second])
    other = opened("other", filled(originals, tmp_path / "other", 2), originals, holes)
    _, equal = scored(names, few, other)
    assert all("do not compare" not in text for e in equal["metrics"] for text in e["warnings"])


def test_one_completion_is_told_to_count_as_certain() -> None:
    (crps, *_) = report(("crps",), target(k=1))["metrics"]
    assert any("K = 1" in text for text in crps["warnings"])


def repeated(originals: Sequence[Path], folder: Path, times: int) -> Path:
    """Writes each picture under several names."""
    for path in originals:
        for number in range(times):
            save(folder, f"{path.stem}m{number}.png", np.array(Image.open(path)))
    return folder


def test_a_picture_under_several_masks_is_one_sample(tmp_path: Path) -> None:
    plain = sorted(smooth(tmp_path / "plain", 4).iterdir())
    originals = repeated(plain, tmp_path / "originals", 5)
    results = filled(originals, tmp_path / "out")
    (document,) = scored(("mae", "kid"), opened("a", results, originals))
    mae, kid = of_label(document, "mae"), of_label(document, "kid@pixels8")
    assert mae["n_images"] == 4
    assert any("the 20 originals are 4 different pictures: n, " in t for t in mae["warnings"])
    assert (kid["n_images"], kid["n_fake"]) == (4, 20)
    assert any("n and error are of these" in text for text in kid["warnings"])
    assert of_label(report(("mae",)), "mae")["n_images"] == 12


def test_errors_of_repeated_pictures_are_those_of_pictures() -> None:
    """Taken for independent, five masks each of 30 pictures cover 56 times in 100, not 90."""
    rng, which, held, naive = np.random.default_rng(0), np.arange(150) % 30, 0, 0
    unequal = np.r_[which, np.arange(10).repeat(5)]
    for _ in range(600):
        effects = rng.normal(size=30)
        values = effects[which] + 0.5 * rng.normal(size=150)
        whole, plain = over_images(by_picture(values, which)), over_images(values)
        assert whole.value == pytest.approx(plain.value)
        held += abs(whole.value) <= 1.645 * (whole.se or 0)
        naive += abs(plain.value) <= 1.645 * (plain.se or 0)
    assert 86 <= held / 6 <= 93
    assert naive / 6 < 65
    values = rng.normal(size=200)
    assert by_picture(values, unequal).mean() == pytest.approx(values.mean())
    assert len(paired_difference(by_picture(values, unequal), np.zeros(30)).extra) == 3


def test_training_images_are_told_of_beside_every_figure() -> None:
    images = pictures(6)
    train = ImageSet(**{**vars(images), "split": "train"})
    setting = Setting(SIDE, SIDE, 3)
    (one,) = prepared([contestant()], [setting], {setting: train}, CompletionOptions(k=2))
    for entry in report(("psnr", "crps"), one)["metrics"]:
        assert "the images scored are training images" in entry["warnings"]


def test_sets_of_masks_of_one_kind_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / f"{seed}.npz" for seed in (1, 2)]
    for seed, path in enumerate(paths, 1):
        write_set(draw_set("blobs", SIDE, SIDE, 12, seed=seed), path)
    documents = scored(("mae",), *(target(masks=str(path)) for path in paths))
    assert heads_of(documents) == ["blobs seed 1", "blobs seed 2"]
    assert [len(block) for block in blocks_of(documents)] == [2]
    rows = csv.DictReader(io.StringIO(csv_of(documents)))
    assert {row["masks"] for row in rows} == {"blobs seed 1", "blobs seed 2"}


def test_grey_pictures_that_a_tool_returned_as_rgb_are_of_the_same_originals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    originals, grey, colour = (tmp_path / name for name in ("originals", "grey", "colour"))
    for number in range(6):
        name, pixels = f"{number}.png", np.full((16, 16, 1), 20 * number, np.uint8)
        save(originals, name, pixels)
        pixels[4:9, 4:9] += number
        save(grey, name, pixels)
        save(colour, name, pixels.repeat(3, 2))
    given: dict[str, Any] = {"reference": originals, "metrics": "mae,energy", "masks": None}
    given["masks"] = masks(originals, tmp_path / "masks")
    alone, both = (
        inpaint_cli.score((), folders=folders, reporter=Reporter(), **given)
        for folders in ([colour], [grey, colour])
    )
    told = capsys.readouterr().err
    assert "grey: grey, and compared as RGB, which those of colour are" in told
    assert "other originals" not in told
    for document in both:
        assert [e["value"] for e in document["metrics"]] == [
            e["value"] for e in alone[0]["metrics"]
        ]
    assert both[1]["metrics"][0]["params"]["paired"]["against"] == "grey"
    one = opened("grey", grey, originals)
    before = one.fingerprint()
    list(in_colours_alike([one, opened("colour", colour, originals)]))
    assert one.fingerprint() != before


def test_a_file_of_the_same_size_and_time_is_another_file(tmp_path: Path) -> None:
    """What was measured of the one must not stand for the other, as from archives of one date."""
    originals = smooth(tmp_path / "originals", 2)
    one = opened("a", originals, originals)
    before, path = one.fingerprint(), originals / "01.png"
    state, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_mtime_ns == state.st_mtime_ns
    assert one.fingerprint() != before
    path.write_bytes(content)  # and a copy, of whatever time, is the same one
    assert one.fingerprint() == before


def test_every_metric_says_whether_copies_of_a_picture_are_allowed_for() -> None:
    allowed = {name for name in metrics.METRICS if metrics.get(name).by_picture}
    assert {"psnr", "crps", "coverage", "lpips-gt", "is", "class-consistency"} <= allowed
    assert not {"fid", "kid", "p-ids", "nll", "bits-per-dim"} & allowed


def test_perfect_copies_are_counted_image_by_image_where_pictures_repeat(tmp_path: Path) -> None:
    originals = smooth(tmp_path / "originals", 3)
    for number in (3, 4, 5):  # the first of them four times, the others once
        save(originals, f"{number:02}.png", np.array(Image.open(originals / "00.png")))
    results = filled(originals, tmp_path / "results")
    save(results, "03.png", np.array(Image.open(originals / "03.png")))
    (document,) = scored(("psnr",), opened("results", results, originals))
    (entry,) = (e for e in document["metrics"] if e["params"]["label"] == "psnr")
    assert (entry["n_images"], entry["n_infinite"]) == (3, 1)
    assert any(line.startswith("1 image has completions") for line in entry["warnings"])
