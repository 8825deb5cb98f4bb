"""What a classifier takes completions for: the class of the data, that of the original, one class.

A completion may be another class than its original and still be right: much may be hidden. So no
model reaches the accuracy on originals, which stands beside it, where classes are told by pixels
that are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.metric import (
    Direction,
    Figures,
    Line,
    MeasuredCase,
    Metric,
    Results,
    mean_line,
)
from inpaint_cli.parsing import brief

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.metrics.instruments import Instruments
    from inpaint_cli.metrics.targets import Target

ORIGINALS = "class-accuracy-of-originals"
DOUBTFUL = 0.5
"""Of fewer of the originals right, a classifier may know other classes than those of the data."""

Answers = npt.NDArray[np.int64]


def answers_of(case: MeasuredCase, images: Tensor) -> Answers:
    """Return the likeliest class of images uint8 [N, C, H, W], int64 [N]; of equal ones the first.

    Refused for logits that are not finite.
    """
    extractor = case.instruments.extractor
    assert extractor is not None  # the metric is refused without one
    logits = extractor.logits(images)
    assert logits is not None
    values = logits.double().numpy()
    if not np.isfinite(values).all():
        raise Refused("some class logits are not finite")
    return np.asarray(values.argmax(axis=1), np.int64)


def of_completions(case: MeasuredCase) -> Answers:
    """Return the class of each completion, int64 [K]."""
    return answers_of(case, case.completions)


def of_original(case: MeasuredCase) -> int:
    """Return the class of the original."""
    return int(answers_of(case, case.truth[None])[0])


def agreement(answers: Sequence[int] | Answers) -> float:
    """Return the share of pairs of completions that are taken for one class.

    >>> agreement([3, 3, 8]), agreement([1, 1])
    (0.3333333333333333, 1.0)
    """
    counts, k = np.unique(answers, return_counts=True)[1], len(answers)
    return float((counts * (counts - 1)).sum() / (k * (k - 1)))


class ClassMetric(Metric):
    """A share of completions by what a classifier takes them for."""

    better = "higher"
    digits, factor, unit = 1, 100, "%"

    def share(self, results: Results, column: str, variant: str, **more: Any) -> Line:
        """Return the line of the mean of a column, with the classifier in its label."""
        extractor = results.instruments.extractor
        assert extractor is not None  # the metric is refused without one
        label = f"{more.pop('label', column)}{extractor.suffix}"
        return mean_line(
            self, results, column, variant, label=label, feature_id=extractor.name, **more
        )


class ClassAccuracy(ClassMetric):
    """The share of completions that are taken for the class that the data set states."""

    name = "class-accuracy"
    summary = "share of completions that a classifier takes for the data's class"
    needs = frozenset({"logits", "labels"})

    def refusal(self, target: Target, instruments: Instruments) -> Refused | None:
        refused = super().refusal(target, instruments)
        extractor = instruments.extractor
        if refused is not None or extractor is None:
            return refused
        advice = "take the features of a classifier of these"
        if extractor.classes != len(target.classes):
            return Refused(
                f"{extractor.name} tells {extractor.classes} classes apart, and the images have "
                f"{len(target.classes)}: {advice}"
            )
        if extractor.class_names and extractor.class_names != tuple(target.classes):
            names, there = (
                brief(", ".join(each), 60) for each in (extractor.class_names, target.classes)
            )
            return Refused(
                f"{extractor.name} tells apart {names}, and the images have {there}: {advice}"
            )
        return None

    def figures(self, case: MeasuredCase) -> Figures:
        label = case.case.label
        right = case.once(of_completions) == label
        return {self.name: float(right.mean()), ORIGINALS: float(case.once(of_original) == label)}

    def lines(self, results: Results) -> Iterator[Line]:
        right = results.column(ORIGINALS, np.arange(results.columns.count)).mean()
        doubts = [
            f"the classifier is right on {100 * right:.0f} % of the originals alone: are its "
            "classes, in their order, those of the data?"
        ] * bool(right < DOUBTFUL)
        over = "" if results.k == 1 else f", mean over {results.k}"
        yield self.share(results, self.name, f"of completions{over}", warnings=doubts)
        originals = self.share(
            results, ORIGINALS, "of originals", label=f"{self.name} of originals", warnings=doubts
        )
        # It is no matter of completions.
        yield replace(originals, compute=lambda chosen: replace(originals.compute(chosen), k=None))


class ClassConsistency(ClassMetric):
    """The shares of completions taken for their original's class, and of pairs taken for one."""

    name = "class-consistency"
    summary = "share that a classifier takes for the original's class; agreement"
    needs = frozenset({"logits"})

    def figures(self, case: MeasuredCase) -> Figures:
        answers = case.once(of_completions)
        figures: Figures = {self.name: float((answers == case.once(of_original)).mean())}
        if len(answers) > 1:
            figures["class-agreement"] = agreement(answers)
        return figures

    def lines(self, results: Results) -> Iterator[Line]:
        over = "" if results.k == 1 else f", mean over {results.k}"
        yield self.share(results, self.name, f"completions and original{over}")
        if "class-agreement" in results.columns.figures:
            # Completions that must differ in class are no worse for it.
            none: Direction = "none"
            variant = "two completions of an image"
            yield self.share(results, "class-agreement", variant, better=none)


METRICS = {one.name: one for one in (ClassAccuracy(), ClassConsistency())}
