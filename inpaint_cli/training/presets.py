"""Which preset to train when none was named: one for the data at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inpaint_cli.family import Family

SMALLEST_FOR_PHOTOS = 32
"""Presets below this side are for toys; photos larger than every preset do not get one of them."""
ANY_SIZE = 256
"""What a preset that takes any size counts as."""

LARGER = 1.5
"""No preset is chosen that enlarges images by more: it costs time, and shows nothing more."""


@dataclass(frozen=True)
class StoredSize:
    """Side and channels of images as they are stored."""

    side: int
    channels: int


def choose_preset(family: Family, data: Sequence[str], download: bool, split_map: str) -> str:
    """Return the preset named after the data, else the smallest that takes the size of its images.

    Where there is none, or only such as would enlarge them to more than one and a half times their
    side, it is the smallest one of at least 32 pixels. Presets with as many channels as the first
    image come first.
    """
    named = named_after(family, data)
    if named:
        return named
    look = first_image(data[0], download, split_map)
    return (
        smallest_that_takes(family, look) if len(family.presets) > 1 else next(iter(family.presets))
    )


def named_after(family: Family, data: Sequence[str]) -> str | None:
    """Return the preset that is called like the data, if there is one."""
    names = (Path(source).stem.lower() for source in data)
    return next((name for name in names if name in family.presets), None)


def smallest_that_takes(family: Family, look: StoredSize) -> str:
    """Return the preset for images that look like `look` (see `choose_preset`)."""
    sides = {name: config.size or ANY_SIZE for name, config in family.presets.items()}
    fitting = [n for n, config in family.presets.items() if config.channels == look.channels]
    fitting = fitting or list(sides)
    large_enough = [name for name in fitting if look.side <= sides[name] <= LARGER * look.side]
    for_photos = [name for name in sides if sides[name] >= SMALLEST_FOR_PHOTOS]
    candidates = (
        large_enough or [name for name in fitting if name in for_photos] or for_photos or fitting
    )
    return min(candidates, key=lambda name: sides[name])


def first_image(source: str, download: bool, split_map: str) -> StoredSize:
    """Return the look of the first image of a data source that can be read."""
    from inpaint_cli.data import locate
    from inpaint_cli.data.split_words import SplitMap
    from inpaint_cli.errors import UserError
    from inpaint_cli.pictures.reading import look

    images = locate.find(source, download, SplitMap.parse(split_map))
    for _, raw in images.read(images.listing().members[:20]):
        if isinstance(raw, bytes):
            try:
                seen = look(raw)
            except UserError:
                continue
            return StoredSize(min(seen.height, seen.width), 1 if seen.grey else 3)
        if not isinstance(raw, Exception):
            return StoredSize(min(raw.shape[:2]), 3 if raw.ndim == 3 and raw.shape[2] >= 3 else 1)
    return StoredSize(SMALLEST_FOR_PHOTOS, 3)
