"""From a case to its figures: one row of columns per image, and the features of its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from inpaint_cli.masks.sets import pack
from inpaint_cli.metrics import catalogue, forecasts, images
from inpaint_cli.metrics.inception_score import observation_score
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.perceptual_scores import VARIANTS, perceptual_figures
from inpaint_cli.metrics.protocol import Request
from inpaint_cli.metrics.targets import Case, Target
from inpaint_cli.reporting import Advance

VERSION = 2
"""Counts the changes that alter columns, of this code or of the bounds that models give."""
NAMES_OF_IMAGES = tuple(images.METRICS)
FORECASTS = ("crps", "energy", "coverage", "rank-histogram")
Row = dict[str, float | np.ndarray]
"""Name -> the figure of one image, or a vector of them."""


@dataclass
class Meter:
    """Measures the cases of one target."""

    target: Target
    request: Request
    metrics: frozenset[str]
    """Those of the request that are not refused."""
    tools: Instruments

    def shard(self, indices: Sequence[int], advance: Advance) -> dict[str, Tensor]:
        """Gives the columns of some images, `c.NAME`, float64 [n, ...], and their features.

        "mask": uint8 [n, bytes], the masks as bits; "features": float32 [n, 1 + sets, d], the
        original first.
        """
        rows, pictures = list[Row](), list[Tensor]()
        for index in indices:
            case = self.target.case(index)
            rows.append(self.row(case))
            if self.sets:
                pictures.append(torch.cat([case.truth[None], case.completions[: self.sets]]))
            advance(self.target.k)
        made = {f"c.{name}": column for name, column in columns_of(rows).items() if name != "mask"}
        if "mask" in rows[0]:
            made["mask"] = torch.from_numpy(np.stack([np.asarray(row["mask"]) for row in rows]))
        if pictures and self.tools.extractor is not None:
            found = self.tools.extractor.features(torch.cat(pictures))
            made["features"] = found.reshape(len(pictures), 1 + self.sets, -1).contiguous()
        return made

    @property
    def sets(self) -> int:
        """Of how many completions of each image the features are kept."""
        if not catalogue.any_needs(tuple(self.metrics), "features"):
            return 0
        return self.request.feature_sets(self.target.k)

    def row(self, case: Case) -> Row:
        """Gives the figures of one image."""
        seen = case.visible if case.visible is not None else torch.ones_like(case.truth[0]).bool()
        seen = seen[None]
        row: Row = {}
        if case.visible is not None:
            row["visible"] = float(case.visible.double().mean())
            row["hidden"] = float((~seen.expand_as(case.truth)).sum())
            row["mask"] = pack(case.visible.numpy())
        wanted = [name for name in NAMES_OF_IMAGES if name in self.metrics]
        if wanted:
            row |= images.image_scores(case.truth, case.completions, seen, wanted)
        if catalogue.any_needs(tuple(self.metrics), "perceptual"):
            row |= self._perceptual(case, seen)
        if any(name in self.metrics for name in FORECASTS):
            row |= forecast_row(case, seen)
        if "is" in self.metrics:
            row |= self._classes(case)
        if case.nats is not None:
            row["nats"] = case.nats
            row["bound"] = float(self.target.bound == "elbo")
        return row

    def _perceptual(self, case: Case, seen: Tensor) -> Row:
        distance = self.tools.distance
        assert distance is not None  # its metrics are refused without it
        wanted = VARIANTS if case.visible is not None and self._diverse else ()
        figures = perceptual_figures(distance, case.truth, case.completions, seen, variants=wanted)
        return cast(Row, figures.columns())

    @property
    def _diverse(self) -> bool:
        return "lpips-diversity" in self.metrics

    def _classes(self, case: Case) -> Row:
        assert self.tools.extractor is not None
        logits = self.tools.extractor.logits(case.completions)
        assert logits is not None
        values = logits.double().numpy()
        row: Row = {"is": observation_score(values)}
        if self.request.pooled:
            row["logits"] = values[0]
        return row


def forecast_row(case: Case, seen: Tensor) -> Row:
    """Gives the scores of the completions as a forecast, and the rank histogram as shares."""
    members, truth = forecasts.hidden_values(case.truth, case.completions, seen)
    row: Row = dict(forecasts.forecast_scores(members, truth))
    if truth.size:
        row["ranks"] = forecasts.rank_counts(members, truth) / truth.size
    return row


def columns_of(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Gives the rows as columns, float64; NaN where an image has no such figure.

    >>> columns_of([{"a": 1.0}, {"a": 2.0, "b": np.array([3.0, 4.0])}])["b"].tolist()
    [[nan, nan], [3.0, 4.0]]
    """
    shapes = {name: np.shape(value) for row in rows for name, value in row.items()}
    columns = {}
    for name, shape in shapes.items():
        if name == "mask":
            continue
        blank = np.full(shape, np.nan)
        columns[name] = torch.from_numpy(np.stack([np.asarray(r.get(name, blank)) for r in rows]))
    return columns
