"""The report: one JSON-able document per target that states figures and the whole protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli import __version__, metrics
from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.intervals import (
    RESAMPLES,
    SEED,
    Strata,
    are_used,
    by_picture,
    holm,
    paired_difference,
)
from inpaint_cli.metrics.metric import Chosen, Columns, Line, Results
from inpaint_cli.metrics.options import MeasureOptions
from inpaint_cli.metrics.protocol import (
    BINS,
    FILES,
    RECONSTRUCTION,
    Subject,
    TargetFacts,
    bin_name,
    bin_of,
)

SCHEMA = "inpaint.score/1"
METHODS = {"images": "image se", "strata": "image se within ranges"}
Document = dict[str, Any]
REPEATED = 0.05
"""Of more images that repeat a picture there is a warning."""
NO_FIGURE: Document = {
    **dict.fromkeys(("value", "se", "se_method", "sd", "ci95", "bias")),
    **dict.fromkeys(("n_images", "n_real", "n_fake")),
    "k": None,
    "params": {},
    "warnings": [],
}
"""What stands for the figure of a range in which the metric is refused."""


@dataclass
class Scored:
    """A report with its lines, ready to be compared with others."""

    subject: Subject
    document: Document
    lines: list[Line]
    results: Results


def document_of(
    subject: Subject,
    options: MeasureOptions,
    instruments: Instruments,
    columns: Columns,
    refused: Mapping[str, Refused],
    device: str,
    strata: Strata = None,
) -> Scored:
    """Return the report of a measured target; `timing` is the caller's to add.

    strata: the range of each image, where the target's own masks do not tell.
    """
    facts, levels = subject.facts, subject.setting.levels
    bound = bound_of(columns)
    strata = strata_of(facts, columns) if strata is None else strata
    paired = facts.pairing is None
    copies = copies_of(columns)
    results = Results(
        columns, options, instruments, subject.k, levels, bound, strata, paired, copies
    )
    lines, entries = list[Line](), list[Document]()
    refusals = [_refusal(name, error) for name, error in refused.items()]
    whole = np.arange(columns.count)
    for name in options.metrics:
        for line in [] if name in refused else _lines(name, results, refusals):
            try:
                entries.append(_entry(line, results, whole, facts))
                lines.append(line)
            except Refused as error:
                refusals.append(_refusal(line.label, error))
    document = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": _tool(device),
        "model": {"name": subject.name, **facts.model},
        "protocol": _protocol(facts, columns),
        "features": instruments.descriptions(),
        "metrics": entries,
        "refused": refusals,
        "bound": {"kind": bound} if bound else None,
    }
    return Scored(subject, document, lines, results)


def strata_of(facts: TargetFacts, columns: Columns) -> Strata:
    """Return the range of each image where masks are a mixture of ranges in fixed numbers."""
    visible = columns.figures.get("visible")
    if visible is None or not facts.masks.get("bins"):
        return None
    return np.array([bin_of(share) for share in visible])


def copies_of(columns: Columns) -> npt.NDArray[np.int64] | None:
    """Return which picture each image is of; None unless one counts as several images.

    As where a folder holds each picture once for each of its masks: what these have in common is no
    new sample. A few copies do no harm.
    """
    if columns.originals is None:
        return None
    pictures, place = np.unique(columns.originals, axis=0, return_inverse=True)
    few = len(place) - len(pictures) <= REPEATED * len(place)
    return None if few else place.reshape(-1)


def bound_of(columns: Columns) -> str | None:
    """Return whether likelihoods are "exact" or a bound, "elbo"; None where there are none."""
    column = columns.figures.get("bound")
    if column is None:
        return None
    return "elbo" if np.nanmax(column) > 0 else "exact"


def _lines(name: str, results: Results, refusals: list[Document]) -> list[Line]:
    try:
        return list(metrics.get(name).lines(results))
    except Refused as error:
        refusals.append(_refusal(name, error))
        return []


def _refusal(name: str, error: Refused) -> Document:
    """Return a refusal in one line, without the folders that were searched."""
    reason = error.reason.partition("\n")[0].strip()
    need = "a file that is not on this machine" if error.missing_file else None
    return {"name": name, "reason": reason, "need": need, "have": None}


def number(value: float | None) -> float | str | None:
    """Return a number as JSON has it: infinities as text, never NaN.

    >>> number(float("inf")), number(1.5), number(None)
    ('inf', 1.5, None)
    """
    if value is None:
        return None
    if math.isnan(value):
        raise Refused("the figure came out as no number (NaN)")
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)


def _entry(line: Line, results: Results, chosen: Chosen, facts: TargetFacts) -> Document:
    """Return the entry of one line: the figure, its error, its ranges, its warnings."""
    estimate = line.compute(chosen)
    entry: Document = {
        "name": line.metric.name,
        "variant": line.variant,
        "feature_id": line.feature_id,
        "unit": _unit(line.metric.unit),
        "better": line.direction,
        **_figure(line, results, chosen, facts, estimate),
    }
    if line.target is not None:
        entry["target"] = line.target
    entry |= plain(estimate.entries)
    if results.options.by_visible:
        entry["groups"] = _groups(line, results, facts)
    return entry


def _figure(
    line: Line, results: Results, chosen: Chosen, facts: TargetFacts, estimate: Estimate
) -> Document:
    """Return what the whole and each range have alike."""
    features = "features" in line.metric.needs
    n_real, n_fake = estimate.sides or (estimate.n, estimate.n)
    # Images that all share a figure tell nothing of its error, least of all that there is none.
    se = number(estimate.se or None)
    figure: Document = {
        "value": number(estimate.value),
        "se": se,
        "se_method": METHODS.get(estimate.se_method, estimate.se_method) if se else None,
        "sd": number(estimate.sd),
        "ci95": None,
        "bias": number(estimate.bias),
        "n_images": estimate.n,
        "n_real": n_real if features else None,
        "n_fake": n_fake if features else None,
        "k": estimate.k,
        "params": plain(
            {"label": line.label, **line.params, **estimate.parameters, **estimate.extra}
        ),
        "warnings": [],
    }
    bounds = line.bounds(results, chosen)
    if bounds and se:
        figure["ci95"] = [number(end) for end in bounds]
        within = " within ranges" if are_used(estimate.n, results.ranges(chosen)) else ""
        how = f"percentile bootstrap of {RESAMPLES} over images{within}, widened by Student's t"
        figure["params"]["ci95"] = f"{how}, seed {SEED}"
    warnings = [*estimate.warnings, *facts.warnings, *(facts.of_features if features else ())]
    warnings += line.cautions(results, chosen, facts, estimate)
    if estimate.n == 1:
        warnings.append("one image: no error")
    figure["warnings"] = list(dict.fromkeys(warnings))
    return figure


def _unit(unit: str) -> str | None:
    """Return the unit of the unscaled value: shares are fractions, kid is not times 1000."""
    return "fraction" if unit == "%" else None if unit.startswith("x") else unit or None


def _groups(line: Line, results: Results, facts: TargetFacts) -> Document:
    """Return the figure of each range of the visible fraction."""
    visible = results.columns.figures["visible"]
    bins = np.array([bin_of(share) for share in visible])
    groups = {}
    for place, ends in enumerate(BINS):
        chosen = np.flatnonzero(bins == place)
        try:
            if not len(chosen):
                raise Refused("no image in this range")
            group = _figure(line, results, chosen, facts, line.compute(chosen))
            group["refused"] = None
        except Refused as error:
            group = {**NO_FIGURE, "n_images": len(chosen)}
            group["refused"] = error.reason.partition("\n")[0]
        groups[bin_name(ends)] = group
    return groups


def _protocol(facts: TargetFacts, columns: Columns) -> Document:
    visible = columns.figures.get("visible")
    masks = {**facts.masks, "sha256": columns.masks_sha256}
    if visible is not None:
        masks["observed_fraction"] = {
            "mean": float(visible.mean()),
            "min": float(visible.min()),
            "max": float(visible.max()),
        }
    used = list(range(len(columns.sets)))
    pairs = {"by": "id", "real_set": f"the same {columns.count} images"}
    return {
        "dataset": {**facts.dataset, "originals_sha256": columns.originals_sha256},
        "masks": masks,
        "completions": {**facts.completions, "set_index_used": used},
        "pairing": facts.pairing or pairs,
        "range": "0..255 uint8",
    }


def _tool(device: str) -> Document:
    import torch

    return {
        "name": "inpaint",
        "version": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "device": device,
        "threads": torch.get_num_threads(),
        "deterministic": True,
    }


def plain(value: Any) -> Any:
    """Return data as JSON has it: numpy's numbers and arrays turned, infinities as text."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return number(float(value))
    return value


