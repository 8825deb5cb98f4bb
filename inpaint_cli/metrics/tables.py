"""A report as text, Markdown or CSV: one line a figure, several models side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inpaint_cli import metrics
from inpaint_cli.errors import with_flags
from inpaint_cli.metrics.blocks import blocks_of, heads_of, names_of_masks, titles_of
from inpaint_cli.metrics.metric import ARROWS
from inpaint_cli.metrics.protocol import BINS, bin_name

Document = dict[str, Any]
Grid = list[list[str]]
NARROW = 80
"""Below this width the table leaves out the errors, then the counts."""
REFUSED = "refused"
UNEQUAL = 0.02
"""Ranges whose numbers of images differ by more of the largest have no table of what depends on n.
"""
UNEQUAL_N = "its ranges hold unequal numbers of images: their figures stand in the JSON alone"
SIGNIFICANT = 0.05
"""How likely any mark of a difference in a table may be false (Holm)."""
CSV = (
    *("model", "masks", "metric", "label", "variant", "visible", "value", "se", "sd"),
    *("ci_low", "ci_high", "se_method", "bias", "unit", "better", "n", "d", "k"),
    *("features", "warnings", "refused", "against", "difference", "difference_se"),
    *("difference_low", "difference_high", "difference_n", "p", "p_holm"),
)


@dataclass(frozen=True)
class Shown:
    """What a table shows beside the figures."""

    errors: bool = True
    counts: bool = True
    sd: bool = False
    """The deviation of the images' figures."""


