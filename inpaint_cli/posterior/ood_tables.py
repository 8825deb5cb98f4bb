"""What `inpaint ood` prints: plain tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inpaint_cli.metrics.protocol import bin_name
from inpaint_cli.metrics.tables import aligned, shown_error
from inpaint_cli.posterior.ood_judging import Judgement
from inpaint_cli.posterior.ood_reference import SCORES, Facts
from inpaint_cli.streams import shown


def of_photos(judged: Sequence[Judgement]) -> str:
    """Return a line a photo: what of it was visible, its p-value and its score."""
    rows = [["photo", "visible", "p", "score"]]
    for one in judged:
        share = f"{100 * one.visible:.0f} %"
        rows.append([shown(one.name), share, f"{one.p:.3g}", f"{one.score:.4g}"])
    return "\n".join(aligned(rows, left=(0,)))


def of_comparison(document: Mapping[str, Any]) -> str:
    """Return how uniform the p-values are, and the AUROC of each set, by score."""
    names = list(document["p_values"])
    told = [document["p_values"][name] for name in names]
    rows = [[f"p-values of {document['n']} {document['split']} pictures", *names]]
    limit = f"distance from uniform (if they are, below {told[0]['below']:.3f})"
    rows.append([limit, *(f"{one['distance']:.3f}" for one in told)])
    for level in told[0]["shares"]:
        shares = (f"{100 * one['shares'][level]:.1f} %" for one in told)
        rows.append([f"share of p <= {level}", *shares])
    for place, row in enumerate(document["sets"]):
        if not place:
            rows += [[""] * len(rows[0]), ["AUROC against", *[""] * len(names)]]
        rows.append([f"{shown(row['set'])} ({row['n']})", *_cells(row["auroc"], names)])
        for part in row.get("by_visible", []):
            label = f"  {bin_name(part['visible'])} % visible ({part['n']})"
            rows.append([label, *_cells(part["auroc"], names)])
    return "\n".join(aligned(rows, left=(0,)))


def _cells(separations: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    cells = []
    for name in names:
        one = separations[name]
        error = "" if one is None else shown_error(one["se"], 1, 3)
        apart = f" ± {error}" if error else ""
        cells.append("-" if one is None else f"{one['value']:.3f}{apart}")
    return cells


def described(facts: Facts) -> list[str]:
    """Return lines that say what a reference is of."""
    lines = [f"{facts.model}: usual pictures are {facts.data} under masks {facts.masks}"]
    for stratum, words in (("masked", "partly visible"), ("whole", "wholly visible")):
        lost = facts.not_finite[stratum]
        more = f", {lost} of them left out (not finite)" if lost else ""
        lines.append(
            f"{words}: {facts.n[stratum]} training pictures, {facts.held_out[stratum]} held out"
            + more
        )
    lines.append(f"scores: {'; '.join(f'{name} = {SCORES[name][1]}' for name in facts.scores)}")
    return lines