def compare(all_scored: Sequence[Scored]) -> None:
    """Add to each report how its means differ, image by image, from the first of its kind's.

    Of one kind are those of the same originals and masks, so that each difference is of one image
    under one mask. `p_holm` is corrected for all comparisons of the run.
    """
    firsts, every = dict[Any, Scored](), list[Document]()
    for other in all_scored:
        first = firsts.setdefault(_ground(other), other)
        if first is other:
            continue
        for entry, line in zip(other.document["metrics"], other.lines, strict=True):
            twin = any(one.label == line.label for one in first.lines)
            if twin and line.depends_on_k and other.results.k != first.results.k:
                entry["warnings"].append(
                    f"of {other.results.k} completions, and {first.subject.name}'s of "
                    f"{first.results.k}: their number moves this figure, so they do not compare"
                )
                continue
            paired = _paired(line, other, first)
            if paired:
                entry["params"]["paired"] = paired
                every.append(paired)
    tested = [paired for paired in every if paired["p"] is not None]
    for paired, p in zip(tested, holm([paired["p"] for paired in tested]), strict=True):
        paired |= {"p_holm": p, "comparisons": len(tested)}


def _ground(one: Scored) -> tuple[Any, ...]:
    """Return what two reports must have in common to be compared image by image."""
    protocol = one.document["protocol"]
    data, masks = protocol["dataset"], protocol["masks"]
    shape = tuple(data[name] for name in ("height", "width", "channels", "levels"))
    # Reconstructions are of whole pictures, and no match for completions.
    drawn = protocol["completions"]["source"] != RECONSTRUCTION
    # Names do not tell which pictures they are: every folder has its 0001.png.
    pictures = data["ids_sha256"], data["originals_sha256"]
    return *pictures, masks["distribution"], masks["sha256"], drawn, *shape


