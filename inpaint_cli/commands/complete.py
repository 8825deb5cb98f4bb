"""`inpaint complete`: photos and masks in; completions, sheets and a record out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from inpaint_cli import models
from inpaint_cli.commands import hole_options, options
from inpaint_cli.errors import PartialFailure, PlainError, ResourceError, UnknownName, UserError
from inpaint_cli.family import Option, drawing_option, not_as_scored
from inpaint_cli.reporting import Reporter
from inpaint_cli.zoo import DEFAULT

if TYPE_CHECKING:
    from inpaint_cli.api import LoadedModel
    from inpaint_cli.photos.batch import BatchJob, BatchRun, FailedPhoto
    from inpaint_cli.photos.calibration import Calibration
    from inpaint_cli.photos.holes import HoleSource
    from inpaint_cli.photos.request import CompletionRequest

HOLE_OPTIONS = (
    *("mask", "boxes", "mask_alpha", "invert_mask", "grow", "resize_mask"),
    *hole_options.NEW,
)
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
        "device",
        "exec_timeout",
        "as_json",
        "quiet",
        "verbose",
        "debug",
        "version",
        "help",
    ),
}
"""Heading -> parameters of the help page, before the options of single families."""
LISTED = 10
"""So many masks without a photo are listed by name."""


def all_family_options() -> Iterator[tuple[str, Option]]:
    """Yield each family's name with each of its options."""
    for family in models.usable():
        for option in models.get(family).options:
            yield family, option


def options_by_family() -> dict[str, tuple[str, ...]]:
    """Return heading -> parameters of the options that only some families take."""
    owners: dict[str, list[str]] = {}
    for family, option in all_family_options():
        owners.setdefault(option.parameter, []).append(family)
    sections: dict[str, tuple[str, ...]] = {}
    for parameter, families in owners.items():
        heading = f"Only with --model {', '.join(families)}"
        sections[heading] = (*sections.get(heading, ()), parameter)
    return sections


def family_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what any family takes beyond the common options; `None` = not given."""
    known: dict[str, Option] = {}
    for _, option in all_family_options():
        known.setdefault(option.name, option)
    for name, option in reversed(known.items()):
        kind: Any = click.Choice(option.choices) if option.choices else option.type
        if option.type is int or option.type is float:
            kind = options.of_a_family(option.type)  # whose own bounds may be closer
        command = click.option(
            f"--{name}",
            type=None if option.type is bool else kind,
            is_flag=option.type is bool,
            default=None,
            metavar={int: "N", float: "X"}.get(option.type),
            help=option.help,
        )(command)
    return command


def given_family_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `family_options` added and was given."""
    # No set: its order differs between runs, and a completion keeps its options in their order.
    names = dict.fromkeys(option.parameter for _, option in all_family_options())
    return {name: given[name] for name in names if given[name] is not None}


