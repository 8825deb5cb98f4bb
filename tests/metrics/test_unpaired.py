"""Folders whose pictures do not pair: any names, numbers and sizes, and published statistics."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import inpaint_cli
from inpaint_cli.cli import main
from inpaint_cli.metrics.features import FeatureExtractor
from tests.metrics.score_kit import check_schema, save

FEATURES = "classifier-mnist"
COUNT = 70


def pictures(folder: Path, count: int = COUNT, seed: int = 0, side: int = 12) -> Path:
    """Writes smooth random pictures, darker with a larger seed."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = rng.integers(0, 255 - 40 * seed, (4, 4, 1), dtype=np.uint8)
        save(folder, f"p{number:03}.png", coarse.repeat(side // 4, 0).repeat(side // 4, 1))
    return folder


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    return pictures(tmp_path / "originals")


@pytest.fixture
def completions(tmp_path: Path) -> Path:
    return pictures(tmp_path / "made", seed=1)


def run(*arguments: object) -> Result:
    words = ["score", *map(str, arguments)]
    if "--features" not in words:
        words += ["--features", FEATURES]
    return CliRunner().invoke(main, words)


def score(*folders: Path, **options: Any) -> list[dict[str, Any]]:
    options = {"features": FEATURES, "metrics": "fid,kid", **options}
    return inpaint_cli.score(folders=folders, **options)


def figures(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in document["metrics"]}


def test_fid_of_equal_sets_does_not_depend_on_whether_they_pair(
    originals: Path, completions: Path
) -> None:
    (paired,) = score(completions, reference=originals)
    (unpaired,) = score(completions, reference=originals, unpaired=True)
    check_schema(unpaired)
    ours, theirs = figures(unpaired), figures(paired)
    for what in ("value", "se", "bias"):
        assert ours["fid"][what] == pytest.approx(theirs["fid"][what], rel=1e-6)
    assert ours["kid"]["value"] != theirs["kid"]["value"]
    assert ours["kid"]["params"]["estimator"] == "unpaired"
    assert unpaired["protocol"]["pairing"] == {
        "by": "none",
        "real_set": "70 pictures of originals",
        "n_images": 70,
    }


def test_names_and_numbers_may_differ_and_both_are_told(tmp_path: Path, originals: Path) -> None:
    fewer = pictures(tmp_path / "made" / "deeper", 66, seed=1)
    (fewer / "p000.png").rename(fewer / "another name.png")
    result = run(fewer.parent, "--reference", originals, "--unpaired", "-q")
    assert result.exit_code == 0, result.output
    title, head, *rows = result.stdout.splitlines()
    assert title == "made · 66 pictures of 12x12 · unpaired, against 70 pictures of originals"
    assert head.split() == ["metric", "value", "±", "bias", "n", "k", "notes"]
    assert [row.split()[0] for row in rows[:2]] == [f"fid@{FEATURES}", f"kid@{FEATURES}"]
    assert any("of 70 and 66 images in 64 dimensions" in row for row in rows)
    (document,) = score(fewer.parent, reference=originals, unpaired=True)
    fid = figures(document)["fid"]
    assert (fid["n_real"], fid["n_fake"], fid["n_images"]) == (70, 66, 66)


def test_masks_beside_pictures_are_not_compared(originals: Path, completions: Path) -> None:
    before = score(completions, reference=originals, unpaired=True, metrics="kid")
    for path in list(originals.iterdir()):
        shutil.copy(path, path.with_stem(f"{path.stem}_mask"))
    assert figures(
        score(completions, reference=originals, unpaired=True, metrics="kid")[0]
    ) == figures(before[0])


def test_pictures_of_several_sizes_are_resized_as_the_features_do(
    tmp_path: Path, originals: Path
) -> None:
    mixed = pictures(tmp_path / "mixed", 66, seed=1)
    for path in sorted(mixed.iterdir())[::3]:
        path.unlink()
    for path in sorted(pictures(tmp_path / "larger", 22, seed=1, side=40).iterdir()):
        path.rename(mixed / f"larger-{path.name}")
    result = run(mixed, "--reference", originals, "--unpaired", "--json")
    assert "the pictures of mixed have several sizes" in result.stderr
    document = json.loads(result.stdout)
    check_schema(document)
    assert document["protocol"]["dataset"]["height"] is None
    assert (
        "66 pictures of several sizes"
        in run(mixed, "--reference", originals, "--unpaired", "-q").stdout
    )
    sized = run(mixed, "--reference", originals, "--unpaired", "--resize", 12, "--json")
    assert json.loads(sized.stdout)["protocol"]["dataset"]["height"] == 12
    assert "several sizes" not in sized.stderr


def test_no_more_pictures_than_features_are_refused_unless_asked_for(
    tmp_path: Path, originals: Path
) -> None:
    few = pictures(tmp_path / "few", 64, seed=1)
    asked = (few, "--reference", originals, "--unpaired", "--metrics", "fid")
    refused = run(*asked)
    assert refused.exit_code == 1
    assert "64 images for 64 features" in refused.stdout
    assert run(*asked, "--allow-biased").exit_code == 0
    turned = run(originals, "--reference", few, "--unpaired", "--metrics", "fid")
    assert turned.exit_code == 1


def test_metrics_that_need_pairs_are_refused_in_words(originals: Path, completions: Path) -> None:
    result = run(completions, "--reference", originals, "--unpaired", "--metrics", "p-ids,psnr,kid")
    assert result.exit_code == 0
    assert "refused: p-ids, psnr: needs originals and completions that pair" in result.stderr
    checked = run(
        completions, "--reference", originals, "--unpaired", "--metrics", "fid,psnr", "--check"
    )
    assert checked.stdout.splitlines() == [
        "fid   ok",
        "psnr  refused: needs originals and completions that pair; these pictures do not",
    ]


def test_equal_names_on_both_sides_are_warned_of(originals: Path, completions: Path) -> None:
    assert (
        "both folders have the same names"
        in run(completions, "--reference", originals, "--unpaired", "--metrics", "kid").stderr
    )
    for path in list(completions.iterdir()):
        path.rename(path.with_stem(f"{path.stem}-0"))  # as complete names them
    assert (
        "both folders have the same names"
        in run(completions, "--reference", originals, "--unpaired", "--metrics", "kid").stderr
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--reference", "made"), "more: lacks a picture for p003, p004, p005 and 64 more"),
        (("--unpaired",), "--unpaired: compares with a folder of originals or a file"),
        (("--reference", "made", "--unpaired", "--masks", "made"), "--masks: belongs to pictures"),
        (("--reference", "made", "--unpaired", "--by-visible"), "--by-visible: belongs to"),
        (("--reference", "made/p000.png"), "--reference: made/p000.png: must be a folder of"),
        (("--reference", "none.npz"), "--reference: none.npz: no such file"),
        (("--reference", "none.npz", "--metrics", "psnr"), "--reference: statistics serve fid"),
        (("--write-reference", "a.txt"), "--write-reference: a.txt: must end in .npz"),
        (("--write-reference", "a.npz", "--masks", "made"), "--masks: means nothing with"),
        (("--write-reference", "a.npz", "made"), "--write-reference: is made of one folder"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    words: tuple[str, ...], why: str, completions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(completions.parent)
    pictures(Path("more"), 3)
    result = run("more", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    errors = [line for line in result.stderr.splitlines() if not line.startswith("loading ")]
    assert errors[0].startswith(f"error: {why}"), result.stderr


def test_models_do_not_go_with_unpaired() -> None:
    result = run("--model", "telea", "--unpaired")
    assert "belongs to folders of pictures" in result.stderr


def test_statistics_stand_for_their_pictures(
    tmp_path: Path, originals: Path, completions: Path
) -> None:
    file = tmp_path / "ref.npz"
    written = run(originals, "--write-reference", file)
    assert written.exit_code == 0, written.output
    assert f"mean and covariance of 70 pictures in 64 dimensions ({FEATURES}" in written.stdout
    (document,) = score(completions, reference=file)
    check_schema(document)
    (entry,) = document["metrics"]
    assert entry["params"]["label"] == f"fid@{FEATURES} to ref.npz"
    assert entry["params"]["reference"]["name"] == "ref.npz"
    assert (entry["n_real"], entry["n_fake"]) == (70, 70)
    (expected,) = score(completions, reference=originals, unpaired=True, metrics="fid")
    assert entry["value"] == pytest.approx(expected["metrics"][0]["value"], rel=1e-6)
    assert [refused["name"] for refused in document["refused"]] == ["kid"]
    again = run(completions, "--write-reference", file, "--json")
    assert json.loads(again.stdout)["features"]["dim"] == 64


def test_statistics_of_other_features_are_refused(
    tmp_path: Path, originals: Path, completions: Path
) -> None:
    file = tmp_path / "ref.npz"
    run(originals, "--write-reference", file)
    other = run(completions, "--reference", file, "--features", "classifier-cifar10")
    assert other.exit_code == 2
    assert "ref.npz: of 64 features; classifier-cifar10 has 128" in other.stderr
    rows = np.random.default_rng(0).normal(size=(100, 64))
    np.savez(tmp_path / "theirs.npz", mu=rows.mean(axis=0), sigma=np.cov(rows, rowvar=False))
    (document,) = score(completions, reference=tmp_path / "theirs.npz", metrics="fid")
    (entry,) = document["metrics"]
    assert (entry["n_real"], entry["n_fake"]) == (None, 70)
    assert any("does not say which features" in text for text in entry["warnings"])


def test_only_statistics_of_inpaint_are_replaced(tmp_path: Path, originals: Path) -> None:
    np.savez(tmp_path / "theirs.npz", mu=np.zeros(3), sigma=np.eye(3))
    before = (tmp_path / "theirs.npz").read_bytes()
    refused = run(originals, "--write-reference", tmp_path / "theirs.npz")
    assert (refused.exit_code, "was not written by inpaint" in refused.stderr) == (2, True)
    assert (tmp_path / "theirs.npz").read_bytes() == before


def test_models_are_compared_with_statistics_beside_their_originals(
    tmp_path: Path, originals: Path
) -> None:
    file = tmp_path / "ref.npz"
    run(originals, "--write-reference", file)
    more: dict[str, Any] = {"size": 12, "limit": 10, "k": 1, "allow_biased": True}
    (document,) = inpaint_cli.score(
        "telea", metrics="fid", features=FEATURES, reference=file, **more
    )
    check_schema(document)
    labels = [entry["params"]["label"] for entry in document["metrics"]]
    assert labels == [f"fid@{FEATURES}", f"fid@{FEATURES} to ref.npz"]
    assert document["protocol"]["pairing"]["by"] == "id"


def test_results_of_complete_give_their_first_completions(tmp_path: Path, originals: Path) -> None:
    photo, mask = originals / "p000.png", np.zeros((12, 12, 1), np.uint8)
    mask[3:9, 3:9] = 255
    save(tmp_path, "mask.png", mask)
    words = ["complete", str(photo), "--mask", str(tmp_path / "mask.png"), "--model", "telea"]
    done = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "results")])
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "results").glob("*.png"))) > 1  # the sheet is no completion
    result = run(tmp_path / "results", "--reference", originals, "--unpaired", "--json")
    assert json.loads(result.stdout)["protocol"]["dataset"]["n_images"] == 1


