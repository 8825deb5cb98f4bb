"""The metrics by name: what each says, what it needs, which way is better. Plain data, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inpaint_cli.errors import UserError, unknown_name

Direction = Literal["lower", "higher", "target", "none"]
ARROWS: Mapping[Direction, str] = {"lower": "↓", "higher": "↑", "target": "→", "none": " "}


@dataclass(frozen=True)
class Metric:
    """One name of --metrics."""

    summary: str
    better: Direction
    features: bool = False
    """Of an Inception network or a classifier, of originals and completions."""
    logits: bool = False
    """Class probabilities of every completion."""
    perceptual: bool = False
    """LPIPS, or another perceptual distance."""
    several: bool = False
    """At least two completions per image."""
    hole: bool = False
    """Which pixels are hidden."""
    likelihood: bool = False
    """A model that gives one."""
    digits: int = 4
    """Decimals in a table."""
    factor: float = 1.0
    """A table shows the value times this."""
    unit: str = ""
    """Of the value times `factor`."""


METRICS: Mapping[str, Metric] = {
    "fid": Metric("Frechet distance of features, one completion each", "lower", features=True,
                  digits=2),
    "kid": Metric("kernel distance of features, unbiased", "lower", features=True, digits=3,
                  factor=1000, unit="x1000"),
    "p-ids": Metric("originals that a linear classifier finds less real than their completion",
                    "higher", features=True, digits=1, factor=100, unit="%"),
    "u-ids": Metric("errors of a linear classifier of originals and completions", "higher",
                    features=True, digits=1, factor=100, unit="%"),
    "is": Metric("inception score of the completions of one image, mean over images", "higher",
                 logits=True, several=True, digits=3),
    "lpips-gt": Metric("perceptual distance of the original to the nearest of K", "lower",
                       perceptual=True),
    "lpips-diversity": Metric("perceptual distance between completions of one image", "higher",
                              perceptual=True, several=True),
    "fwv": Metric("faithfulness weighted variance, for seven widths", "higher", perceptual=True,
                  several=True),
    "div-fid": Metric("Frechet distance between sets of completions; fid-all beside it", "higher",
                      features=True, several=True, digits=2),
    "psnr": Metric("peak signal-to-noise ratio; hole only, best of K, mean image", "higher",
                   digits=2, unit="dB"),
    "ssim": Metric("structural similarity (Gaussian window of 11)", "higher"),
    "mae": Metric("mean absolute error in 0..1; hole only, best of K, mean image", "lower"),
    "nll": Metric("negative log-likelihood of the hidden values", "lower", hole=True,
                  likelihood=True, digits=3, unit="nats"),
    "bits-per-dim": Metric("the same in bits per hidden value, pooled", "lower", hole=True,
                           likelihood=True, digits=3, unit="bits"),
    "crps": Metric("ranked probability score of each hidden value", "lower", hole=True),
    "energy": Metric("energy score of all hidden values together", "lower", hole=True),
    "coverage": Metric("share of hidden values inside the central interval of the K", "target",
                       hole=True, several=True, digits=1, factor=100, unit="%"),
    "rank-histogram": Metric("rank of the truth among the K: distance from a flat histogram",
                             "lower", hole=True),
}  # fmt: skip
"""In the order of a report."""

DEFAULT = (
    "fid", "kid", "lpips-gt", "lpips-diversity", "psnr", "ssim", "mae", "crps", "energy",
    "coverage", "rank-histogram",
)  # fmt: skip
"""What is computed where --metrics is not given."""
ALL = "all"


def parse(text: str) -> tuple[str, ...]:
    """Reads --metrics: names with commas between, or "all"; in the order of the catalogue.

    >>> parse("lpips-gt, fid")
    ('fid', 'lpips-gt')
    """
    names = [part.strip().lower().replace("_", "-") for part in text.split(",") if part.strip()]
    if names == [ALL]:
        return tuple(METRICS)
    if not names:
        raise UserError(f"--metrics: give names such as fid,lpips-gt, or {ALL}.")
    for name in names:
        if name not in METRICS:
            raise unknown_name("--metrics: no metric", name, METRICS)
    return tuple(name for name in METRICS if name in names)


def any_needs(names: Sequence[str], what: str) -> bool:
    """Says whether one of the metrics needs "features", "logits", "perceptual" and the like.

    >>> any_needs(["fid", "psnr"], "features"), any_needs(["psnr"], "perceptual")
    (True, False)
    """
    return any(getattr(METRICS[name], what) for name in names)
