"""One table of all trained families: quality by the share that is visible, seconds, memory.

All models complete the same pictures under the same masks, in windows of their own size where that
is not the pictures'. Likelihoods are then refused, so those of models that have one are computed
at the model's own size as well. Writes report.json and results.md into --out and prints the path of
the latter; run again after it was stopped, it goes on.

    python -m benchmarks.results --data scenes128.zip --data photos128.zip --limit 250 --out results
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import completion_cost
from inpaint_cli import api, metrics, models, zoo
from inpaint_cli.errors import UserError
from inpaint_cli.files import write_text
from inpaint_cli.metrics.blocks import titles_of
from inpaint_cli.metrics.metric import ARROWS
from inpaint_cli.metrics.protocol import BINS, SIDE, bin_name
from inpaint_cli.metrics.tables import Notes, label_of, shown, with_error
from inpaint_cli.reporting import Reporter
from inpaint_cli.weights import read_config, read_header

WANTED = (
    *("fid", "kid", "lpips-gt", "lpips-diversity", "p-ids", "psnr", "ssim"),
    *("crps", "energy", "coverage", "nll"),
)
LAST = ("lpips-gt", "nll")
"""Of these the last line of a report is shown, the best of all K and nats a value; else the first.
"""
COMPLETIONS = 8
"""In the one call whose seconds are measured."""
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
OVER_IMAGES = {"image se", "image se within ranges"}
MIB = 2**20
COSTS = {
    "seconds per completion": ("seconds_per_completion", 1.0, ".3g"),
    "processor seconds per completion": ("processor_seconds_per_completion", 1.0, ".3g"),
    "memory at most [MiB]": ("peak_bytes", 1 / MIB, ".0f"),
    "of it for the model [MiB]": ("above_bytes", 1 / MIB, ".0f"),
}
"""Row of the table -> the name in a report, the factor, the format."""

Document = dict[str, Any]
Report = Mapping[str, Any]
Grid = list[list[str]]


def photo_models() -> list[str]:
    """Return the methods without weights, and every model that ships for colour photos."""
    names = [name for name in models.FAMILIES if not models.get(name).stage_names]
    for entry in zoo.entries():
        completes = models.get(entry.card["family"]).completes
        if completes and read_config(read_header(entry.weights), entry.weights).channels == 3:
            names.append(entry.name)
    return names


def scores(names: Sequence[str], size: int, reporter: Reporter, **options: Any) -> list[Document]:
    """Return a score report per model, with the likelihoods of models that are not of this size."""
    common = {**options, "by_visible": True}
    k = common.pop("k")
    documents = api.score(
        names, reporter=reporter, metrics=",".join(WANTED), size=size, k=k, **common
    )
    for document in documents:
        name = document["model"]["name"]
        if refusal_of(document, "nll") and api.load_model(name, "cpu").model.has_log_prob:
            (at_own_size,) = api.score(name, reporter=reporter, metrics="nll", k=1, **common)
            document["own_size"] = at_own_size
    return documents


def entry_of(document: Document, metric: str) -> Document | None:
    """Return the line of a report that stands for a metric; None where it was refused."""
    entries: list[Document] = [e for e in document["metrics"] if e["name"] == metric]
    if entries:
        return entries[-1 if metric in LAST else 0]
    if metric != "nll" or "own_size" not in document:
        return None
    elsewhere = entry_of(document["own_size"], metric)
    if elsewhere is None:
        return None
    data = document["own_size"]["protocol"]["dataset"]
    side = f"{data['height']}x{data['width']}"
    remark = f"at the model's own {side} pixels and {data['levels']} levels"
    return {**elsewhere, "warnings": [remark, *elsewhere["warnings"]]}


def refusal_of(document: Document, metric: str) -> str | None:
    """Return why a metric was refused; a refused line may carry its features after the name."""
    return next(
        (r["reason"] for r in document["refused"] if r["name"].partition("@")[0] == metric), None
    )


def marked(text: str, notes: Notes, remarks: Sequence[str]) -> str:
    """Return a text with the numbers of its remarks, raised: "-¹"."""
    return text + notes.marks(remarks).translate(SUPERSCRIPTS)


def cell(metric: str, figure: Mapping[str, Any], notes: Notes, remarks: Sequence[str]) -> str:
    """Return a figure with its standard error, or else its interval; "-" where it was refused."""
    text, bounds = with_error(metric, dict(figure)), figure["ci95"]
    if figure["se"] is None and bounds:
        text += f" [{shown(metric, bounds[0])}, {shown(metric, bounds[1])}]"
    return marked(text, notes, remarks)


def title(
    metric: str, entries: Sequence[Document | None], notes: Notes, common: Sequence[str]
) -> str:
    """Return the name of a metric with its unit, its direction and what holds for every model."""
    first = next((entry for entry in entries if entry is not None), None)
    if first is None:
        return metric
    unit = metrics.get(metric).unit
    text = f"{label_of(first)} [{unit}]" if unit else label_of(first)
    how = sorted({e["se_method"] for e in entries if e and e["se_method"]} - OVER_IMAGES)
    errors = [f"standard error: {', '.join(how)}"] if how else []
    return marked(f"{text} {ARROWS[first['better']]}".rstrip(), notes, [*errors, *common])


def shared(entries: Sequence[Document | None]) -> list[str]:
    """Return the warnings that all models have of a metric; none of a single model's."""
    first, *others = [entry["warnings"] for entry in entries if entry is not None] or [[]]
    return [text for text in first if others and all(text in other for other in others)]


