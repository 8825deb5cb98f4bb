"""What is asked of a score, and the common ground on which completions are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inpaint_cli.errors import UserError
from inpaint_cli.metrics import catalogue

K = 10
"""Completions per image where nothing else is asked for."""
SIDE = 64
"""Side at which methods without a size of their own are scored, if nothing else is asked for."""
SETS = 5
"""Most completion sets whose features p-ids, u-ids and div-fid take (PICME: five)."""

Bin = tuple[float, float]
BINS: tuple[Bin, ...] = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0))
"""Visible fractions, IPA Table 1; the first end belongs to a bin, the last bin has both."""
Resize = Literal["tf1", "clean"]


def bin_name(ends: Bin) -> str:
    """Gives a bin in percent visible.

    >>> bin_name((0.2, 0.4))
    '20-40'
    """
    return f"{round(100 * ends[0])}-{round(100 * ends[1])}"


def bin_of(fraction: float) -> int:
    """Gives the bin that a visible fraction falls into.

    >>> [bin_of(share) for share in (0.0, 0.2, 0.59, 1.0)]
    [0, 1, 2, 4]
    """
    return min(sum(fraction >= low for low, _ in BINS) - 1, len(BINS) - 1)


@dataclass(frozen=True)
class Request:
    """What is to be measured, whatever the target is."""

    metrics: tuple[str, ...] = catalogue.DEFAULT
    features: str | None = None
    """Name or path after --features; None = Inception where it lies, else the classifier."""
    perceptual: str | None = None
    """Name or path after --perceptual; None = LPIPS where its trunk lies, else the classifier."""
    weights_dir: Path | None = None
    by_visible: bool = False
    sets: int | None = None
    """Completion sets whose features are kept; None = what the metrics take by themselves."""
    fid_resize: Resize = "tf1"
    pooled: bool = False
    """Also the inception score of all images pooled."""
    strict: bool = False
    """Any refusal is an error."""

    def feature_sets(self, k: int) -> int:
        """Gives of how many completions per image the features are kept."""
        if not catalogue.any_needs(self.metrics, "features"):
            return 0
        if self.sets is not None:
            return min(self.sets, k)
        several = {"p-ids", "u-ids", "div-fid"} & set(self.metrics)
        return min(SETS, k) if several else 1


@dataclass(frozen=True)
class Setting:
    """The size, channels and levels at which originals and completions are compared."""

    height: int
    width: int
    channels: int
    levels: int = 256
    windows: bool = False
    """Models complete as `inpaint complete` does, in windows of their own size."""


@dataclass(frozen=True)
class Needs:
    """What a model says of itself that decides the setting."""

    name: str
    size: int
    """0 = any."""
    channels: int
    levels: int


def settings_of(models: Sequence[Needs], side: int | None) -> list[Setting]:
    """Gives each model's setting: models of one size and colour share size, colour and levels.

    Methods of any size take those of the first model that has one. side: the common size asked for;
    models of another size then complete in windows, and keep all 256 levels.
    """
    fixed = [model for model in models if model.size]
    lead = (fixed or list(models))[0]
    joined = [
        model if model.size else Needs(model.name, lead.size or SIDE, lead.channels, 256)
        for model in models
    ]
    if side is not None:
        plain = all(model.size in (0, side) for model in models)
        levels = min(model.levels for model in joined) if plain else 256
        return [Setting(side, side, model.channels, levels, windows=not plain) for model in joined]
    settings = []
    for model in joined:
        same = [o for o in joined if (o.size, o.channels) == (model.size, model.channels)]
        levels = min(other.levels for other in same)
        settings.append(Setting(model.size, model.size, model.channels, levels))
    return settings


def unequal_warning(models: Sequence[Needs], settings: Sequence[Setting]) -> str | None:
    """Says that figures at unequal sizes do not compare, where they are unequal."""
    if len({(s.height, s.width, s.channels, s.levels) for s in settings}) < 2:
        return None
    shown = ", ".join(
        f"{model.name} {s.height}x{s.width} {'RGB' if s.channels == 3 else 'grey'}"
        for model, s in zip(models, settings, strict=True)
    )
    return (
        f"the models are scored at unequal sizes ({shown}), so their figures do not compare. "
        "--size S lets all complete pictures of one size."
    )


def digest_of(value: Any) -> str:
    """Gives the SHA-256 of JSON-able data, in hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def check_counts(k: int | None, limit: int | None, sets: int | None, side: int | None) -> None:
    """Raises UserError for numbers that mean nothing."""
    least = {"-k": (k, 1), "--limit": (limit, 1), "--sets": (sets, 1), "--size": (side, 8)}
    for name, (value, minimum) in least.items():
        if value is not None and value < minimum:
            raise UserError(f"{name}: must be at least {minimum}, got {value}.")


@dataclass(frozen=True)
class Facts:
    """What a report says of a target, as JSON-able tables of the report's own names."""

    model: dict[str, Any]
    dataset: dict[str, Any]
    masks: dict[str, Any]
    completions: dict[str, Any]
    pairing: dict[str, Any]
    warnings: tuple[str, ...] = field(default_factory=tuple)
