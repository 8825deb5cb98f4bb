"""The report: one JSON-able document per target that states figures and the whole protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from inpaint_cli import __version__
from inpaint_cli.metrics.catalogue import METRICS
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.intervals import paired_difference
from inpaint_cli.metrics.protocol import BINS, Facts, Request, bin_name, bin_of
from inpaint_cli.metrics.shards import Measured
from inpaint_cli.metrics.state import Estimate, Refused
from inpaint_cli.metrics.summary import SEED, Chosen, Line, Sources, bounds_of, lines_of
from inpaint_cli.metrics.targets import Target

SCHEMA = "inpaint.score/1"
RESAMPLED = 1000
METHODS = {"images": "image se", "blocks": "blocks", "sets": "std over completion sets"}
Document = dict[str, Any]


@dataclass
class Scored:
    """A target with its lines, ready to be compared with others."""

    target: Target
    document: Document
    lines: list[Line]
    sources: Sources


def document_of(
    target: Target,
    request: Request,
    tools: Instruments,
    measured: Measured,
    refused: Mapping[str, Refused],
    device: str,
) -> Scored:
    """Gives the report of a measured target; `timing` is the caller's to add."""
    facts = target.facts()
    bound = bound_of(measured)
    sources = Sources(measured, request, tools, target.k, target.setting.levels, bound)
    kept, metrics, left = list[Line](), list[Document](), _refusals(refused)
    whole = np.arange(measured.count)
    for name in request.metrics:
        if name in refused:
            continue
        for line in _lines(name, sources, left):
            try:
                metrics.append(_entry(line, sources, whole, facts))
                kept.append(line)
            except Refused as error:
                left.append(_refusal(line.label, error))
    document = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": _tool(device),
        "model": {"name": target.name, **facts.model},
        "protocol": _protocol(facts, measured, metrics),
        "features": tools.descriptions(),
        "metrics": metrics,
        "refused": left,
        "bound": {"kind": bound} if bound else None,
    }
    return Scored(target, document, kept, sources)


def bound_of(measured: Measured) -> str | None:
    """Says whether likelihoods are "exact" or a bound, "elbo"; None where there are none."""
    column = measured.columns.get("bound")
    if column is None:
        return None
    return "elbo" if np.nanmax(column) > 0 else "exact"


def _lines(name: str, sources: Sources, left: list[Document]) -> list[Line]:
    try:
        return lines_of(name, sources)
    except Refused as error:
        left.append(_refusal(name, error))
        return []


def _refusals(refused: Mapping[str, Refused]) -> list[Document]:
    return [_refusal(name, error) for name, error in refused.items()]


def _refusal(name: str, error: Refused) -> Document:
    """Gives a refusal in one line, without the folders that were searched."""
    reason = error.reason.partition("\n")[0].strip()
    need = "a file that is not on this machine" if error.missing_file else None
    return {"name": name, "reason": reason, "need": need, "have": None}


