"""How well a model tells held-out pictures from others: a table of AUROCs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from inpaint_cli import data
from inpaint_cli.data.image_set import SPLITS, ImageSet, counted
from inpaint_cli.device import resolve
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.metrics.intervals import Strata
from inpaint_cli.metrics.options import CompletionOptions
from inpaint_cli.metrics.protocol import (
    BINS,
    MaskChoice,
    Setting,
    bin_of,
    choose_masks,
    settings_of,
)
from inpaint_cli.metrics.sample_set import load_images
from inpaint_cli.metrics.targets import Contestant
from inpaint_cli.photos.arguments import names
from inpaint_cli.posterior.auroc import distance_from_uniform, separation
from inpaint_cli.posterior.ood_fit import Table, is_partial, mask_of, table_of, tensor_of
from inpaint_cli.posterior.ood_judging import asking_of, reference_of
from inpaint_cli.posterior.ood_reference import Reference, Stratum
from inpaint_cli.posterior.ood_sets import SYNTHETIC, Bytes, Picture, names_of, synthetic
from inpaint_cli.randomness import stream
from inpaint_cli.reporting import Reporter

Values = npt.NDArray[np.float64]
SCHEMA = 1
LIMIT = 500
"""Pictures of each set, at most, where nothing is said."""
WHOLE = "none"
"""In place of a kind of masks: nothing is hidden."""
LEVELS = (0.01, 0.05, 0.1)
"""At which the shares of small p-values are told."""


@dataclass(frozen=True)
class CompareOrder:
    """All of a comparison that a person may ask for."""

    model: str
    data: CompletionOptions
    """`limit`: pictures of each set, at most."""
    against: tuple[str, ...]
    reference: Path | None = None
    masks: str | None = None
    """None = those of the reference; "none" = nothing hidden."""
    by_visible: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.data.data:
            raise UserError(
                "is needed: pictures of the kind that the model was trained on.", setting="data"
            )
        if self.masks is not None:
            names((self.masks,), "masks")
        for name in names_of(self.against):
            if name not in (*SYNTHETIC, *data.NAMES) and not Path(name).exists():
                raise unknown_name("no set", name, (*SYNTHETIC, *data.NAMES), setting="against")


@dataclass(frozen=True)
class Pool:
    """Pictures in a random order that is always the same."""

    name: str
    sets: Sequence[ImageSet]
    seed: int
    order: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        count = sum(len(one) for one in self.sets)
        drawn = stream(self.seed, "ood pictures", count).random(count)
        object.__setattr__(self, "order", np.argsort(drawn, kind="stable"))

    def __len__(self) -> int:
        return len(self.order)

    def __call__(self, index: int) -> Bytes:
        """Return picture `index`, uint8 [C, S, S]."""
        row = int(self.order[index])
        for one in self.sets:
            if row < len(one):
                return np.array(one.images[row])
            row -= len(one)
        raise IndexError(index)

    @cached_property
    def contents(self) -> list[bytes]:
        """A hash of each picture, in order."""
        digests = [hashlib.sha256(image).digest() for one in self.sets for image in one.images]
        return [digests[row] for row in self.order]

    def is_of(self, other: Pool) -> bool:
        """Return whether at least half of its pictures are among another's."""
        known = set(other.contents)
        return 2 * sum(content in known for content in self.contents) >= len(self)

    def beside(self, inside: Pool, n: int) -> list[int]:
        """Return which of its pictures are not among the first n of another."""
        taken = set(inside.contents[:n])
        return [index for index, content in enumerate(self.contents) if content not in taken]


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    name: str
    picture: Picture
    n: int


