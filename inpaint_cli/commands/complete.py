"""`inpaint complete`: photos and masks in; completions, sheets and a record out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inpaint_cli import models
from inpaint_cli.commands import options
from inpaint_cli.errors import UserError
from inpaint_cli.family import Family, Option
from inpaint_cli.reporting import Reporter
from inpaint_cli.zoo import DEFAULT

if TYPE_CHECKING:
    from inpaint_cli.api import LoadedModel
    from inpaint_cli.photos.batch import Job
    from inpaint_cli.photos.holes import HoleSource


RANK_BOUND = 16
"""Importance samples behind --rank log-prob where --bound says no other number."""


def family_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what any family takes beyond the common options; `None` = not given."""
    owners: dict[str, list[str]] = {}
    known: dict[str, Option] = {}
    for family in models.FAMILIES:
        for option in models.get(family).options:
            owners.setdefault(option.name, []).append(family)
            known.setdefault(option.name, option)
    for name, option in reversed(known.items()):
        text = f"[{', '.join(owners[name])}] {option.help}"
        kind: Any = click.Choice(option.choices) if option.choices else option.type
        command = click.option(
            f"--{name}",
            type=None if option.type is bool else kind,
            is_flag=option.type is bool,
            default=None,
            help=text,
        )(command)
    return command


def family_names() -> set[str]:
    """Gives the parameter names that `family_options` adds."""
    every = (option for family in models.FAMILIES for option in models.get(family).options)
    return {option.name.replace("-", "_") for option in every}


@click.command(context_settings={"show_default": True})
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option("--mask", metavar="FILE|DIR|KIND", help="The hole: white = fill in. A file for all "
              "photos, a folder of masks named after them (cat.png, cat_mask.png), or a kind to "
              "draw, such as freeform.")  # fmt: skip
@click.option("--box", "boxes", multiple=True, metavar="X,Y,W,H", help="A box to fill in, in "
              "pixels or percent of the photo. Repeatable; joined with the mask.")  # fmt: skip
@click.option("--mask-alpha", is_flag=True, help="Fill in what is transparent, in the mask file "
              "or, without one, in the photo.")  # fmt: skip
@click.option("--invert-mask", is_flag=True, help="Fill in black instead of white.")
@click.option("--grow", type=click.IntRange(min=0), default=0, metavar="PX",
              help="Enlarge the hole by so many pixels of the photo.")  # fmt: skip
@click.option("--resize-mask", is_flag=True, help="Scale a mask of another size to the photo's.")
@click.option("--feather", type=click.FloatRange(min=0), metavar="PX", show_default="by scale",
              help="Width over which the correction at the edge fades inside.")  # fmt: skip
@click.option("--context", type=click.FloatRange(min=0), default=0.5, metavar="SHARE",
              help="What the model sees round a hole, as a share of its size.")  # fmt: skip
@click.option("-n", "n", type=click.IntRange(min=1), metavar="N",
              show_default="8; 1 if deterministic", help="How many completions.")  # fmt: skip
@options.seed
@click.option("--temperature", type=click.FloatRange(min=0, min_open=True), show_default="1",
              help="Below 1: likelier and less varied.")  # fmt: skip
@click.option("--model", default=DEFAULT, metavar="NAME|RUN|FILE",
              shell_complete=options.model_names,
              help="What completes: a name ('inpaint models' lists them), a run folder, a weight "
              "file.")  # fmt: skip
@click.option("--rank", type=click.Choice(["log-prob"]), help="Number the files by likelihood, "
              "the likeliest first.")  # fmt: skip
@click.option("-r", "--recursive", is_flag=True, help="Also the folders in a folder.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("completions"),
              metavar="DIR", help="Where to write.")  # fmt: skip
@click.option("--no-metadata", is_flag=True, help="Leave out the PNG text on how it was made.")
@click.option("--skip-existing", is_flag=True, help="Leave out photos whose results exist.")
@click.option("--overwrite", is_flag=True, help="Also replace files that are no earlier results. "
              "Inputs never are.")  # fmt: skip
@family_options
@options.device
@options.common
def complete(photos: tuple[str, ...], reporter: Reporter, as_json: bool, **given: Any) -> None:
    """Complete the hidden part of each PHOTO many times.

    White pixels of the mask are filled in; every other pixel stays as it is, bit for bit. PHOTO is
    a file, a folder or a pattern. Written are STEM-0.png, STEM-1.png ..., STEM-sheet.png and
    completions.json; the paths of the sheets are printed.

    \b
    Examples:
      inpaint complete photo.png --mask mask.png -n 8
      inpaint complete photo.jpg --box 40,60,100,80 --model telea
      inpaint complete holiday/ -r --mask masks/ -o filled/
    """
    from inpaint_cli.photos.batch import Run
    from inpaint_cli.photos.pairing import items_of, photos_of
    from inpaint_cli.photos.reading import no_such_file
    from inpaint_cli.photos.record import dumps

    hole, folder = hole_source(given), given["output"]
    check_place(folder)
    ignored = [folder, *([hole.path] if hole.path else [])]
    found, several = photos_of(photos, recursive=given["recursive"], ignored=ignored)
    items, left = items_of(found, hole.path)
    for path in left:
        reporter.note(f"{path}: no photo for this mask")
    if not several and not items[0].photo.exists():
        raise no_such_file(items[0].photo)
    run = Run(job_of(given, hole, reporter), items, reporter)
    done = run.all(several)
    if as_json:
        click.echo(dumps(done, failed=run.failed, skipped=run.skipped), nl=False)
    else:
        for item in done:
            click.echo(folder / item["sheet"])
    run.raise_failures()


