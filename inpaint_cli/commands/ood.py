"""`inpaint ood`: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inpaint_cli.commands import options
from inpaint_cli.commands.output_options import check_file, file_of
from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.streams import whole_json

if TYPE_CHECKING:
    from inpaint_cli.metrics.targets import Contestant
    from inpaint_cli.photos.batch import FailedPhoto
    from inpaint_cli.photos.holes import HoleSource
    from inpaint_cli.photos.pairing import PhotoTask
    from inpaint_cli.posterior.ood_features import StatisticKind
    from inpaint_cli.posterior.ood_judging import Prepared
    from inpaint_cli.posterior.ood_reference import Transform

FIT = {"data", "split", "limit", "held_out", "masks", "statistic", "form", "passes", "output"}
FIT |= {"split_map", "download", "seed", "fit"}
PHOTOS = {
    "photos",
    "recursive",
    "reference",
    "mask",
    "invert_mask",
    "statistic",
    "transform",
    "seed",
}
COMPARISON = {"reference", "data", "split", "limit", "against", "masks", "by_visible"}
COMPARISON |= {"split_map", "download", "seed"}
EVERY = {"model", "device", "as_json"}


@click.command(context_settings={"show_default": True})
@click.argument("photos", nargs=-1, metavar="[PHOTO]...")
@options.recursive
@options.model(
    "What has learned; a trained model.",
    required=True,
)
@click.option(
    "--fit",
    is_flag=False,
    flag_value="pooled",
    type=click.Choice(["pooled", "by-visible"]),
    help="Make a reference of --data. by-visible: what follows from the visible share is taken "
    "off.",
    show_default="pooled, where --fit is given",
)
@click.option(
    "--reference",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    show_default="the one that ships with the model",
    help="Made by --fit.",
)
@click.option(
    "--mask",
    metavar="FILE|DIR|KIND",
    show_default="all of a photo is judged",
    help="White is left out of what is judged.",
)
@click.option("--invert-mask", is_flag=True, help="Black is left out.")
@options.data(
    "With --fit: what the model was trained on. Else: held-out pictures of that kind.",
)
@click.option("--split", metavar="SPLIT", show_default="test; train with --fit", help="Of --data.")
@click.option(
    "--against",
    multiple=True,
    metavar="NAMES|DIR|ZIP",
    help="What --data is told from: another set, or some of noise, constant, flip, rotate, crop, "
    "translate, with commas between. May be given more than once.",
)
@click.option(
    "--masks",
    metavar="KIND|DIR|none",
    show_default="those of the training",
    help="What is hidden of --data. none: nothing.",
)
@click.option("--by-visible", is_flag=True, help="Also by the share that is visible.")
@options.limit(shown="500 of a set; 5000 with --fit")
@click.option(
    "--held-out",
    type=options.whole(1, options.MOST_PICTURES),
    metavar="N",
    show_default="1000",
    help="With --fit: so many validation pictures, for p-values.",
)
@click.option(
    "--statistic",
    type=click.Choice(["gradient", "likelihood", "agreement"]),
    show_default="gradient where the model has layers of latents, else agreement",
    help="What is asked of the model.",
)
@click.option(
    "--transform",
    type=click.Choice(["log", "none"]),
    show_default="log",
    help="Of the gradient: signed logarithms, or as published.",
)
@click.option(
    "--form",
    type=click.Choice(["analytic", "sampled"]),
    show_default="analytic",
    help="Of the gradient, with --fit.",
)
@click.option(
    "--passes",
    type=options.whole(1, options.MOST_COMPLETIONS),
    metavar="S",
    show_default="4",
    help="With --fit: walks, or completions of agreement, for each picture.",
)
@options.split_map
@options.download
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    show_default="MODEL.ood.safetensors",
    help="With --fit: where to write the reference.",
)
@options.seed
@options.device
@options.common
def ood(photos: tuple[str, ...], reporter: Reporter, as_json: bool, **given: Any) -> None:
    """Tell whether pictures are of the kind that a model has learned.

    The p-value of a photo is the share of pictures like those of the training that look at least
    as unusual to the model. Of such pictures 5 % have one of at most 0.05; of others, the more the
    stranger they are to the model, which need not be what is strange to you (a picture upside down
    often is not).

    References ship for ipa-cifar32 and ipa-mnist; --fit makes one for any trained model.

    \b
    Examples:
      inpaint ood photo.png --model ipa-cifar32
      inpaint ood photos/ --model ipa-cifar32 --mask freeform-scaled --json
      inpaint ood --model ipa-cifar32 --data cifar10 --against noise,constant,flip
      inpaint ood --fit --model runs/0001-ipa --data photos/ -o my.ood.safetensors
    """
    if photos and given["fit"]:
        raise UserError("photos are judged; --fit takes --data. Give one of them.")
    if given["fit"]:
        refuse_others(FIT, "--fit")
        return fit(reporter, as_json, given)
    if photos and given["data"]:
        raise UserError("photos and data: give one of them.", setting="data")
    if photos:
        refuse_others(PHOTOS, "PHOTO")
        return of_photos(photos, reporter, as_json, given)
    if given["data"]:
        refuse_others(COMPARISON, "--data without --fit")
        return comparison(reporter, as_json, given)
    raise UserError("give photos, --data with --against, or --fit with --data.")


def refuse_others(known: set[str], form: str) -> None:
    """Raise UserError for an option that was typed and means nothing in this form."""
    given = click.get_current_context().params
    others = [name for name in given if name not in known | EVERY and given[name] not in ((), None)]
    options.refuse_typed(others, f"means nothing with {form}.")


def typed(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the options of these names that were given."""
    return {name: given[name] for name in names if given[name] not in (None, ())}


