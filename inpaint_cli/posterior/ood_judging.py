"""Say of single pictures how usual they are for a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from inpaint_cli import zoo
from inpaint_cli.data.pixels import decode
from inpaint_cli.data.preparation import Preparation
from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import resized
from inpaint_cli.metrics.targets import Contestant
from inpaint_cli.photos.windows import middle_square
from inpaint_cli.pictures.picture import Picture, Samples
from inpaint_cli.pictures.plain import flat_image
from inpaint_cli.pictures.ranges import ranged_as_trained
from inpaint_cli.posterior.ood_features import Asking, StatisticKind, features, kinds_of
from inpaint_cli.posterior.ood_fit import mask_of, tensor_of
from inpaint_cli.posterior.ood_reference import (
    SCORES,
    Facts,
    Reference,
    Stratum,
    Transform,
    load,
)
from inpaint_cli.reporting import Reporter

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judgement:
    """How usual one picture is."""

    name: str
    visible: float
    """Visible share of the square that the model saw."""
    p: float
    """Share of pictures like those of the training that are as unusual or more; of `score`."""
    score: float
    """Higher = more usual; -inf where the model's numbers overflowed."""
    scores: dict[str, tuple[float, float]]
    """Of every score of the reference: score and p-value."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data: a score that is not finite is None."""
        return {
            "photo": self.name,
            "visible": self.visible,
            "p": self.p,
            "score": finite(self.score),
            "scores": {n: {"score": finite(s), "p": p} for n, (s, p) in self.scores.items()},
        }


def finite(value: float) -> float | None:
    """Return a number as JSON can hold it."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Prepared:
    """A picture as a model takes it."""

    name: str
    image: Tensor
    visible: Tensor
    notes: tuple[str, ...] = ()
    """What a user should know of how the photo was read."""


def prepared(name: str, photo: Picture, visible: Mask | None, contestant: Contestant) -> Prepared:
    """Return the square in the middle of a photo at the model's size, with its mask.

    visible: bool of the photo's size; None = everything. A pixel of the square is hidden if any
    under it is. UserError where nothing is visible.
    """
    model = contestant.model
    known = np.ones((photo.height, photo.width), np.bool_) if visible is None else visible
    middle = middle_square(photo.height, photo.width).slices
    square = resized(known[middle], model.size, model.size)
    if not square.any():
        raise UserError(
            "nothing of its middle square is visible at the model's size: there is nothing to "
            "judge.",
            where=name,
        )
    preparation = Preparation(model.size, model.channels, binary=model.levels == 2)
    try:
        photo = ranged_as_trained(photo, known)
    except UserError as error:
        raise error.within(name) from error
    span = None if photo.bits <= 8 else (min(photo.low, photo.high), max(photo.low, photo.high))
    colours = np.asarray(flat_image(photo, span))
    pixels = decode(_without_hidden(colours[middle], known[middle]), preparation).pixels
    return Prepared(name, tensor_of(pixels, model.levels), mask_of(square), photo.notes)


def _without_hidden(colours: Samples, known: Mask) -> Samples:
    """Return colours where what is hidden is as the nearest that is visible.

    A filter that reduces them sees beyond the pixels under a visible one.
    """
    import cv2

    if known.all():
        return colours
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    order = np.zeros(int(nearest.max()) + 1, np.int64)
    order[nearest[known]] = np.flatnonzero(known)
    flat = colours.reshape(known.size, -1)
    return np.asarray(flat[order[nearest]].reshape(colours.shape))


def reference_of(contestant: Contestant, path: Path | None) -> Reference:
    """Return the reference of a file, or the one that ships; UserError where there is none."""
    chosen = path or zoo.ood_reference_of(contestant.name)
    if chosen is None:
        kinds_of(contestant, None)  # whether one can be made at all
        raise UserError(
            f"none ships for {contestant.name}. Make one with 'inpaint ood --fit'.",
            setting="reference",
        )
    reference = load(chosen)
    reference.check(contestant)
    return reference


def asking_of(facts: Facts) -> Asking:
    """Return what was asked of the model when a reference was made."""
    kinds = tuple(dict.fromkeys(SCORES[name][0] for name in facts.scores))
    return Asking(kinds, facts.passes, facts.form, facts.seed)


def judge(
    pictures: Sequence[Prepared],
    contestant: Contestant,
    reference: Reference,
    reporter: Reporter,
    statistic: StatisticKind | None = None,
    transform: Transform | None = None,
) -> list[Judgement]:
    """Return how usual each picture is, by the score asked for and by all others."""
    chosen, asking = reference.chosen(statistic, transform), asking_of(reference.facts)
    judgements = []
    with reporter.progress(contestant.name, len(pictures)) as advance:
        for picture in pictures:
            told = features(contestant, picture.image, picture.visible, asking)
            share = float(picture.visible.double().mean())
            stratum: Stratum = "whole" if share == 1 else "masked"
            scores = {}
            for name in reference.facts.scores:
                score, p = reference.judge(stratum, name, told, np.array([share]))
                scores[name] = float(score[0]), float(p[0])
            judgements.append(
                Judgement(picture.name, share, scores[chosen][1], scores[chosen][0], scores)
            )
            advance()
    return judgements
