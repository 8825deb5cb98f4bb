"""What a family declares of `complete`: the options that it takes, and what its models tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Option:
    """One thing that `complete` takes for this family only; plain data, for help and parsing."""

    name: str
    """As typed, without dashes: "fix-top"."""
    type: type[int] | type[float] | type[str] | type[bool]
    help: str
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    for_rank: Any = None
    """Not None: the family's likelihoods are lower bounds that this option asks for. Completions
    that are ranked by likelihood get this value where none is given."""
    of_photos: Any = None
    """What `complete` takes where nothing is given; `score`, which judges the model's own
    distribution, takes `default`."""
    of_drawing: Any = None
    """The value that makes the image a drawing: the model sees all of it, and keeps nothing."""
    tells: bool = False
    """It asks for more to be told of the completions, and changes none of them."""

    @property
    def parameter(self) -> str:
        """The name in Python, and of the argument of `Model.complete`: "fix_top"."""
        return self.name.replace("-", "_")

    @property
    def decides_draws(self) -> bool:
        """Whether it changes what is drawn for a hole, so that `score` takes it as well."""
        return not self.tells and self.of_drawing is None


def drawing_option(options: Iterable[Option], given: Mapping[str, Any]) -> Option | None:
    """Return the option by which the image is a drawing; None where it is an ordinary photo."""
    return next(
        (
            option
            for option in options
            if option.of_drawing is not None and given.get(option.parameter) == option.of_drawing
        ),
        None,
    )


def not_as_scored(
    options: Iterable[Option], given: Mapping[str, Any], config: object = None
) -> str | None:
    """Return why a calibration says nothing on completions with these options; None if it does.

    config: of the model, whose fields are the defaults of options that have none.
    """
    for option in options:
        value, usual = given.get(option.parameter), option.default
        if usual is None:
            usual = getattr(config, option.parameter, None)
        if option.tells or value is None or value == usual:
            continue
        if option.type is bool:
            return f"is for completions without {option.parameter}"
        if usual is None:
            return f"is for completions without {option.parameter} {value}"
        return f"is for {option.parameter} {plain(usual)}, not {plain(value)}"
    return None


def plain(value: Any) -> str:
    """Return a value as a person writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Detail:
    """One thing that a family's models tell beside their completions, in `Completions.details`."""

    name: str
    """Its key there, and in the record of the results."""
    per: Literal["completion", "window"] = "window"
    """completion: a tensor [n, ...] with an entry for each. window: one for them all."""
    recorded: type[int] | type[float] | type[dict[str, float]] | None = None
    """What the record keeps it as; None = not at all."""
    captioned: bool = False
    """Whether the sheet writes it under its completion; for what is recorded per completion."""
    drawn: Literal["frames", "rows", "picture"] | None = None
    """The file that it becomes. frames: uint8 [S, H, W, 3], an animated GIF. rows: uint8 [rows,
    columns, C, H, W], a sheet in PNG. picture: uint8 [H, W, 3], one PNG."""
    ending: str = ""
    """Of that file, after the name of the photo: "-rows.png"."""
    shares: str = ""
    """Of rows: the detail [rows] with the share that each is labelled with."""
    title: str = ""
    """What rows or a picture show, in words that stand above them; in braces the name of another
    detail that is a text."""
