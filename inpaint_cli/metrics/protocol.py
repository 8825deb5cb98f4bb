"""What is asked of a score, and the ground on which completions are compared: sizes and masks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.masks.ranges import MIXTURE, Mask
from inpaint_cli.masks.sets import MaskSet, read_set
from inpaint_cli.reporting import Reporter

SIDE = 64
"""Side at which methods without a size of their own are scored, if nothing else is asked for."""

Bin = tuple[float, float]
BINS: tuple[Bin, ...] = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0))
"""Visible fractions, IPA Table 1; the first end belongs to a bin, the last bin has both."""
FILES = "files"
"""What is scored where it lies in files: as the name of a data set and as a kind of masks."""
RECONSTRUCTION = "reconstruction"
"""In place of "model" as the source of a report's `completions`."""


def bin_name(ends: Bin) -> str:
    """Return a bin in percent visible.

    >>> bin_name((0.2, 0.4))
    '20-40'
    """
    return f"{round(100 * ends[0])}-{round(100 * ends[1])}"


def bin_of(fraction: float) -> int:
    """Return the bin that a visible fraction falls into.

    >>> [bin_of(share) for share in (0.0, 0.2, 0.59, 1.0)]
    [0, 1, 2, 4]
    """
    return min(sum(fraction >= low for low, _ in BINS) - 1, len(BINS) - 1)


def bin_weights(count: int) -> list[float]:
    """Return which share of `count` images under a mixture falls into each bin.

    >>> bin_weights(10), bin_weights(4)
    ([0.2, 0.2, 0.2, 0.2, 0.2], [0.0, 0.25, 0.25, 0.25, 0.25])
    """
    # The mixture begins with the last bin.
    return [len(range(place, count, len(BINS))) / count for place in reversed(range(len(BINS)))]


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
class ModelSize:
    """Size, channels and levels that a model requires."""

    name: str
    size: int
    """0 = any."""
    channels: int
    levels: int


def settings_of(models: Sequence[ModelSize], side: int | None) -> list[Setting]:
    """Return each model's setting: models of one size and colour share size, colour and levels.

    Methods of any size take those of the first model that has one. side: the common size asked for;
    models of another size then complete in windows, and keep all 256 levels.
    """
    fixed = [model for model in models if model.size]
    lead = (fixed or list(models))[0]
    placed = [
        model if model.size else ModelSize(model.name, lead.size or SIDE, lead.channels, 256)
        for model in models
    ]
    if side is not None:
        plain = all(model.size in (0, side) for model in models)
        levels = min(model.levels for model in placed) if plain else 256
        return [Setting(side, side, model.channels, levels, windows=not plain) for model in placed]
    settings = []
    for model in placed:
        kind = model.size, model.channels
        levels = min(other.levels for other in placed if (other.size, other.channels) == kind)
        settings.append(Setting(model.size, model.size, model.channels, levels))
    return settings


def unequal_warning(models: Sequence[ModelSize], settings: Sequence[Setting]) -> str | None:
    """Return the warning that figures at unequal sizes do not compare; None if sizes are equal."""
    if len({(s.height, s.width, s.channels, s.levels) for s in settings}) < 2:
        return None
    shown = ", ".join(
        f"{model.name} {s.height}x{s.width} {'RGB' if s.channels == 3 else 'grey'}"
        for model, s in zip(models, settings, strict=True)
    )
    return (
        f"the models are scored at unequal sizes ({shown}), so their figures do not compare. "
        "Set size, and all complete pictures of that size."
    )


def check_names(names: Sequence[str]) -> None:
    """Raise UserError where two targets have one name."""
    if len(set(names)) < len(names):
        raise UserError(f"{', '.join(names)}: two of these have one name. Give each once.")


def digest_of(value: Any) -> str:
    """Return the SHA-256 of JSON-able data, in hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class TargetFacts:
    """What a report says of a target, as JSON-able tables of the report's own names."""

    model: dict[str, Any]
    dataset: dict[str, Any]
    masks: dict[str, Any]
    completions: dict[str, Any]
    warnings: tuple[str, ...] = field(default_factory=tuple)
    """What must be known of every figure."""
    of_features: tuple[str, ...] = ()
    """What must be known of figures of features besides."""
    pairing: dict[str, Any] | None = None
    """With what the pictures are compared; None = each with the original of its id."""