@click.command(
    cls=options.SectionedCommand,
    sections=SECTIONS | options_by_family(),
    context_settings={"show_default": True},
)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option(
    "--mask",
    metavar="FILE|DIR|KIND",
    help="The hole: white = fill in. A file for all "
    "photos, a folder of masks named after them (cat.png, cat_mask.png), or a kind to "
    "draw, such as freeform.",
)
@click.option(
    "--box",
    "boxes",
    multiple=True,
    metavar="X,Y,W,H",
    help="A box to fill in, in pixels or percent of the photo. Repeatable; joined with the mask.",
)
@click.option(
    "--mask-alpha",
    is_flag=True,
    help="Fill in what is transparent, in the mask file or, without one, in the photo.",
)
@click.option("--invert-mask", is_flag=True, help="Fill in black instead of white.")
@click.option(
    "--grow",
    type=options.whole(0, options.LONGEST_SIDE),
    default=0,
    metavar="PX",
    help="Enlarge the hole by so many pixels of the photo.",
)
@click.option("--resize-mask", is_flag=True, help="Scale a mask of another size to the photo's.")
@hole_options.more_hole_options
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
    show_default="by scale",
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
@click.option(
    "--temperature",
    type=options.Number(float, 0, options.HIGHEST_TEMPERATURE),
    metavar="T",
    show_default="1",
    help="Below 1: likelier and less varied. 0: the model's likeliest completion, one.",
)
@click.option(
    "--reconstruct",
    is_flag=True,
    help="Write what the model's autoencoder makes of the whole photo, STEM-reconstruction-0.png: "
    "the best that completions by it can be. For models that have one: "
    f"{', '.join(name for name in models.usable() if models.get(name).reconstructs)}.",
)
@click.option(
    "--model",
    default=DEFAULT,
    metavar="NAME|RUN|FILE|exec:CMD",
    shell_complete=options.model_names,
    help="What completes: a name ('inpaint models' lists them), a run folder, a weight file, or a "
    "program, exec:CMD with {image}, {mask}, {out} and {seed} where it takes them.",
)
@click.option(
    "--rank",
    type=click.Choice(["log-prob"]),
    help="Number the files by likelihood, the likeliest first.",
)
@click.option("-r", "--recursive", is_flag=True, help="Also the folders in a folder.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("completions"),
    metavar="DIR|FILE",
    help="Where to write: a folder, or, of one photo with -n 1, a file such as photo.png.",
)
@click.option(
    "--sheet",
    "tile",
    type=options.whole(32, 4096),
    metavar="PX",
    show_default="300",
    help="How long a completion is on the sheet, at least.",
)
@click.option("--no-sheet", is_flag=True, help="Draw no sheet; the completions are printed.")
@hole_options.output_options
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
@click.option("--no-metadata", is_flag=True, help="Leave out the PNG text on how it was made.")
@click.option("--skip-existing", is_flag=True, help="Leave out photos whose results exist.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Also replace files that are no earlier results. Inputs never are.",
)
@options.exec_timeout
@family_options
@options.device
@options.common
def complete(photos: tuple[str, ...], reporter: Reporter, as_json: bool, **given: Any) -> None:
    """Complete the hidden part of each PHOTO many times.

    White pixels of the mask are filled in; every other pixel stays as it is, bit for bit. PHOTO is
    a file, a folder, a pattern, or - for standard input. Written are STEM-0.png, STEM-1.png ...,
    STEM-sheet.png and completions.json; the paths of the sheets are printed. With a seed other
    than 0 the names say so (STEM-s7-0.png). 'inpaint pick' keeps one of them.

    \b
    Examples:
      inpaint complete photo.png --mask mask.png -n 8
      inpaint complete photo.jpg --box 40,60,100,80 --model telea
      inpaint complete holiday/ -r --mask masks/ -o filled/
      inpaint complete photo.png --reconstruct --model ipa-photos64
    """
    check_sheet(given)
    from inpaint_cli.photos.listing import photos_of
    from inpaint_cli.photos.pairing import tasks_of
    from inpaint_cli.photos.piped import with_stdin
    from inpaint_cli.pictures.opening import no_such_file

    hole, folder = hole_source(given), hole_options.folder_of(given["output"])
    check_place(folder)
    photos = with_stdin(photos, place_of_stdin(given), overwrite=given["overwrite"])
    found = photos_of(photos, recursive=given["recursive"], masks=hole.path, output=folder)
    tasks, left = tasks_of(found.photos, hole.path)
    for remark in [*found.remarks, *of_masks(left)]:
        reporter.note(remark)
    if not found.several and not tasks[0].photo.exists():
        raise no_such_file(tasks[0].photo)
    if given["preview"]:
        for path in hole_options.write_previews(tasks, hole, given, reporter):
            click.echo(path)
        return
    announce(given, reporter)
    from inpaint_cli.photos.batch import BatchRun
    from inpaint_cli.photos.record import dumps

    run = BatchRun(job_of(given, hole, len(tasks), reporter), tasks, reporter)
    items = run.all(found.several)
    if as_json:
        failed = [{"image": str(f.photo), "message": message_of(f)} for f in run.failed]
        click.echo(dumps(items, failed=failed, skipped=run.skipped), nl=False)
    else:
        for item in items:
            for file in [item["sheet"]] if item["sheet"] else names_in(item):
                click.echo(file if run.job.output.file else folder / file)
    raise_failures(run, reporter)


def place_of_stdin(given: Mapping[str, Any]) -> Path:
    """Return where a photo from standard input is kept: not beside a result that is one file."""
    folder = hole_options.folder_of(given["output"])
    if folder == given["output"]:
        return folder
    return Path(click.get_current_context().with_resource(TemporaryDirectory()))


def check_sheet(given: Mapping[str, Any]) -> None:
    """Raise UserError where a sheet is described that shall not be drawn."""
    if given["tile"] is not None and given["no_sheet"]:
        raise UserError("there is no sheet with --no-sheet. Leave one out.", setting="sheet")


