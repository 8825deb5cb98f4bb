"""Looks chosen for one label and judged on another: every pair of some labels (IPA, figure 9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from inpaint_cli.data.image_set import ImageSet
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.intervals import Strata
from inpaint_cli.metrics.targets import Contestant, subset
from inpaint_cli.photos.windows import Mask
from inpaint_cli.posterior.choosing import Estimator
from inpaint_cli.posterior.classifying import target_of, two_point
from inpaint_cli.posterior.design_table import (
    CROSSED,
    WHOLE,
    Document,
    difference,
    entry_of,
    figures_of,
    labels_of,
    protocol,
    starts_of,
    tabulate,
)
from inpaint_cli.posterior.designing import Bench, DesignOrder, load_split, prepare
from inpaint_cli.posterior.gains import Probabilities
from inpaint_cli.reporting import Advance, Reporter


def report(
    order: DesignOrder, load: Callable[[str, str], Contestant], reporter: Reporter
) -> Document:
    """Return the report of looks at a data set: of ways to choose, or of labels crossed."""
    return (crossed if order.cross else tabulate)(order, load, reporter)


@dataclass(frozen=True)
class Tasks:
    """The labels that are crossed, with a bench for each."""

    numbers: tuple[int, ...]
    benches: tuple[Bench, ...]

    @classmethod
    def of(cls, bench: Bench) -> Tasks:
        """Return those of an order; UserError where they are no labels, or too few."""
        order, judge = bench.order, bench.judge
        numbers = tuple(target_of(name, judge.outputs, judge.name, "cross") for name in order.cross)
        if len(set(numbers)) < max(2, len(numbers)):
            raise UserError("give two labels or more, each once.", setting="cross")
        if len(order.estimators) > 1 or order.estimators[0] == "random":
            raise UserError("labels are crossed in one way, and not random.", setting="estimator")
        aimed = [replace(judge, target=number) for number in numbers]
        return cls(
            cast(tuple[int, ...], numbers),
            tuple(
                replace(bench, judge=one, tools=replace(bench.tools, judge=one), _choosers={})
                for one in aimed
            ),
        )

    @property
    def names(self) -> list[str]:
        """The names of the labels."""
        return [str(bench.judge.target_name) for bench in self.benches]


def crossed(
    order: DesignOrder, load: Callable[[str, str], Contestant], reporter: Reporter
) -> Document:
    """Return how well each label is told after looks that were chosen for each, JSON-able."""
    if not order.data:
        raise UserError("is needed: pictures with a table of labels.", setting="data")
    bench = prepare(order, load, reporter)
    tasks = Tasks.of(bench)
    images = load_split(order, bench.contestant, bench.judge, order.split, reporter, labelled=True)
    rows = subset(images, order.limit)
    labels = np.stack([labels_of(images, rows, one.judge) for one in tasks.benches])
    starts, strata = starts_of(order, bench, len(rows), reporter)
    shape = (len(tasks.benches), len(rows), order.steps + 2, len(tasks.benches))
    told = np.empty(shape)
    with reporter.progress("looks", shape[0] * len(rows) * order.steps) as advance:
        for place, row in enumerate(rows):
            image = torch.from_numpy(np.array(images.images[row]))[None]
            for number, one in enumerate(tasks.benches):
                outputs = _told(one, image, starts[place], row, advance)
                told[number, place] = outputs[:, tasks.numbers]
    return _document(tasks, images, told, labels, strata)


def _told(
    bench: Bench, image: torch.Tensor, start: Mask, row: int, advance: Advance
) -> Probabilities:
    """Return p of all labels before, after each look, and of the whole picture, [T + 2, B]."""
    estimator = cast(Estimator, bench.order.estimators[0])
    seen = [start]
    for step in bench.walk(estimator, image, start, row):
        seen.append(step.seen)
        advance(1, str(bench.judge.target_name))
    missing = bench.order.steps + 1 - len(seen)
    advance(missing)
    shown = np.stack([*seen, *[seen[-1]] * missing, np.ones_like(start)])
    return bench.judge.all_outputs(image, shown)


def _document(
    tasks: Tasks,
    images: ImageSet,
    told: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    strata: Strata,
) -> Document:
    bench, names = tasks.benches[0], tasks.names
    stages: Sequence[int | str] = [*range(bench.order.steps + 1), WHOLE]
    entries = []
    for judged, name in enumerate(names):
        for place, looks in enumerate(stages):
            figures = [
                figures_of(two_point(told[chosen, :, place, judged]), labels[judged], strata)
                for chosen in range(len(names))
            ]
            for chosen, other in enumerate(names):
                for figure, of_target in zip(figures[chosen], figures[judged], strict=True):
                    entries.append(
                        {
                            **entry_of(figure, looks, labels.shape[1]),
                            "judged": name,
                            "chosen_for": other,
                            "difference": None
                            if chosen == judged
                            else difference(figure, of_target),
                        }
                    )
    facts = {**protocol(bench), "target": None, "data": images.protocol(), "labels": names}
    return {
        "schema": CROSSED,
        **facts,
        "n_images": labels.shape[1],
        "positive": dict(zip(names, labels.sum(axis=1).tolist(), strict=True)),
        "estimator": bench.order.estimators[0],
        "start": bench.order.start,
        "figures": entries,
    }
