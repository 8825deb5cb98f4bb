"""Find what is usual for a model: features of training pictures, scores of held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_cli import __version__, models
from inpaint_cli.bounds import MOST_COMPLETIONS
from inpaint_cli.data.image_set import ImageSet
from inpaint_cli.device import resolve
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.options import CompletionOptions
from inpaint_cli.metrics.protocol import MaskChoice, Setting, choose_masks, settings_of
from inpaint_cli.metrics.sample_set import load_images
from inpaint_cli.metrics.targets import Contestant, subset
from inpaint_cli.models.quantise import to_bytes, to_levels
from inpaint_cli.photos import arguments
from inpaint_cli.posterior.ood_features import (
    Asking,
    Form,
    StatisticKind,
    batch_size,
    features,
    kinds_of,
    length_of,
)
from inpaint_cli.posterior.ood_reference import (
    SCORES,
    STRATA,
    Facts,
    Fit,
    Known,
    Reference,
    Stratum,
    transformed,
)
from inpaint_cli.posterior.ood_scores import SPARE, check_count, fit, is_finite
from inpaint_cli.reporting import Reporter

Values = npt.NDArray[np.float64]
FEWEST_HELD_OUT = 19
"""With these the smallest p-value is 0.05."""


@dataclass(frozen=True)
class FitOrder:
    """All of a fit that a person may ask for."""

    model: str
    data: CompletionOptions
    """`limit`: training pictures, at most."""
    held_out: int = 1000
    """Validation pictures, at most."""
    masks: str | None = None
    """None = those that the model was trained with."""
    statistic: StatisticKind | None = None
    passes: int = 4
    form: Form = "analytic"
    fit: Fit = "pooled"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.data.data:
            raise UserError(
                "is needed: the pictures that the model was trained on.", setting="data"
            )
        arguments.whole(self.passes, "passes", 1, MOST_COMPLETIONS)
        arguments.one_of(self.form, "form", Form)
        arguments.one_of(self.fit, "fit", Fit)
        arguments.one_of(self.statistic, "statistic", StatisticKind)
        if self.masks is not None:
            arguments.names((self.masks,), "masks")
        if arguments.whole(self.held_out, "held_out") < FEWEST_HELD_OUT:
            raise UserError(
                f"must be at least {FEWEST_HELD_OUT}, got {self.held_out}: with fewer no p-value "
                "is 0.05 or less.",
                setting="held_out",
            )


@dataclass(frozen=True)
class MaskedPictures:
    """Pictures with their masks, in order."""

    images: ImageSet
    rows: Sequence[int]
    masks: MaskChoice
    first: int
    """The number of the first mask."""
    levels: int

    def cases(self, stratum: Stratum) -> Iterator[tuple[Tensor, Tensor] | None]:
        """Yield uint8 [1, C, S, S] and bool [1, 1, S, S] of each; None for masks of no use here."""
        for place, row in enumerate(self.rows):
            visible = np.array(self.masks[self.first + place])
            if stratum == "whole":
                visible = np.ones_like(visible)
            elif not is_partial(visible):
                yield None
                continue
            yield tensor_of(self.images.images[row], self.levels), mask_of(visible)

    def usable(self) -> int:
        """Return under how many masks something is visible and something hidden."""
        return sum(is_partial(self.masks[self.first + i]) for i in range(len(self.rows)))


def is_partial(visible: npt.NDArray[np.bool_]) -> bool:
    """Return whether a mask leaves something visible, and something not."""
    return bool(visible.any() and not visible.all())


def tensor_of(pixels: npt.NDArray[np.uint8], levels: int) -> Tensor:
    """Return a picture [C, S, S] as a model of so many levels takes it: uint8 [1, C, S, S]."""
    stored = torch.from_numpy(np.array(pixels))[None]
    return to_bytes(to_levels(stored, levels), levels) if levels < 256 else stored


def mask_of(visible: npt.NDArray[np.bool_]) -> Tensor:
    """Return a mask [S, S] as bool [1, 1, S, S]."""
    return torch.from_numpy(np.array(visible))[None, None]


def fit_reference(
    order: FitOrder, load: Callable[[str, str], Contestant], reporter: Reporter
) -> Reference:
    """Return what is usual for a model. UserError for what cannot be, before the first pass."""
    contestant = load(order.model, str(resolve(order.device)))
    contestant.tell(reporter)
    kinds = kinds_of(contestant, order.statistic)
    (setting,) = settings_of([contestant.size], None)
    masks = order.masks or training_masks(contestant)
    parts = _parts(order, setting, masks, reporter)
    usable = {name: part.usable() for name, part in parts.items()}
    if lost := sum(len(part.rows) for part in parts.values()) - sum(usable.values()):
        reporter.note(f"{lost} masks left out: nothing or everything is visible under them")
    _check_counts(parts, usable, max(length_of(contestant, kind) for kind in kinds))
    asking = Asking(kinds, order.passes, order.form, order.data.seed)
    tables = {
        (stratum, name): table_of(
            contestant,
            part.cases(stratum),
            asking,
            reporter,
            f"{name}, {stratum}",
            len(part.rows),
        )
        for stratum in STRATA
        for name, part in parts.items()
    }
    return _reference(order, contestant, parts, tables, masks)


def _check_counts(
    parts: Mapping[str, MaskedPictures], usable: Mapping[str, int], length: int
) -> None:
    """Raise UserError where too few pictures can be used: about the masks, if they leave too few.

    length: how many features there are.
    """

    def at_fault(part: str, least: int) -> str:
        return "masks" if len(parts[part].rows) >= least else "data"

    check_count(usable["fit"], length, at_fault("fit", length + SPARE))
    if usable["held out"] < FEWEST_HELD_OUT:
        raise UserError(
            f"{usable['held out']} validation pictures of use, and at least {FEWEST_HELD_OUT} are "
            "needed for p-values.",
            setting=at_fault("held out", FEWEST_HELD_OUT),
        )


def training_masks(contestant: Contestant) -> str:
    """Return the kind of masks that a model was trained with, last."""
    stages, training = models.get(contestant.family).stage_names, contestant.model.config.training
    return next((training[s].masks for s in reversed(stages) if s in training), "freeform@mixture")


def _parts(
    order: FitOrder, setting: Setting, masks: str, reporter: Reporter
) -> dict[str, MaskedPictures]:
    if order.data.split == "validation":
        raise UserError("validation is for the calibration; fit to train.", setting="split")
    if order.data.split != "train":
        reporter.warn(f"fitted to the {order.data.split} split, not to training pictures")
    train = load_images(order.data, setting, reporter)
    held = load_images(replace(order.data, split="validation"), setting, reporter)
    rows, held_rows = subset(train, order.data.limit), subset(held, order.held_out)
    drawn = choose_masks(
        masks, setting, len(rows) + len(held_rows), order.data.seed, False, reporter
    )
    return {
        "fit": MaskedPictures(train, rows, drawn, 0, setting.levels),
        "held out": MaskedPictures(held, held_rows, drawn, len(rows), setting.levels),
    }


@dataclass(frozen=True)
class Table:
    """Features of many pictures, and their visible shares."""

    features: Mapping[StatisticKind, Values]
    """Statistic -> [N, L]."""
    shares: Values
    """[N]."""

    def not_finite(self) -> int:
        """Return how many pictures have features that are not finite."""
        return max(int((~is_finite(values)).sum()) for values in self.features.values())


def table_of(
    contestant: Contestant,
    cases: Iterator[tuple[Tensor, Tensor] | None],
    asking: Asking,
    reporter: Reporter,
    title: str,
    total: int,
) -> Table:
    """Return the features of pictures with their masks; those that are None are left out."""
    rows, shares = list[Mapping[StatisticKind, Values]](), list[float]()
    size = batch_size(contestant, asking)
    with reporter.progress(title, total) as advance:
        while batch := list(islice(cases, size)):
            used = [case for case in batch if case is not None]
            if used:
                images, visible = (torch.cat(part) for part in zip(*used, strict=True))
                rows.append(features(contestant, images, visible, asking))
                shares += visible.double().flatten(1).mean(1).tolist()
            advance(len(batch))
    return Table(
        {kind: np.concatenate([row[kind] for row in rows]) for kind in asking.kinds},
        np.array(shares),
    )


def _reference(
    order: FitOrder,
    contestant: Contestant,
    parts: Mapping[str, MaskedPictures],
    tables: Mapping[tuple[Stratum, str], Table],
    masks: str,
) -> Reference:
    names = [name for name, (kind, _) in SCORES.items() if kind in tables["whole", "fit"].features]
    train, validation = parts["fit"].images, parts["held out"].images
    facts = Facts(
        model=contestant.name,
        weights_sha256=contestant.weights_sha256 or "",
        family=contestant.family,
        size=contestant.model.size,
        channels=contestant.model.channels,
        data=train.name,
        data_sha256=train.sha256,
        held_out_sha256=validation.sha256,
        masks=masks,
        passes=order.passes,
        form=order.form,
        fit=order.fit,
        seed=order.data.seed,
        n={stratum: len(tables[stratum, "fit"].shares) for stratum in STRATA},
        held_out={stratum: len(tables[stratum, "held out"].shares) for stratum in STRATA},
        not_finite={stratum: tables[stratum, "fit"].not_finite() for stratum in STRATA},
        scores=tuple(names),
        version=__version__,
    )
    known = {
        (str(stratum), name): _known(
            name, tables[stratum, "fit"], tables[stratum, "held out"], order
        )
        for stratum in STRATA
        for name in names
    }
    return Reference(facts, known)


def _known(name: str, used: Table, held: Table, order: FitOrder) -> Known:
    """Return what is usual, of one score: fitted to some pictures, calibrated with others."""
    scale = fit(
        transformed(name, used.features),
        used.shares,
        gaussian=SCORES[name][0] == "gradient",
        by_visible=order.fit == "by-visible",
    )
    return Known(scale, scale.scores(transformed(name, held.features), held.shares))