def fit(reporter: Reporter, as_json: bool, given: dict[str, Any]) -> None:
    """Make a reference, write it and say what it is of."""
    if not given["data"]:
        raise UserError("is needed: the pictures that the model was trained on.", setting="data")
    reporter.loading(given["model"])
    from inpaint_cli import api_ood
    from inpaint_cli.posterior import ood_reference, ood_tables

    path = given["output"] or file_of(given["model"], ".ood.safetensors")
    if check_file(path):  # an earlier reference is replaced, and nothing else
        ood_reference.load(path)
    names = FIT - {"output"} | {"device"}
    reference = api_ood.fit_ood(given["model"], reporter=reporter, **typed(given, *names))
    ood_reference.save(reference, path)
    for line in ood_tables.described(reference.facts):
        reporter.note(line)
    document = {"file": str(path), **asdict(reference.facts)}
    click.echo(whole_json(json.dumps(document, indent=1)) if as_json else path)


def of_photos(
    photos: tuple[str, ...], reporter: Reporter, as_json: bool, given: dict[str, Any]
) -> None:
    """Judge photos: all are read before the first is judged."""
    reporter.loading(given["model"])
    from inpaint_cli import api
    from inpaint_cli.commands.complete import raise_failures
    from inpaint_cli.device import resolve
    from inpaint_cli.posterior import ood_judging, ood_tables

    contestant = api.contestant(given["model"], str(resolve(given["device"])))
    contestant.tell(reporter)
    reference = ood_judging.reference_of(contestant, given["reference"])
    statistic: StatisticKind | None = given["statistic"]
    transform: Transform | None = given["transform"]
    reference.chosen(statistic, transform)
    pictures, failed = read_all(photos, contestant, reporter, given)
    if given["mask"] and given["mask"] != reference.facts.masks:
        reporter.note(
            f"p-values are exact for holes like those of '{reference.facts.masks}', which the "
            "reference was made with"
        )
    judged = ood_judging.judge(pictures, contestant, reference, reporter, statistic, transform)
    colour = "RGB" if contestant.model.channels == 3 else "grey"
    reporter.note(
        f"the square in the middle of each photo, at {contestant.model.size} pixels, {colour}; "
        + ood_tables.described(reference.facts)[0]
    )
    if as_json:
        document = {
            "schema": 1,
            "score": reference.chosen(statistic, transform),
            "photos": [one.document() for one in judged],
            "reference": asdict(reference.facts),
        }
        click.echo(whole_json(json.dumps(document, indent=1, allow_nan=False)))
    else:
        click.echo(ood_tables.of_photos(judged))
    raise_failures(failed, len(failed) + len(judged), reporter)


def read_all(
    photos: tuple[str, ...], contestant: Contestant, reporter: Reporter, given: dict[str, Any]
) -> tuple[list[Prepared], list[FailedPhoto]]:
    """Return the photos with their masks, at the model's size, and those that failed.

    One that fails does not stop the others; where none is left, the first error is raised.
    """
    from inpaint_cli.commands.complete import of_masks
    from inpaint_cli.commands.hole_options import file_or_kind
    from inpaint_cli.photos.batch import FailedPhoto
    from inpaint_cli.photos.holes import HoleSource
    from inpaint_cli.photos.listing import photos_of
    from inpaint_cli.photos.pairing import tasks_of

    path, kind = file_or_kind(given["mask"])
    hole = HoleSource(path, kind, invert=given["invert_mask"], resize=None)
    listed = photos_of(
        photos, recursive=given["recursive"], masks=path if path and path.is_dir() else None
    )
    tasks, unused = tasks_of(listed.photos, path, written=False)
    for remark in [*listed.remarks, *of_masks(unused)]:
        reporter.note(remark)
    read_photos: list[Prepared] = []
    failed: list[FailedPhoto] = []
    for task in tasks:
        try:
            read_photos.append(read_one(task, hole, contestant, reporter, given["seed"]))
        except PlainError as error:
            if error.ends_batch:
                raise
            failed.append(FailedPhoto(task.photo, error.within(task.photo)))
    if failed and not read_photos:
        raise failed[0].error
    return read_photos, failed


def read_one(
    task: PhotoTask, hole: HoleSource, contestant: Contestant, reporter: Reporter, seed: int
) -> Prepared:
    """Return one photo with its mask, at the model's size."""
    from inpaint_cli.pictures.reading import read
    from inpaint_cli.posterior.ood_judging import prepared

    if task.problem is not None:
        raise task.problem
    photo, visible = read(task.photo), None
    if hole.path is not None or hole.kind is not None:
        visible = hole.visible(
            task.photo,
            task.mask,
            (photo.height, photo.width),
            model_size=contestant.model.size,
            seed=seed,
            reporter=reporter,
            number=task.number,
        )
    ready = prepared(str(task.photo), photo, visible, contestant)
    for note in ready.notes:
        reporter.note(f"{task.photo}: {note}")
    return ready


def comparison(reporter: Reporter, as_json: bool, given: dict[str, Any]) -> None:
    """Compare sets and print the table."""
    reporter.loading(given["model"])
    from inpaint_cli import api_ood
    from inpaint_cli.posterior import ood_tables

    names = COMPARISON | {"device"}
    document = api_ood.compare_ood(given["model"], reporter=reporter, **typed(given, *names))
    if as_json:
        click.echo(whole_json(json.dumps(document, indent=1, allow_nan=False)))
    else:
        click.echo(ood_tables.of_comparison(document))