def compare(
    order: CompareOrder, load: Callable[[str, str], Contestant], reporter: Reporter
) -> dict[str, Any]:
    """Return the table as JSON-able data: uniformity of the p-values, and AUROCs by set and score.

    UserError for what cannot be, before the first pass.
    """
    contestant = load(order.model, str(resolve(order.device)))
    contestant.tell(reporter)
    reference = reference_of(contestant, order.reference)
    (setting,) = settings_of([contestant.size], None)
    inside, others = _sides(order, setting, reporter)
    masks = _masks(order, reference, setting, inside.n, reporter)
    usable = inside.n if masks is None else sum(is_partial(masks[i]) for i in range(inside.n))
    if usable < 2:
        raise UserError("nothing or everything is visible under nearly all.", setting="masks")
    if usable < inside.n:
        reporter.note(
            f"{inside.n - usable} masks left out: nothing or everything is visible under them"
        )
    tables = [
        table_of(
            contestant,
            _cases(side, masks, setting),
            asking_of(reference.facts),
            reporter,
            side.name,
            side.n,
        )
        for side in (inside, *others)
    ]
    stratum: Stratum = "whole" if masks is None else "masked"
    judged = [_judged(reference, stratum, table) for table in tables]
    return _document(order, reference, stratum, masks, (inside, *others), tables, judged)


