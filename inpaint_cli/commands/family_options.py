"""Options that only some families take, of `complete` and `score`: as the families declare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from inpaint_cli import models
from inpaint_cli.commands import options
from inpaint_cli.declarations import Option, plain
from inpaint_cli.reporting import Reporter

if TYPE_CHECKING:
    from inpaint_cli.api import LoadedModel


def options_by_family(of_draws: bool = False) -> dict[str, tuple[str, ...]]:
    """Return heading -> parameters of the options that only some families take.

    of_draws: of those alone that decide what is drawn.
    """
    owners: dict[str, list[str]] = {}
    for family, option in models.options():
        if option.decides_draws or not of_draws:
            owners.setdefault(option.parameter, []).append(family)
    sections: dict[str, tuple[str, ...]] = {}
    for parameter, families in owners.items():
        heading = f"Only with --model {', '.join(families)}"
        sections[heading] = (*sections.get(heading, ()), parameter)
    return sections


def family_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what any family takes beyond the common options; `None` = not given."""
    return _added(command, [option for _, option in models.options()], "of_photos")


def options_of_draws(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add those options of families that decide what is drawn, but for names that are taken."""
    taken = {param.name for param in getattr(command, "__click_params__", ())}
    added = [o for _, o in models.options() if o.decides_draws and o.parameter not in taken]
    return _added(command, added, "default")


def _added(
    command: Callable[..., Any], declared: Sequence[Option], usual: str
) -> Callable[..., Any]:
    """Add options; usual: what they are where not given, of those that differ between commands."""
    known: dict[str, Option] = {}
    for option in declared:
        known.setdefault(option.name, option)
    for name, option in reversed(known.items()):
        kind: Any = click.Choice(option.choices) if option.choices else option.type
        if option.type is int or option.type is float:
            kind = options.Number(option.type, -options.FAR, options.FAR)  # its own may be closer
        command = click.option(
            f"--{name}",
            type=None if option.type is bool else kind,
            is_flag=option.type is bool,
            default=None,
            metavar={int: "N", float: "X"}.get(option.type),
            help=_help(option, usual),
        )(command)
    return command


def _help(option: Option, usual: str) -> str:
    if option.of_photos is None:
        return option.help
    return f"{option.help}  [default: {plain(getattr(option, usual))}]"


def given_family_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `family_options` added and was given."""
    # No set: its order differs between runs, and a completion keeps its options in their order.
    names = dict.fromkeys(option.parameter for _, option in models.options())
    return {name: given[name] for name in names if given[name] is not None}


def refuse_foreign(given: Mapping[str, Any]) -> None:
    """Refuse options of other families before torch is loaded, where the name says the family."""
    if given["model"] not in models.FAMILIES:
        return
    from inpaint_cli.api import checked_options

    checked_options(models.get(given["model"]), given_family_options(given))


def ranked_options(
    loaded: LoadedModel, given: Mapping[str, Any], reporter: Reporter
) -> dict[str, Any]:
    """Return a family's options with the one that its likelihoods need, if they need one."""
    for option in loaded.family.options:
        if option.for_rank is not None and option.parameter not in given:
            reporter.note(
                f"--rank log-prob: by lower bounds, as with --{option.name} {option.for_rank}."
            )
            return {**given, option.parameter: option.for_rank}
    return dict(given)
