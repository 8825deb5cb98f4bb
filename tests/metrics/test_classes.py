"""What a classifier takes completions for: counted by hand, refused where it means nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from inpaint_cli import metrics
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.classes import agreement
from inpaint_cli.metrics.features import FeatureExtractor
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.measuring import Meter
from inpaint_cli.metrics.metric import Figures
from inpaint_cli.metrics.options import MeasureOptions
from inpaint_cli.metrics.tables import text_of
from inpaint_cli.metrics.targets import Case, ModelTarget
from tests.metrics.score_kit import CPU, QUIET, QuickScoring, check_schema, target

NAMES = ("class-accuracy", "class-consistency")
CLASSES = ("dark", "dim", "light", "bright")


def by_brightness(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits [N, 4]: the class is the quarter of 0..255 in which the mean grey lies."""
    levels = images.double().flatten(1).mean(1)
    logits = functional.one_hot((levels // 64).long(), len(CLASSES)).float()
    return logits, logits


def brightness(compute: Any = by_brightness, classes: int = len(CLASSES)) -> FeatureExtractor:
    return FeatureExtractor("brightness", classes, "none", None, False, CPU, classes, compute)


def figures(truth: int, levels: list[int], label: int, **how: Any) -> Figures:
    """Return the figures of an image of one grey, completed to some others."""

    def flat(*greys: int) -> Tensor:
        return torch.tensor(greys, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 3, 4, 4)

    case = Case(flat(truth)[0], None, flat(*levels), label=label)
    tools = Instruments(brightness(**how))
    row = Meter(target(count=1), MeasureOptions(NAMES), frozenset(NAMES), tools).figures(case)
    return {name: value for name, value in row.items() if name != "spent.alike"}


def test_shares_are_those_counted_by_hand() -> None:
    shares = figures(truth=70, levels=[10, 80, 90, 200], label=3)  # dim; dark, dim, dim, bright
    assert shares == {
        "class-accuracy": 0.25,
        "class-accuracy-of-originals": 0.0,
        "class-consistency": 0.5,
        "class-agreement": pytest.approx(1 / 6),
    }


def test_one_completion_has_no_agreement_and_copies_have_all() -> None:
    assert "class-agreement" not in figures(truth=70, levels=[70], label=1)
    perfect = figures(truth=70, levels=[70, 70, 70], label=1)
    assert perfect.keys() == {"class-accuracy", "class-consistency", "class-agreement"} | {
        "class-accuracy-of-originals"
    }
    assert set(perfect.values()) == {1.0}


def test_agreement_is_the_share_of_equal_pairs() -> None:
    answers = np.random.default_rng(0).integers(0, 3, 20)
    pairs = [a == b for i, a in enumerate(answers) for j, b in enumerate(answers) if i != j]
    assert agreement(answers) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert agreement(answers[::-1]) == agreement(answers)


def test_logits_that_are_no_numbers_are_refused() -> None:
    def broken(images: Tensor) -> tuple[Tensor, Tensor]:
        logits = torch.full((len(images), 4), torch.nan)
        return logits, logits

    with pytest.raises(UserError, match=r"features: .*not finite"):
        figures(truth=0, levels=[0], label=0, compute=broken)


class Classifying(QuickScoring):
    """A scoring whose features are those of a classifier."""

    tools = Instruments(brightness())

    def load_instruments(self) -> Instruments:
        return self.tools


def classed(count: int = 20, classes: tuple[str, ...] = CLASSES) -> ModelTarget:
    """Return a target whose images have the class of their brightness, but for every fourth."""
    one = target(count=count)
    levels = one.images.images.reshape(count, -1).mean(1) // 64
    labels = np.where(np.arange(count) % 4, levels, 0).astype(np.int64)
    return replace(one, images=replace(one.images, labels=labels, classes=classes))


def report(one: ModelTarget, tools: Instruments | None = None, **options: Any) -> dict[str, Any]:
    scoring = Classifying(MeasureOptions(NAMES, **options), CPU, QUIET)
    scoring.tools = tools or scoring.tools
    (document,) = scoring.run([one])
    return document


def test_a_report_has_errors_within_ranges_and_the_accuracy_on_originals() -> None:
    one = classed()
    document = report(one, by_visible=True)
    check_schema(document)
    entries = {entry["params"]["label"]: entry for entry in document["metrics"]}
    labels = ["class-accuracy", "class-accuracy of originals"]
    labels += ["class-consistency", "class-agreement"]
    assert list(entries) == [f"{label}@brightness" for label in labels]
    assert [entry["k"] for entry in document["metrics"]] == [3, None, 3, 3]
    cases = [one.case(index) for index in range(20)]
    drawn = [by_brightness(case.completions)[1].argmax(1) for case in cases]
    right = [
        float(np.mean(answers.numpy() == case.label))
        for answers, case in zip(drawn, cases, strict=True)
    ]
    entry = entries["class-accuracy@brightness"]
    assert entry["value"] == pytest.approx(np.mean(right))
    assert entry["sd"] == pytest.approx(np.std(right, ddof=1))
    assert entry["se_method"] == "image se within ranges"
    assert entry["groups"]["80-100"]["n_images"] == 4
    assert (entry["unit"], entry["better"]) == ("fraction", "higher")
    assert entries["class-agreement@brightness"]["better"] == "none"


def test_a_classifier_that_fails_on_originals_is_doubted() -> None:
    def reversed_classes(images: Tensor) -> tuple[Tensor, Tensor]:
        logits = by_brightness(images)[1].flip(1)
        return logits, logits

    document = report(classed(), Instruments(brightness(reversed_classes)))
    accuracy, _, consistency, _ = document["metrics"]
    assert any("of the originals alone" in text for text in accuracy["warnings"])
    assert consistency["warnings"] == []
    assert not any("originals alone" in w for w in report(classed())["metrics"][0]["warnings"])


def test_images_without_classes_refuse_accuracy_in_one_line_and_nothing_else() -> None:
    document = report(target(count=8))
    (refusal,) = document["refused"]
    assert refusal["name"] == "class-accuracy"
    assert refusal["reason"].startswith("these images have no classes: take a data set")
    assert [entry["name"] for entry in document["metrics"]] == ["class-consistency"] * 2
    assert any(line.startswith("class-accuracy") for line in text_of([document]).splitlines())


def test_a_classifier_of_other_classes_is_refused() -> None:
    (refusal,) = report(classed(classes=(*CLASSES, "white")))["refused"]
    assert "brightness tells 4 classes apart, and the images have 5" in refusal["reason"]


def test_classes_of_other_names_or_order_are_refused() -> None:
    named = Instruments(replace(brightness(), class_names=CLASSES))
    assert report(classed(), named)["refused"] == []
    for classes in (CLASSES[::-1], ("a", "b", "c", "d")):
        (refusal,) = report(classed(classes=classes), named)["refused"]
        assert (
            f"tells apart dark, dim, light, bright, and the images have {classes[0]}"
            in (refusal["reason"])
        )


def test_features_without_classes_are_refused() -> None:
    tools = Instruments(replace(brightness(), classes=0))
    assert {one["name"] for one in report(classed(), tools)["refused"]} == set(NAMES)


def test_classes_are_part_of_what_tells_targets_apart() -> None:
    one, other = classed(), classed()
    other.images = replace(other.images, labels=np.zeros(20, np.int64))
    assert one.fingerprint() != other.fingerprint()
    assert set(NAMES) <= set(metrics.METRICS)
