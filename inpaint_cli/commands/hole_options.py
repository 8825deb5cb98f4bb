"""Options of `inpaint complete` that say which pixels are filled in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inpaint_cli import models
from inpaint_cli.commands import options
from inpaint_cli.commands.output_options import folder_of
from inpaint_cli.declarations import Option, drawing_option
from inpaint_cli.errors import UnknownName, UserError
from inpaint_cli.files import check_length, resolved
from inpaint_cli.reporting import Reporter, percent

if TYPE_CHECKING:
    from inpaint_cli.photos.holes import HoleSource
    from inpaint_cli.photos.pairing import PhotoTask

HOLES = ("boxes", "polygons", "mask_painted", "mask_colour", "extend")
"""Options each of which makes a hole, beside --mask and --mask-alpha."""
OF_THE_HOLE = (
    *HOLES,
    *("mask", "mask_alpha", "invert_mask", "mask_values", "grow", "shrink", "resize_mask"),
)
"""All options that a completion of everything does not take."""

hole_options = options.together(
    options.once(
        "--mask",
        metavar="FILE|DIR|KIND",
        help="The hole: white = fill in. A file for all "
        "photos, a folder of masks named after them (cat.png, cat_mask.png), or a kind to "
        "draw, such as freeform.",
    ),
    click.option(
        "--box",
        "boxes",
        multiple=True,
        metavar="X,Y,W,H",
        help="A box to fill in, in pixels or percent of the photo. Repeatable; joined with the "
        "mask.",
    ),
    click.option(
        "--mask-alpha",
        is_flag=True,
        help="Fill in what is transparent, in the mask file or, without one, in the photo.",
    ),
    click.option("--invert-mask", is_flag=True, help="Fill in black instead of white."),
    click.option(
        "--grow",
        type=options.whole(0, options.LONGEST_SIDE),
        default=0,
        metavar="PX",
        help="Enlarge the hole by so many pixels of the photo.",
    ),
    click.option(
        "--resize-mask", is_flag=True, help="Scale a mask of another size to the photo's."
    ),
    click.option(
        "--polygon",
        "polygons",
        multiple=True,
        metavar="X,Y,X,Y,...",
        help="A polygon to fill in, like --box.",
    ),
    options.once(
        "--mask-painted",
        type=click.Path(path_type=Path),
        metavar="COPY",
        help="Fill in where a painted-over copy differs from the photo.",
    ),
    options.once(
        "--mask-colour",
        metavar="RRGGBB",
        help="Fill in what has this colour, in the mask file or the photo.",
    ),
    options.once(
        "--mask-values",
        metavar="V,V,...",
        help="Fill in these values of the mask, such as labels.",
    ),
    options.once(
        "--extend",
        metavar="SIDE=PX,...",
        help="Enlarge the canvas and fill it in: left=100,right=20%.",
    ),
    click.option(
        "--shrink",
        type=options.whole(0, options.LONGEST_SIDE),
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


def hole_source(given: Mapping[str, Any]) -> HoleSource:
    """Return what says which pixels are to be filled in."""
    from inpaint_cli.masks.files import parse_box
    from inpaint_cli.photos.holes import HoleSource

    if given["reconstruct"]:
        check_no_choice(given)
        return HoleSource(everything=True)
    drawing = drawing_option((option for _, option in models.options()), given)
    if drawing:
        check_no_hole(drawing, given)
        return HoleSource(everything=True)
    path, kind = file_or_kind(given["mask"])
    if given["mask"] is None and not given["mask_alpha"] and not any(map(given.get, HOLES)):
        raise UserError(
            "no hole is given. Use --mask FILE (white = fill in), --mask KIND, --box X,Y,W,H, "
            "--polygon X,Y,X,Y,..., --mask-painted COPY, --mask-colour RRGGBB, --extend SIDE=PX, "
            "or --mask-alpha if the photo's transparent pixels are to be filled."
        )
    if given["resize_mask"] and given["mask"] is None:
        raise UserError("there is no mask to scale. Give one.", setting="resize_mask")
    return HoleSource(
        path,
        kind,
        tuple(parse_box(text) for text in given["boxes"]),
        given["mask_alpha"],
        given["invert_mask"],
        given["grow"],
        given["resize_mask"],
        **hole_fields(given),
    )


def check_no_choice(given: Mapping[str, Any]) -> None:
    """Raise UserError where a reconstruction is given a hole, or what chooses of completions."""
    if any(given[name] for name in OF_THE_HOLE):
        raise UserError(
            "the whole photo is seen and given back. Leave out --mask, --box and all other options "
            "of the hole.",
            setting="reconstruct",
        )
    for name in ("preview", "rank", "calibration"):
        if given[name]:
            raise UserError("means nothing for a reconstruction. Leave it out.", setting=name)


def check_no_hole(drawing: Option, given: Mapping[str, Any]) -> None:
    """Raise UserError where a drawing is given a hole as well."""
    if any(given[name] for name in OF_THE_HOLE):
        raise UserError(
            f"{drawing.of_drawing}: everything is filled in. Leave out --mask, --box and all other "
            "options of the hole.",
            setting=drawing.parameter,
        )


def file_or_kind(mask: str | None) -> tuple[Path | None, str | None]:
    """Return what --mask names, a path or a kind to draw; UserError where it is neither."""
    from inpaint_cli.masks import is_kind

    if mask is None:
        return None, None
    if Path(mask).exists():
        return Path(mask), None
    if is_kind(mask):
        return None, mask
    raise no_mask(mask)


def no_mask(mask: str) -> UserError:
    """Return the error for a --mask that is neither a file nor a kind."""
    from inpaint_cli import masks
    from inpaint_cli.photos.listing import refuse_url
    from inpaint_cli.pictures.opening import advice_on

    refuse_url(mask, setting="mask")
    if mask == "-":
        return UserError("standard input gives photos, not masks. Give a file.", setting="mask")
    if Path(mask).suffix or len(Path(mask).parts) > 1:
        advice = advice_on(Path(mask))
        return UserError(f"{mask}: no such file or folder.{advice}", setting="mask")
    advice = ""
    try:
        masks.parse(mask)
    except UnknownName as error:
        advice = f" {error.advice}"
    except UserError as error:
        advice = f" {error.on_command_line()}"
    return UserError(f"no file, folder or kind called '{mask}'.{advice}", setting="mask")


def hole_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the options say, as fields of a `HoleSource`."""
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


