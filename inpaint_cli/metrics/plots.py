"""Pictures of a report: a plot per metric over the ranges, and the rank histograms."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inpaint_cli import metrics
from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.metrics.blocks import blocks_of, called, titles_of
from inpaint_cli.metrics.tables import label_of

Document = dict[str, Any]
DPI = 120
WIDEST = 96
"""Characters of a line above a plot."""


def figure_class() -> Any:
    """Return matplotlib's Figure: used without pyplot, it keeps no state and opens no window.

    UserError where matplotlib is missing or does not load.
    """
    try:
        from matplotlib.figure import Figure
    # Whatever breaks inside an optional package must not break more than what needs it.
    except Exception as error:
        raise UserError(
            f"needs matplotlib, which does not load here ({str(error).partition(chr(10))[0]}). "
            "Install it with: pip install 'inpaint[plots]'",
            setting="plots",
        ) from error
    return Figure


def write_all(documents: Sequence[Document], folder: Path) -> list[Path]:
    """Write a PNG per metric over the ranges, where there are any, and per rank histogram."""
    paths = list[Path]()
    labels = dict.fromkeys(label_of(e) for d in documents for e in d["metrics"] if "groups" in e)
    for label in labels:
        paths.append(_free(folder / f"{_file_name(label)}.png", paths))
        _save(_over_ranges(documents, label), paths[-1])
    for name, document in zip(called(documents), documents, strict=True):
        entry = next((e for e in document["metrics"] if e["name"] == "rank-histogram"), None)
        if entry:
            paths.append(_free(folder / f"rank-histogram-{_file_name(name)}.png", paths))
            _save(_histogram(name, entry), paths[-1])
    return paths


def _free(path: Path, taken: Sequence[Path]) -> Path:
    """Return a path, or with a number where names that differ come to one file: a/b and a-b."""
    number, free = 1, path
    while free in taken:
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def _file_name(label: str) -> str:
    """Return a label as a file name.

    >>> _file_name("coverage 81.8 %"), _file_name("lpips-gt@10")
    ('coverage-81.8', 'lpips-gt@10')
    """
    return re.sub(r"[^\w.@-]+", "-", label).strip("-")


def _over_ranges(documents: Sequence[Document], label: str) -> Any:
    figure = figure_class()(figsize=(6, 4), layout="constrained")
    axes, drawn, lines = figure.subplots(), list[tuple[Any, str]](), "bars: standard errors"
    for name, document in zip(called(documents), documents, strict=True):
        entry = next((e for e in document["metrics"] if label_of(e) == label), None)
        if entry is None or "groups" not in entry:
            continue
        factor = metrics.get(entry["name"]).factor
        kept = {n: g for n, g in entry["groups"].items() if isinstance(g["value"], float)}
        values = [group["value"] * factor for group in kept.values()]
        errors = [(group["se"] or 0.0) * factor for group in kept.values()]
        drawn.append((axes.errorbar(list(kept), values, errors, marker="o", capsize=3), name))
        unit = metrics.get(entry["name"]).unit
        better = {"lower": ", lower is better", "higher": ", higher is better"}
        axes.set_ylabel(f"{label}{f' [{unit}]' if unit else ''}{better.get(entry['better'], '')}")
        if entry.get("target") is not None:
            axes.axhline(entry["target"] * factor, color="grey", linestyle="--", linewidth=1)
            lines = "bars: standard errors; dashed: the aim"
    axes.set_xlabel("visible [%]")
    _write(axes.set_title("", fontsize=8), f"{_about(documents)}\n{lines}")
    legend = axes.legend([line for line, _ in drawn], [str(n) for n in range(len(drawn))])
    for text, (_, name) in zip(legend.get_texts(), drawn, strict=True):
        _write(text, name)
    axes.grid(alpha=0.3)
    return figure


def _about(documents: Sequence[Document]) -> str:
    """Return of which data, how many images and which masks the figures are."""
    titles = [titles_of(block)[0].partition(" · ")[2] for block in blocks_of(documents)]
    return "\n".join(textwrap.fill(title, WIDEST) for title in dict.fromkeys(titles))


def _histogram(name: str, entry: Document) -> Any:
    """Return the rank histogram with its 95 % band over images and the line of a right forecast."""
    arrays = entry["arrays"]
    shares, low, high = arrays["rank_histogram"], arrays["band_low"], arrays["band_high"]
    places = list(range(len(shares)))
    below = [max(share - end, 0.0) for share, end in zip(shares, low, strict=True)]
    above = [max(end - share, 0.0) for share, end in zip(shares, high, strict=True)]
    figure = figure_class()(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.bar(places, shares, width=0.9, color="tab:blue")
    bars = {"fmt": "none", "ecolor": "black", "capsize": 2, "label": "95 % over images"}
    axes.errorbar(places, shares, [below, above], **bars)
    axes.axhline(1 / len(shares), color="tab:orange", linestyle="--", label="a right forecast")
    axes.set_xlabel(f"rank of the original among {len(shares) - 1} completions")
    axes.set_ylabel("share of hidden values")
    shapes = "U = too sure, dome = too vague, slope = bias"
    _write(axes.set_title("", fontsize=9), f"{name}: {shapes}")
    axes.legend(loc="lower center")
    return figure


def _write(text: Any, name: str) -> None:
    """Set a text that holds a name, in which $ is no formula and a leading _ hides nothing."""
    text.set_parse_math(False)
    text.set_text(name)


def _save(figure: Any, path: Path) -> None:
    with replacing(path) as temporary, warnings.catch_warnings():
        # A name in a script that the font lacks: the boxes in its place are plain to see.
        warnings.filterwarnings("ignore", "Glyph")
        # Without the date and version that matplotlib adds, so that the same report gives the same.
        figure.savefig(temporary, dpi=DPI, format="png", metadata={"Software": None})
