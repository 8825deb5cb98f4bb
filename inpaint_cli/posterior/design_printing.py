"""The report of looks at a data set, or of labels that are crossed, as text, Markdown or CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from inpaint_cli.metrics.metric import ARROWS
from inpaint_cli.metrics.tables import aligned, markdown_table, shown_error
from inpaint_cli.posterior.design_table import CROSSED, WHOLE, Document

LABELS = {"accuracy": "accuracy [%]", "nll": "NLL [nats]", "auroc": "AUROC"}
FACTORS = {"accuracy": 100}
DIGITS = {"accuracy": 1, "nll": 3, "auroc": 3}
CSV = (
    *("model", "classifier", "target", "figure", "looks", "estimator", "value", "se", "better"),
    *("unit", "n_images", "difference", "difference_se", "difference_ci_low"),
    "difference_ci_high",
)
CROSSED_CSV = (
    *(name for name in CSV if name not in ("target", "estimator")),
    "judged",
    "chosen_for",
)
LEGEND = "± standard error over images; ≠ a paired difference whose 95 % interval leaves out 0"
CROSSED_LEGEND = (
    "a row: what is told; a column: what the looks were chosen for. ± standard error over images; "
    "≠ unlike the looks that were chosen for the row (95 % interval of the paired difference)"
)
Grid = list[list[str]]


def is_crossed(document: Document) -> bool:
    """Return whether looks chosen for one label were judged on another."""
    return bool(document["schema"] == CROSSED)


def text_of(document: Document) -> str:
    """Return the report as plain tables."""
    title = title_of(document)
    if not is_crossed(document):
        return "\n".join([title, *aligned(_grid(document), left=(0, 1)), _legend(document)]) + "\n"
    lines = [title]
    for heading, rows in _crossed(document):
        lines += ["", heading, *aligned(rows, left=(0, 1))]
    return "\n".join([*lines, "", _legend(document)]) + "\n"


def markdown_of(document: Document) -> str:
    """Return the report as Markdown."""
    lines = [f"**{title_of(document)}**"]
    if is_crossed(document):
        for heading, (head, *rows) in _crossed(document):
            lines += ["", heading, "", *markdown_table(head, rows)]
        return "\n".join([*lines, "", _legend(document)]) + "\n"
    head, *rows = _grid(document)
    return "\n".join([*lines, "", *markdown_table(head, rows), "", _legend(document)]) + "\n"


def _legend(document: Document) -> str:
    """Return what the signs of a table mean, and how many of them are to be expected."""
    crossed = is_crossed(document)
    shown = [e for e in document["figures"] if not crossed or e["looks"] == document["steps"]]
    tested = sum(bool(e["difference"] and e["difference"]["ci95"]) for e in shown)
    legend = CROSSED_LEGEND if crossed else LEGEND
    if tested < 2:
        return legend
    return (
        f"{legend}. Of {tested} comparisons, none corrected for that, 1 in 20 is marked by chance"
    )


def csv_of(document: Document) -> str:
    """Return one line a figure; numbers in full."""
    crossed, buffer = is_crossed(document), io.StringIO()
    columns = CROSSED_CSV if crossed else CSV
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    for entry in document["figures"]:
        row = {name: document[name] for name in ("model", "classifier", "target")} | entry
        writer.writerow(row | difference_columns(row.pop("difference")))
    return buffer.getvalue()


def difference_columns(difference: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a line of CSV says of a paired difference."""
    if not difference:
        return {}
    low, high = difference["ci95"] or ("", "")
    return {
        "difference": difference["value"],
        "difference_se": difference["se"],
        "difference_ci_low": low,
        "difference_ci_high": high,
    }


def title_of(document: Document) -> str:
    """Return the line above the table: who looked at what, and how."""
    data, size, patch = document["data"], document["size"], document["patch"]
    parts = [
        f"{document['model']}, classifier {document['classifier']}",
        *[f"target {document['target']}"] * (document["target"] is not None),
        f"{data['name']} {data['split']}",
        f"{document['n_images']} images of {size}x{size}",
        f"looks of {patch}x{patch} at {document['grid']}x{document['grid']} places",
        f"N={document['n']}",
        *[f"{document['training_images']} training images"] * bool(document["training_images"]),
        *[f"start {document['start']}"] * (document["start"] != "nothing"),
        f"seed {document['seed']}",
    ]
    return " · ".join(parts)


def _grid(document: Document) -> Grid:
    """Return the table of ways to choose."""
    names = document["estimators"]
    differences = [f"{name} - {names[0]}" for name in names[1:]]
    rows = [["", "after", "", *names, *differences]]
    by_key = {(e["figure"], e["looks"], e["estimator"]): e for e in document["figures"]}
    for figure in LABELS:
        for looks in dict.fromkeys(entry["looks"] for entry in document["figures"]):
            entries = [by_key.get((figure, looks, name)) for name in names]
            present = [entry for entry in entries if entry]
            if present:
                cells = [cell_of(figure, entry) for entry in present]
                cells += [cell_of(figure, entry["difference"]) for entry in present[1:]]
                arrow = ARROWS[present[0]["better"]]
                rows.append([LABELS[figure], _after(looks), arrow, *cells])
    return rows


def _after(looks: int | str) -> str:
    """Return in words what is visible.

    >>> _after(1), _after(WHOLE)
    ('1 look', 'whole')
    """
    return WHOLE if looks == WHOLE else f"{looks} look{'' if looks == 1 else 's'}"


def cell_of(figure: str, entry: dict[str, Any]) -> str:
    """Return a figure with its standard error, marked if it is a difference that is there."""
    factor, digits = FACTORS.get(figure, 1), DIGITS[figure]
    text, error = f"{factor * entry['value']:.{digits}f}", shown_error(entry["se"], factor, digits)
    text += f" ± {error}" if error else ""
    ends = entry.get("ci95")
    return f"{text} ≠" if ends and ends[0] * ends[1] > 0 else text


def _crossed(document: Document) -> list[tuple[str, Grid]]:
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
        if e["looks"] == WHOLE and e["judged"] == e["chosen_for"]
    }
    tables = []
    for figure in ("auroc", "nll", "accuracy"):
        present = next((e for key, e in entries.items() if key[0] == figure), None)
        if present is None:
            continue
        rows = [["", *names, "whole picture"]]
        for judged in names:
            cells = [_marked(entries.get((figure, judged, chosen)), figure) for chosen in names]
            rows.append([judged, *cells, _marked(whole.get((figure, judged)), figure)])
        heading = f"{LABELS[figure]} {ARROWS[present['better']]}, after {_after(steps)}"
        tables.append((heading, rows))
    return tables


def _marked(entry: dict[str, Any] | None, figure: str) -> str:
    """Return a figure, marked where its difference is; "-" where there is none."""
    if entry is None:
        return "-"
    ends = (entry["difference"] or {}).get("ci95")
    return cell_of(figure, entry) + " ≠" * bool(ends and ends[0] * ends[1] > 0)
