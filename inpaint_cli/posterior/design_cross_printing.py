"""The report of looks chosen for one label and judged on another, as text, Markdown or CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from inpaint_cli.metrics.metric import ARROWS
from inpaint_cli.metrics.tables import aligned, markdown_table
from inpaint_cli.posterior.design_printing import CSV, LABELS, cell_of, difference_columns, title_of
from inpaint_cli.posterior.design_table import Document

FIGURES = ("auroc", "nll", "accuracy")
COLUMNS = (*(name for name in CSV if name not in ("target", "estimator")), "judged", "chosen_for")
LEGEND = (
    "a row: what is told; a column: what the looks were chosen for. ± standard error over images; "
    "≠ unlike the looks that were chosen for the row (95 % interval of the paired difference)"
)


def text_of(document: Document) -> str:
    """Return the report as plain tables."""
    lines = [title_of(document)]
    for title, rows in _tables(document):
        # A last column of nothing, since the last one would not be set to the right.
        lines += ["", title, *aligned([[*row, ""] for row in rows])]
    return "\n".join([*lines, "", LEGEND]) + "\n"


def markdown_of(document: Document) -> str:
    """Return the report as Markdown."""
    lines = [f"**{title_of(document)}**"]
    for title, (head, *rows) in _tables(document):
        lines += ["", title, "", *markdown_table(head, rows)]
    return "\n".join([*lines, "", LEGEND]) + "\n"


def csv_of(document: Document) -> str:
    """Return one line a figure; numbers in full."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    for entry in document["figures"]:
        row = {name: document[name] for name in ("model", "classifier")} | entry
        writer.writerow(row | difference_columns(row.pop("difference")))
    return buffer.getvalue()


def _tables(document: Document) -> list[tuple[str, list[list[str]]]]:
    """Return the tables after the last look, each with its title."""
    names, steps = document["labels"], document["steps"]
    entries = {
        (e["figure"], e["judged"], e["chosen_for"]): e
        for e in document["figures"]
        if e["looks"] == steps
    }
    whole = {
        (e["figure"], e["judged"]): e
        for e in document["figures"]
        if e["looks"] == "whole" and e["judged"] == e["chosen_for"]
    }
    tables = []
    for figure in FIGURES:
        present = next((e for key, e in entries.items() if key[0] == figure), None)
        if present is None:
            continue
        rows = [["", *names, "whole picture"]]
        for judged in names:
            cells = [_cell(entries.get((figure, judged, chosen)), figure) for chosen in names]
            rows.append([judged, *cells, _cell(whole.get((figure, judged)), figure)])
        after = f"after {steps} look{'' if steps == 1 else 's'}"
        tables.append((f"{LABELS[figure]} {ARROWS[present['better']]}, {after}", rows))
    return tables


def _cell(entry: dict[str, Any] | None, figure: str) -> str:
    """Return a figure, marked where its difference is; "-" where there is none."""
    if entry is None:
        return "-"
    ends = (entry["difference"] or {}).get("ci95")
    return cell_of(figure, entry) + " ≠" * bool(ends and ends[0] * ends[1] > 0)
