"""A report as text, Markdown or CSV: one line a figure, several models side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from inpaint_cli import metrics
from inpaint_cli.metrics.metric import ARROWS
from inpaint_cli.metrics.protocol import BINS, bin_name

Document = dict[str, Any]
Grid = list[list[str]]
NARROW = 80
"""Below this width the table leaves out the errors, then the counts."""
REFUSED = "refused"
CSV = (
    *("model", "metric", "label", "variant", "visible", "value", "se", "ci_low", "ci_high"),
    *("unit", "better", "n", "k", "features", "refused"),
)


class Notes:
    """Remarks below a table, each numbered once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def marks(self, texts: Iterable[str]) -> str:
        """Return the numbers of some remarks, such as "1,3"."""
        for text in texts:
            if text not in self.texts:
                self.texts.append(text)
        return ",".join(str(n) for n in sorted({self.texts.index(text) + 1 for text in texts}))

    def lines(self) -> list[str]:
        """Return the remarks with their numbers."""
        return [f"{number} {text}" for number, text in enumerate(self.texts, 1)]


def text_of(documents: Sequence[Document], width: int = 100) -> str:
    """Return the reports as a plain table; Unicode arrows say which way is better."""
    return "\n\n".join(_block(block, width) for block in _blocks(documents)) + "\n"


