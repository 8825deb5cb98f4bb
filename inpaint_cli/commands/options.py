"""Options that mean the same in every command."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from inpaint_cli import __version__
from inpaint_cli.bounds import MOST_COMPLETIONS as MOST_COMPLETIONS
from inpaint_cli.device import DEVICES
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter

F = TypeVar("F", bound=Callable[..., Any])
MOST_PICTURES = 10**9
LONGEST_SIDE = 65_535
"""Pixels; no common format holds a longer one."""
LARGEST_SEED = 2**64 - 1
MOST_WORKERS = max(16, 4 * (os.cpu_count() or 1))
"""More processes wait for each other, and each takes the memory of Python with torch."""
HIGHEST_TEMPERATURE = 1000
LONGEST_WAIT = 10**7
"""In seconds four months; in minutes longer than any training."""
FAR = 10**12
"""What no setting of any family comes near."""
HELP_COLUMNS = 120
"""Help is as wide as the terminal, but no wider than this, to be read with ease."""


class Number(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    """A number with bounds, which help pages do not spell out and errors do.

    Every one has an upper bound: a slip of the pen is told before the work, and no memory asked
    for. above: `least` itself is not allowed.
    """

    def __init__(
        self, of: type[int] | type[float], least: float, most: float, *, above: bool = False
    ) -> None:
        self.of, self.least, self.above, self.most = of, least, above, most
        self.name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float:
        """Return the number that was typed, or fail with what it has to be."""
        try:
            number = self.of(value)
        except ValueError:
            kind = "a whole number" if self.of is int else "a number"
            self.fail(f"must be {kind}, got '{_shown(value)}'.", param, ctx)
        if not (number > self.least if self.above else number >= self.least):
            how = "above" if self.above else "at least"
            self.fail(f"must be {how} {self.least:g}, got {_shown(number)}.", param, ctx)
        if number > self.most:
            self.fail(f"must be at most {self.most}, got {_shown(number)}.", param, ctx)
        return number


def once(*names: str, **settings: Any) -> Callable[[F], F]:
    """Return an option that is refused where it is given twice, as nobody means the last alone."""

    def only(ctx: click.Context, param: click.Parameter, values: Sequence[Any]) -> Any:
        if len(values) > 1:
            raise UserError(
                f"given {len(values)} times, and one is taken. Leave the others out.",
                setting=str(param.name),
            )
        return values[0] if values else None

    return click.option(*names, multiple=True, callback=only, **settings)


def whole(least: int, most: int) -> Number:
    """Return the type of a whole number within bounds."""
    return Number(int, least, most)


def _shown(typed: object) -> str:
    """Return what was typed, unless it is longer than anybody reads."""
    text = str(typed)
    return text if len(text) <= 30 else f"{text[:10]}... ({len(text)} characters)"


class Folder(click.Path):
    """A folder to write into, which need not exist yet; a name as files have it is refused."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the folder that was typed, or fail where a file seems to be meant."""
        from inpaint_cli.photos.listing import names_file

        folder = cast(Path, super().convert(value, param, ctx))
        if os.path.isfile(folder):
            self.fail(f"{folder} is a file, not a folder.", param, ctx)
        if names_file(folder):
            self.fail(f"{folder}: this is the name of a file. Give a folder.", param, ctx)
        return folder


def refuse_typed(names: Iterable[str], why: str) -> None:
    """Raise UserError for options of the running command that were typed, and mean nothing."""
    source_of = click.get_current_context().get_parameter_source
    for name in names:
        if source_of(name) is click.core.ParameterSource.COMMANDLINE:
            raise UserError(why, setting=name.removeprefix("as_"))


def check_forms(as_json: bool, given: Mapping[str, Any]) -> None:
    """Raise UserError where a table is asked for in more than one form."""
    if sum([as_json, given["as_csv"], given["as_markdown"]]) > 1:
        raise UserError("--json, --csv, --markdown: give one of them.")


class SectionedCommand(click.Command):
    """A command whose help lists its options under headings.

    sections: heading -> names of parameters. Options of none come last, under "More".
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section that has options."""
        records = {
            "help" if "--help" in param.opts else str(param.name): param.get_help_record(ctx)
            for param in self.get_params(ctx)
            if isinstance(param, click.Option)
        }
        listed = {name for names in self.sections.values() for name in names}
        rest = [name for name in records if name not in listed]
        for heading, names in [*self.sections.items(), ("More", rest)]:
            shown = [record for name in names if (record := records.get(name))]
            if shown:
                with formatter.section(heading):
                    formatter.write_dl(shown)


