"""`inpaint masks`: draws masks of every published kind to files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inpaint_cli.bounds import LARGEST_SIDE, MOST_MASKS
from inpaint_cli.commands.options import common, seed, whole
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter, percent

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from inpaint_cli.masks import Mask
    from inpaint_cli.masks.sets import MaskSet

ABSOLUTE_SIDE = 256
"""The size for which kinds with shapes measured in pixels were published."""
SHEET_MASKS = 64
SHEET_COLUMNS = 8
SHEET_TILE = 128
SHEET = "sheet.png"


def _kinds(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    from inpaint_cli.masks import KINDS

    return [name for name in KINDS if name.startswith(start)]


@click.command()
@click.option(
    "--kind",
    default="freeform",
    show_default=True,
    metavar="KIND",
    shell_complete=_kinds,
    help="What to draw; --list shows all. KIND@20-40 keeps masks with 20 to 40 % visible, "
    "KIND@mixture means five such ranges equally often.",
)
@click.option(
    "-n",
    "--count",
    type=whole(1, MOST_MASKS),
    metavar="N",
    default=16,
    show_default=True,
    help="How many masks.",
)
@click.option(
    "--size",
    default="256",
    show_default=True,
    metavar="S|HxW",
    help="Side of square masks in pixels, or height x width, such as 480x640.",
)
@seed
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("my-masks"),
    show_default=True,
    metavar="DIR|FILE.npz",
    help="A folder for PNG files, masks.json and sheet.png; or one .npz file.",
)
@click.option("--list", "list_kinds", is_flag=True, help="List the kinds and leave.")
@common
def masks(
    kind: str,
    count: int,
    size: str,
    seed: int,
    output: Path,
    list_kinds: bool,
    as_json: bool,
    reporter: Reporter,
) -> None:
    """Draw masks of a published kind.

    White pixels of the files are to be filled in. Mask i depends on kind, size, seed and i alone:
    the first 16 of 1000 are those of 16. masks.json holds what is needed to draw the set again, and
    its hash.

    \b
    Examples:
      inpaint masks --kind freeform -n 16 -o my-masks/
      inpaint masks --kind freeform@mixture -n 1000 --size 64 -o test-masks.npz
    """
    if list_kinds:
        return _list(as_json)
    from inpaint_cli.masks.sets import draw_set, refuse_foreign, write_set
    from inpaint_cli.photos.listing import names_file

    height, width = parse_size(size)
    if output.suffix != ".npz" and names_file(output):
        raise UserError(
            f"{output}: masks are written to a folder, or to one .npz file.", setting="output"
        )
    refuse_foreign(output)
    if output.suffix != ".npz":
        _refuse_foreign_sheet(output)
    drawn = draw_set(kind, height, width, count, seed=seed, reporter=reporter)
    check_holes(drawn, reporter)
    paths = write_set(drawn, output, reporter)
    sheet = write_sheet(drawn, output / SHEET) if output.suffix != ".npz" else None
    describe(drawn, size, reporter)
    if as_json:
        files = {"files": [str(path) for path in paths], "sheet": str(sheet) if sheet else None}
        click.echo(json.dumps({"schema": 1, **drawn.manifest(), **files}, indent=2))
    else:
        click.echo(sheet or output)
    return None


def describe(drawn: MaskSet, size: str, reporter: Reporter) -> None:
    """Tell how much stays visible, and where that is less because of the size, as typed."""
    from inpaint_cli.masks import is_kind, parse

    share = sum(drawn.visible) / (len(drawn) * drawn.height * drawn.width)
    reporter.note(f"{drawn.protocol()}: {percent(share)} visible on average; white is filled in.")
    name = drawn.kind.partition("@")[0]
    scaled = "strokes" if name == "strokes-absolute" else f"{name}-scaled"
    # Other kinds of absolute size are visible shapes: at a small size more stays visible.
    # A range says itself how much does.
    hides = parse(drawn.kind).absolute and is_kind(scaled)
    if hides and max(drawn.height, drawn.width) < ABSOLUTE_SIDE:
        less = "" if "@" in drawn.kind else ", so less stays visible"
        reporter.note(
            f"{drawn.kind}: shapes are as many pixels wide at {size} as at {ABSOLUTE_SIDE}"
            f"{less}. Those of {scaled} go with the size."
        )


def check_holes(drawn: MaskSet, reporter: Reporter) -> None:
    """Raise UserError where no mask has a hole, as `complete` does; tell of single ones."""
    from inpaint_cli.masks.sets import no_hole

    whole = drawn.height * drawn.width
    without = sum(visible == whole for visible in drawn.visible)
    if without == len(drawn):
        raise no_hole(drawn.kind, drawn.height, drawn.width)
    if without:
        reporter.note(f"{drawn.kind}: {without} of {len(drawn)} masks have no hole.")


def parse_size(text: str, setting: str = "size") -> tuple[int, int]:
    """Read "S" or "HxW" as (height, width). UserError for anything else.

    >>> parse_size("64"), parse_size("480x640")
    ((64, 64), (480, 640))
    """
    match = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,9}))?", text.strip().lower())
    if not match:
        raise UserError(
            f"{text}: write a side such as 256, or HEIGHTxWIDTH: 480x640.", setting=setting
        )
    height, width = int(match[1]), int(match[2] or match[1])
    if max(height, width) > LARGEST_SIDE:
        raise UserError(f"{text}: at most {LARGEST_SIDE} pixels a side.", setting=setting)
    return height, width


def _refuse_foreign_sheet(folder: Path) -> None:
    from inpaint_cli.files import is_ours
    from inpaint_cli.pictures.writing import own_text

    path = folder / SHEET
    if path.exists() and not is_ours(folder, SHEET, lambda sheet: bool(own_text(sheet))):
        raise UserError("exists and is no sheet of ours. Choose another folder.", where=path)


def write_sheet(drawn: MaskSet, path: Path) -> Path:
    """Write a contact sheet of the first masks, white = fill in as in their files."""
    from inpaint_cli.files import replacing
    from inpaint_cli.masks import parse
    from inpaint_cli.masks.ranges import MIXTURE
    from inpaint_cli.photos.sheets import grid
    from inpaint_cli.pictures.writing import mark

    mixture = parse(drawn.kind).is_mixture
    columns = len(MIXTURE) if mixture else SHEET_COLUMNS
    shown = [_tile(drawn[index]) for index in range(min(len(drawn), SHEET_MASKS))]
    rows = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    labels = [f"{visible} % visible" for visible in MIXTURE][: len(shown)] if mixture else None
    with replacing(path) as temporary:
        sheet = grid(rows, column_labels=labels, tile=SHEET_TILE)
        sheet.save(temporary, format="PNG", pnginfo=mark("sheet of masks"))
    return path


def _tile(visible: Mask) -> npt.NDArray[np.uint8]:
    """Return a mask at the size of the sheet, in a grey frame: white on white would be lost."""
    import numpy as np
    from PIL import Image

    grey = np.where(visible, 0, 255).astype(np.uint8)
    inner, side = SHEET_TILE - 2, max(visible.shape)
    if side <= inner:
        grey = grey.repeat(inner // side, axis=0).repeat(inner // side, axis=1)
    else:
        height, width = (max(1, size * inner // side) for size in visible.shape)
        smooth = Image.fromarray(grey).resize((width, height), Image.Resampling.BOX)
        grey = np.asarray(smooth)
    return np.pad(grey, 1, constant_values=128)


def _list(as_json: bool) -> None:
    from inpaint_cli.masks import KINDS

    if as_json:
        return click.echo(json.dumps({"schema": 1, "kinds": KINDS}, indent=2))
    width = max(map(len, KINDS))
    for name, summary in KINDS.items():
        click.echo(f"{name:<{width}}  {summary}")
    click.echo("Random kinds take a range of the visible percentage, such as freeform@20-40, and")
    return click.echo("@mixture: the ranges 80-100, 60-80, 40-60, 20-40 and 0-20 in turn.")
