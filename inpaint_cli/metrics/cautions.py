"""What must be known of a figure's images: which are repeated, and which have no hole."""

from __future__ import annotations

import numpy as np

from inpaint_cli.data.image_set import counted
from inpaint_cli.metrics.metric import Chosen, Line, Results
from inpaint_cli.metrics.protocol import TargetFacts


def on_repeats(line: Line, results: Results, chosen: Chosen) -> tuple[str, ...]:
    """Return what is done about pictures that count as several images, or that nothing is."""
    if results.copies is None:
        return ()
    different = len(np.unique(results.copies[chosen]))
    told = f"the {len(chosen)} originals are {counted(different, 'different picture')}"
    if results.pictures is not None and line.metric.by_picture:
        return (f"{told}: n, errors and p are of these, their figures averaged over each",)
    return (f"{told}: the error takes them for independent, and is too small",)


def on_no_hole(line: Line, results: Results, chosen: Chosen, facts: TargetFacts) -> tuple[str, ...]:
    """Return how many images without a hole a figure counts, where it leaves none of them out."""
    hidden = results.columns.figures.get("hidden")
    if hidden is None or facts.masks["distribution"] == "unknown" or "hole" in line.metric.needs:
        return ()
    if line.column is not None and results.absent(line.column, chosen):
        return ()
    without = int((hidden[chosen] == 0).sum())
    told = f"{counted(without, 'image')} without a hole {'counts' if without == 1 else 'count'} too"
    return (told,) * bool(without)