def together(*added: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return a decorator that adds several options, in this order."""

    def add(command: F) -> F:
        for option in reversed(added):
            command = option(command)
        return command

    return add


def remarks(command: F) -> F:
    """Add --quiet, --verbose and --debug, to the group and to every command alike.

    They are kept in `context.obj`, so `inpaint -q complete` is `inpaint complete -q`.
    """

    def keep(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        flags = context.ensure_object(dict)
        flags[parameter.name] = value or flags.get(parameter.name, False)

    for names, text in reversed(
        (
            (("-q", "--quiet"), "No remarks and no progress; warnings stay."),
            (("-v", "--verbose"), "More remarks."),
            (("--debug",), "Show the traceback of an error."),
        )
    ):
        # Eager, so that --debug and -v hold for what the other options raise or print.
        option = click.option(
            *names, is_flag=True, is_eager=True, expose_value=False, callback=keep, help=text
        )
        command = option(command)
    return command


def common(command: F) -> F:
    """Add --json, --quiet, --verbose, --debug and --version.

    The command gets `as_json: bool` and `reporter: Reporter`; --debug is read by cli.py.
    """
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document on stdout."
    )(interactive(command))


def interactive(command: F) -> F:
    """Add what `common` does but --json, for a command that has no document to print."""

    @functools.wraps(command)
    def with_reporter(*args: Any, **options: Any) -> Any:
        flags = click.get_current_context().ensure_object(dict)
        reporter = Reporter(quiet=flags.get("quiet", False), verbose=flags.get("verbose", False))
        return command(*args, reporter=reporter, **options)

    decorated = click.version_option(__version__, message="inpaint %(version)s")(with_reporter)
    return remarks(cast(F, decorated))


def model_names(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Return what a shell may complete `start` to: models that ship, and families."""
    from inpaint_cli import models, zoo

    names = [entry.name for entry in zoo.entries()] + list(models.FAMILIES)
    return [name for name in names if name.startswith(start)]


def trained_names(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Return the families that are trained, likewise."""
    from inpaint_cli import models

    return [name for name in models.trainable() if name.startswith(start)]


device = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="|".join(DEVICES),
    help="Where to compute.",
)

exec_timeout = click.option(
    "--exec-timeout",
    type=Number(float, 0, LONGEST_WAIT, above=True),
    metavar="S",
    show_default="600",
    help="Seconds that exec:CMD may take for one completion.",
)

seed = click.option(
    "--seed",
    type=whole(0, LARGEST_SEED),
    default=0,
    show_default=True,
    metavar="N",
    help="The same seed gives the same result.",
)


def model(text: str, **more: Any) -> Callable[[F], F]:
    """Return what adds --model; more: what click's option takes, such as the default."""
    more = {"metavar": "NAME|RUN|FILE", "shell_complete": model_names, **more}
    return click.option("--model", help=text, **more)


def data(text: str, **more: Any) -> Callable[[F], F]:
    """Return what adds --data, likewise."""
    return click.option("--data", multiple=True, metavar="NAME|DIR|ZIP", help=text, **more)


def temperature(text: str, *, above: bool = False) -> Callable[[F], F]:
    """Return what adds --temperature; above: 0 itself is not allowed."""
    return click.option(
        "--temperature",
        type=Number(float, 0, HIGHEST_TEMPERATURE, above=above),
        metavar="T",
        show_default="1",
        help=text,
    )


def limit(least: int = 1, shown: str = "all") -> Callable[[F], F]:
    """Return what adds --limit; shown: how many pictures there are without it."""
    return click.option(
        "--limit",
        type=whole(least, MOST_PICTURES),
        metavar="N",
        show_default=shown,
        help="So many pictures, drawn at random, always the same.",
    )


recursive = click.option("-r", "--recursive", is_flag=True, help="Also the folders in a folder.")

download = click.option("--download", is_flag=True, help="Fetch a named data set that is not here.")

table_forms = together(
    click.option("--csv", "as_csv", is_flag=True, help="Print one line a figure."),
    click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table."),
)

split_map = click.option(
    "--split-map",
    metavar="NAME=SPLIT,...",
    help="What folders, arrays or files ('test_*') of the data are: train, validation, test, "
    "ignore, or class (no split in spite of its name).  [default: as their names say]",
)

check_leaks = click.option(
    "--check-leaks",
    is_flag=True,
    help="Also look for held-out pictures that are nearly equal to one in train.",
)
