"""What `inpaint score` prints, and how it ends."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

from inpaint_cli.errors import PartialFailure, ResourceError, with_flags
from inpaint_cli.streams import whole_json


def as_written(written: dict[str, Any], as_json: bool) -> str:
    """Return what --write-reference prints."""
    if as_json:
        return whole_json(json.dumps(written, indent=1, ensure_ascii=False))
    features = written["features"]
    return (
        f"{written['file']}: mean and covariance of {written['n_images']} pictures in "
        f"{features['dim']} dimensions ({features['id']}, {features['resize']})"
    )


def printed(documents: list[dict[str, Any]], as_json: bool, given: dict[str, Any]) -> str:
    """Return the reports in the form asked for."""
    from inpaint_cli.metrics import tables

    if as_json:
        whole = documents[0] if len(documents) == 1 else documents
        text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
        return whole_json(text) + "\n"
    if given["as_csv"]:
        return tables.csv_of(documents)
    if given["as_markdown"]:
        return tables.markdown_of(documents, sd=given["sd"])
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else tables.NARROW
    return tables.text_of(documents, width, sd=given["sd"])


def verdict(documents: list[dict[str, Any]]) -> None:
    """Raise an error where nothing was computed, or where files were missing for some."""
    if not any(document["metrics"] for document in documents):
        raise ResourceError("nothing could be computed; the reasons stand above.")
    broken = [document["model"]["name"] for document in documents if document.get("failed")]
    if broken:
        raise PartialFailure(f"{', '.join(broken)}: failed for some images (see above).")
    lacking = sorted({r["name"] for d in documents for r in d["refused"] if r["need"]})
    if lacking:
        raise PartialFailure(f"{', '.join(lacking)}: refused for a missing file (see above).")


def checked(answers: list[tuple[str, str, str]], as_json: bool) -> str:
    """Return the answers of --check as text or JSON."""
    if as_json:
        rows = []
        for target, name, why in answers:
            reason = None if why == "ok" else why
            rows.append({"model": target, "metric": name, "ok": reason is None, "reason": reason})
        return whole_json(json.dumps({"schema": 1, "metrics": rows}, indent=1, ensure_ascii=False))
    width = max(len(name) for _, name, _ in answers)
    several = len({target for target, _, _ in answers}) > 1
    lines = []
    for target, name, why in answers:
        lead = f"{target}: " if several else ""
        answer = why if why == "ok" else f"refused: {with_flags(why)}"
        lines.append(f"{lead}{name:<{width}}  {answer}")
    return "\n".join(lines)


def listing() -> list[str]:
    """Return a line per metric: its direction, what it is, a star where it is computed unasked."""
    from inpaint_cli import metrics
    from inpaint_cli.metrics.metric import ARROWS

    width = max(map(len, metrics.METRICS))
    lines = []
    for metric in map(metrics.get, metrics.METRICS):
        star = "*" if metric.by_default else " "
        lines.append(f"{star} {metric.name:<{width}} {ARROWS[metric.better]} {metric.summary}")
    return lines
