"""What is completed, how often, under which masks; and the images of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from inpaint_cli.data.image_set import ImageSet
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.metrics.protocol import Setting, check_counts
from inpaint_cli.photos import arguments
from inpaint_cli.photos.request import DetailSource
from inpaint_cli.reporting import Reporter


@dataclass(frozen=True)
class CompletionOptions:
    """What is completed, how often, under which masks."""

    data: tuple[str, ...] = ()
    split: str = "test"
    masks: str = "freeform@mixture"
    k: int = 10
    limit: int | None = None
    seed: int = 0
    size: int | None = None
    temperature: float | None = None
    detail: DetailSource | None = None
    """Where pixels finer than a model's come from, in pictures larger than it; None = nowhere."""
    by_visible: bool = False
    download: bool = False
    split_map: str = ""
    check_leaks: bool = False

    def __post_init__(self) -> None:
        check_counts(self.k, self.limit, None, self.size)
        arguments.whole(self.seed, "seed", 0)
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise UserError(f"must be at least 0, got {self.temperature}.", setting="temperature")


def completion_options(given: Mapping[str, Any]) -> CompletionOptions:
    """Return options by name; UserError with the nearest name for unknown ones, and odd counts."""
    names = {field.name for field in fields(CompletionOptions)}
    for name in given:
        if name not in names:
            raise unknown_name("no option", name, names)
    return CompletionOptions(**arguments.as_declared(CompletionOptions, given))


def load_images(options: CompletionOptions, setting: Setting, reporter: Reporter) -> ImageSet:
    """Return the images of the data and split asked for, or the set that ships, in one setting."""
    from inpaint_cli import data
    from inpaint_cli.metrics import sample_set

    if options.data in ((), (sample_set.NAME,)):
        if options.split != "test":
            raise UserError(
                f"{options.split}: the sample set has a test split only.", setting="split"
            )
        return sample_set.load(setting.height, setting.channels, setting.levels)
    return data.load_images(
        options.data,
        size=setting.height,
        channels=setting.channels,
        levels=setting.levels,
        split=options.split,  # type: ignore[arg-type]
        download=options.download,
        split_map=options.split_map,
        check_leaks=options.check_leaks,
        reporter=reporter,
    )
