"""`inpaint design`: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from inpaint_cli.commands import options
from inpaint_cli.commands.output_options import check_place
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.streams import whole_json

SECTIONS = {
    "What you need": ("model", "classifier", "data", "output"),
    "Looking": ("estimator", "steps", "n", "images", "patch", "grid", "start", "target", "seed"),
    "Data sets": ("cross", "split", "split_map", "limit", "as_csv", "as_markdown", "download"),
    "Running": ("recursive", "device", "as_json", "quiet", "verbose", "debug", "version", "help"),
}
OF_TABLES = ("cross", "split", "limit", "as_csv", "as_markdown")
"""Options that mean nothing for photos."""


@click.command(
    cls=options.SectionedCommand, sections=SECTIONS, context_settings={"show_default": True}
)
@click.argument("photos", nargs=-1, metavar="[PHOTO]...")
@options.recursive
@options.model(
    "What completes; any model that draws.",
    required=True,
)
@click.option(
    "--classifier",
    required=True,
    metavar="NAME|RUN|FILE",
    help="What tells classes of partly hidden pictures, of the model's size: "
    "classifier-mnist-masked, classifier-cifar10-masked, or one of 'inpaint train --model "
    "classifier --preset mnist-masked'.",
)
@options.data(
    "Without PHOTO: the pictures that are looked at. Their train split stands for completions "
    "of nothing, with PHOTO too.",
)
@click.option(
    "--estimator",
    "estimator",
    multiple=True,
    type=click.Choice(["eig", "epe", "random", "uncond", "uncond-sequence"]),
    default=("eig",),
    show_default="eig",
    help="How the next place is chosen; of a data set several are compared with the first.",
)
@click.option(
    "--steps", type=options.whole(1, 10_000), default=5, metavar="T", help="How many looks."
)
@click.option(
    "-n",
    "n",
    type=options.whole(2, options.MOST_COMPLETIONS),
    default=10,
    metavar="N",
    help="Completions that a gain is averaged over.",
)
@click.option(
    "--images",
    type=options.whole(2, options.MOST_PICTURES),
    metavar="M",
    show_default="as -n",
    help="Training images in their place, where nothing is visible and for uncond.",
)
@click.option(
    "--patch", default="25%", metavar="PX|PERCENT", help="Side of the square that a look shows."
)
@click.option(
    "--grid",
    type=options.whole(2, 1000),
    metavar="G",
    show_default="17, or as many as fit",
    help="Places along each side.",
)
@click.option(
    "--start",
    default="nothing",
    metavar="KIND|FILE",
    help="What is visible at first: a kind of mask, or a mask file (white = not seen).",
)
@click.option(
    "--target",
    metavar="NAME|INDEX",
    help="Of a classifier of labels (findings in x-rays): the one that matters.",
)
@click.option(
    "--cross",
    multiple=True,
    metavar="NAME|INDEX",
    help="In place of --target, given several times: each label judged by the looks that were "
    "chosen for each.",
)
@click.option("--split", default="test", help="Which part is looked at.")
@options.split_map
@options.limit(2)
@options.table_forms
@options.download
@click.option(
    "-o",
    "--output",
    type=options.Folder(),
    default=Path("design"),
    metavar="DIR",
    help="Folder of the files of photos.",
)
@options.seed
@options.device
@options.common
def design(
    photos: tuple[str, ...], reporter: Reporter, as_json: bool, output: Path, **given: Any
) -> None:
    """Choose where to look next, and say what looks are worth.

    A picture is hidden but for a few squares that may be looked at one after another. Completions
    of what is seen say what a further look may show, and a classifier what it would tell: the next
    look is where the classes are expected to become clearest (Bayesian experimental design; Harvey
    et al. 2022). Written of each PHOTO are STEM-design.png (each look with its map of expected
    gains), STEM-design.npz and design.json.

    Without PHOTO the pictures of a data set are looked at, and accuracy, NLL and, of two classes,
    AUROC after each look are printed, with differences to the first estimator in pairs.

    \b
    eig              largest expected information gain
    epe              the same, from the classes expected now; may be negative
    random           any place
    uncond           eig of training images: the same places in every picture
    uncond-sequence  the best of random sequences of places, by training images

    \b
    Examples:
      inpaint design digit.png --model ipa-mnist --classifier RUN
      inpaint design a.png --model ipa-cifar32 --classifier RUN --start mask.png
      inpaint design --data mnist --limit 200 --model ipa-mnist --classifier RUN
      inpaint design --data mine/ --model RUN --classifier RUN --cross 3 --cross 8
    """
    options.check_forms(as_json, given)
    if photos:
        return of_photos(photos, reporter, as_json, output, given)
    return of_data(reporter, as_json, given)


def of_photos(
    photos: tuple[str, ...], reporter: Reporter, as_json: bool, output: Path, given: dict[str, Any]
) -> None:
    """Look at photos, and print what was written."""
    options.refuse_typed(OF_TABLES, "belongs to data sets; photos are looked at here.")
    check_place(output)
    reporter.loading(given["model"], given["classifier"])
    from inpaint_cli import api
    from inpaint_cli.commands.complete import raise_failures
    from inpaint_cli.photos.listing import photos_of
    from inpaint_cli.photos.pairing import tasks_of
    from inpaint_cli.pictures.opening import no_such_file
    from inpaint_cli.posterior.design_run import PhotoRun
    from inpaint_cli.posterior.designing import order_of

    listed = photos_of(photos, recursive=given.pop("recursive"), output=output)
    for remark in listed.remarks:
        reporter.note(remark)
    tasks, _ = tasks_of(listed.photos, None)
    if not listed.several and not tasks[0].photo.exists():
        raise no_such_file(tasks[0].photo)
    run = PhotoRun(order_of(**_order(given)), tasks, output, reporter)
    record = run.all(api.contestant)
    click.echo(json.dumps(record, indent=1) if as_json else "\n".join(map(str, run.written)))
    raise_failures(run.failed, len(run.tasks), reporter)


def of_data(reporter: Reporter, as_json: bool, given: dict[str, Any]) -> None:
    """Look at the pictures of a data set, and print the table."""
    if not given["data"]:
        raise UserError("give a PHOTO, or --data with pictures that have classes, such as 'mnist'.")
    of_photos_alone = "belongs to photos; a table of a data set is printed."
    options.refuse_typed(("output", "recursive"), of_photos_alone)
    given.pop("recursive")
    reporter.loading(given["model"], given["classifier"])
    from inpaint_cli import api
    from inpaint_cli.posterior import design_cross, design_printing
    from inpaint_cli.posterior.designing import order_of

    document = design_cross.report(order_of(**_order(given)), api.contestant, reporter)
    if as_json:
        click.echo(whole_json(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)))
    elif given["as_csv"]:
        click.echo(design_printing.csv_of(document), nl=False)
    elif given["as_markdown"]:
        click.echo(design_printing.markdown_of(document), nl=False)
    else:
        click.echo(design_printing.text_of(document), nl=False)


def _order(given: dict[str, Any]) -> dict[str, Any]:
    named = ("model", "classifier", "as_csv", "as_markdown")
    rest = {name: value for name, value in given.items() if name not in named}
    return {"model": given["model"], "classifier": given["classifier"], "options": rest}
