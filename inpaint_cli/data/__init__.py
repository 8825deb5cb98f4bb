"""Images for training and scoring: named sets, folders, archives; splits; a cache on the disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from inpaint_cli.data.image_set import SPLITS, ImageSet, Split
from inpaint_cli.data.names import SETS, SplitRule
from inpaint_cli.errors import UserError, unknown_name

if TYPE_CHECKING:
    from inpaint_cli.data.decoding import SourcePlan
    from inpaint_cli.data.split_words import SplitMap
    from inpaint_cli.reporting import Reporter

__all__ = ["NAMES", "SPLITS", "ImageSet", "Split", "load_images"]

NAMES: Mapping[str, str] = {name: known.summary for name, known in SETS.items()}
"""The sets known by name, with a line on each; plain data, no import of numpy or torch."""


def load_images(
    sources: Sequence[str],
    *,
    size: int,
    channels: int,
    levels: int = 256,
    split: Split,
    download: bool = False,
    split_map: str = "",
    check_leaks: bool = False,
    for_plan: bool = False,
    labels: tuple[str, ...] | None = None,
    reporter: Reporter | None = None,
) -> ImageSet:
    """Return one split of the images of `sources` together, as uint8 [N, channels, size, size].

    Each source is a name of `NAMES`, a folder, a zip, tar or npz. With 2 levels pixels become 0 or
    255; otherwise they keep their eight bits, and models quantise for themselves. What folders and
    arrays are is read from their names, unless `split_map` says it
    ("train2017=train,extra=ignore"). `check_leaks` also looks for pictures that are almost those of
    another split. `for_plan` reads no large set: its pixels are black. labels: the names in a
    table of labels that are wanted, in this order; None = classes or labels as they are. UserError
    for unknown names, missing paths, and where no image can be read.
    """
    from inpaint_cli.data import cache, label_table
    from inpaint_cli.data.split_words import SplitMap
    from inpaint_cli.reporting import Reporter

    if channels not in (1, 3):
        raise ValueError(f"images have 1 or 3 channels, not {channels}")
    if split not in SPLITS:
        raise unknown_name("no split", split, SPLITS, setting="split")
    if isinstance(sources, str) or not all(sources) or not sources:
        raise UserError("give at least one name, folder or archive.", setting="data")
    plans: list[SourcePlan] = []
    for given in sources:
        plan = _plan(given, size, channels, levels, download, SplitMap.parse(split_map))
        plans.append(replace(plan, name=_free_name(plan.name, {other.name for other in plans})))
    reporter = reporter or Reporter(quiet=True)
    if check_leaks:
        _tell_leaks(plans, reporter)
    images = (cache.for_plan if for_plan else cache.load)(plans, split, reporter)
    return label_table.with_labels(images, labels)


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that none of the others has: with a number behind it if need be.

    >>> _free_name("a", ["b"]), _free_name("a", ["a", "a-2"])
    ('a', 'a-3')
    """
    numbered = (f"{name}-{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def _tell_leaks(plans: Sequence[SourcePlan], reporter: Reporter) -> None:
    from inpaint_cli.data import cache, leaks

    for is_leak, text in leaks.found(cache.load_every(plans, reporter)):
        (reporter.warn if is_leak else reporter.note)(text)


def _plan(
    given: str, size: int, channels: int, levels: int, download: bool, split_map: SplitMap
) -> SourcePlan:
    from functools import partial

    from inpaint_cli.data import locate
    from inpaint_cli.data.decoding import SourcePlan
    from inpaint_cli.data.preparation import Preparation
    from inpaint_cli.data.splits import SEED, divide

    source = locate.find(given, download, split_map)
    known = SETS.get(given)
    preparation = Preparation(
        size, channels, binary=levels == 2, **(known.preparation if known else {})
    )
    listed = locate.test_names(given, source)
    official = _by_list(listed) if listed else known.official if known else None
    rule = partial(
        divide,
        official=official,
        validation_is_test=bool(known and known.validation_is_test),
    )
    return SourcePlan(
        source.name, source, preparation, rule, (given if known else "", SEED), split_map
    )


def _by_list(test: frozenset[str]) -> SplitRule:
    return lambda name: "test" if PurePosixPath(name).name in test else "train"
