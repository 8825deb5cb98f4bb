"""The click group: finds commands lazily and turns errors into one line and an exit code.

Exit codes: 0 done; 1 failed; 2 wrong usage or input; 3 some items of a batch failed;
130 interrupted (143 on SIGTERM).
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import textwrap
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from types import FrameType
from typing import Any, NoReturn

import click

from inpaint_cli import __version__
from inpaint_cli.commands.options import HELP_COLUMNS, remarks
from inpaint_cli.endings import end_beside_background
from inpaint_cli.errors import (
    TERMINATED,
    Interrupted,
    PartialFailure,
    PlainError,
    ResourceError,
    UserError,
)
from inpaint_cli.parsing import too_long
from inpaint_cli.photos.memory import is_out_of_memory
from inpaint_cli.reporting import at_terminal
from inpaint_cli.streams import outlive_readers, shown

COMMANDS = {
    "complete": "Complete a photo many times.",
    "paint": "Open a page to paint the hole and choose among completions.",
    "pick": "Keep one completion under a name of its own.",
    "train": "Train a model on images.",
    "score": "Score completions, with error bars and a stated protocol.",
    "calibrate": "Find how wide intervals must be to hold what they promise.",
    "design": "Choose where to look next, and say what looks are worth.",
    "ood": "Tell whether pictures are of the kind that a model has learned.",
    "masks": "Draw masks of every published kind.",
    "models": "List the models that ship, show cards, fetch published weights.",
    "convert": "Read weight files of the papers' authors.",
}
"""Name -> the line that `inpaint --help` shows; the module is commands/NAME.py."""


class Commands(click.Group):
    """A group whose commands are imported when they are called, and whose errors are one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"inpaint_cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing:  # as when a shell completes what is typed so far
            refuse_empty(args)
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = get_close_matches(args[0].lower(), COMMANDS, n=1)
            advice = f"Did you mean '{near[0]}'?" if near else f"Commands: {', '.join(COMMANDS)}."
            raise click.UsageError(f"No command '{args[0]}'. {advice}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else ctx.command_path
            leave(ctx, UserError(f"{error.format_message()} ('{command} --help' shows the usage)"))
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            leave(ctx, error)


def refuse_empty(words: Sequence[str]) -> None:
    """Raise UserError for an empty argument: "" would be taken for the folder of work.

    No option and no argument of any command means anything when empty.
    """
    for before, word in pairwise(["", *words]):
        if not word:
            at_fault = before if before.startswith("-") and "=" not in before else "an argument"
        elif word.startswith("--") and word.endswith("=") and word.count("=") == 1:
            at_fault = word[:-1]
        else:
            continue
        raise UserError(f"{at_fault}: is empty. Leave it out, or see whether a variable is unset.")


def leave(ctx: click.Context, error: BaseException) -> NoReturn:
    """Print one line for `error` and exit with its code; --debug adds the traceback."""
    if ctx.ensure_object(dict).get("debug"):
        lines = "".join(traceback.format_exception(error)).splitlines()
        click.echo("\n".join(map(shown, lines)), err=True)
    code, text = verdict(error)
    text = shown(text)
    click.echo(for_terminal(text) if at_terminal() else text, err=True)
    ctx.exit(code)


def for_terminal(text: str) -> str:
    """Return an error as a terminal shows it: broken between words, what it is in red."""
    width = shutil.get_terminal_size().columns
    lines = textwrap.wrap(
        text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    shown = "\n".join(lines) or text
    kind, colon, rest = shown.partition("error: ")
    if not colon or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return shown
    return click.style(f"{kind}error:", fg="red", bold=True) + f" {rest}"


def verdict(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the line for an error.

    >>> verdict(UserError("no such file.", setting="mask"))
    (2, 'error: --mask: no such file.')
    >>> verdict(KeyError("x"))
    (1, "internal error: KeyError: 'x' (--debug shows where)")
    """
    if isinstance(error, Interrupted):
        return 128 + error.signal_number, str(error)
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    text = error.on_command_line() if isinstance(error, PlainError) else str(error)
    line = " ".join(text.split("\n")).strip()
    if isinstance(error, UserError):
        return 2, f"error: {line}"
    if isinstance(error, PartialFailure):
        return 3, f"error: {line}"
    if isinstance(error, ResourceError):
        return 1, f"error: {line}"
    if is_out_of_memory(error):
        return 1, "error: out of memory. Ask for less at a time, or take a machine with more."
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return 2, f"error: {too_long(error.filename)}"
    if isinstance(error, PermissionError) and error.filename:
        return 2, f"error: {error.filename}: may not be read or written. Check its permissions."
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return 1, f"error: {where}{error.strerror}."
    return 1, f"internal error: {type(error).__name__}: {line} (--debug shows where)"


def show_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the version; with -v also what a bug report needs."""
    if not value:
        return
    click.echo(f"inpaint {__version__}")
    if ctx.ensure_object(dict).get("verbose"):
        import platform

        import torch

        from inpaint_cli.device import resolve

        click.echo(f"Python {platform.python_version()} on {platform.platform()}")
        click.echo(f"torch {torch.__version__}, device {resolve('auto')}")
    ctx.exit()


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": HELP_COLUMNS,
    },
)
@remarks
# Not eager, so that -v is known by then on whichever side it stands.
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    callback=show_version,
    help="Show the version; with -v also Python, torch and device.",
)
def main() -> None:
    """Complete the hidden part of an image in many plausible ways.

    White pixels of a mask are filled in; every other pixel stays as it is, bit for bit.

    \b
    Examples:
      inpaint complete photo.png --mask mask.png -n 8
      inpaint paint photo.png
      inpaint pick completions/photo-3.png -o final.png
      inpaint train --model pcnn --data digits
      inpaint score --metrics fid,lpips-gt
      inpaint masks --kind freeform -n 16 -o my-masks/

    Exit codes: 0 done; 1 failed; 2 wrong usage or input; 3 some items of a batch failed; 130
    interrupted, 143 terminated.
    """


def run() -> None:
    """Run the command line; the entry point of `inpaint`."""
    signal.signal(signal.SIGTERM, terminate)
    outlive_readers()
    hangup = getattr(signal, "SIGHUP", None)  # which Windows has not, and which nohup ignores
    if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:
        signal.signal(hangup, terminate)
    try:
        main(prog_name="inpaint")
    except SystemExit as end:
        end_beside_background(end.code if isinstance(end.code, int) else 0)
        # All is written: what is raised among the last acts of Python would be a traceback.
        for number in (signal.SIGTERM, signal.SIGINT, hangup):
            if number and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        raise


def terminate(signal_number: int, frame: FrameType | None) -> NoReturn:
    """Turn a signal into an exception, so that unfinished files are removed on the way out."""
    raise Interrupted(TERMINATED, signal_number)
