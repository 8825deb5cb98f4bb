"""What looks are worth on a data set: accuracy, NLL, AUROC after each; ways compared in pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from inpaint_cli import __version__, masks
from inpaint_cli.data.image_set import ImageSet, counted
from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import read_mask
from inpaint_cli.metrics.intervals import Strata, freedom_of, standard_error
from inpaint_cli.metrics.protocol import Setting, bin_of, choose_masks
from inpaint_cli.metrics.targets import Contestant, subset
from inpaint_cli.parsing import brief
from inpaint_cli.photos.windows import Mask
from inpaint_cli.posterior import auroc
from inpaint_cli.posterior.choosing import Estimator
from inpaint_cli.posterior.classifying import Judge
from inpaint_cli.posterior.designing import Bench, DesignOrder, check_start, load_split, prepare
from inpaint_cli.posterior.gains import Probabilities, excess
from inpaint_cli.reporting import Advance, Reporter

SCHEMA = "inpaint.design/1"
CROSSED = "inpaint.design-cross/1"
"""The schema of a report on labels that are crossed (design_cross.py)."""
WHOLE = "whole"
"""In place of a number of looks: the whole picture is visible."""
LEAST = float(np.finfo(np.float64).tiny)
"""Probabilities below this count as this, so that one picture cannot make an NLL infinite."""
LEVEL = 0.95
Document = dict[str, Any]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """One figure of one way to choose: of each picture, or an area."""

    name: str
    better: str
    values: Values | auroc.Placements
    strata: Strata = None
    """Of each picture the range of what is visible first, where starts are a mixture of ranges."""

    def estimate(self) -> tuple[float, float | None]:
        """Return the figure over all pictures and its standard error; None where all are alike."""
        if isinstance(self.values, auroc.Placements):
            return self.values.area, self.values.se
        return float(self.values.mean()), standard_error(self.values, self.strata) or None

    def minus(self, other: Figure) -> Figure:
        """Return the difference to the same figure of another way, picture by picture."""
        mine, theirs = self.values, other.values
        if isinstance(mine, auroc.Placements):
            assert isinstance(theirs, auroc.Placements)
            return Figure(self.name, self.better, mine.minus(theirs))
        return Figure(self.name, self.better, mine - cast(Values, theirs), self.strata)


def tabulate(
    order: DesignOrder, load: Callable[[str, str], Contestant], reporter: Reporter
) -> Document:
    """Return the report of looks at the pictures of a data set, JSON-able.

    UserError, before the first completion, where the parts do not fit or there are no labels.
    """
    if not order.data:
        raise UserError("is needed: pictures with classes, such as 'mnist'.", setting="data")
    if len(set(order.estimators)) < len(order.estimators):
        raise UserError("each once.", setting="estimator")
    bench = prepare(order, load, reporter)
    images = load_split(order, bench.contestant, bench.judge, order.split, reporter, labelled=True)
    rows = subset(images, order.limit)
    labels = labels_of(images, rows, bench.judge)
    starts, strata = starts_of(order, bench, len(rows), reporter)
    probabilities = np.empty(
        (len(order.estimators), len(rows), order.steps + 2, bench.judge.classes)
    )
    with reporter.progress("looks", len(rows) * len(order.estimators) * order.steps) as advance:
        for place, row in enumerate(rows):
            image = torch.from_numpy(np.array(images.images[row]))[None]
            for number, estimator in enumerate(order.estimators):
                probabilities[number, place] = _looked_at(
                    bench, cast(Estimator, estimator), image, starts[place], row, advance
                )
    return _document(bench, images, strata, probabilities, labels)


def labels_of(images: ImageSet, rows: Sequence[int], judge: Judge) -> npt.NDArray[np.int64]:
    """Return the classes of some pictures, [N]; of a label, whether it holds, 0 or 1."""
    if images.labels is not None and len(rows) < 2:
        raise UserError(
            f"{counted(len(rows), 'picture')}; a standard error needs 2. Give more, or say with "
            "the setting split_map which they are.",
            setting="data",
        )
    if images.labels is not None and judge.target is not None:
        return images.labels[rows, judge.target]
    if images.labels is None or images.labels.ndim != 1:
        raise UserError(
            f"{images.name} has no classes to tell. Give one folder per class, or a named set with "
            "classes.",
            setting="data",
        )
    return outputs_of(images, judge)[images.labels[rows]]


def outputs_of(images: ImageSet, judge: Judge) -> npt.NDArray[np.int64]:
    """Return which output of the classifier each class of the data is, by name.

    Where the classifier does not say its names, by number. UserError where they do not fit.
    """
    known = judge.class_names
    odd = [name for name in images.classes if name not in known]
    if known and odd:
        raise UserError(
            f"{images.name} has a class '{brief(odd[0])}', and {judge.name} tells apart "
            f"{brief(', '.join(known), 200)}. Take data of these, or a classifier of those.",
            setting="classifier",
        )
    if not known and len(images.classes) != judge.classes:
        raise UserError(
            f"{images.name} has {len(images.classes)} classes, and {judge.name} tells "
            f"{judge.classes} apart and does not say which. Take a classifier of these.",
            setting="classifier",
        )
    return np.array([known.index(name) if known else i for i, name in enumerate(images.classes)])


def starts_of(
    order: DesignOrder, bench: Bench, count: int, reporter: Reporter
) -> tuple[list[Mask], Strata]:
    """Return what is visible of each picture before the first look, and its range in a mixture."""
    size, strata = bench.looks.size, None
    path = Path(order.start)
    if path.is_file() and path.suffix != ".npz":
        starts = [read_mask(path, size=(size, size))] * count
    elif masks.is_kind(order.start) and not masks.parse(order.start).is_random:
        starts = [masks.draw(order.start, size, size)] * count
    else:
        setting = Setting(size, size, bench.judge.network.channels)
        try:
            drawn = choose_masks(order.start, setting, count, order.seed, False, reporter)
        except UserError as error:
            raise UserError(error.text, setting="start") from error
        starts = [np.asarray(drawn[index]) for index in range(count)]
        if drawn.is_mixture:
            strata = np.array([bin_of(start.mean()) for start in starts])
    for start in {id(start): start for start in starts}.values():
        check_start(start, bench.looks)
    return starts, strata


def _looked_at(
    bench: Bench, estimator: Estimator, image: torch.Tensor, start: Mask, row: int, advance: Advance
) -> Probabilities:
    """Return the class probabilities of one picture before, after each look, and whole, [T + 2, C].

    Once everything is visible, further looks change nothing.
    """
    beliefs = list[Probabilities]()
    for step in bench.walk(estimator, image, start, row):
        beliefs += [step.after] if beliefs else [step.before, step.after]
        advance(1, estimator)
    missing = bench.order.steps + 1 - len(beliefs)
    advance(missing, estimator)
    whole = bench.judge.of(image, np.ones_like(start)[None])[0]
    return np.stack([*beliefs, *[beliefs[-1]] * missing, whole])


def figures_of(
    p: Probabilities, labels: npt.NDArray[np.int64], strata: Strata = None
) -> list[Figure]:
    """Return the figures of class probabilities [N, C]: accuracy, NLL, with two classes AUROC."""
    right = p[np.arange(len(labels)), labels]
    hits = (p.argmax(axis=1) == labels).astype(np.float64)
    figures = [
        Figure("accuracy", "higher", hits, strata),
        Figure("nll", "lower", -np.log(np.maximum(right, LEAST)), strata),
    ]
    if p.shape[1] == 2 and 0 < labels.sum() < len(labels):
        figures.append(Figure("auroc", "higher", auroc.placements(p[:, 1], labels == 1)))
    return figures


def _document(
    bench: Bench,
    images: ImageSet,
    strata: Strata,
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
) -> Document:
    order, count = bench.order, len(labels)
    entries = []
    stages: list[int | str] = [*range(order.steps + 1), WHOLE]
    for place, looks in enumerate(stages):
        first = figures_of(probabilities[0, :, place], labels, strata)
        for number, estimator in enumerate(order.estimators):
            figures = figures_of(probabilities[number, :, place], labels, strata)
            for figure, reference in zip(figures, first, strict=True):
                entry = entry_of(figure, looks, count) | {"estimator": estimator}
                entry["difference"] = difference(figure, reference) if number else None
                entries.append(entry)
    return {"schema": SCHEMA, **protocol(bench), "data": images.protocol(), "n_images": count} | {
        "estimators": list(order.estimators),
        "start": order.start,
        "figures": entries,
    }


def entry_of(figure: Figure, looks: int | str, count: int) -> Document:
    """Return what a report says of a figure after so many looks."""
    value, se = figure.estimate()
    return {
        "figure": figure.name,
        "looks": looks,
        "value": value,
        "se": se,
        "better": figure.better,
        "unit": "nats" if figure.name == "nll" else None,
        "n_images": count,
    }


def difference(figure: Figure, reference: Figure) -> Document:
    """Return the paired difference of two ways, with a 95 % interval.

    Student's t of the pictures, of areas the normal one. None where all pictures differ alike,
    which says nothing of others.
    """
    from scipy.special import ndtri, stdtrit

    apart = figure.minus(reference)
    value, se = apart.estimate()
    of_areas = isinstance(apart.values, auroc.Placements)
    upper = (1 + LEVEL) / 2
    freedom = 0.0 if of_areas else freedom_of(cast(Values, apart.values), apart.strata)
    beyond = ndtri(upper) if of_areas else stdtrit(freedom, upper)
    ends = [float(value - beyond * se), float(value + beyond * se)] if se else None
    return {"value": value, "se": se, "ci95": ends}


def protocol(bench: Bench) -> Document:
    """Return what both kinds of report say of how looks were chosen."""
    order, looks = bench.order, bench.looks
    return {
        "version": __version__,
        "model": bench.contestant.name,
        "weights_sha256": bench.contestant.weights_sha256,
        "classifier": bench.judge.name,
        "classifier_sha256": bench.judge.weights_sha256,
        "classes": bench.judge.classes,
        "target": bench.judge.target_name,
        "size": looks.size,
        "patch": looks.patch,
        "grid": looks.grid,
        "steps": order.steps,
        "n": order.n,
        "training_images": 0 if bench.tools.training is None else len(bench.tools.training),
        "training_data": bench.training_name or None,
        "eig_excess_nats": excess(bench.judge.classes, order.n),
        "seed": order.seed,
    }
