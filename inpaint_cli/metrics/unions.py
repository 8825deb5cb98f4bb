"""Figures of all kinds of masks together, as FID-agg of AIPO: a report more for each model."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inpaint_cli import metrics
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.intervals import Strata
from inpaint_cli.metrics.metric import Columns
from inpaint_cli.metrics.protocol import Subject
from inpaint_cli.metrics.report import Scored, document_of

if TYPE_CHECKING:
    from inpaint_cli.metrics.instruments import Instruments
    from inpaint_cli.metrics.protocol import MeasureOptions, TargetFacts
    from inpaint_cli.metrics.targets import Target

ONE_KIND = "needs several kinds of masks, such as patches:n=0-5"


def names_of_several(targets: Sequence[Target]) -> set[str]:
    """Return the names of the models that complete under several kinds of masks."""
    counts = Counter(target.name for target in targets if not target.is_reconstruction)
    return {name for name, count in counts.items() if count > 1}


def asked_for(names: Sequence[str]) -> tuple[str, ...]:
    """Return those of some metrics that take all kinds of masks together."""
    return tuple(name for name in names if metrics.get(name).over_masks)


def scored_together(
    parts: Sequence[Scored],
    refused: Mapping[str, Refused],
    options: MeasureOptions,
    tools: Instruments,
    device: str,
) -> Scored:
    """Return the report of one model's parts, which hold the same images in the same order."""
    first, columns = parts[0].subject, [part.results.columns for part in parts]
    names = asked_for(options.metrics)
    union = Columns(
        columns[0].count,
        {},
        columns[0].real,
        tuple(one.sets[0] for one in columns if one.sets),
        _digest(columns),
        columns[0].originals,
    )
    subject = Subject(first.name, first.k, first.setting, _facts(parts))
    options = replace(options, metrics=names, by_visible=False)
    strata = _ranges_of([part.results.strata for part in parts])
    return document_of(subject, options, tools, union, refused, device, strata)


def _ranges_of(every: Sequence[Strata]) -> Strata:
    """Return the range of each image: under mixtures it is that of its number, whatever the kind.

    None where some kind is no mixture.
    """
    known = [one for one in every if one is not None]
    same = len(known) == len(every) and all(np.array_equal(one, known[0]) for one in known)
    return known[0] if same else None


def _facts(parts: Sequence[Scored]) -> TargetFacts:
    kinds = [str(part.subject.facts.masks["distribution"]) for part in parts]
    facts = parts[0].subject.facts
    masks = {
        **facts.masks,
        "distribution": ", ".join(kinds),
        "params": {"kinds": kinds},
        "bins": None,
        "bin_weights": None,
    }
    return replace(facts, masks=masks)


def _digest(columns: Sequence[Columns]) -> str | None:
    """Return one hash of the masks of all kinds; None where some were not measured."""
    each = [one.masks_sha256 for one in columns]
    if None in each:
        return None
    return hashlib.sha256(" ".join(map(str, each)).encode()).hexdigest()
