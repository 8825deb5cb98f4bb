"""What completions took and did, where that is measured: programs, and folders of other tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from inpaint_cli.models.external import in_words

PREFIX = "spent."


def spent_of(figures: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, float]:
    """Return the figures of all images as one, of columns `spent.NAME`; empty where there are none.

    runs: summed; peak_bytes: the largest; the others: the mean over images.
    """
    columns = {n[len(PREFIX) :]: v for n, v in figures.items() if n.startswith(PREFIX)}
    means = {name: float(np.nanmean(values)) for name, values in columns.items()}
    if "runs" in columns:
        means["runs"] = float(np.nansum(columns["runs"]))
        peaks = columns["peak_bytes"]
        means["peak_bytes"] = float("nan" if np.isnan(peaks).all() else np.nanmax(peaks))
    return means


def remark(spent: Mapping[str, float]) -> str | None:
    """Return what a person is told of it; None where there is nothing to tell.

    >>> remark({"alike": 1.0}), remark({"alike": 0.9})
    ('all completions of each picture are the same: is the seed used?', None)
    """
    told = []
    if "runs" in spent:
        told.append(in_words(spent))
    elif spent.get("changed"):
        told.append(
            f"{100 * spent['changed']:.2g} % of the visible samples differ from the originals, by "
            f"{spent['changed_by']:.2g} of 255 on average; they are scored as they are"
        )
        if spent.get("untouched") == 1:
            told.append("no hidden sample differs: are the masks inverted? White is hidden")
    if spent.get("alike") == 1:
        told.append("all completions of each picture are the same: is the seed used?")
    return "; ".join(told) or None


def entries(spent: Mapping[str, float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a report's `completions` and its `timing` say of it."""
    done = {"visible_changed": spent["changed"]} if "changed" in spent else {}
    if "changed_by" in spent:
        done["visible_changed_by"] = spent["changed_by"]
    took: dict[str, Any] = {}
    if "runs" in spent:
        peak = spent["peak_bytes"]
        took = {
            "runs": int(spent["runs"]),
            "seconds_per_completion": spent["seconds"],
            "peak_bytes": None if np.isnan(peak) else int(peak),
        }
    return done, took