def announce(given: Mapping[str, Any], reporter: Reporter) -> None:
    """Tell at once what is loaded, before that takes its seconds; methods have nothing to load."""
    name = given["model"]
    from inpaint_cli.models.external import is_command

    if is_command(name):
        return
    if name not in models.FAMILIES or models.get(name).stage_names:
        reporter.loading(name)


def of_masks(left: Sequence[Path]) -> Iterator[str]:
    """Yield the remarks on masks without a photo; of many, on the first alone."""
    for path in left[:LISTED]:
        yield f"{path}: no photo for this mask"
    if len(left) > LISTED:
        yield f"{len(left) - LISTED} more masks have no photo"


def names_in(item: Mapping[str, Any]) -> list[str]:
    """Return the files of the completions of one photo."""
    return [completion["file"] for completion in item["completions"]]


def message_of(failure: FailedPhoto) -> str:
    """Return what is to be said of a photo that failed, without its name."""
    error = failure.error
    if isinstance(error, PlainError):
        return error.on_command_line(beside=failure.photo)
    return f"{type(error).__name__}: {error}"


def raise_failures(run: BatchRun, reporter: Reporter) -> None:
    """List what failed, if anything did, and raise PartialFailure."""
    for failure in run.failed:
        reporter.warn(f"failed: {failure.photo}: {message_of(failure)}")
    if run.failed:
        raise PartialFailure(f"{len(run.failed)} of {len(run.tasks)} photos failed (see above).")


def hole_source(given: Mapping[str, Any]) -> HoleSource:
    """Return what says which pixels are to be filled in."""
    from inpaint_cli.masks import is_kind
    from inpaint_cli.masks.files import parse_box
    from inpaint_cli.photos.holes import HoleSource

    if given["reconstruct"]:
        check_no_choice(given)
        return HoleSource(everything=True)
    drawing = drawing_option((option for _, option in all_family_options()), given)
    if drawing:
        check_no_hole(drawing, given)
        return HoleSource(everything=True)
    mask = given["mask"]
    path = Path(mask) if mask is not None and Path(mask).exists() else None
    kind = mask if path is None and mask is not None and is_kind(mask) else None
    if mask is not None and path is None and kind is None:
        raise no_mask(mask)
    if mask is None and not given["mask_alpha"] and not any(map(given.get, hole_options.HOLES)):
        raise UserError(
            "no hole is given. Use --mask FILE (white = fill in), --mask KIND, --box X,Y,W,H, "
            "--polygon X,Y,X,Y,..., --mask-painted COPY, --mask-colour RRGGBB, --extend SIDE=PX, "
            "or --mask-alpha if the photo's transparent pixels are to be filled."
        )
    return HoleSource(
        path,
        kind,
        tuple(parse_box(text) for text in given["boxes"]),
        given["mask_alpha"],
        given["invert_mask"],
        given["grow"],
        given["resize_mask"],
        **hole_options.hole_fields(given),
    )


def check_no_choice(given: Mapping[str, Any]) -> None:
    """Raise UserError where a reconstruction is given a hole, or what chooses of completions."""
    if any(given[name] for name in HOLE_OPTIONS):
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
    if any(given[name] for name in HOLE_OPTIONS):
        raise UserError(
            f"{drawing.of_drawing}: everything is filled in. Leave out --mask, --box and all other "
            "options of the hole.",
            setting=drawing.parameter,
        )


def no_mask(mask: str) -> UserError:
    """Return the error for a --mask that is neither a file nor a kind."""
    from inpaint_cli import masks
    from inpaint_cli.photos.listing import refuse_url

    refuse_url(mask, setting="mask")
    if Path(mask).suffix or len(Path(mask).parts) > 1:
        return UserError(f"{mask}: no such file or folder.", setting="mask")
    advice = ""
    try:
        masks.parse(mask)
    except UnknownName as error:
        advice = f" {error.advice}"
    except UserError as error:
        advice = f" {error.on_command_line()}"
    return UserError(f"no file, folder or kind called '{mask}'.{advice}", setting="mask")


def check_place(folder: Path) -> None:
    """Raise an error if results cannot be written to a folder; create nothing."""
    import os

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
        raise ResourceError(f"{nearest} may not be written. Give another -o DIR.", setting="output")


