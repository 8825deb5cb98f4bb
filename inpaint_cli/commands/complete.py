"""`inpaint complete`: photos and masks in; completions, sheets and a record out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inpaint_cli import models
from inpaint_cli.commands import options
from inpaint_cli.commands.completion_job import job_of
from inpaint_cli.commands.family_options import family_options, options_by_family
from inpaint_cli.commands.hole_options import check_previews, hole_options, hole_source, preview
from inpaint_cli.commands.output_options import (
    check_place,
    check_sheet,
    folder_of,
    output_options,
    place_of_stdin,
)
from inpaint_cli.errors import PartialFailure, PlainError
from inpaint_cli.reporting import Reporter
from inpaint_cli.zoo import DEFAULT

if TYPE_CHECKING:
    from inpaint_cli.photos.batch import BatchRun, FailedPhoto
    from inpaint_cli.photos.holes import HoleSource
    from inpaint_cli.photos.pairing import PhotoTask

SECTIONS = {
    "What you need": ("mask", "boxes", "n", "output", "seed", "model"),
    "The hole": (
        *("mask_painted", "mask_colour", "polygons", "extend", "mask_alpha", "invert_mask"),
        *("mask_values", "grow", "shrink", "resize_mask", "preview"),
    ),
    "The fill": ("detail", "temperature", "context", "feather"),
    "No hole": ("reconstruct",),
    "Intervals": ("calibration", "calibration_anyway"),
    "The sheet to choose from": ("tile", "no_sheet"),
    "Files": (
        *("recursive", "format", "quality", "keep", "rank", "skip_existing", "overwrite"),
        *("no_metadata", "huge"),
    ),
    "Running": (
        *("device", "exec_timeout", "as_json", "quiet", "verbose", "debug", "version", "help"),
    ),
}
"""Heading -> parameters of the help page, before the options of single families."""
LISTED = 10
"""So many masks without a photo are listed by name."""


@click.command(
    cls=options.SectionedCommand,
    sections=SECTIONS | options_by_family(),
    context_settings={"show_default": True},
)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@hole_options
@click.option(
    "--detail",
    type=click.Choice(["photo", "none"]),
    show_default="photo",
    help="photo: the fill is made of the photo's own texture, after the model's picture; none: the "
    "model's picture itself, enlarged.",
)
@click.option(
    "--feather",
    type=options.Number(float, 0, options.LONGEST_SIDE),
    metavar="PX",
    show_default="two pixels of the model",
    help="Width over which the correction at the edge fades inside.",
)
@click.option(
    "--context",
    type=options.Number(float, 0, 1000),
    default=0.5,
    metavar="SHARE",
    help="What the model sees round a hole, as a share of its size.",
)
@click.option(
    "-n",
    "n",
    type=options.whole(1, options.MOST_COMPLETIONS),
    metavar="N",
    show_default="8; 1 if all would be equal",
    help="How many completions.",
)
@options.seed
@options.temperature(
    "Below 1: likelier and less varied. 0: the model's likeliest completion, one.",
)
@click.option(
    "--reconstruct",
    is_flag=True,
    help="Write what the model's autoencoder makes of the whole photo, STEM-reconstruction-0.png: "
    "the best that completions by it can be. For models that have one: "
    f"{', '.join(name for name in models.usable() if models.get(name).reconstructs)}. Of those "
    "that ship, picme's were packed without it.",
)
@options.model(
    "What completes: a name ('inpaint models' lists them), a run folder, a weight file, or a "
    "program, exec:CMD with {image}, {mask}, {out} and {seed} where it takes them.",
    default=DEFAULT,
    metavar="NAME|RUN|FILE|exec:CMD",
)
@click.option(
    "--rank",
    type=click.Choice(["log-prob"]),
    help="Number the files by likelihood, the likeliest first.",
)
@options.recursive
@output_options
@click.option(
    "--calibration",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Made by 'inpaint calibrate' for this model: write STEM-low.png, STEM-high.png and "
    "STEM-width.png, intervals that hold the share that it was made for.",
)
@click.option(
    "--calibration-anyway",
    is_flag=True,
    help="Take it for other models, -n or temperatures, too, though nothing is promised then.",
)
@options.exec_timeout
@family_options
@options.device
@options.common
def complete(photos: tuple[str, ...], reporter: Reporter, as_json: bool, **given: Any) -> None:
    """Complete the hidden part of each PHOTO many times.

    White pixels of the mask are filled in; every other pixel stays as it is, bit for bit. PHOTO is
    a file, a folder, a pattern, or - for standard input. Written are STEM-0.png, STEM-1.png ...,
    STEM-sheet.png and completions.json, where STEM is the photo's name without its suffix; the
    paths of the sheets are printed. With a seed other than 0 the names say so (STEM-s7-0.png).
    'inpaint pick' keeps one of them.

    \b
    Examples:
      inpaint complete photo.png --mask mask.png -n 8
      inpaint complete photo.jpg --box 40,60,100,80 --model telea
      inpaint complete holiday/ -r --mask masks/ -o filled/
      inpaint complete photo.png --reconstruct --model ipa-photos64
    """
    check_sheet(given)
    hole = hole_source(given)
    check_place(folder_of(given["output"]))
    tasks, several = tasks_of_photos(photos, hole, given, reporter)
    if given["preview"]:
        check_previews(hole, given["output"], as_json)
        write_previews(tasks, several, hole, given, reporter)
        return
    announce(given, reporter)
    from inpaint_cli.photos.batch import BatchRun

    run = BatchRun(job_of(given, hole, len(tasks), reporter), tasks, reporter)
    print_results(run, run.all(several), as_json)
    raise_failures(run.failed, len(tasks), reporter)


def write_previews(
    tasks: Sequence[PhotoTask],
    several: bool,
    hole: HoleSource,
    given: Mapping[str, Any],
    reporter: Reporter,
) -> None:
    """Write and print the preview of each photo; of several, a bad one does not stop the others."""
    from inpaint_cli.photos.batch import FailedPhoto
    from inpaint_cli.photos.pairing import inputs_of

    inputs, failed = inputs_of(tasks, hole.painted), list[FailedPhoto]()
    for task in tasks:
        try:
            path = preview(task, hole, given, inputs, reporter)
        except Exception as error:
            failed.append(FailedPhoto.of(task, error, several))
        else:
            click.echo(path)
    raise_failures(failed, len(tasks), reporter)


def tasks_of_photos(
    photos: Sequence[str], hole: HoleSource, given: Mapping[str, Any], reporter: Reporter
) -> tuple[list[PhotoTask], bool]:
    """Return the photos with their masks, and whether several could be meant."""
    from inpaint_cli.photos.listing import photos_of, with_stdin
    from inpaint_cli.photos.pairing import tasks_of
    from inpaint_cli.pictures.opening import no_such_file

    photos = with_stdin(photos, place_of_stdin(given["output"]), overwrite=given["overwrite"])
    listed = photos_of(
        photos,
        recursive=given["recursive"],
        masks=hole.path,
        output=folder_of(given["output"]),
    )
    tasks, unused = tasks_of(listed.photos, hole.path)
    for remark in [*listed.remarks, *of_masks(unused)]:
        reporter.note(remark)
    if not listed.several and not tasks[0].photo.exists():
        raise no_such_file(tasks[0].photo)
    return tasks, listed.several


def announce(given: Mapping[str, Any], reporter: Reporter) -> None:
    """Tell at once what is loaded, before that takes its seconds; methods have nothing to load."""
    name = given["model"]
    from inpaint_cli.models.external import is_command

    if is_command(name):
        return
    if name not in models.FAMILIES or models.get(name).stage_names:
        reporter.loading(name)


def of_masks(unused: Sequence[Path]) -> Iterator[str]:
    """Yield the remarks on masks without a photo; of many, on the first alone."""
    for path in unused[:LISTED]:
        yield f"{path}: no photo for this mask"
    if len(unused) > LISTED:
        yield f"{len(unused) - LISTED} more masks have no photo"


def print_results(run: BatchRun, items: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print the paths of the sheets, or of the completions where there is none, or the record."""
    from inpaint_cli.photos.record import dumps

    if as_json:
        failed = [{"image": str(f.photo), "message": message_of(f)} for f in run.failed]
        click.echo(dumps(items, failed=failed, skipped=run.skipped), nl=False)
        return
    for item in items:
        files = [completion["file"] for completion in item["completions"]]
        for file in [item["sheet"]] if item["sheet"] else files:
            click.echo(file if run.job.output.file else run.job.folder / file)


def message_of(failure: FailedPhoto) -> str:
    """Return what is to be said of a photo that failed, without its name."""
    error = failure.error
    if isinstance(error, PlainError):
        return error.on_command_line(beside=failure.photo)
    return f"{type(error).__name__}: {error}"


def raise_failures(failed: Sequence[FailedPhoto], count: int, reporter: Reporter) -> None:
    """List which of `count` photos failed, if any did, and raise PartialFailure."""
    for failure in failed:
        reporter.warn(f"failed: {failure.photo}: {message_of(failure)}")
    if failed:
        raise PartialFailure(f"{len(failed)} of {count} photos failed (see above).")