def _sides(order: CompareOrder, setting: Setting, reporter: Reporter) -> tuple[Side, list[Side]]:
    """Return the held-out pictures and what they are compared with; equally many, if they last."""
    held_out = Pool("", [load_images(order.data, setting, reporter)], order.data.seed)
    wanted, names = order.data.limit or LIMIT, names_of(order.against)
    pools = {n: _pool(n, order, setting, held_out, reporter) for n in names if n not in SYNTHETIC}
    n = min(wanted, len(held_out))
    # A set that is held out itself is split into two.
    if any(len(pool.beside(held_out, n)) < min(n, len(pool) // 2) for pool in pools.values()):
        n = min(n, len(held_out) // 2)
    if n < 2:
        few = f"{counted(n, 'picture')} a side, of {len(held_out)}, where 2 are needed to compare."
        if wanted < 2:
            raise UserError(few, setting="limit")
        advice = "Give more, or say with the setting split_map which they are."
        raise UserError(f"{few} {advice}", setting="data")
    sides = []
    for name in names:
        if name in SYNTHETIC:
            sides.append(Side(name, synthetic(name, held_out, order.data.seed), n))
            continue
        free = pools[name].beside(held_out, n)
        if len(free) < 2:
            raise UserError(
                f"{name}: {counted(len(free), 'picture')} besides the held-out ones, where 2 are "
                "needed.",
                setting="against",
            )
        sides.append(Side(name, _some_of(pools[name], free), min(n, len(free))))
    return Side(" ".join(order.data.data), held_out, n), sides


def _some_of(pool: Pool, chosen: Sequence[int]) -> Picture:
    return lambda index: pool(chosen[index])


def _pool(
    name: str, order: CompareOrder, setting: Setting, held_out: Pool, reporter: Reporter
) -> Pool:
    """Return the pictures of another set: the same split of a named one, all of a folder.

    A folder that holds the held-out pictures, however it is named, is that set: the same split.
    """
    split_map = order.data.split_map if name in order.data.data else ""
    chosen = CompletionOptions(
        data=(name,),
        split=order.data.split,
        download=order.data.download,
        split_map=split_map,
    )
    if name in data.NAMES or name in order.data.data:
        return Pool(name, [load_images(chosen, setting, reporter)], order.data.seed)
    sets, failed = list[ImageSet](), None
    for split in SPLITS:
        try:
            one = CompletionOptions(data=(name,), split=split, download=order.data.download)
            sets.append(load_images(one, setting, reporter))
        except UserError as error:  # a small folder has no picture in some split
            failed = error
    if not sets and failed:
        raise UserError(failed.text, setting="against")
    same = [one for one in sets if Pool(name, [one], 0).is_of(held_out)]
    return Pool(name, same or sets, order.data.seed)


def _masks(
    order: CompareOrder, reference: Reference, setting: Setting, n: int, reporter: Reporter
) -> MaskChoice | None:
    if order.masks == WHOLE:
        return None
    kind = order.masks or reference.facts.masks
    if kind != reference.facts.masks:
        reporter.warn(
            f"the reference is for masks '{reference.facts.masks}': p-values under '{kind}' are "
            "not exact"
        )
    return choose_masks(kind, setting, n, order.data.seed, order.by_visible, reporter)


def _cases(
    side: Side, masks: MaskChoice | None, setting: Setting
) -> Iterator[tuple[Tensor, Tensor] | None]:
    """Yield the pictures of a side; mask i is the same on every side."""
    for index in range(side.n):
        visible = np.ones((setting.height, setting.width), np.bool_)
        if masks is not None:
            visible = np.array(masks[index])
            if not is_partial(visible):
                yield None
                continue
        yield tensor_of(side.picture(index), setting.levels), mask_of(visible)


def _judged(
    reference: Reference, stratum: Stratum, table: Table
) -> dict[str, tuple[Values, Values]]:
    """Return scores and p-values [N], by name of the score."""
    return {
        name: reference.judge(stratum, name, table.features, table.shares)
        for name in reference.facts.scores
    }


def _document(
    order: CompareOrder,
    reference: Reference,
    stratum: Stratum,
    masks: MaskChoice | None,
    sides: Sequence[Side],
    tables: Sequence[Table],
    judged: Sequence[Mapping[str, tuple[Values, Values]]],
) -> dict[str, Any]:
    inside, *others = judged
    rows = []
    for side, table, other in zip(sides[1:], tables[1:], others, strict=True):
        n, row = len(table.shares), dict[str, Any]()
        row["set"], row["n"], row["not_finite"] = side.name, n, _not_finite(other)
        bins = np.array([bin_of(share) for share in table.shares])
        strata = bins if masks is not None and masks.is_mixture else None
        row["auroc"] = _separations(inside, other, np.arange(n), strata)
        if order.by_visible:
            row["by_visible"] = [
                {"visible": ends, "n": int((bins == b).sum())}
                | {"auroc": _separations(inside, other, np.flatnonzero(bins == b))}
                for b, ends in enumerate(BINS)
            ]
        rows.append(row)
    return {
        "schema": SCHEMA,
        "data": list(order.data.data),
        "split": order.data.split,
        "n": len(tables[0].shares),
        "masks": WHOLE if masks is None else masks.kind,
        "seed": order.data.seed,
        "p_values": {
            name: _uniformity(p, len(reference.known[stratum, name].calibration))
            for name, (_, p) in inside.items()
        },
        "not_finite": _not_finite(inside),
        "sets": rows,
        "reference": asdict(reference.facts),
    }


def _not_finite(judged: Mapping[str, tuple[Values, Values]]) -> int:
    """Return how many pictures have a score that is not finite, of any kind."""
    return int(max((~np.isfinite(scores)).sum() for scores, _ in judged.values()))


def _separations(
    inside: Mapping[str, tuple[Values, Values]],
    outside: Mapping[str, tuple[Values, Values]],
    chosen: npt.NDArray[np.int64],
    strata: Strata = None,
) -> dict[str, Any]:
    """Return AUROC and standard error of the chosen pairs, by score; None where there is none.

    A pair is seen under one mask; strata: the range of each.
    """
    if not len(chosen):
        return dict.fromkeys(inside)
    separations = {}
    for name, (scores, _) in inside.items():
        told = separation(scores[chosen], outside[name][0][chosen])
        separations[name] = {"value": told.area, "se": told.paired_se(strata)}
    return separations


def _uniformity(p: Values, calibration: int) -> dict[str, Any]:
    """Return how far p-values of usual pictures are from uniform ones.

    below: the distance that those which are uniform stay below in 99 of 100 cases.
    """
    return {
        "distance": distance_from_uniform(p),
        "below": 1.63 * (1 / len(p) + 1 / calibration) ** 0.5,
        "shares": {str(level): float((p <= level).mean()) for level in LEVELS},
    }
