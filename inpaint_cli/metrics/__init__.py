"""The registry of metrics: one line each, imported on demand, in the order of a report."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from inpaint_cli.errors import UserError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inpaint_cli.metrics.metric import Metric

METRICS = {
    "fid": "inpaint_cli.metrics.frechet_scores",
    "fid-inf": "inpaint_cli.metrics.frechet_scores",
    "fid-agg": "inpaint_cli.metrics.frechet_scores",
    "kid": "inpaint_cli.metrics.kid",
    "p-ids": "inpaint_cli.metrics.identity",
    "u-ids": "inpaint_cli.metrics.identity",
    "is": "inpaint_cli.metrics.classes",
    "class-accuracy": "inpaint_cli.metrics.classes",
    "class-consistency": "inpaint_cli.metrics.classes",
    "lpips-gt": "inpaint_cli.metrics.lpips",
    "lpips-diversity": "inpaint_cli.metrics.lpips",
    "fwv": "inpaint_cli.metrics.lpips",
    "div-fid": "inpaint_cli.metrics.frechet_scores",
    "psnr": "inpaint_cli.metrics.images",
    "ssim": "inpaint_cli.metrics.images",
    "mae": "inpaint_cli.metrics.images",
    "rmse": "inpaint_cli.metrics.images",
    "nll": "inpaint_cli.metrics.likelihood",
    "bits-per-dim": "inpaint_cli.metrics.likelihood",
    "crps": "inpaint_cli.metrics.forecasts",
    "energy": "inpaint_cli.metrics.forecasts",
    "coverage": "inpaint_cli.metrics.forecasts",
    "rank-histogram": "inpaint_cli.metrics.forecasts",
}
"""Name as typed in a list of metrics -> module whose `METRICS` holds the Metric of that name."""

ALL = "all"


def get(name: str) -> Metric:
    """Return the metric called `name`, without importing torch. UserError if there is none."""
    if name not in METRICS:
        raise unknown_name("no metric", name, METRICS, setting="metrics")
    return cast("Metric", import_module(METRICS[name]).METRICS[name])


def defaults() -> tuple[str, ...]:
    """Return the metrics that are computed where none is asked for."""
    return tuple(name for name in METRICS if get(name).by_default)


def parse(text: str) -> tuple[str, ...]:
    """Read names with commas between, or "all"; the result is in the order of the registry.

    >>> parse("lpips-gt, fid")
    ('fid', 'lpips-gt')
    """
    names = [part.strip().lower().replace("_", "-") for part in text.split(",") if part.strip()]
    if names == [ALL]:
        return tuple(METRICS)
    if not names:
        raise UserError(f"give names such as fid,lpips-gt, or {ALL}.", setting="metrics")
    for name in names:
        get(name)
    return tuple(name for name in METRICS if name in names)


def any_needs(names: Sequence[str], need: str) -> bool:
    """Return whether one of the metrics needs "features", "logits", "perceptual" and the like.

    >>> any_needs(["fid", "psnr"], "features"), any_needs(["psnr"], "perceptual")
    (True, False)
    """
    return any(need in get(name).needs for name in names)
