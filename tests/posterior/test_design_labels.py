"""Looks for one label of several: trained on a table of labels, chosen, judged, crossed."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import inpaint_cli
from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.metrics import features
from tests.masked_classifiers import saved

SIZE = 8
LABELS = ("left", "right")
"""A bright square in the upper left corner, and one in the lower right: each in half of all."""
SETTINGS = (
    *("multilabel=true", "labels=left,right", "steps=90", "batch_size=32", "widths=8,16"),
    *("warmup_steps=10", "validate_every=90", "shift=0", "lr=1e-2"),
)
FEW: dict[str, Any] = {"steps": 2, "n": 3, "grid": 4, "model": "pcnn-digits"}


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [*map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def picture(number: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    pixels = rng.integers(0, 60, (SIZE, SIZE)).astype(np.uint8)
    labels = [name for bit, name in enumerate(LABELS) if number >> bit & 1]
    if "left" in labels:
        pixels[:4, :4] = 220
    if "right" in labels:
        pixels[4:, 4:] = 220
    return pixels, labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a set of 160 pictures with a table of their labels."""
    folder, rng = tmp_path_factory.mktemp("labels") / "set", np.random.default_rng(0)
    lines = ["image,labels"]
    for number in range(160):
        path = folder / ("test" if number < 40 else "train") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels, labels = picture(number, rng)
        Image.fromarray(pixels).save(path)
        lines.append(f"{number}.png,{'|'.join(labels)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def classifier(folder: Path) -> str:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    code, out, err = run(
        *("train", "--model", "classifier", "--preset", "digits-masked", "--data", folder),
        *(*settings, "--workers", 0, "--device", "cpu", "-o", folder.parent / "runs"),
    )
    assert code == 0, err
    assert "2 labels" in err
    return out.strip()


def design(classifier: str, *more: object) -> tuple[int, str, str]:
    return run(
        *("design", "--model", "pcnn-digits", "--classifier", classifier, "-n", 3),
        *("--steps", 2, "--grid", 4, "--patch", 4, *more),
    )


def test_a_classifier_of_labels_is_trained_and_looks_tell_its_target(
    classifier: str, folder: Path
) -> None:
    document = inpaint_cli.design_table(
        folder,
        classifier=classifier,
        target="left",
        patch=4,
        estimator=("uncond", "random"),
        limit=24,
        **FEW,
    )
    assert (document["target"], document["classes"]) == ("left", 2)
    figures = {(e["figure"], e["looks"], e["estimator"]): e for e in document["figures"]}
    # One look at the corner tells all of it, and training images say which corner.
    assert figures["auroc", 2, "uncond"]["value"] > 0.95
    assert figures["auroc", 0, "uncond"]["value"] == 0.5
    assert figures["nll", 2, "uncond"]["value"] < 0.25 < figures["nll", 0, "uncond"]["value"]
    assert figures["nll", 2, "random"]["value"] > figures["nll", 2, "uncond"]["value"]


def test_labels_are_crossed_and_their_own_looks_tell_them_best(
    classifier: str, folder: Path
) -> None:
    document = inpaint_cli.design_table(
        folder,
        classifier=classifier,
        cross=LABELS,
        patch=4,
        estimator="uncond",
        limit=24,
        **FEW | {"steps": 1},
    )
    assert document["labels"] == list(LABELS)
    nll = {
        (e["judged"], e["chosen_for"]): e
        for e in document["figures"]
        if (e["figure"], e["looks"]) == ("nll", 1)
    }
    for one, other in (LABELS, LABELS[::-1]):
        assert nll[one, one]["difference"] is None
        low, _ = nll[one, other]["difference"]["ci95"]
        assert low > 0  # the looks of the other label tell less of this one
    whole = {
        (e["judged"], e["chosen_for"]): e["value"]
        for e in document["figures"]
        if (e["figure"], e["looks"]) == ("auroc", "whole")
    }
    assert whole["left", "left"] == whole["left", "right"] > 0.95


