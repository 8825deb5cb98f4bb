"""Options of a family that are given for a completion, checked against what it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inpaint_cli import models
from inpaint_cli.declarations import Option
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.family import Family
from inpaint_cli.photos.arguments import number, whole

COMMON = (
    "n",
    "seed",
    "temperature",
    "context",
    "feather",
    "detail",
    "calibration",
    "mask",
    "visible",
)
"""What `LoadedModel.complete` takes for every family."""


def checked_options(
    family: Family, options: Mapping[str, Any], as_scored: bool = False
) -> dict[str, Any]:
    """Return options of a family, defaults left out; UserError for others and for odd values.

    They are in the order in which the family declares them, since files record them.

    as_scored: what is not given is as in `score`, and not as photos have it (`Option.of_photos`).
    """
    known = {option.parameter: option for option in family.options}
    for name, value in options.items():
        if name not in known:
            raise _not_its_option(family, name, known)
        _check_value(known[name], value)
    of_photos = {
        name: option.of_photos
        for name, option in known.items()
        if option.of_photos is not None and not as_scored and options.get(name) is None
    }
    chosen = {**options, **of_photos}
    return {
        name: chosen[name]
        for name, option in known.items()
        if name in of_photos or chosen.get(name) not in (None, option.default)
    }


def names_in_score() -> frozenset[str]:
    """Return the options of all families that `score` takes: those that decide what is drawn."""
    return frozenset(option.parameter for _, option in models.options() if option.decides_draws)


def shared_options(families: Sequence[str], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return of options that are given for several models those that each family declares.

    families: a name for each model, known or not. UserError for an option that none declares.
    """
    known = [models.get(name) if name in models.FAMILIES else None for name in families]
    declared = [{o.parameter for o in family.options} if family else set() for family in known]
    for name in options:
        if not any(name in names for names in declared):
            owners = ", ".join(_owners(name))
            raise UserError(f"an option of {owners}: no model here is.", setting=name)
    return [
        checked_options(family, {n: v for n, v in options.items() if n in names}, as_scored=True)
        if family
        else {}
        for family, names in zip(known, declared, strict=True)
    ]


def _owners(name: str) -> list[str]:
    """Return the families that have an option of this name."""
    return [family for family, option in models.options() if option.parameter == name]


def _not_its_option(family: Family, name: str, known: Mapping[str, Option]) -> UserError:
    others = _owners(name)
    if others:
        return UserError(f"an option of {', '.join(others)}, not of {family.name}.", setting=name)
    if name in COMMON:
        return UserError("an argument of its own, not one of a family's options.", setting=name)
    return unknown_name(f"{family.name}: no option", name, [*known, *COMMON])


def _check_value(option: Option, value: Any) -> None:
    if value is None:
        return
    _check_type(option, value)
    if option.choices and value not in option.choices:
        raise UserError(
            f"must be one of {', '.join(option.choices)}, got {value}.", setting=option.parameter
        )
    low, high = option.minimum, option.maximum
    # Not `value < low`, which NaN is not either.
    if not ((low is None or value >= low) and (high is None or value <= high)):
        limits = [f"at least {low}"] * (low is not None) + [f"at most {high}"] * (high is not None)
        raise UserError(f"must be {' and '.join(limits)}, got {value}.", setting=option.parameter)


def _check_type(option: Option, value: Any) -> None:
    if option.type is int:
        whole(value, option.parameter)
    elif option.type is float:
        number(value, option.parameter)
    elif option.type in (bool, str) and not isinstance(value, option.type):
        word = "true or false" if option.type is bool else "a word"
        raise UserError(f"must be {word}, got {repr(value)[:60]}.", setting=option.parameter)
