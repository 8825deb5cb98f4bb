"""Options of `inpaint complete` on the hole beyond mask and box, and on the files written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inpaint_cli.commands.options import LONGEST_SIDE, MOST_COMPLETIONS, whole
from inpaint_cli.errors import UserError
from inpaint_cli.files import check_length
from inpaint_cli.reporting import Reporter

if TYPE_CHECKING:
    from inpaint_cli.photos.holes import HoleSource
    from inpaint_cli.photos.output import OutputSettings
    from inpaint_cli.photos.pairing import PhotoTask

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
                type=whole(1, 100),
                metavar="Q",
                show_default="the photo's own",
                help="Of jpeg and webp.",
            ),
            click.option(
                "--keep",
                type=whole(1, MOST_COMPLETIONS),
                metavar="K",
                help="Write K completions only: the likeliest, or the first.",
            ),
            click.option("--huge", is_flag=True, help="Read photos beyond 400 megapixels too."),
        )
    ):
        command = option(command)
    return command


HOLES = ("boxes", "polygons", "mask_painted", "mask_colour", "extend")
"""Options each of which makes a hole, beside --mask and --mask-alpha."""
NEW = ("mask_values", "polygons", "mask_painted", "mask_colour", "extend", "shrink")


def more_hole_options(command: Command) -> Command:
    """Add the ways to say what shall go, beyond masks and boxes."""
    for option in reversed(
        (
            click.option(
                "--polygon",
                "polygons",
                multiple=True,
                metavar="X,Y,X,Y,...",
                help="A polygon to fill in, like --box.",
            ),
            click.option(
                "--mask-painted",
                type=click.Path(path_type=Path),
                metavar="COPY",
                help="Fill in where a painted-over copy differs from the photo.",
            ),
            click.option(
                "--mask-colour",
                metavar="RRGGBB",
                help="Fill in what has this colour, in the mask file or the photo.",
            ),
            click.option(
                "--mask-values",
                metavar="V,V,...",
                help="Fill in these values of the mask, such as labels.",
            ),
            click.option(
                "--extend",
                metavar="SIDE=PX,...",
                help="Enlarge the canvas and fill it in: left=100,right=20%.",
            ),
            click.option(
                "--shrink",
                type=whole(0, LONGEST_SIDE),
                default=0,
                metavar="PX",
                help="Reduce the hole by so many pixels, before --grow.",
            ),
            click.option(
                "--preview",
                is_flag=True,
                help="Write the photo with its hole laid over it, and stop.",
            ),
        )
    ):
        command = option(command)
    return command


def hole_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `more_hole_options` said, as fields of a `HoleSource`."""
    from inpaint_cli.masks.painting import parse_colour
    from inpaint_cli.masks.polygons import parse_polygon
    from inpaint_cli.photos.extending import parse_extension

    colour, extension = given["mask_colour"], given["extend"]
    return {
        "values": _values(given["mask_values"]),
        "painted": given["mask_painted"],
        "colour": None if colour is None else parse_colour(colour),
        "polygons": tuple(parse_polygon(text) for text in given["polygons"]),
        "shrink": given["shrink"],
        "extension": None if extension is None else parse_extension(extension),
        "huge": given["huge"],
    }


def _values(text: str | None) -> tuple[int, ...]:
    parts = [] if text is None else text.split(",")
    try:
        return tuple(int(part) for part in parts)
    except ValueError:
        raise UserError(
            f"{text}: write whole numbers, such as 1 or 1,3.", setting="mask_values"
        ) from None


def write_previews(
    tasks: Sequence[PhotoTask], hole: HoleSource, given: Mapping[str, Any], reporter: Reporter
) -> list[Path]:
    """Write the preview of each photo, and return their paths."""
    from inpaint_cli.photos.extending import extended
    from inpaint_cli.photos.preview import ENDING, write_preview
    from inpaint_cli.pictures.reading import read

    if hole.kind is not None:
        raise UserError(
            "a drawn mask depends on the model. See it by 'inpaint masks'.", setting="preview"
        )
    if folder_of(given["output"]) != given["output"]:
        raise UserError(
            f"{given['output']} is one file; previews go to a folder, as STEM{ENDING}.",
            setting="output",
        )
    paths = []
    for task in tasks:
        if task.problem:
            raise task.problem
        photo = read(task.photo, huge=hole.huge)
        size = (photo.height, photo.width)
        visible = hole.visible(
            task.photo,
            task.mask,
            size,
            model_size=0,
            seed=0,
            reporter=reporter,
            number=task.number,
        )
        if hole.extension is not None:
            photo = extended(photo, hole.extension, huge=hole.huge)
        name = f"{task.stem.as_posix()}{ENDING}"
        check_length(folder_of(given["output"]), [name])
        path = folder_of(given["output"]) / name
        write_preview(path, photo, visible, given["overwrite"])
        share = 100 * (1 - float(visible.mean()))
        reporter.note(f"{task.photo}: {share:.1f} % hidden")
        paths.append(path)
    return paths


def output_of(given: Mapping[str, Any]) -> OutputSettings:
    """Return what was asked of the files."""
    from inpaint_cli.photos.output import output_settings

    return output_settings(given["output"], given["format"], given["quality"], given["keep"])


def folder_of(output: Path) -> Path:
    """Return the folder that is written to: `output`, or the one that holds it."""
    from inpaint_cli.photos.output import file_format

    return output if file_format(output) is None else output.parent