@dataclass(frozen=True)
class Subject:
    """What a report is about."""

    name: str
    """What a table calls it."""
    k: int
    setting: Setting
    facts: TargetFacts


def dataset_facts(
    name: str, split: str, ids: Sequence[str], setting: Setting, preprocess: str
) -> dict[str, Any]:
    """Return what a report says of the images of a target."""
    return {
        "name": name,
        "split": split,
        "n_images": len(ids),
        "ids_sha256": digest_of(list(ids)),
        "height": setting.height,
        "width": setting.width,
        "channels": setting.channels,
        "levels": setting.levels,
        "preprocess": preprocess,
    }


def mask_facts(kind: str) -> dict[str, Any]:
    """Return what a report says of masks of which no more is known than their kind."""
    return {
        "distribution": kind,
        "params": {},
        "seed": None,
        "convention": "1=observed",
        "bins": None,
        "bin_weights": None,
    }


@dataclass(frozen=True)
class MaskChoice:
    """The mask of each image: drawn by kind and seed, or read from a stored set."""

    kind: str
    height: int
    width: int
    seed: int
    stored: MaskSet | None = None

    def __getitem__(self, index: int) -> Mask:
        if self.stored is not None:
            return self.stored[index]
        return masks.draw(self.kind, self.height, self.width, seed=self.seed, index=index)

    @property
    def drawn_kind(self) -> str:
        """The kind that the masks were drawn from."""
        return self.stored.kind if self.stored else self.kind

    @property
    def is_random(self) -> bool:
        """Whether the masks of two images differ, but by chance."""
        return not masks.is_kind(self.drawn_kind) or masks.parse(self.drawn_kind).is_random

    @property
    def is_mixture(self) -> bool:
        """Whether the masks are an equal mixture of ranges, as far as their number allows."""
        return masks.is_kind(self.drawn_kind) and masks.parse(self.drawn_kind).is_mixture

    def facts(self, count: int) -> dict[str, Any]:
        """Return what a report of `count` images says, but for hash and fractions: measured."""
        kind = self.drawn_kind
        drawn = masks.specification(kind, self.height, self.width)
        seed = self.stored.seed if self.stored else self.seed
        return {
            **mask_facts(kind),
            "params": {"specification": drawn},
            "seed": seed,
            "bins": [list(ends) for ends in BINS] if self.is_mixture else None,
            "bin_weights": bin_weights(count) if self.is_mixture else None,
        }


def _check_mixture(text: str, setting: Setting, seed: int) -> None:
    """Refuse a kind that does not give every range; nobody asked for the one that fails."""
    for place, ends in enumerate(MIXTURE):
        try:
            masks.draw(text, setting.height, setting.width, seed=seed, index=place)
        except UserError as error:
            kind = text.partition("@")[0]
            raise UserError(
                f"needs masks of five ranges of the visible share, and {kind} gives none with "
                f"{ends} % visible at {setting.height}x{setting.width}. Take another kind, or a "
                f"set that 'inpaint masks --kind {kind}' drew, whose ranges hold what they hold.",
                setting="by_visible",
            ) from error


def choose_masks(
    text: str,
    setting: Setting,
    count: int,
    seed: int,
    by_visible: bool,
    reporter: Reporter | None = None,
) -> MaskChoice:
    """Return the masks for `count` images of one size; text: KIND, DIR or FILE.npz.

    by_visible: a random kind without a range of its own is drawn in the equal mixture of the five
    ranges. UserError where a stored set does not fit; a warning where it was changed.
    """
    path = Path(text)
    if path.suffix == ".npz" or path.is_dir():
        stored = read_set(path, reporter)
        if (stored.height, stored.width) != (setting.height, setting.width):
            raise UserError(
                f"{text}: masks of {stored.height}x{stored.width}, but the images have "
                f"{setting.height}x{setting.width} pixels (height x width).",
                setting="masks",
            )
        if len(stored) < count:
            raise UserError(
                f"{text}: {len(stored)} masks for {count} images. Give more masks, or limit the "
                f"images to {len(stored)}.",
                setting="masks",
            )
        return MaskChoice(stored.kind, setting.height, setting.width, stored.seed, stored)
    kind = masks.parse(text)
    if by_visible and "@" not in text and kind.distribution.is_random:
        text = f"{text}@mixture"
        _check_mixture(text, setting, seed)
    return MaskChoice(text, setting.height, setting.width, seed)
