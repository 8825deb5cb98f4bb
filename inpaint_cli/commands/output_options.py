"""Options of `inpaint complete` on the files that it writes, and where it may write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from inpaint_cli.commands import options
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.files import resolved

FORMATS = ("keep", "png", "tiff", "jpeg", "webp")

output_options = options.together(
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        default=Path("completions"),
        metavar="DIR|FILE",
        help="Where to write: a folder, or, of one photo with -n 1, a file such as photo.png.",
    ),
    click.option(
        "--sheet",
        "tile",
        type=options.whole(32, 4096),
        metavar="PX",
        show_default="300",
        help="Least length of a completion's longer side on the sheet.",
    ),
    click.option(
        "--no-sheet",
        is_flag=True,
        help="Draw no sheet; the paths of the completions are printed.",
    ),
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        show_default="png, or tiff where the photo needs it",
        help="Of completions; keep: the photo's own. jpeg and webp change visible pixels slightly.",
    ),
    click.option(
        "--quality",
        type=options.whole(1, 100),
        metavar="Q",
        show_default="a JPEG's own; else 95, of webp 90",
        help="Of jpeg and webp.",
    ),
    click.option(
        "--keep",
        type=options.whole(1, options.MOST_COMPLETIONS),
        metavar="K",
        help="Write K completions only: the likeliest, or the first.",
    ),
    click.option("--huge", is_flag=True, help="Read photos beyond 400 megapixels too."),
    click.option("--no-metadata", is_flag=True, help="Leave out the PNG text on how it was made."),
    click.option("--skip-existing", is_flag=True, help="Leave out photos whose results exist."),
    click.option(
        "--overwrite",
        is_flag=True,
        help="Also replace files that are no earlier results. Inputs never are.",
    ),
)


def folder_of(output: Path) -> Path:
    """Return the folder that is written to: `output`, or the one that holds it."""
    from inpaint_cli.photos.output import file_format

    return output if file_format(output) is None else output.parent


def check_place(folder: Path) -> None:
    """Raise an error if results cannot be written to a folder; create nothing."""
    if str(folder) == "-":
        raise UserError(
            "-: results are files. Give a folder, or a file such as photo.png.",
            setting="output",
        )

    above = (folder.absolute(), *folder.absolute().parents)
    nearest = next(place for place in above if os.path.lexists(place))
    if not nearest.exists():
        raise ResourceError(f"{nearest} is a link that leads nowhere.", setting="output")
    if not nearest.is_dir():
        raise ResourceError(f"{nearest} is a file, not a folder.", setting="output")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ResourceError(f"{nearest} may not be written. Give another place.", setting="output")


def file_of(model: str, ending: str) -> Path:
    """Return what a file that is made of a model is called where nobody said: as the model.

    Of a run folder and of the weight file in it that is the folder's name. UserError for a command,
    which has none.

    >>> print(file_of("runs/0001-a", ".json"), file_of("a.safetensors", ".json"))
    0001-a.json a.json
    """
    from inpaint_cli.models.external import is_command

    if is_command(model):
        raise UserError("a command has no name to call the file by. Give one.", setting="output")
    path = resolved(Path(model))
    if path.suffix == ".safetensors":
        path = path.parent if path.stem == "model" else path.with_suffix("")
    return Path(path.name + ending)


def check_file(path: Path) -> bool:
    """Return whether a file to be written is there; raise an error if it cannot be; create nothing.

    For commands that work long before they write.
    """
    check_place(path.parent)
    return path.exists()


def place_of_stdin(output: Path) -> Path:
    """Return where a photo from standard input is kept: not beside a result that is one file."""
    folder = folder_of(output)
    if folder == output:
        return folder
    return Path(click.get_current_context().with_resource(TemporaryDirectory()))


def check_sheet(given: Mapping[str, Any]) -> None:
    """Raise UserError where a sheet is described that shall not be drawn."""
    if given["tile"] is not None and given["no_sheet"]:
        raise UserError("there is no sheet with --no-sheet. Leave one out.", setting="sheet")
