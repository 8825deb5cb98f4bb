"""What every metric comes to: an estimate with its error, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """A metric that cannot be computed, or whose figure would mean nothing; the text says why."""

    def __init__(self, reason: str, missing_file: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing_file = missing_file
        """True where a file (weights) would cure it."""


@dataclass(frozen=True)
class Estimate:
    """One figure with its uncertainty; never NaN."""

    value: float
    """May be infinite (psnr of identical images)."""
    n: int
    """Images behind it."""
    se: float | None = None
    """Standard error; None where n is too small for one."""
    se_method: str = ""
    """"images", "strata" (within ranges), "jackknife-20", "jackknife", "image bootstrap"."""
    k: int | None = None
    """Completions per image that went in; None where it is not a matter of completions."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What else decides the figure (sigma, subset size, resize rule)."""
    warnings: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further figures of the same computation (`p_ids_ties_half`, per-set values)."""
    entries: Mapping[str, Any] = field(default_factory=dict)
    """What stands in the report beside the figure, under names of its own (`arrays`)."""
    sd: float | None = None
    """Standard deviation of the images' figures, whatever their ranges; None for other figures than
    means over images."""
    bias: float | None = None
    """By how much the figure is expected to lie above that of endless images; `se` is without it.
    None where it has no bias, or none is known."""
    sides: tuple[int | None, int] | None = None
    """Originals, completions, where these are not the same `n` images; None originals: unknown."""
