"""Which mask each scored image gets: drawn by kind and seed, or read from a stored set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.masks.sets import MaskSet, read_set
from inpaint_cli.metrics.protocol import BINS, Setting
from inpaint_cli.reporting import Reporter


@dataclass(frozen=True)
class Masks:
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

    def facts(self) -> dict[str, Any]:
        """Gives what a report says, but for the hash and the fractions, which are measured."""
        kind = self.stored.kind if self.stored else self.kind
        mixture = masks.is_kind(kind) and masks.parse(kind).is_mixture
        drawn = masks.specification(kind, self.height, self.width)
        return {
            "distribution": kind,
            "params": {"specification": drawn},
            "seed": self.stored.seed if self.stored else self.seed,
            "convention": "1=observed",
            "bins": [list(ends) for ends in BINS] if mixture else None,
            "bin_weights": [1 / len(BINS)] * len(BINS) if mixture else None,
        }


def masks_of(
    text: str,
    setting: Setting,
    count: int,
    seed: int,
    by_visible: bool,
    reporter: Reporter | None = None,
) -> Masks:
    """Gives the masks of `--masks KIND|DIR|FILE.npz` for `count` images of one size.

    by_visible: a random kind without a range of its own is drawn in the equal mixture of the five
    ranges. UserError where a stored set does not fit; a warning where it was changed.
    """
    path = Path(text)
    if path.suffix == ".npz" or path.is_dir():
        stored = read_set(path, reporter)
        if (stored.height, stored.width) != (setting.height, setting.width):
            raise UserError(
                f"--masks {text}: masks of {stored.height}x{stored.width}, but the images have "
                f"{setting.height}x{setting.width} pixels (height x width)."
            )
        if len(stored) < count:
            raise UserError(
                f"--masks {text}: {len(stored)} masks for {count} images. Give more masks, or "
                f"--limit {len(stored)}."
            )
        return Masks(stored.kind, setting.height, setting.width, stored.seed, stored)
    kind = masks.parse(text)
    if by_visible and "@" not in text and kind.distribution.is_random:
        text = f"{text}@mixture"
    return Masks(text, setting.height, setting.width, seed)