def job_of(given: Mapping[str, Any], hole: HoleSource, photos: int, reporter: Reporter) -> BatchJob:
    """Return all that a run needs; of the model no more than its facts."""
    from inpaint_cli.api import checked_options, load_model
    from inpaint_cli.photos.batch import BatchJob
    from inpaint_cli.photos.output import check_count
    from inpaint_cli.photos.request import CompletionRequest

    output = hole_options.output_of(given)
    check_count(output, given["n"] or output.keep or 1, photos)
    refuse_foreign(given)
    # Later: what is wrong with photos, holes and options is told before torch is loaded.
    loaded = load_model(
        given["model"], given["device"], later=True, exec_timeout=given["exec_timeout"]
    )
    of_family = given_family_options(given)
    if given["rank"]:
        of_family = ranked_options(loaded, of_family, reporter)
    alone = output.file or given["reconstruct"]
    if not given["reconstruct"]:
        of_family = checked_options(loaded.family, of_family, given["calibration"] is not None)
    request = CompletionRequest.of_family(
        loaded.family,
        of_family,
        n=(given["n"] or (1 if alone else loaded.default_n(given["temperature"]))),
        seed=given["seed"],
        temperature=given["temperature"],
        context=given["context"],
        feather=given["feather"],
        detail=given["detail"],
        opaque=hole.own_alpha,
        intervals=given["calibration"] is not None,
        reconstruct=given["reconstruct"],
    )
    calibration = calibration_of(given, loaded, request, reporter)
    check_fit(given, request.n, loaded)
    check_count(output, request.n, photos)
    if loaded.note:
        reporter.note(f"{loaded.name}: {loaded.note}")
    if loaded.model.size:
        reporter.detail(f"{loaded.name}: {loaded.model.size} pixels across, on {loaded.device}")
    return BatchJob(
        loaded.model,
        loaded.name,
        loaded.weights_sha256,
        request,
        hole,
        hole_options.folder_of(given["output"]),
        rank=given["rank"] is not None,
        metadata=not given["no_metadata"],
        skip_existing=given["skip_existing"],
        overwrite=given["overwrite"],
        sheet=not given["no_sheet"],
        **({"tile": given["tile"]} if given["tile"] else {}),
        output=output,
        calibration=calibration,
        intervals=given["calibration"] is not None,
        huge=given["huge"],
    )


def calibration_of(
    given: Mapping[str, Any], loaded: LoadedModel, request: CompletionRequest, reporter: Reporter
) -> Calibration | None:
    """Return the calibration that was given, or the one that ships, if it is of this model.

    UserError where the given one says nothing on what will be drawn.
    """
    from inpaint_cli import zoo
    from inpaint_cli.photos import calibration

    path = given["calibration"] or zoo.calibration_of(loaded.name)
    if given["calibration_anyway"] and given["calibration"] is None:
        raise UserError("goes with --calibration FILE.", setting="calibration_anyway")
    if path is None:
        return None
    found = calibration.load(path)
    why = found.mismatch(
        loaded.name, loaded.weights_sha256, request.n, request.temperature
    ) or not_as_scored(loaded.family, request.options)
    if why is None or given["calibration_anyway"]:
        if why:
            reporter.warn(f"{path}: {why}; taken anyway, so nothing is promised")
        return found
    if given["calibration"] is None:
        return None
    raise UserError(
        f"{why}. Change that, or take it anyway with --calibration-anyway.", setting="calibration"
    )


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


def refuse_foreign(given: Mapping[str, Any]) -> None:
    """Refuse options of other families before torch is loaded, where the name says the family."""
    if given["model"] not in models.FAMILIES:
        return
    from inpaint_cli.api import checked_options

    checked_options(models.get(given["model"]), given_family_options(given))


def check_fit(given: Mapping[str, Any], n: int, loaded: LoadedModel) -> None:
    """Raise UserError for what the model cannot do, before the first photo is read."""
    from inpaint_cli.photos.completing import check_n

    check_n(n, loaded.model, loaded.name)
    if given["reconstruct"] and (why := loaded.model.no_reconstruction()):
        raise UserError(f"{loaded.name} {why}", setting="reconstruct")
    if given["temperature"] is not None and not loaded.model.stochastic:
        raise UserError(f"{loaded.name} is deterministic and has none.", setting="temperature")
    if given["rank"] and not loaded.model.has_log_prob:
        raise UserError(
            f"log-prob: {loaded.name} has no likelihood. Take a model with one, such as pcnn, or "
            "leave --rank out.",
            setting="rank",
        )
