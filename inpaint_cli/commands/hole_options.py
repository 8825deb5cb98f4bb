"""Options of `inpaint complete` on the hole beyond mask and box, and on the files written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from inpaint_cli.photos.output import OutputSettings

Command = Callable[..., Any]
FORMATS = ("keep", "png", "tiff", "jpeg", "webp")


def output_options(command: Command) -> Command:
    """Add what is said about the files of completions."""
    for option in reversed(
        (
            click.option(
                "--format",
                type=click.Choice(FORMATS),
                show_default="png, or tiff where the photo needs it",
                help="Of completions; keep: the photo's own. jpeg and webp change visible pixels "
                "slightly.",
            ),
            click.option(
                "--quality",
                type=click.IntRange(1, 100),
                metavar="Q",
                show_default="the photo's own",
                help="Of jpeg and webp.",
            ),
            click.option(
                "--keep",
                type=click.IntRange(min=1),
                metavar="K",
                help="Write K completions only: the likeliest, or the first.",
            ),
            click.option("--huge", is_flag=True, help="Read photos beyond 400 megapixels too."),
        )
    ):
        command = option(command)
    return command


def output_of(given: Mapping[str, Any]) -> OutputSettings:
    """Return what was asked of the files."""
    from inpaint_cli.photos.output import output_settings

    return output_settings(given["output"], given["format"], given["quality"], given["keep"])


def folder_of(output: Path) -> Path:
    """Return the folder that is written to: `output`, or the one that holds it."""
    from inpaint_cli.photos.output import file_format

    return output if file_format(output) is None else output.parent
