"""The Inception score (Salimans et al. 2016), per observation as in AIPO, or pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inpaint_cli.metrics.intervals import over_images
from inpaint_cli.metrics.moments import Features, Matrix
from inpaint_cli.metrics.state import Estimate, Refused

FEW = 10
"""Below this many completions a class the score is biased low."""
LIBRARY_SEED = 2020
"""torch-fidelity's seed of its shuffle."""


def observation_score(logits: Features, splits: int = 1) -> float:
    """Gives exp of the mean KL(p_k || mean p) over the K completions of one image: [K, C] logits.

    1 where all completions get the same probabilities, at most min(C, K). With several splits,
    the mean of their scores, biased far more.
    """
    if len(logits) < 2:
        raise Refused("needs at least 2 completions of an image")
    return float(np.mean(split_scores(logits, splits)))


def inception_score(
    scores: Sequence[float] | Matrix, k: int, classes: int, accuracy: float | None = None
) -> Estimate:
    """Gives the mean of `observation_score` over images, with its error.

    accuracy: what the classifier reaches on a test set.
    """
    if k < 2:
        raise Refused(f"needs at least 2 completions of an image, got {k}")
    warnings = []
    if k < FEW * classes:
        warnings.append(f"{k} completions for {classes} classes: biased low below {FEW * classes}")
    if accuracy is None:
        warnings.append("the classifier's own accuracy is unknown")
    known = {} if accuracy is None else {"classifier_accuracy": accuracy}
    return over_images(
        scores, k, {"variant": "per observation", "classes": classes, **known}, warnings
    )


def pooled_inception_score(
    logits: Features, splits: int = 10, shuffle: bool = True, seed: int = LIBRARY_SEED
) -> Estimate:
    """Gives the classical score over all images and completions, [N, C], as torch-fidelity does.

    The mean over splits; `std` in `extra` is their spread (ddof 0), which is no standard error. It
    measures the diversity of the data set, not that of the completions.
    """
    if shuffle:
        # The library's own generator, so that its figures are met.
        logits = logits[np.random.RandomState(seed).permutation(len(logits))]
    scores = split_scores(logits, splits)
    return Estimate(
        float(np.mean(scores)),
        len(logits),
        parameters={"variant": "pooled", "splits": splits, "shuffle": shuffle, "seed": seed},
        extra={"std": float(np.std(scores))},
    )


def split_scores(logits: Features, splits: int) -> list[float]:
    """Gives the score of each split, rows i N // S to (i + 1) N // S; Refused for an empty one."""
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