def hole_source(given: dict[str, Any]) -> HoleSource:
    """Gives what says which pixels are to be filled in."""
    from inpaint_cli.masks import is_kind
    from inpaint_cli.masks.files import parse_box
    from inpaint_cli.photos.completing import is_drawing
    from inpaint_cli.photos.holes import HoleSource

    mask = given["mask"]
    path, kind = None, None
    if mask is not None and Path(mask).exists():
        path = Path(mask)
    elif mask is not None and is_kind(mask):
        kind = mask
    elif mask is not None:
        raise no_mask(mask)
    return HoleSource(
        path,
        kind,
        tuple(parse_box(text) for text in given["boxes"]),
        given["mask_alpha"],
        given["invert_mask"],
        given["grow"],
        given["resize_mask"],
        everything=is_drawing(given),
    )


def no_mask(mask: str) -> UserError:
    """Gives the error for a --mask that is neither a file nor a kind."""
    from inpaint_cli import masks
    from inpaint_cli.photos.pairing import refuse_url

    refuse_url(mask, "--mask: ")
    if Path(mask).suffix or len(Path(mask).parts) > 1:
        return UserError(f"--mask: {mask}: no such file or folder.")
    try:
        masks.parse(mask)
    except UserError as error:
        advice = str(error).removeprefix(f"no mask kind called '{re.split('[:@]', mask)[0]}'. ")
        return UserError(f"--mask: no file, folder or kind called '{mask}'. {advice}")
    return UserError(f"--mask: no file, folder or kind called '{mask}'.")


def check_place(folder: Path) -> None:
    """Raises an error if results cannot be written to a folder; creates nothing."""
    import os

    from inpaint_cli.errors import ResourceError

    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents)
                   if place.exists())  # fmt: skip
    if not nearest.is_dir():
        raise ResourceError(f"-o {folder}: {nearest} is a file, not a folder.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ResourceError(f"-o {folder}: {nearest} may not be written. Give another -o DIR.")


def job_of(given: dict[str, Any], hole: HoleSource, reporter: Reporter) -> Job:
    """Loads the model and gives all that a run needs."""
    from inpaint_cli.api import checked_options, load_model
    from inpaint_cli.photos.batch import Job
    from inpaint_cli.photos.completing import Request

    refuse_foreign(given)
    loaded = load_model(given["model"], given["device"])
    own = {n: given[n] for n in family_names() if given[n] is not None}
    if given["rank"] and "bound" not in own and has_bound(loaded.family):
        own["bound"] = RANK_BOUND
        reporter.note(f"--rank log-prob: by lower bounds, as with --bound {RANK_BOUND}.")
    request = Request(
        n=loaded.default_n() if given["n"] is None else given["n"],
        seed=given["seed"],
        temperature=given["temperature"],
        context=given["context"],
        feather=given["feather"],
        opaque=hole.own_alpha,
        options=checked_options(loaded.family, own),
    )
    check_fit(given, request.n, loaded)
    if loaded.note:
        reporter.note(f"{loaded.name}: {loaded.note}")
    if loaded.model.size:
        reporter.detail(f"{loaded.name}: {loaded.model.size} pixels across, on {loaded.device}")
    return Job(
        loaded.model,
        loaded.name,
        loaded.weights_sha256,
        request,
        hole,
        given["output"],
        rank=given["rank"] is not None,
        metadata=not given["no_metadata"],
        skip_existing=given["skip_existing"],
        overwrite=given["overwrite"],
    )


def has_bound(family: Family) -> bool:
    """Says whether the likelihoods of a family are bounds, computed on demand."""
    return any(option.name == "bound" for option in family.options)


def refuse_foreign(given: dict[str, Any]) -> None:
    """Refuses options of other families before torch is loaded, where the name says the family."""
    if given["model"] not in models.FAMILIES:
        return
    from inpaint_cli.api import checked_options

    own = {name: given[name] for name in family_names() if given[name] is not None}
    checked_options(models.get(given["model"]), own)


def check_fit(given: dict[str, Any], n: int, loaded: LoadedModel) -> None:
    """Raises UserError for what the model cannot do, before the first photo is read."""
    from inpaint_cli.photos.completing import check_n

    check_n(n, loaded.model, loaded.name)
    if given["temperature"] is not None and not loaded.model.stochastic:
        raise UserError(f"--temperature: {loaded.name} is deterministic and has none.")
    if given["rank"] and not hasattr(loaded.model, "log_prob"):
        raise UserError(
            f"--rank log-prob: {loaded.name} has no likelihood. Take a model with one, such as "
            "pcnn, or leave --rank out."
        )
