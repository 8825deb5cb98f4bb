"""Folders of pictures: paired by name, refused where pairs are missing, doubled or unequal."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import inpaint_cli
from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.folders import CommonSize, FilesTarget, target_of
from tests.metrics.score_kit import report, save
from tests.pictures import pictures_of

RNG = np.random.default_rng(1)
NAMES = ("a", "b.c", "d e")


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    for name in NAMES:
        pixels = RNG.integers(0, 256, (12, 14, 3), dtype=np.uint8)
        save(tmp_path / "originals", f"{name}.png", pixels)
    return tmp_path / "originals"


def filled(originals: Path, folder: Path, k: int = 1) -> Path:
    """Writes K completions of each original whose hidden part is darker by 10 k."""
    for path in originals.iterdir():
        pixels = np.asarray(Image.open(path)).astype(int)
        for number in range(k):
            completion = pixels.copy()
            completion[3:7, 4:8] = np.maximum(completion[3:7, 4:8] - 10 * (number + 1), 0)
            name = f"{path.stem}.png" if k == 1 else f"{path.stem}-{number}.png"
            save(folder, name, completion.astype(np.uint8))
    return folder


def holes(originals: Path, folder: Path) -> Path:
    for path in originals.iterdir():
        white = np.zeros((*np.asarray(Image.open(path)).shape[:2], 1), np.uint8)
        white[3:7, 4:8] = 255
        save(folder, f"{path.stem}_mask.png", white)
    return folder


def opened(
    results: Path, originals: Path | None, masks: Path | None = None, **fit: tuple[int, int]
) -> FilesTarget:
    return target_of(results, originals, masks, None, CommonSize(**fit))


def test_pairs_are_made_by_name_up_to_the_last_dot(originals: Path, tmp_path: Path) -> None:
    target = opened(filled(originals, tmp_path / "out"), originals)
    assert target.ids == sorted(NAMES)
    assert (target.k, target.setting.height, target.setting.width) == (1, 12, 14)
    case = target.case(1)
    assert np.array_equal(
        case.truth.permute(1, 2, 0).numpy(), np.asarray(Image.open(originals / "b.c.png"))
    )


def test_numbered_files_are_several_completions(originals: Path, tmp_path: Path) -> None:
    target = opened(filled(originals, tmp_path / "out", 3), originals)
    assert target.k == 3
    assert target.case(0).completions.shape == (3, 3, 12, 14)


def test_masks_are_white_where_hidden(originals: Path, tmp_path: Path) -> None:
    target = opened(
        filled(originals, tmp_path / "out"), originals, holes(originals, tmp_path / "holes")
    )
    visible = target.case(0).visible
    assert visible is not None
    assert (~visible).sum() == 16
    document = report(("mae", "psnr", "coverage"), target)
    labels = {e["params"]["label"]: e["value"] for e in document["metrics"]}
    assert labels["mae-hole"] == pytest.approx(labels["mae"] * 12 * 14 / 16)


def test_without_masks_what_needs_them_is_refused(originals: Path, tmp_path: Path) -> None:
    document = report(("mae", "crps"), opened(filled(originals, tmp_path / "out"), originals))
    assert [entry["name"] for entry in document["metrics"]] == ["mae"]
    assert "masks" in document["refused"][0]["reason"]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda out: (out / "a.png").unlink(), "lacks a picture for a"),
        (lambda out: (out / "x.png").write_bytes((out / "a.png").read_bytes()), "x"),
        (lambda out: (out / "a.jpg").write_bytes((out / "a.png").read_bytes()), "one name"),
        (lambda out: save(out, "a.png", np.zeros((9, 9, 3), np.uint8)), "9x9 pixels"),
        (lambda out: save(out, "a.png", np.zeros((12, 14, 4), np.uint8)), "alpha"),
        (lambda out: (out / "a.png").write_text("no picture"), "a.png"),
    ],
)
def test_what_does_not_pair_is_refused_by_name(
    break_it: object, message: str, originals: Path, tmp_path: Path
) -> None:
    results = filled(originals, tmp_path / "out")
    break_it(results)  # type: ignore[operator]
    with pytest.raises(UserError, match=message):
        opened(results, originals).case(0)


def test_pictures_of_unequal_size_need_a_common_one(originals: Path, tmp_path: Path) -> None:
    save(originals, "z.png", RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8))
    results = filled(originals, tmp_path / "out")
    with pytest.raises(UserError, match=r"z\.png: 20x20 pixels.*resize or crop"):
        opened(results, originals)
    for fit in ({"resize": (8, 8)}, {"crop": (8, 8)}):
        target = opened(results, originals, holes(originals, tmp_path / "holes"), **fit)
        case = target.case(3)
        assert case.truth.shape == (3, 8, 8)
        assert case.visible is not None
        assert case.visible.shape == (8, 8)
        assert "8x8" in target.facts().dataset["preprocess"]


def test_grey_pictures_stay_grey_unless_one_is_not(tmp_path: Path) -> None:
    grey = RNG.integers(0, 256, (12, 14, 1), dtype=np.uint8)
    save(tmp_path / "originals", "a.png", grey)
    save(tmp_path / "out", "a.png", grey)
    assert opened(tmp_path / "out", tmp_path / "originals").setting.channels == 1
    save(tmp_path / "out", "a.png", grey.repeat(3, axis=2))
    target = opened(tmp_path / "out", tmp_path / "originals")
    assert target.setting.channels == 3
    assert target.case(0).truth.equal(target.case(0).completions[0])


@pytest.mark.parametrize("suffix", [".jpg", ".jp2"])
def test_lossy_files_are_warned_of(suffix: str, originals: Path, tmp_path: Path) -> None:
    results = filled(originals, tmp_path / "out")
    with Image.open(results / "a.png") as image:
        image.convert("RGB").save(results / f"a{suffix}")
    (results / "a.png").unlink()
    document = report(("kid",), opened(results, originals))
    assert any("artefacts" in text for text in document["metrics"][0]["warnings"])
    document = report(("mae",), opened(results, originals))
    told = f"1 completion of a lossy format ({suffix}), so errors of the compression are counted"
    assert told in document["metrics"][0]["warnings"]


def test_webp_without_loss_is_not_called_lossy(originals: Path, tmp_path: Path) -> None:
    """As `complete --format keep` writes of such an original."""
    results = filled(originals, tmp_path / "out")
    for path in list(results.iterdir()):
        with Image.open(path) as image:
            image.save(path.with_suffix(".webp"), lossless=True)
        path.unlink()
    target = opened(results, originals)
    assert (target.cautions(), target.facts().of_features) == ([], ())


def test_the_results_of_complete_are_scored_as_they_are(
    originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(
        main,
        ["complete", "originals", "--box", "4,3,4,4", "--model", "telea", "-o", "results", "-q"],
    )
    assert result.exit_code == 0, result.output
    target = opened(tmp_path / "results", None)
    assert (target.k, target.has_masks, target.origin["model"]) == (1, True, "telea")
    case = target.case(0)
    assert case.visible is not None
    assert (~case.visible).sum() == 16
    assert case.truth[:, case.visible].equal(case.completions[0][:, case.visible])


def test_a_record_that_names_no_originals_asks_for_them(tmp_path: Path) -> None:
    item = {"image": "gone.png", "mask": "freeform", "completions": [{"file": "gone-0.png"}]}
    (tmp_path / "completions.json").write_text(json.dumps({"schema": 1, "items": [item]}))
    with pytest.raises(UserError, match=r"names is not there.* with the setting reference\."):
        opened(tmp_path, None)
    Image.new("L", (8, 8)).save(tmp_path / "other.png")
    with pytest.raises(UserError, match=r"reference: gone\.png: its original is not in .*\."):
        opened(tmp_path, tmp_path)


def test_completions_of_another_size_are_resized_on_both_sides(
    originals: Path, tmp_path: Path
) -> None:
    for name in NAMES:
        save(tmp_path / "out", f"{name}.png", np.full((24, 28, 3), 90, np.uint8))
    with pytest.raises(UserError, match="with resize, both are resized"):
        opened(tmp_path / "out", originals)
    target = opened(tmp_path / "out", originals, resize=(8, 8))
    assert target.case(0).completions.shape == (1, 3, 8, 8)
    assert "3 completions of another size" in target.cautions()[0]


def test_depth_and_an_opaque_alpha_are_converted_with_a_remark(tmp_path: Path) -> None:
    grey = RNG.integers(0, 256, (12, 14, 1), dtype=np.uint8)
    save(tmp_path / "originals", "a.png", grey)
    save(tmp_path / "originals", "b.png", grey)
    (tmp_path / "out").mkdir()
    Image.fromarray(grey[..., 0].astype(np.uint16) * 257).save(tmp_path / "out" / "a.png")
    Image.fromarray(grey[..., 0]).convert("LA").save(tmp_path / "out" / "b.png")
    target = opened(tmp_path / "out", tmp_path / "originals")
    for index in (0, 1):
        case = target.case(index)
        assert case.truth.equal(case.completions[0])
    assert dict(target.converted) == {
        "16-bit samples were reduced to 8 bits": 1,
        "an opaque alpha channel was dropped": 1,
    }


@pytest.mark.parametrize("factor", [16, 257])
def test_12_bits_in_16_are_scored_in_their_own_range(
    factor: int, originals: Path, tmp_path: Path
) -> None:
    results = filled(originals, tmp_path / "out")
    eight = report(("psnr",), opened(results, originals))["metrics"][0]["value"]
    for folder in (originals, results):
        for path in folder.iterdir():
            grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
            Image.fromarray(grey * np.uint16(factor)).save(path)
    deep = opened(results, originals)
    assert report(("psnr",), deep)["metrics"][0]["value"] == pytest.approx(eight, abs=1)
    assert ("4095 levels" in " ".join(deep.converted)) == (factor == 16)


def test_samples_of_32_bits_have_no_certain_white(originals: Path, tmp_path: Path) -> None:
    for folder in (originals, filled(originals, tmp_path / "out")):
        for path in list(folder.iterdir()):
            grey = np.asarray(Image.open(path).convert("L")).astype(np.uint32)
            path.with_suffix(".tif").write_bytes(pictures_of.tiff(grey[..., None] * 1000, 1))
            path.unlink()
    with pytest.raises(UserError, match="of up to 16 bits is needed"):
        opened(tmp_path / "out", originals).case(0)


def test_grey_completions_of_originals_in_colour_are_warned_of(
    originals: Path, tmp_path: Path
) -> None:
    for name in NAMES:
        save(tmp_path / "out", f"{name}.png", np.full((12, 14, 1), 90, np.uint8))
    words = ["score", tmp_path / "out", "--reference", originals, "--metrics", "mae"]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0
    assert "warning: out: 3 completions in grey of originals in colour" in result.stderr


@pytest.mark.parametrize("resize", [None, "8"])
def test_the_share_of_visible_samples_that_a_tool_changed_is_reported(
    resize: str | None, originals: Path, tmp_path: Path
) -> None:
    results = filled(originals, tmp_path / "out")
    clean = ["score", results, "--reference", originals, "--masks"]
    clean += [holes(originals, tmp_path / "holes"), "--metrics", "mae", "--json"]
    more = [] if resize is None else ["--resize", resize]
    result = CliRunner().invoke(main, list(map(str, clean + more)))
    assert json.loads(result.stdout)["protocol"]["completions"]["visible_changed"] == 0
    for path in results.iterdir():
        pixels = np.asarray(Image.open(path)).copy()
        pixels[:1] ^= 1  # 14 of the 152 visible pixels
        save(results, path.name, pixels)
    result = CliRunner().invoke(main, list(map(str, clean + more)))
    told = json.loads(result.stdout)["protocol"]["completions"]
    assert told["visible_changed"] == pytest.approx(14 / 152)
    assert told["visible_changed_by"] == 1
    assert "9.21 % of the visible samples differ from the originals, by 1 of 255" in result.stderr


def test_a_limit_draws_pictures_at_random_and_not_the_first_ones(tmp_path: Path) -> None:
    for number in range(30):
        save(tmp_path / "originals", f"{number:02}.png", np.full((8, 8, 3), number, np.uint8))
    same = tmp_path / "originals"
    few, more = (target_of(same, same, None, None, CommonSize(), n).ids for n in (5, 15))
    assert set(few) < set(more)
    assert more != [f"{n:02}" for n in range(15)]
    assert few != [f"{n:02}" for n in range(5)]


def test_copies_of_the_hidden_pixels_are_told_of_and_infinite_if_all_are(
    originals: Path, tmp_path: Path
) -> None:
    """A perfect hole counts as 100 dB in a mean, and never without a word."""
    masks, done = holes(originals, tmp_path / "masks"), tmp_path / "done"
    shutil.copytree(originals, done)
    given: dict[str, Any] = {
        "folders": [done],
        "reference": originals,
        "masks": masks,
        "metrics": "psnr",
    }
    (report,) = inpaint_cli.score((), **given)
    assert {line["value"] for line in report["metrics"]} == {"inf"}
    one = sorted(done.iterdir())[0]
    Image.fromarray(255 - np.asarray(Image.open(one))).save(one)
    (report,) = inpaint_cli.score((), **given)
    for line in report["metrics"]:
        assert line["value"] != "inf"
        assert any("each counts as 100 dB" in warning for warning in line["warnings"]), line


def test_an_error_too_small_for_100_db_is_no_copy(tmp_path: Path) -> None:
    """One level at one of 300 x 300 pixels: 102 dB, which is neither 100 nor infinite."""
    truth = np.full((300, 300, 3), 90, np.uint8)
    white = np.zeros((300, 300, 1), np.uint8)
    white[5, 7] = 255
    save(tmp_path / "truth", "a.png", truth)
    save(tmp_path / "masks", "a.png", white)
    for k in range(2):
        done = truth.copy()
        done[5, 7, k] += 1
        save(tmp_path / "done", f"a-{k}.png", done)
    folders: dict[str, Any] = {"reference": tmp_path / "truth", "masks": tmp_path / "masks"}
    (report,) = inpaint_cli.score((), folders=[tmp_path / "done"], **folders, metrics="psnr")
    mean, best, of_mean = report["metrics"][:3]
    one = 10 * np.log10(255**2 * truth.size)
    assert mean["value"] == pytest.approx(one)
    assert best["value"] == pytest.approx(one)
    assert of_mean["value"] == pytest.approx(one + 10 * np.log10(2))
    assert not any("100 dB" in text for line in report["metrics"] for text in line["warnings"])


def test_images_that_share_a_figure_up_to_rounding_give_no_error(tmp_path: Path) -> None:
    """All completions are 5 too bright, 3 too dark, 2 too bright, in holes of several sizes."""
    for number in range(6):
        name, hole = f"{number}.png", np.s_[1 : 3 + number, 2:9]
        truth = np.random.default_rng(number).integers(9, 240, (12, 12, 3)).astype(np.uint8)
        white = np.zeros((12, 12, 1), np.uint8)
        white[hole] = 255
        save(tmp_path / "truth", name, truth)
        save(tmp_path / "masks", name, white)
        for k, shift in enumerate((5, -3, 2)):
            pixels = truth.astype(int)
            pixels[hole] += shift
            save(tmp_path / "done", f"{number}-{k}.png", pixels.astype(np.uint8))
    (report,) = inpaint_cli.score(
        (),
        folders=[tmp_path / "done"],
        reference=tmp_path / "truth",
        masks=tmp_path / "masks",
        metrics="crps,mae",
    )
    lines = {line["params"]["label"]: line for line in report["metrics"]}
    for label in ("crps", "crps ordinary", "mae-hole of mean image"):
        assert [lines[label][name] for name in ("se", "ci95", "sd")] == [None, None, 0.0]
    assert lines["mae"]["se"] > 0


def scored(results: Path, originals: Path, masks: Path, *more: str) -> Any:
    """Scores a folder by two figures that need no network."""
    words = ["score", results, "--reference", originals, "--masks", masks, *more]
    return CliRunner().invoke(main, [*map(str, words), "--metrics", "psnr,crps"])


def marked(originals: Path, folder: Path, low: int, high: int, ending: str = "") -> Path:
    """Writes masks of two values, of the same hole as `filled`."""
    for path in originals.iterdir():
        levels = np.full((12, 14, 1), low, np.uint8)
        levels[3:7, 4:8] = high
        save(folder, f"{path.stem}{ending}.png", levels)
    return folder


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0, 1, "3 files: a mask of the values 0 and 1: 1 counts as white"),
        (100, 140, "3 files: a grey or soft mask; values of 128 and above are filled in"),
        (255, 0, "no hidden sample differs: are the masks inverted? White is hidden"),
    ],
)
def test_what_is_made_of_odd_masks_is_told(
    low: int, high: int, told: str, originals: Path, tmp_path: Path
) -> None:
    results = filled(originals, tmp_path / "out")
    result = scored(results, originals, marked(originals, tmp_path / "masks", low, high))
    assert result.exit_code == 0, result.output
    assert told in result.stderr


def test_masks_of_which_none_hides_anything_are_refused(originals: Path, tmp_path: Path) -> None:
    results = filled(originals, tmp_path / "out")
    result = scored(results, originals, marked(originals, tmp_path / "masks", 0, 0))
    assert result.exit_code == 2
    assert "hides nothing, and no other mask here does. White is hidden" in result.stderr
    nowhere = scored(results, originals, tmp_path / "centre")
    assert nowhere.stderr.endswith("are a folder of files.\n")


@pytest.mark.parametrize("ending", ["-mask", "_MASK", ".mask", "_mask001"])
def test_masks_are_called_as_complete_knows_them(
    ending: str, originals: Path, tmp_path: Path
) -> None:
    results = filled(originals, tmp_path / "out")
    masks = marked(originals, tmp_path / "masks", 0, 255, ending)
    assert scored(results, originals, masks).exit_code == 0
    shutil.copy(originals / "a.png", masks / "a.png")
    both = scored(results, originals, masks)
    assert (both.exit_code, f"a.png and a{ending}.png are both masks of a" in both.stderr) == (
        2,
        True,
    )


def test_masks_beside_originals_are_masks_and_no_pictures(originals: Path, tmp_path: Path) -> None:
    results = filled(originals, tmp_path / "out")
    masks = marked(originals, tmp_path / "masks", 0, 255, "_mask")
    apart = scored(results, originals, masks, "--json")
    for path in masks.iterdir():
        shutil.copy(path, originals)
        shutil.copy(path, results)
    beside = scored(results, originals, originals, "--json")
    assert beside.exit_code == 0, beside.output
    figures = [json.loads(one.stdout)["metrics"] for one in (apart, beside)]
    assert figures[0] == figures[1]


def test_masks_at_the_size_of_resized_completions_are_resized_too(
    originals: Path, tmp_path: Path
) -> None:
    masks = marked(originals, tmp_path / "masks", 0, 255)
    for folder in (filled(originals, tmp_path / "out"), masks):
        for path in folder.iterdir():
            Image.open(path).resize((28, 24), Image.Resampling.NEAREST).save(path)
    assert "the mask has 28x24 pixels" in scored(originals, originals, masks).stderr
    result = scored(tmp_path / "out", originals, masks, "--resize", "12x14")
    assert result.exit_code == 0, result.output
    assert "3 files: a mask of another size than its picture was resized" in result.stderr


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"k": "2"}, "k: must be a whole number, got '2'"),
        ({"k": 1.5}, "k: must be a whole number, got 1.5"),
        ({"limit": True}, "limit: must be a whole number, got True"),
        ({"metrics": ()}, "metrics: give names"),
    ],
)
def test_options_of_another_type_are_one_sentence_in_python(
    wrong: dict[str, Any], told: str, originals: Path
) -> None:
    given: dict[str, Any] = {"folders": [originals], "reference": originals, "metrics": "mae"}
    with pytest.raises(UserError, match=told):
        inpaint_cli.score((), **{**given, **wrong})