def check_previews(hole: HoleSource, output: Path, as_json: bool) -> None:
    """Raise UserError where previews cannot be shown, or would have no folder to go to."""
    from inpaint_cli.photos.preview import ENDING

    if hole.kind is not None:
        raise UserError(
            "a drawn mask depends on the model. See it by 'inpaint masks'.", setting="preview"
        )
    if as_json:
        raise UserError("previews have no record to print. Leave it out.", setting="json")
    if folder_of(output) != output:
        raise UserError(
            f"{output} is one file; previews go to a folder, as STEM{ENDING}.", setting="output"
        )


def preview(
    task: PhotoTask,
    hole: HoleSource,
    given: Mapping[str, Any],
    inputs: Collection[Path],
    reporter: Reporter,
) -> Path:
    """Write one photo with its hole laid over it, say how much is hidden, and return its path.

    inputs: resolved paths, which are never replaced.
    """
    from inpaint_cli.photos.extending import extended
    from inpaint_cli.photos.preview import ENDING, write_preview
    from inpaint_cli.pictures.reading import read

    if task.problem:
        raise task.problem
    name = f"{task.stem.as_posix()}{ENDING}"
    check_length(given["output"], [name])
    path: Path = given["output"] / name
    if resolved(path) in inputs:
        raise UserError(
            "is an input, which is never replaced. Choose another output folder.", where=path
        )
    photo = read(task.photo, huge=hole.huge)
    size = (photo.height, photo.width)
    visible = hole.visible(
        task.photo, task.mask, size, model_size=0, seed=0, reporter=reporter, number=task.number
    )
    if hole.extension is not None:
        photo = extended(photo, hole.extension, huge=hole.huge)
    write_preview(path, photo, visible, given["overwrite"])
    reporter.note(f"{task.photo}: {percent(1 - float(visible.mean()))} hidden")
    return path
