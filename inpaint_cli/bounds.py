"""Bounds of settings, written beside the type of a field and checked in one place.

`depth: Annotated[int, Between(2, 256)]` says what `--set`, a config file, a preset and the header
of a weight file may give. An upper bound lies well above what any published model has: it keeps a
slip of the pen, or a hostile file, from asking for a network that no machine holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from inpaint_cli.errors import UserError


@dataclasses.dataclass(frozen=True)
class Between:
    """The least and the largest value of a number, or of each number of a tuple."""

    low: float
    high: float
    above: bool = False
    """`low` itself is not allowed."""
    below: bool = False
    """`high` itself is not allowed."""
    odd: bool = False

    def holds(self, value: float) -> bool:
        """Return whether a number lies within; NaN does not."""
        from_low = value > self.low if self.above else value >= self.low
        to_high = value < self.high if self.below else value <= self.high
        return from_low and to_high and not (self.odd and value % 2 != 1)

    def require(self, value: float | None, setting: str) -> None:
        """Raise UserError where a value lies out of these bounds; None is left to its default."""
        if value is not None and not self.holds(value):
            raise UserError(f"{self}, got {_shown(value)}.", setting=setting)

    def __str__(self) -> str:
        """Return the sentence's end: "must lie in 2..256", "must lie in (0, 1]".

        >>> str(Between(1, 4096)), str(Between(0, 0.5, above=True)), str(Between(3, 63, odd=True))
        ('must lie in 1..4096', 'must lie in (0, 0.5]', 'must be odd and lie in 3..63')
        """
        lead = "must be odd and lie in" if self.odd else "must lie in"
        low, high = _shown(self.low), _shown(self.high)
        if isinstance(self.low, int) and isinstance(self.high, int) and not self.above | self.below:
            return f"{lead} {low}..{high}"
        return f"{lead} {'(' if self.above else '['}{low}, {high}{')' if self.below else ']'}"


POSITIVE = Between(0, 1e6, above=True)
NOT_NEGATIVE = Between(0, 1e6)
SHARE = Between(0, 1.0)
PART = Between(0, 1.0, below=True)
"""A share that is never all."""
STEPS = Between(0, 10**9)
INTERVAL = Between(1, 10**9)
CHANNELS = Between(1, 16384)
"""Of feature maps."""
MOST_COMPLETIONS = 10_000
"""Of one picture; all of them are in memory, and most are files, before the work ends."""
MOST_MASKS = 10_000_000
"""Of one set."""
LARGEST_SIDE = 16_384
"""Pixels of a picture that is scored, and of a mask that is drawn."""


def check(config: Any) -> None:
    """Raise UserError for the first field of a dataclass whose value lies out of its bounds."""
    cls: Any = type(config)
    for name, bounds in bounds_of(cls).items():
        value = getattr(config, name)
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and not bounds.holds(number):
                raise UserError(f"{name}: {bounds}, got {_shown(number)}.")


@cache
def bounds_of(cls: Any) -> Mapping[str, Between]:
    """Return the bounds of the fields of a dataclass, those of its parents included."""
    bounds_by_field: dict[str, Between] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            for name, hint in get_type_hints(base, include_extras=True).items():
                parts = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
                for bounds in parts:
                    if isinstance(bounds, Between):
                        bounds_by_field[name] = bounds
    return bounds_by_field


def _shown(number: float) -> str:
    """Return a number as people read it, whatever its length."""
    try:
        if abs(number) >= 10**15:
            return f"{number:g}"
        return str(int(number)) if number == int(number) else str(number)
    except (OverflowError, ValueError):
        return "no such number"
