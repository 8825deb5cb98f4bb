"""What a classifier takes completions for: the class of the data, that of the original, one class.

And the Inception score (Salimans et al. 2016), per observation as in AIPO, or pooled. A completion
may be another class than its original and still be right: much may be hidden. So no
model reaches the accuracy on originals, which stands beside it, where classes are told by pixels
that are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import Strata, over_images
from inpaint_cli.metrics.kid import FIDELITY_SEED
from inpaint_cli.metrics.metric import (
    Chosen,
    Direction,
    Figures,
    Line,
    MeasuredCase,
    Metric,
    Results,
    mean_line,
)
from inpaint_cli.metrics.moments import Features, Matrix
from inpaint_cli.parsing import brief

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.metrics.instruments import Instruments
    from inpaint_cli.metrics.targets import Target

ORIGINALS = "class-accuracy-of-originals"
DOUBTFUL = 0.5
"""Of fewer of the originals right, a classifier may know other classes than those of the data."""

Answers = npt.NDArray[np.int64]


def logits_of(case: MeasuredCase, images: Tensor) -> Matrix:
    """Return class logits [N, classes] of images uint8 [N, C, H, W]; UserError where not finite."""
    network = case.instruments.network
    logits = network.logits(images)
    assert logits is not None  # the metrics are refused without classes
    values = logits.double().numpy()
    if not np.isfinite(values).all():
        text = f"{network.name}: some class logits are not finite. Take another classifier."
        raise UserError(text, setting="features")
    return values


def answers_of(case: MeasuredCase, images: Tensor) -> Answers:
    """Return the likeliest class of each image, int64 [N]; of equal ones the first."""
    return np.asarray(logits_of(case, images).argmax(axis=1), np.int64)


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
        extractor = results.instruments.network
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


FEW = 10
"""Below this many completions a class the score is biased low."""


def observation_score(logits: Features) -> float:
    """Return exp of the mean KL(p_k || mean p) over the K completions of one image: [K, C] logits.

    1 where all completions get the same probabilities, at most min(C, K).
    """
    log_p = _log_softmax(np.asarray(logits, np.float64))
    if (log_p == log_p[0]).all():
        return 1.0  # exactly, for deterministic methods
    p = np.exp(log_p)
    mean = p.mean(axis=0)
    # Where p is 0 so is its term; a class that no row has any of has a mean of 0.
    log_mean = np.log(mean, where=mean > 0, out=np.zeros_like(mean))
    terms = np.where(p > 0, p * (log_p - log_mean), 0.0)
    # Nearly equal rows may round below 0.
    return float(np.exp(max(0.0, terms.sum(axis=1).mean())))


def inception_score(
    scores: Sequence[float] | Matrix,
    k: int,
    classes: int,
    accuracy: float | None = None,
    strata: Strata = None,
) -> Estimate:
    """Return the mean of `observation_score` over images, with its error.

    accuracy: what the classifier reaches on a test set.
    """
    warnings = []
    if k < FEW * classes:
        warnings.append(f"{k} completions for {classes} classes: biased low below {FEW * classes}")
    if accuracy is None:
        warnings.append("the classifier's own accuracy is unknown")
    stated: dict[str, Any] = {} if accuracy is None else {"classifier_accuracy": accuracy}
    stated |= {"variant": "per observation", "classes": classes}
    return over_images(scores, k, stated, warnings, strata=strata)


def pooled_inception_score(logits: Features, splits: int = 10) -> Estimate:
    """Return the classical score over all images and completions, [N, C], as torch-fidelity does.

    The mean over splits; `std` in `extra` is their spread (ddof 0), which is no standard error. It
    measures the diversity of the data set, not that of the completions.
    """
    # torch-fidelity's own generator, so that its figures are met.
    order = np.random.RandomState(FIDELITY_SEED).permutation(len(logits))
    scores = split_scores(logits[order], splits)
    return Estimate(
        float(np.mean(scores)),
        len(logits),
        parameters={"variant": "pooled", "splits": splits, "shuffle": True, "seed": FIDELITY_SEED},
        extra={"std": float(np.std(scores))},
    )


def split_scores(logits: Features, splits: int) -> list[float]:
    """Return the score of each split: rows i N // S to (i + 1) N // S."""
    n = len(logits)
    ends = [i * n // splits for i in range(splits + 1)]
    return [observation_score(logits[start:end]) for start, end in pairwise(ends)]


def _log_softmax(logits: Matrix) -> Matrix:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


class InceptionScore(Metric):
    """The score of each image's completions; that of all images pooled where asked for."""

    name = "is"
    summary = "inception score of the completions of one image, mean over images"
    better = "higher"
    needs = frozenset({"logits", "several"})
    digits = 3

    def figures(self, case: MeasuredCase) -> Figures:
        values = logits_of(case, case.completions)
        pooled: Figures = {"logits": values[0]} if case.options.pooled else {}
        return {"is": observation_score(values), **pooled}

    def lines(self, results: Results) -> Iterator[Line]:
        extractor = results.instruments.network
        label = f"is{extractor.suffix}"

        def compute(chosen: Chosen) -> Estimate:
            scores, strata = results.sample("is", chosen)
            return inception_score(scores, results.k, extractor.classes, extractor.accuracy, strata)

        def pooled(chosen: Chosen) -> Estimate:
            return pooled_inception_score(results.column("logits", chosen), min(10, len(chosen)))

        yield Line(
            self,
            label,
            "per observation",
            compute,
            column="is",
            feature_id=extractor.name,
            depends_on_k=True,
        )
        if "logits" in results.columns.figures:
            yield Line(
                self, f"{label} pooled", "pooled over images", pooled, feature_id=extractor.name
            )


METRICS = {one.name: one for one in (InceptionScore(), ClassAccuracy(), ClassConsistency())}