def number(value: float | None) -> float | str | None:
    """Gives a number as JSON has it: infinities as text, never NaN.

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


ARRAYS = ("rank_histogram", "band_low", "band_high")


def _entry(line: Line, sources: Sources, chosen: Chosen, facts: Facts) -> Document:
    """Gives the entry of one line: the figure, its error, its ranges, its warnings."""
    made = line.compute(chosen)
    features = METRICS[line.metric].features
    entry: Document = {
        "name": line.metric,
        "variant": line.variant,
        "feature_id": line.feature_id,
        "value": number(made.value),
        "unit": _unit(line.metric),
        "better": line.direction,
        "se": number(made.se),
        "se_method": METHODS.get(made.se_method, made.se_method) or None,
        "ci95": None,
        "n_images": made.n,
        "n_real": made.n if features else None,
        "n_fake": made.n if features else None,
        "k": made.k,
        "params": _params(line, made),
        "warnings": list(dict.fromkeys([*made.warnings, *(facts.warnings if features else ())])),
    }
    bounds = bounds_of(line, sources, chosen)
    if bounds:
        entry["ci95"] = [number(end) for end in bounds]
        entry["params"]["ci95"] = f"percentile bootstrap of {RESAMPLED} over images, seed {SEED}"
    if line.target is not None:
        entry["target"] = line.target
    if "n_infinite" in made.extra:
        entry["n_infinite"] = made.extra["n_infinite"]
    if ARRAYS[0] in made.extra:
        entry["arrays"] = plain({name: made.extra[name] for name in ARRAYS})
    if sources.request.by_visible:
        entry["groups"] = _groups(line, sources)
    return entry


def _params(line: Line, made: Estimate) -> Document:
    """Gives what else decides the figure, and what else came out of its computation."""
    extra = {n: v for n, v in made.extra.items() if n not in (*ARRAYS, "n_infinite")}
    found: Document = plain({"label": line.label, **line.params, **made.parameters, **extra})
    return found


def _unit(metric: str) -> str | None:
    """Gives the unit of the unscaled value: shares are fractions, kid is not times 1000."""
    unit = METRICS[metric].unit
    return "fraction" if unit == "%" else None if unit.startswith("x") else unit or None


def _groups(line: Line, sources: Sources) -> Document:
    """Gives the figure of each range of the visible fraction."""
    visible = sources.measured.columns["visible"]
    bins = np.array([bin_of(share) for share in visible])
    groups = {}
    for place, ends in enumerate(BINS):
        chosen = np.flatnonzero(bins == place)
        try:
            if not len(chosen):
                raise Refused("no image in this range")
            made = line.compute(chosen)
            group = {"value": number(made.value), "se": number(made.se), "n_images": made.n}
            groups[bin_name(ends)] = {**group, "refused": None}
        except Refused as error:
            reason = error.reason.partition("\n")[0]
            groups[bin_name(ends)] = {
                "value": None, "se": None, "n_images": len(chosen), "refused": reason
            }  # fmt: skip
    return groups


def _protocol(facts: Facts, measured: Measured, metrics: Sequence[Document]) -> Document:
    visible = measured.columns.get("visible")
    masks = {**facts.masks, "sha256": measured.masks_sha256}
    if visible is not None:
        masks["observed_fraction"] = {
            "mean": float(visible.mean()), "min": float(visible.min()), "max": float(visible.max())
        }  # fmt: skip
    used = list(range(len(measured.sets)))
    return {
        "dataset": facts.dataset,
        "masks": masks,
        "completions": {**facts.completions, "set_index_used": used},
        "pairing": facts.pairing,
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
    """Gives data as JSON has it: numpy's numbers and arrays turned, infinities as text."""
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
    """Adds to each report but the first how its means differ from the first's, image by image.

    Only where ids and masks are the same, so that each difference is of one image under one mask.
    """
    first = all_scored[0]
    for other in all_scored[1:]:
        if _same(first, other):
            for entry, line in zip(other.document["metrics"], other.lines, strict=True):
                paired = _paired(line, other, first)
                if paired:
                    entry["params"]["paired"] = paired


def _same(a: Scored, b: Scored) -> bool:
    def key(one: Scored) -> tuple[Any, ...]:
        protocol = one.document["protocol"]
        data = protocol["dataset"]
        shape = tuple(data[name] for name in ("height", "width", "channels", "levels"))
        return data["ids_sha256"], protocol["masks"]["sha256"], *shape

    return key(a) == key(b)


def _paired(line: Line, ours: Scored, theirs: Scored) -> Document | None:
    twin = next((other for other in theirs.lines if other.label == line.label), None)
    if line.column is None or twin is None or twin.column is None:
        return None
    columns = [ours.sources.measured.columns.get(line.column),
               theirs.sources.measured.columns.get(twin.column)]  # fmt: skip
    if columns[0] is None or columns[1] is None:
        return None
    both = np.isfinite(columns[0]) & np.isfinite(columns[1])
    try:
        made = paired_difference(columns[0][both], columns[1][both], SEED)
    except Refused:
        return None
    return {
        "against": theirs.target.name,
        "difference": number(made.value),
        "se": number(made.se),
        "ci95": plain([made.extra.get("low"), made.extra.get("high")]),
        "n_images": made.n,
    }