def whole(document: Document, metric: str, common: Sequence[str], notes: Notes) -> str:
    """Return the figure of a model over all ranges."""
    entry = entry_of(document, metric)
    if entry is None:
        return marked("-", notes, [refusal_of(document, metric) or "not computed"])
    return cell(metric, entry, notes, [text for text in entry["warnings"] if text not in common])


def overall(report: Report, notes: Notes) -> Grid:
    """Return the table of all ranges together: a row a metric or cost, a column a model."""
    documents: list[Document] = report["scores"]
    names = [document["model"]["name"] for document in documents]
    rows = [["", *names]]
    for metric in WANTED:
        entries = [entry_of(document, metric) for document in documents]
        common = shared(entries)
        head = title(metric, entries, notes, common)
        rows.append([head, *(whole(document, metric, common, notes) for document in documents)])
    costs = {cost["model"]: cost for cost in report["costs"]}
    for head, (field, factor, form) in COSTS.items():
        row = [f"{costs[name][field] * factor:{form}}" for name in names]
        rows.append([f"{head} {ARROWS['lower']}", *row])
    return rows


def by_visible(report: Report, metric: str, notes: Notes) -> Grid:
    """Return the table of a metric: a row a model, a column a range of the visible share.

    Beside them the figure of all ranges, unless the number of images moves the figure itself.
    """
    documents: list[Document] = report["scores"]
    entries = [entry_of(document, metric) for document in documents]
    alone = metrics.get(metric).depends_on_n
    columns: list[list[Any]] = [
        [e and e["groups"][bin_name(ends)] for e in entries] for ends in BINS
    ]
    every = [shared(column) for column in columns] + ([] if alone else [shared(entries)])
    common = [text for text in every[0] if all(text in texts for texts in every)]
    head = [title(metric, entries, notes, common)]
    head += [f"{bin_name(e)} % visible{_count(c)}" for e, c in zip(BINS, columns, strict=True)]
    rows = [[*head, *([] if alone else ["all"])]]
    for place, (document, entry) in enumerate(zip(documents, entries, strict=True)):
        if entry is None:
            reason = [refusal_of(document, metric) or "not computed"]
            cells = [marked("-", notes, reason)] * len(BINS)
        else:
            cells = [_of_range(metric, column[place], notes, common) for column in columns]
        last = [] if alone else [whole(document, metric, common, notes)]
        rows.append([document["model"]["name"], *cells, *last])
    return rows


def _count(groups: Sequence[Document | None]) -> str:
    """Return the number of images of a range, where it is one for all models."""
    counts = {group["n_images"] for group in groups if group}
    return f", n = {counts.pop()}" if len(counts) == 1 else ""


