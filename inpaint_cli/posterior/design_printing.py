"""The report of looks at a data set as text, Markdown or CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from inpaint_cli.metrics.metric import ARROWS
from inpaint_cli.metrics.tables import aligned, markdown_table, shown_error
from inpaint_cli.posterior.design_table import WHOLE, Document

LABELS = {"accuracy": "accuracy [%]", "nll": "NLL [nats]", "auroc": "AUROC"}
FACTORS = {"accuracy": 100}
DIGITS = {"accuracy": 1, "nll": 3, "auroc": 3}
CSV = (
    *("model", "classifier", "target", "figure", "looks", "estimator", "value", "se", "better"),
    *("unit", "n_images", "difference", "difference_se", "difference_ci_low"),
    "difference_ci_high",
)
LEGEND = "± standard error over images; ≠ a paired difference whose 95 % interval leaves out 0"


def text_of(document: Document) -> str:
    """Return the report as a plain table."""
    # A last column of nothing, since the last one would not be set to the right.
    rows = [[*row, ""] for row in _grid(document)]
    lines = [title_of(document), *aligned(rows), LEGEND]
    return "\n".join(lines) + "\n"


def markdown_of(document: Document) -> str:
    """Return the report as Markdown."""
    head, *rows = _grid(document)
    table = markdown_table(head, rows)
    return "\n".join([f"**{title_of(document)}**", "", *table, "", LEGEND]) + "\n"


def csv_of(document: Document) -> str:
    """Return one line a figure; numbers in full."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV, lineterminator="\n", restval="", extrasaction="ignore")
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


def _grid(document: Document) -> list[list[str]]:
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