def test_a_crossed_table_is_printed_as_text_json_csv_and_markdown(
    classifier: str, folder: Path
) -> None:
    def printed(*more: str) -> str:
        crossed = ("--cross", "left", "--cross", 1, "--data", folder, "--limit", 8)
        code, out, err = design(classifier, *crossed, "--estimator", "uncond", *more)
        assert code == 0, err
        return out

    document = json.loads(printed("--json"))
    assert document["schema"] == "inpaint.design-cross/1"
    rows = list(csv.DictReader(io.StringIO(printed("--csv"))))
    assert len(rows) == len(document["figures"])
    assert {(row["judged"], row["chosen_for"]) for row in rows} == {
        (a, b) for a in LABELS for b in LABELS
    }
    text, markdown = printed(), printed("--markdown")
    for words in ("AUROC", "NLL [nats]", "after 2 looks", "whole picture", "what is told"):
        assert words in text
        assert words in markdown


def test_a_photo_is_looked_at_for_a_target(classifier: str, folder: Path, tmp_path: Path) -> None:
    code, _, err = design(
        classifier, folder / "test/1.png", "--target", "left", "-n", 2, "-o", tmp_path
    )
    assert code == 0, err
    record = json.loads((tmp_path / "design.json").read_text(encoding="utf-8"))
    assert record["target"] == "left"
    probabilities = record["photos"][0]["steps"][-1]["probabilities"]
    assert len(probabilities) == 2
    assert sum(probabilities) == pytest.approx(1)
    assert (tmp_path / "1-design.png").is_file()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "target: .*tells of 3 labels. Say which one matters: left, right, any"),
        ({"target": "lfet"}, "target: .*no label called 'lfet'. Did you mean 'left'"),
        ({"target": "3"}, "target: .*no label called '3'"),
        ({"target": "left", "cross": ("left", "right")}, "cross: .*give one of them"),
        ({"cross": ("left", "lift")}, "cross: .*no label called 'lift'. Did you mean 'left'"),
        ({"cross": ("left",)}, "cross: give two labels or more"),
        ({"cross": ("left", "0")}, "cross: give two labels or more, each once"),
        ({"cross": LABELS, "estimator": "random"}, "estimator: labels are crossed in one way"),
        ({"target": "left", "data": "plain"}, "data: plain has no labels.csv"),
    ],
)
def test_a_wrong_target_is_answered_before_the_first_completion(
    given: dict[str, Any], sentence: str, classifier: str, folder: Path
) -> None:
    plain = folder.parent / "plain"
    if not plain.exists():
        shutil.copytree(folder, plain, ignore=shutil.ignore_patterns("labels.csv"))
    chosen = {"data": folder, "classifier": classifier, **FEW, **given}
    chosen["data"] = folder.parent / chosen["data"]
    with pytest.raises(UserError, match=sentence):
        inpaint_cli.design_table(chosen.pop("data"), **chosen)


def test_a_target_of_a_classifier_of_classes_is_refused(folder: Path, tmp_path: Path) -> None:
    classes = saved(tmp_path, SIZE, 1, classes=2)
    with pytest.raises(UserError, match=r"target: .*tells classes apart"):
        inpaint_cli.design_table(folder, classifier=classes, target="left", **FEW)
    with pytest.raises(UserError, match=r"cross: .*tells classes apart"):
        inpaint_cli.design_table(folder, classifier=classes, cross=LABELS, **FEW)
    with pytest.raises(UserError, match=r"data: .*no classes to tell"):
        inpaint_cli.design_table(folder, classifier=classes, **FEW)


def test_one_photo_has_no_cross(classifier: str, folder: Path) -> None:
    with pytest.raises(UserError, match="cross: belongs to data sets"):
        inpaint_cli.design(folder / "test/1.png", classifier=classifier, cross=LABELS, **FEW)
    code, _, err = design(classifier, folder / "test/1.png", "--cross", "left")
    assert (code, "--cross: belongs to data sets" in err) == (2, True)


def test_a_model_of_labels_says_which_ones_it_needs(folder: Path, tmp_path: Path) -> None:
    code, _, err = run(
        *("train", "--model", "classifier", "--preset", "digits", "--data", folder),
        *("--set", "multilabel=true", "-o", tmp_path),
    )
    assert (code, "Say all of them: labels=left,right" in err) == (2, True)


def test_labels_have_features_and_no_class_logits(classifier: str) -> None:
    extractor = features.load(classifier, device="cpu")
    images = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.uint8)
    vectors, logits = extractor.outputs(images)
    assert (vectors.shape, logits, extractor.classes) == ((2, 16), None, 0)