def markdown_of(documents: Sequence[Document]) -> str:
    """Return the reports as Markdown."""
    parts = []
    for block in _blocks(documents):
        notes = Notes()
        head, *rows = _grid(block, notes, errors=True, counts=True)
        lines = [f"**{line}**  " for line in titles_of(block)] + [""]
        lines += [_row(head), _row(["---", *["---:"] * (len(head) - 1)]), *map(_row, rows), ""]
        lines += [f"{number}. {text}" for number, text in enumerate(notes.texts, 1)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def csv_of(documents: Sequence[Document]) -> str:
    """Return one line a figure and range of the visible fraction; numbers in full."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV, lineterminator="\n", restval="")
    writer.writeheader()
    for document in documents:
        model = {"model": document["model"]["name"]}
        for entry in document["metrics"]:
            common = {
                **model,
                "metric": entry["name"],
                "label": label_of(entry),
                "variant": entry["variant"],
                "unit": entry["unit"],
                "better": entry["better"],
                "k": entry["k"],
                "features": entry["feature_id"],
            }
            low, high = entry["ci95"] or ("", "")
            writer.writerow(common | _of_images("all", entry) | {"ci_low": low, "ci_high": high})
            for name, group in entry.get("groups", {}).items():
                writer.writerow(common | _of_images(name, group) | {"refused": group["refused"]})
        for refusal in document["refused"]:
            writer.writerow({**model, "metric": refusal["name"], "refused": refusal["reason"]})
    return buffer.getvalue()


def _of_images(visible: str, figure: Document) -> Document:
    """Return the cells of CSV that differ between the ranges of an entry."""
    cells = {"visible": visible, "value": figure["value"], "se": figure["se"]}
    return {**cells, "n": figure["n_images"]}


def label_of(entry: Document) -> str:
    """Return what a table calls an entry."""
    return str(entry["params"].get("label", entry["name"]))


def shown(entry_name: str, value: Any, digits: int | None = None) -> str:
    """Return a number as a table shows it, scaled and rounded as its metric wants.

    >>> shown("p-ids", 0.2124), shown("lpips-gt", 0.12), shown("psnr", "inf"), shown("fid", None)
    ('21.2', '0.1200', 'inf', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    metric = metrics.get(entry_name)
    return f"{value * metric.factor:.{metric.digits if digits is None else digits}f}"


def titles_of(block: Sequence[Document]) -> list[str]:
    """Return the head of a table: who, which data, how many, which masks."""
    first = block[0]["protocol"]
    data, masks, completions = first["dataset"], first["masks"], first["completions"]
    k = sorted({document["protocol"]["completions"]["k"] for document in block})
    counts = "K=" + " or ".join(map(str, k))
    seed = "" if masks["seed"] is None else f" seed {masks['seed']}"
    kind = f"masks {masks['distribution']}{seed}"
    parts = [
        " | ".join(document["model"]["name"] for document in block),
        f"{data['name']} {data['split']}" if data["split"] != "none" else data["name"],
        f"{data['n_images']} images of {data['width']}x{data['height']}",
        counts,
        kind,
        "composited" if completions["composited"] else "as stored",
    ]
    return [" · ".join(parts)]


def _blocks(documents: Sequence[Document]) -> list[list[Document]]:
    """Return the tables: one for all models on the same images, and with ranges first one each."""
    blocks: dict[Any, list[Document]] = {}
    for document in documents:
        data = document["protocol"]["dataset"]
        key = (data["ids_sha256"], data["height"], data["width"], data["channels"], data["levels"])
        blocks.setdefault(key, []).append(document)
    if any("groups" in entry for document in documents for entry in document["metrics"]):
        alone = [[document] for document in documents]
        return alone + [block for block in blocks.values() if len(block) > 1]
    return list(blocks.values())


def _block(block: Sequence[Document], width: int) -> str:
    for errors, counts in ((True, True), (False, True), (False, False)):
        notes = Notes()
        rows = _grid(block, notes, errors=errors, counts=counts)
        lines = _aligned(rows)
        if width >= NARROW or max(map(len, lines)) <= width:
            break
    return "\n".join([*titles_of(block), *lines, *notes.lines()])


def _grid(block: Sequence[Document], notes: Notes, *, errors: bool, counts: bool) -> Grid:
    """Return the cells, the head first: alone with ranges, or models side by side."""
    bins = any("groups" in entry for entry in block[0]["metrics"])
    if len(block) > 1:
        return _side_by_side(block, notes, errors)
    names = [f"{bin_name(ends)} %" for ends in BINS] if bins else []
    head = ["metric", "", "value", *["±"] * errors, *["n", "k"] * counts, *names, "notes"]
    rows = [head]
    for entry in block[0]["metrics"]:
        cells = [_titled(entry), ARROWS[entry["better"]], shown(entry["name"], entry["value"])]
        cells += [shown(entry["name"], entry["se"])] * errors
        cells += [str(entry["n_images"]), "-" if entry["k"] is None else str(entry["k"])] * counts
        marks = list(entry["warnings"])
        if bins:
            cells += _bins(entry, marks)
        rows.append([*cells, notes.marks(marks)])
    for refusal in block[0]["refused"]:
        blank = [""] * (len(head) - 4)
        rows.append([refusal["name"], "", REFUSED, *blank, notes.marks([refusal["reason"]])])
    return rows


def _titled(entry: Document) -> str:
    """Return the label with the unit of the shown value."""
    unit = metrics.get(entry["name"]).unit
    return f"{label_of(entry)} [{unit}]" if unit else label_of(entry)


def _bins(entry: Document, marks: list[str]) -> list[str]:
    """Return the figures of the ranges, and notes which are refused for what."""
    groups = entry.get("groups", {})
    reasons: dict[str, list[str]] = {}
    for name, group in groups.items():
        if group["refused"]:
            reasons.setdefault(group["refused"], []).append(name)
    marks += [f"{', '.join(names)} %: {reason}" for reason, names in reasons.items()]
    return [f"{shown(entry['name'], g['value'])} ({g['n_images']})" for g in groups.values()]


def _side_by_side(block: Sequence[Document], notes: Notes, errors: bool) -> Grid:
    """Return a column a model; the sign ≠ marks a difference beyond its 95 % interval."""
    rows = [["metric", "", *(document["model"]["name"] for document in block), "notes"]]
    entries = [{label_of(e): e for e in document["metrics"]} for document in block]
    labels = dict.fromkeys(label for by_label in entries for label in by_label)
    for label in labels:
        column = [by_label.get(label) for by_label in entries]
        present = [entry for entry in column if entry]
        marks = [text for entry in present for text in entry["warnings"]]
        cells = [_cell(entry, errors) for entry in column]
        first = present[0]
        rows.append([_titled(first), ARROWS[first["better"]], *cells, notes.marks(marks)])
    refused = {r["name"]: None for document in block for r in document["refused"]}
    for name in refused:
        cells, marks = [], []
        for document in block:
            reasons = [r["reason"] for r in document["refused"] if r["name"] == name]
            cells.append(REFUSED if reasons else "")
            marks += reasons
        rows.append([name, "", *cells, notes.marks(marks)])
    return rows


def _cell(entry: Document | None, errors: bool) -> str:
    if entry is None:
        return "-"
    text = shown(entry["name"], entry["value"])
    if errors and entry["se"] is not None:
        text += f" ± {shown(entry['name'], entry['se'])}"
    bounds = entry["params"].get("paired", {}).get("ci95")
    if bounds and None not in bounds and bounds[0] * bounds[1] > 0:
        text += " ≠"
    return text


def _aligned(rows: Grid) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place in (0, 1, len(row) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