class Notes:
    """Remarks below a table, each numbered once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def marks(self, texts: Iterable[str]) -> str:
        """Return the numbers of some remarks, such as "1,3"."""
        told = [with_flags(text) for text in texts]
        self.texts += [text for text in dict.fromkeys(told) if text not in self.texts]
        return ",".join(str(n) for n in sorted({self.texts.index(text) + 1 for text in told}))

    def lines(self) -> list[str]:
        """Return the remarks with their numbers."""
        return [f"{number} {text}" for number, text in enumerate(self.texts, 1)]


def text_of(documents: Sequence[Document], width: int = 100, *, sd: bool = False) -> str:
    """Return the reports as a plain table; Unicode arrows say which way is better.

    sd: also the deviation of the images' figures.
    """
    return "\n\n".join(_block(block, width, sd) for block in blocks_of(documents)) + "\n"


def markdown_of(documents: Sequence[Document], *, sd: bool = False) -> str:
    """Return the reports as Markdown; sd as in `text_of`."""
    parts = []
    for block in blocks_of(documents):
        notes = Notes()
        head, *rows = _grid(block, notes, Shown(sd=sd))
        lines = [f"**{line}**  " for line in titles_of(block)] + [""]
        lines += [*markdown_table(head, rows), ""]
        ranges = by_range(block[0]) if len(block) == 1 else []
        lines += [*markdown_table(ranges[0], ranges[1:]), ""] if ranges else []
        lines += [f"{number}. {text}" for number, text in enumerate(notes.texts, 1)]
        lines += [line for mark in _on_marks(block) for line in ("", mark)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table: the first column left, the others right."""
    return [_row(head), _row(["---", *["---:"] * (len(head) - 1)]), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def csv_of(documents: Sequence[Document]) -> str:
    """Return one line a figure and range of the visible fraction; numbers in full."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV, lineterminator="\n", restval="")
    writer.writeheader()
    for document, masks in zip(documents, names_of_masks(documents), strict=True):
        model = {"model": document["model"]["name"], "masks": masks}
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
            writer.writerow(common | _of_images("all", entry) | _of_paired(entry))
            for name, group in entry.get("groups", {}).items():
                writer.writerow(common | _of_images(name, group) | {"refused": group["refused"]})
        for refusal in document["refused"]:
            writer.writerow({**model, "metric": refusal["name"], "refused": refusal["reason"]})
    return buffer.getvalue()


def _of_images(visible: str, figure: Document) -> Document:
    """Return the cells of CSV that differ between the ranges of an entry."""
    low, high = figure["ci95"] or ("", "")
    return {
        "visible": visible,
        **{name: figure[name] for name in ("value", "se", "se_method", "sd", "bias")},
        "ci_low": low,
        "ci_high": high,
        "n": figure["n_images"],
        "d": figure["params"].get("d"),
        "warnings": "; ".join(figure["warnings"]),
    }


def _of_paired(entry: Document) -> Document:
    """Return the cells of the difference from the first model, image by image; {} without one."""
    paired = entry["params"].get("paired")
    if paired is None:
        return {}
    low, high = paired["ci95"] or ("", "")
    return {
        **{name: paired[name] for name in ("against", "difference", "p")},
        "difference_se": paired["se"],
        "difference_low": low,
        "difference_high": high,
        "difference_n": paired["n_images"],
        "p_holm": paired.get("p_holm"),
    }


def label_of(entry: Document) -> str:
    """Return what a table calls an entry."""
    return str(entry["params"].get("label", entry["name"]))


def shown(entry_name: str, value: Any) -> str:
    """Return a number as a table shows it, scaled and rounded as its metric wants.

    >>> shown("p-ids", 0.2124), shown("lpips-gt", 0.12), shown("psnr", "inf"), shown("fid", None)
    ('21.2', '0.1200', 'inf', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    metric = metrics.get(entry_name)
    return f"{value * metric.factor:.{metric.digits}f}"


def error_of(entry_name: str, se: float | None) -> str:
    """Return an error as a table shows it, with a digit more where it would be rounded to 0.

    An error of 0, as of a figure that all images share, is none to show: "".

    >>> error_of("p-ids", 0.013), error_of("p-ids", 0.0002), error_of("p-ids", 0.0)
    ('1.3', '0.02', '')
    """
    metric = metrics.get(entry_name)
    return shown_error(se, metric.factor, metric.digits)


def shown_error(se: float | None, factor: float, digits: int) -> str:
    """Return factor * se with so many decimals, with more where it would be rounded to 0; "" for 0.

    >>> shown_error(0.0, 1, 3), shown_error(0.0001, 1, 3), shown_error(0.0123, 100, 1)
    ('', '0.0001', '1.2')
    """
    if not se:
        return ""
    text = f"{factor * se:.{digits}f}"
    return text if float(text) else f"{factor * se:.1g}"


def with_error(entry_name: str, figure: Document, sd: bool = False) -> str:
    """Return a figure with its error, and beside it the bias that the error leaves out.

    sd: also the deviation of the images' figures.
    """
    text, error = shown(entry_name, figure["value"]), error_of(entry_name, figure["se"])
    text += f" ± {error}" if error else ""
    deviation = error_of(entry_name, figure["sd"]) if sd else ""
    told = [f"sd {deviation}"] if deviation else []
    bias = figure.get("bias")
    told += [] if bias is None else [f"bias {shown(entry_name, bias)}"]
    return f"{text} ({', '.join(told)})" if told else text


def _block(block: Sequence[Document], width: int, sd: bool) -> str:
    whole = Shown(sd=sd)
    fewer = replace(whole, errors=False)
    for what in (whole, fewer, replace(fewer, counts=False)):
        notes = Notes()
        rows = _grid(block, notes, what)
        lines = aligned(rows)
        if width >= NARROW or max(map(len, lines)) <= width:
            break
    ranges = by_range(block[0]) if what.errors and len(block) == 1 else []
    below = aligned(ranges) if ranges else []
    return "\n".join([*titles_of(block), *lines, *below, *notes.lines(), *_on_marks(block)])


def _grid(block: Sequence[Document], notes: Notes, what: Shown) -> Grid:
    """Return the cells, the head first: alone with ranges, or models side by side."""
    bins = any("groups" in entry for entry in block[0]["metrics"])
    if len(block) > 1:
        return _side_by_side(block, notes, what)
    errors, counts, sd = what.errors, what.counts, what.sd
    names = [f"{bin_name(ends)} %" for ends in BINS] if bins else []
    biased = errors and any(entry["bias"] is not None for entry in block[0]["metrics"])
    head = ["metric", "", "value", *["±"] * errors, *["sd"] * sd, *["bias"] * biased]
    head += [*["n", "k"] * counts, *names, "notes"]
    rows = [head]
    for entry in block[0]["metrics"]:
        cells = [_titled(entry), ARROWS[entry["better"]], shown(entry["name"], entry["value"])]
        cells += [error_of(entry["name"], entry["se"]) or "-"] * errors
        cells += [error_of(entry["name"], entry["sd"]) or "-"] * sd
        cells += ["-" if entry["bias"] is None else shown(entry["name"], entry["bias"])] * biased
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
    if metrics.get(entry["name"]).depends_on_n:
        marks += [UNEQUAL_N] * (len(_counts(groups)) > 0 and not _are_equal(groups))
        return ["-"] * len(groups)
    return [f"{shown(entry['name'], g['value'])} ({g['n_images']})" for g in groups.values()]


def _counts(groups: Document) -> list[int]:
    """Return the numbers of images of the ranges that have a figure."""
    return [group["n_images"] for group in groups.values() if not group["refused"]]


def _are_equal(groups: Document) -> bool:
    counts = _counts(groups)
    return max(counts) - min(counts) <= UNEQUAL * max(counts)


def by_range(document: Document) -> Grid:
    """Return the figures of the ranges that depend on n, apart from the whole's; none if unequal.

    Of one n they compare with each other, but with no figure of all images.
    """
    rows = []
    for entry in document["metrics"]:
        groups = entry.get("groups", {})
        counts = _counts(groups)
        if metrics.get(entry["name"]).depends_on_n and counts and _are_equal(groups):
            head = [_titled(entry), ARROWS[entry["better"]], str(max(counts))]
            figures = groups.values()
            rows.append([*head, *(with_error(entry["name"], figure) for figure in figures)])
    names = [f"{bin_name(ends)} %" for ends in BINS]
    return [["by range", "", "n", *names], *rows] if rows else []


def _side_by_side(block: Sequence[Document], notes: Notes, what: Shown) -> Grid:
    """Return a column a model or kind of masks; the sign ≠ marks a difference from the first."""
    rows = [["metric", "", *heads_of(block), "notes"]]
    entries = [{label_of(e): e for e in document["metrics"]} for document in block]
    labels = dict.fromkeys(label for by_label in entries for label in by_label)
    for label in labels:
        column = [by_label.get(label) for by_label in entries]
        present = [entry for entry in column if entry]
        marks = [text for entry in present for text in entry["warnings"]]
        cells = [_cell(entry, what) for entry in column]
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


def _cell(entry: Document | None, what: Shown) -> str:
    if entry is None:
        return "-"
    name = entry["name"]
    text = with_error(name, entry, what.sd) if what.errors else shown(name, entry["value"])
    return f"{text} ≠" if _differs(entry) else text


def _differs(entry: Document) -> bool:
    """Return whether a figure differs from the first model's, all comparisons considered."""
    return bool(entry["params"].get("paired", {}).get("p_holm", 1.0) <= SIGNIFICANT)


def _on_marks(block: Sequence[Document]) -> list[str]:
    """Return what the mark of a difference means, where there are any."""
    for document in block[1:]:
        for entry in document["metrics"]:
            if _differs(entry):
                paired = entry["params"]["paired"]
                return [
                    f"≠ differs from {paired['against']}, image by image, at 5 % by Holm's "
                    f"correction over the {paired['comparisons']} comparisons"
                ]
    return []


def aligned(rows: Grid, left: Sequence[int] = (0, 1, -1)) -> list[str]:
    """Return rows as lines; columns of the numbers in `left` start at one place, others end there.

    >>> aligned([["a", "1"], ["bc", "10"]], left=(0,))
    ['a    1', 'bc  10']
    """
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    to_left = {place % len(widths) for place in left}
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place in to_left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