def _of_range(metric: str, group: Document, notes: Notes, common: Sequence[str]) -> str:
    remarks = [text for text in group["warnings"] if text not in common]
    return cell(metric, group, notes, [*remarks, *([group["refused"]] if group["refused"] else [])])


def has_figures(report: Report, metric: str) -> bool:
    """Return whether any model has a figure of any range."""
    entries = [entry_of(document, metric) for document in report["scores"]]
    return any(g["value"] is not None for e in entries if e for g in e["groups"].values())


def markdown(rows: Grid, notes: Notes) -> str:
    """Return a table with its remarks below."""
    lines = ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows]
    lines.insert(1, "| --- |" + " ---: |" * (len(rows[0]) - 1))
    below = [f"{n}. {text}" for n, text in enumerate(notes.texts, 1)]
    return "\n".join([*lines, *([""] if below else []), *below])


def text_of(report: Report) -> str:
    """Return the whole of results.md."""
    return "\n\n".join(_parts(report)) + "\n"


def _parts(report: Report) -> Iterator[str]:
    yield "\n".join(titles_of(report["scores"]))
    yield (
        "Figures are means ± standard errors over images, within ranges of the visible share where "
        "masks are a mixture of them; a bias stands beside a figure that the number of images "
        f"moves, and is no part of the error. {how_costs(report['costs'])}"
    )
    yield "## All ranges"
    notes = Notes()
    yield markdown(overall(report, notes), notes)
    for metric in WANTED:
        notes = Notes()
        rows = by_visible(report, metric, notes)
        yield f"## {metric}"
        yield markdown(rows, notes) if has_figures(report, metric) else " ".join(notes.texts)


def how_costs(costs: Sequence[Mapping[str, Any]]) -> str:
    """Return how seconds and memory were measured, in words."""
    one = costs[0]
    threads = f"{one['threads']} thread{'s' * (one['threads'] != 1)}"
    return (
        f"Seconds: one call for {max(cost['n'] for cost in costs)} completions (deterministic "
        "methods: 1) of one picture at the model's own size (where it has none, at that of the "
        f"scores), the median of {one['repeats']} calls after a first one, {threads} of "
        f"{one['machine']}, torch {one['torch']}. Memory: of the whole process at most, and what "
        "of it was not there before the model was loaded."
    )


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", action="append", help="default: all for colour photos")
    parser.add_argument("--data", action="append", help="default: the small set that ships")
    parser.add_argument("--size", type=int, default=SIDE, help="of the pictures")
    parser.add_argument("--limit", type=int, help="so many pictures; default: all")
    parser.add_argument("-k", type=int, default=10, help="completions of each picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--perceptual", help="as in inpaint score")
    parser.add_argument("--features", help="as in inpaint score")
    parser.add_argument("--threads", type=int, default=1, help="of the costs")
    parser.add_argument("--repeats", type=int, default=5, help="calls that are timed")
    parser.add_argument("--work", type=Path, help="where to keep measurements; default: OUT/work")
    parser.add_argument("--out", type=Path, default=Path("results"))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Scores, measures, writes."""
    given = parsed(arguments)
    spelled = given.model or photo_models()
    names = list(dict.fromkeys(n for m in spelled for n in _spelled(m, given.size)))
    options = {n: getattr(given, n) for n in ("limit", "k", "seed", "perceptual", "features")}
    options |= {"data": tuple(given.data or ()), "work": given.work or given.out / "work"}
    scored = scores(names, given.size, Reporter(), **options)
    settings = completion_cost.Settings(COMPLETIONS, given.repeats, given.threads, given.size)
    costs = [completion_cost.in_own_process(name, settings) for name in names]
    report = {"scores": scored, "costs": costs, "cost_settings": asdict(settings)}
    whole_text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(given.out / "report.json", whole_text + "\n")
    write_text(given.out / "results.md", text_of(report))
    print(given.out / "results.md")


def _spelled(name: str, size: int) -> list[str]:
    return api.every_model(size) if name == api.ALL else [name]


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
