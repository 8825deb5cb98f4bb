"""Looking at a picture place by place, each time where most is expected to be learned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from inpaint_cli.data.image_set import ImageSet, counted
from inpaint_cli.device import resolve
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.metrics.targets import Contestant
from inpaint_cli.photos import arguments
from inpaint_cli.photos.windows import Mask
from inpaint_cli.posterior.choosing import (
    ESTIMATORS,
    UNCONDITIONAL,
    Chooser,
    ChosenPlace,
    Estimator,
    Situation,
    Tools,
    chooser,
)
from inpaint_cli.posterior.classifying import Judge, load_judge
from inpaint_cli.posterior.gains import Probabilities
from inpaint_cli.posterior.looks import PATCH, Looks
from inpaint_cli.randomness import stream
from inpaint_cli.reporting import Reporter

if TYPE_CHECKING:
    from torch import Tensor

NOTHING = "nothing"


@dataclass(frozen=True)
class DesignOrder:
    """All of a design that a person may ask for."""

    model: str
    classifier: str
    estimators: tuple[str, ...] = ("eig",)
    steps: int = 5
    n: int = 10
    images: int | None = None
    """Training images that stand for completions of nothing; None = n."""
    grid: int | None = None
    patch: str | int = PATCH
    start: str = NOTHING
    """What is visible at first: a kind of mask, or a file."""
    target: str | None = None
    """The label that matters, by name or number; for a classifier of labels."""
    cross: tuple[str, ...] = ()
    """Labels, each of which looks are chosen for, and judged on; of a data set."""
    data: tuple[str, ...] = ()
    split: str = "test"
    split_map: str = ""
    limit: int | None = None
    seed: int = 0
    download: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in self.estimators:
            if name not in ESTIMATORS:
                raise unknown_name("no estimator", name, ESTIMATORS, setting="estimator")
        for setting, least in (("steps", 1), ("n", 2), ("images", 2), ("limit", 2), ("seed", 0)):
            value = getattr(self, setting)
            if value is not None and value < least:
                raise UserError(f"must be at least {least}, got {value}.", setting=setting)
        if not self.estimators:
            raise UserError(f"give one or more: {', '.join(ESTIMATORS)}.", setting="estimator")
        if self.cross and self.target is not None:
            raise UserError("target and cross: give one of them.", setting="cross")
        for name in UNCONDITIONAL:
            if name in self.estimators and not self.data:
                raise UserError(
                    f"{name} stands on training images. Give data, such as 'mnist'.",
                    setting="data",
                )


@dataclass(frozen=True)
class Step:
    """One look at a picture."""

    choice: ChosenPlace
    seen_before: Mask
    seen: Mask
    before: Probabilities
    """[C], of what was visible before the look."""
    after: Probabilities
    seconds: float


@dataclass
class Bench:
    """Model, classifier and places, ready for any number of pictures."""

    order: DesignOrder
    contestant: Contestant
    judge: Judge
    looks: Looks
    tools: Tools
    training_name: str = ""
    """Of the set that training images came from; "" without any."""
    _choosers: dict[str, Chooser] = field(default_factory=dict)

    def chooser(self, estimator: Estimator) -> Chooser:
        """Return a way to choose, the same object each time: it keeps what pictures share."""
        if estimator not in self._choosers:
            self._choosers[estimator] = chooser(estimator, self.tools)
        return self._choosers[estimator]

    def walk(
        self, estimator: Estimator, image: Tensor, start: Mask, row: int = 0
    ) -> Iterator[Step]:
        """Yield the looks at one picture, uint8 [1, C, S, S]; fewer once everything is visible."""
        choosing, visible = self.chooser(estimator), start
        before = self.judge.of(image, start[None], " before the first look")[0]
        for step in range(1, self.order.steps + 1):
            if not len(self.looks.open_places(visible)):
                return
            began = time.monotonic()
            choice = choosing.choose(Situation(image, visible, start, step, row))
            seen = visible | self.looks.masks[choice.place]
            after = self.judge.of(image, seen[None], f" after look {step}")[0]
            yield Step(choice, visible, seen, before, after, time.monotonic() - began)
            visible, before = seen, after


def prepare(
    order: DesignOrder, load: Callable[[str, str], Contestant], reporter: Reporter
) -> Bench:
    """Load what an order names; UserError where the parts do not fit each other."""
    contestant = load(order.model, str(resolve(order.device)))
    contestant.tell(reporter)
    asked = "cross" if order.cross else "target"
    judge = load_judge(order.classifier, order.device, (order.target, *order.cross)[-1], asked)
    if judge.note:
        reporter.note(f"{judge.name}: {judge.note}")
    _check_fit(contestant, judge)
    looks = Looks.of(judge.network.size, order.patch, order.grid)
    training = _training(order, contestant, judge, reporter) if order.data else None
    tools = Tools(
        *(contestant.model, contestant.device, judge, looks, order.n, order.seed, order.steps),
        None if training is None else training[0],
    )
    return Bench(order, contestant, judge, looks, tools, training[1] if training else "")


def _check_fit(contestant: Contestant, judge: Judge) -> None:
    model, network = contestant.model, judge.network
    if not model.stochastic:
        raise UserError(
            f"{contestant.name} is deterministic: it has one completion, and nothing to choose by. "
            "Take a model that draws, such as ipa-mnist.",
            setting="model",
        )
    if (model.size or network.size) != network.size or (
        model.size and model.channels != network.channels
    ):
        raise UserError(
            f"{judge.name} is for {_kind(network.size, network.channels)}, and {contestant.name} "
            f"for {_kind(model.size, model.channels)}. Take two of one size and colour.",
            setting="classifier",
        )


def _kind(size: int, channels: int) -> str:
    return f"{size}x{size} {'RGB' if channels == 3 else 'grey'}"


def _training(
    order: DesignOrder, contestant: Contestant, judge: Judge, reporter: Reporter
) -> tuple[Tensor, str]:
    """Return training images, drawn by the seed: uint8 [M, C, S, S]; and the name of their set."""
    images = load_split(order, contestant, judge, "train", reporter)
    wanted = order.images or order.n
    if len(images) < wanted:
        raise UserError(
            f"{images.name}: {counted(len(images), 'training image')}, where {wanted} are needed. "
            "Give more, or say with the setting split_map which they are.",
            setting="data",
        )
    drawn = stream(order.seed, "design images", len(images)).random(len(images))
    rows = np.argsort(drawn, kind="stable")[:wanted]
    return torch.from_numpy(np.array(images.images[rows])), images.name


def load_split(
    order: DesignOrder,
    contestant: Contestant,
    judge: Judge,
    split: str,
    reporter: Reporter,
    labelled: bool = False,
) -> ImageSet:
    """Return one split of the data, as the model and the classifier take pictures.

    labelled: with the labels that the classifier tells of, if it tells of some.
    """
    from inpaint_cli import data

    return data.load_images(
        order.data,
        size=judge.network.size,
        channels=judge.network.channels,
        levels=contestant.model.levels,
        split=split,  # type: ignore[arg-type]
        split_map=order.split_map,
        labels=judge.outputs[:-1] if labelled and judge.outputs else None,
        download=order.download,
        reporter=reporter,
    )


def check_start(visible: Mask, looks: Looks) -> None:
    """Raise UserError where there is no place left to look at."""
    if not len(looks.open_places(visible)):
        raise UserError(
            "it shows every place already, so there is nowhere to look.", setting="start"
        )


def corners_of(steps: Sequence[Step], looks: Looks) -> list[list[int]]:
    """Return row and column of each look, in pixels of the model."""
    return [looks.corners[step.choice.place].tolist() for step in steps]


def order_of(model: object, classifier: object, options: Mapping[str, Any]) -> DesignOrder:
    """Return an order of options by name; UserError with the nearest name for unknown ones."""
    known = {item.name for item in fields(DesignOrder)} - {"model", "classifier", "estimators"}
    for name in options:
        if name not in known | {"estimator"}:
            raise unknown_name("no option", name, known | {"estimator"})
    given = dict(options)
    estimators = arguments.names(given.pop("estimator", "eig"), "estimator")
    labels = given.get("cross", ())
    several = labels if isinstance(labels, list | tuple) else (labels,)
    given["cross"] = tuple(map(str, several))  # names or numbers
    if given.get("target") is not None:
        given["target"] = str(given["target"])
    declared = arguments.as_declared(DesignOrder, given)
    return DesignOrder(str(model), str(classifier), estimators, **declared)