def test_what_was_measured_is_kept_for_the_next_run(
    tmp_path: Path, originals: Path, completions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"reference": originals, "unpaired": True, "work": tmp_path / "work"}
    (first,) = score(completions, **asked)

    def refuse(self: FeatureExtractor, images: Any) -> Any:
        raise AssertionError("these pictures were measured before")

    monkeypatch.setattr(FeatureExtractor, "features", refuse)
    (second,) = score(completions, **asked)
    assert second["metrics"] == first["metrics"]


def test_sets_of_a_limit_are_parts_of_the_whole(originals: Path, completions: Path) -> None:
    more: dict[str, Any] = {"reference": originals, "unpaired": True, "metrics": "kid"}
    (few,) = score(completions, limit=20, **more)
    assert figures(few)["kid"]["n_fake"] == 20
    (again,) = score(completions, limit=20, **more)
    assert figures(few) == figures(again)


def test_statistics_of_pictures_of_another_size_are_warned_of(
    tmp_path: Path, originals: Path, completions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ref.npz"
    run(originals, "--write-reference", file, "--resize", "8")
    score(completions, reference=file, resize=8, metrics="fid")
    assert "prepared otherwise" not in capsys.readouterr().err
    score(completions, reference=file, metrics="fid")
    told = capsys.readouterr().err
    assert "ref.npz is of pictures prepared otherwise (resized to 8x8 (Lanczos)" in told


def test_several_completions_of_one_original_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    originals, made = pictures(tmp_path / "originals", 4), tmp_path / "made"
    for number in range(3):
        for path in pictures(tmp_path / f"made-{number}", 4, seed=number).iterdir():
            made.mkdir(exist_ok=True)
            path.rename(made / f"{path.stem}-{number}.png")
    score(made, reference=originals, unpaired=True, metrics="kid")
    told = capsys.readouterr().err
    assert "are to be scored as pairs" in told
    assert "several completions of one original are taken for independent" in told


def test_pictures_that_repeat_are_told_of_on_either_side(tmp_path: Path, originals: Path) -> None:
    thrice = pictures(tmp_path / "thrice", 30, seed=1)
    for path in sorted(thrice.iterdir()):
        for number in (1, 2):
            shutil.copy(path, path.with_stem(f"{path.stem}-again{number}"))
    told = "the 90 pictures of thrice are 30 different pictures"
    for folder, reference in ((thrice, originals), (originals, thrice)):
        (report,) = score(folder, reference=reference, unpaired=True, allow_biased=True)
        assert all(told in " ".join(entry["warnings"]) for entry in report["metrics"])
    (plain,) = score(originals, reference=pictures(tmp_path / "b", seed=1), unpaired=True)
    assert "different" not in json.dumps(plain["metrics"])
    result = run(thrice, "--write-reference", tmp_path / "of.npz")
    assert told in result.output