def unlike(all_scored: Sequence[Scored]) -> list[str]:
    """Return which folders of equal names hold other originals or masks than the first of them."""
    told, firsts = list[str](), dict[Any, Scored]()
    for one in all_scored:
        first = firsts.setdefault(one.document["protocol"]["dataset"]["ids_sha256"], one)
        data, masks = (
            [side.document["protocol"][part] for side in (first, one)]
            for part in ("dataset", "masks")
        )
        if data[1]["name"] != FILES:
            continue
        for what, key, sides in (
            ("originals", "originals_sha256", data),
            ("masks", "sha256", masks),
        ):
            ours, theirs = sides[1][key], sides[0][key]
            if None not in (ours, theirs) and ours != theirs:
                told.append(
                    f"{one.subject.name}: other {what} of the same names than those of "
                    f"{first.subject.name}, so its figures do not compare with those"
                )
    return told


def _paired(line: Line, ours: Scored, theirs: Scored) -> Document | None:
    twin = next((other for other in theirs.lines if other.label == line.label), None)
    if line.column is None or twin is None or twin.column is None:
        return None
    a = ours.results.columns.figures.get(line.column)
    b = theirs.results.columns.figures.get(twin.column)
    if a is None or b is None:
        return None
    both = np.isfinite(a) & np.isfinite(b)
    try:
        a, b, strata = a[both], b[both], ours.results.ranges(np.flatnonzero(both))
        if ours.results.pictures is not None:
            a, b = (by_picture(side, ours.results.pictures[both]) for side in (a, b))
        estimate = paired_difference(a, b, strata)
    except Refused:
        return None
    low, high = estimate.extra.get("low"), estimate.extra.get("high")
    return {
        "against": theirs.subject.name,
        "difference": number(estimate.value),
        "se": number(estimate.se or None),
        "ci95": plain([low, high]) if low != high else None,
        "n_images": estimate.n,
        "p": estimate.extra.get("p"),
    }
