"""The Inception score (Salimans et al. 2016), per observation as in AIPO, or pooled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import Strata, over_images
from inpaint_cli.metrics.metric import Chosen, Figures, Line, MeasuredCase, Metric, Results
from inpaint_cli.metrics.moments import Features, Matrix

FEW = 10
"""Below this many completions a class the score is biased low."""
FIDELITY_SEED = 2020
"""torch-fidelity's seed of its shuffle."""


def observation_score(logits: Features) -> float:
    """Return exp of the mean KL(p_k || mean p) over the K completions of one image: [K, C] logits.

    1 where all completions get the same probabilities, at most min(C, K).
    """
    if len(logits) < 2:
        raise Refused("needs at least 2 completions of an image")
    return split_scores(logits, 1)[0]


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
    if k < 2:
        raise Refused(f"needs at least 2 completions of an image, got {k}")
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
    """Return the score of each split, rows i N // S to (i + 1) N // S; Refused for an empty one."""
    n = len(logits)
    if not 1 <= splits <= n:
        raise Refused(f"{n} rows of logits cannot be parted into {splits} splits")
    if not np.isfinite(logits).all():
        raise Refused("some class logits are not finite")
    return [_score(logits[i * n // splits : (i + 1) * n // splits]) for i in range(splits)]


def _score(logits: Features) -> float:
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
        extractor = case.instruments.extractor
        assert extractor is not None  # the metric is refused without one
        logits = extractor.logits(case.completions)
        assert logits is not None
        values = logits.double().numpy()
        pooled: Figures = {"logits": values[0]} if case.options.pooled else {}
        return {"is": observation_score(values), **pooled}

    def lines(self, results: Results) -> Iterator[Line]:
        extractor = results.instruments.extractor
        assert extractor is not None
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


METRICS = {"is": InceptionScore()}
