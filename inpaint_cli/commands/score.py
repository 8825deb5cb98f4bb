"""`inpaint score`: parse, call, print."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from inpaint_cli.bounds import LARGEST_SIDE
from inpaint_cli.commands import options
from inpaint_cli.commands.family_options import options_by_family, options_of_draws
from inpaint_cli.commands.masks import parse_size
from inpaint_cli.commands.score_printing import as_written, checked, listing, printed, verdict
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.zoo import DEFAULT

OF_WRITING = frozenset(
    (
        *("folders", "write_reference", "features", "trust_code", "features_input", "weights_dir"),
        *("fid_resize", "resize", "crop", "limit", "work", "device", "as_json"),
    )
)
"""What may be given with --write-reference."""


OF_MODELS = ("seed", "split", "split_map", "check_leaks", "download")
"""What may not be given with a FOLDER."""
SECTIONS = {
    "What is scored": (
        *("model", "data", "split", "split_map", "check_leaks", "download", "limit", "size"),
        *("masks", "k", "seed", "temperature", "detail", "reconstruct"),
    ),
    "Folders of pictures": ("reference", "unpaired", "resize", "crop", "write_reference"),
    "The figures": (
        *("metrics", "list_metrics", "check", "strict", "by_visible", "sets", "allow_biased"),
        *("is_form", "kid_form", "kid_subsets", "kid_size", "calibration"),
    ),
    "What they look through": (
        *("features", "fid_resize", "perceptual", "weights_dir", "trust_code", "features_input"),
    ),
    "What is printed": ("sd", "as_json", "as_csv", "as_markdown", "plots"),
    "Running": (
        *("work", "device", "exec_timeout", "quiet", "verbose", "debug", "version", "help"),
    ),
}
"""Heading -> parameters of the help page, before the options of single families."""


@click.command(
    cls=options.SectionedCommand,
    sections=SECTIONS | options_by_family(of_draws=True),
    context_settings={"show_default": True},
)
@options_of_draws
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
@click.option(
    "--metrics",
    metavar="NAMES",
    help="What to compute, with commas between, or all; --list shows them.",
    show_default="those of --list with a *",
)
@options.model(
    "What completes; may be given more than "
    "once. exec:CMD: a program, with {image}, {mask}, {out} and {seed} where it takes them. all: "
    "every method and model that ships of one size.",
    multiple=True,
    metavar="NAME|RUN|FILE|exec:CMD|all",
    show_default=DEFAULT,
)
@options.data(
    "Pictures to complete: as in train, or the small set that ships.",
    show_default="samples",
)
@click.option("--split", default="test", help="Which part of them: train, validation or test.")
@click.option(
    "--masks",
    multiple=True,
    metavar="KIND|DIR",
    show_default="freeform@mixture",
    help="Masks to draw, or a set drawn before; of several (given more than once, with commas "
    "between, or as patches:n=0-5) every picture is completed under each. With FOLDER: a folder of "
    "masks, white = hidden.",
)
@click.option(
    "-k",
    "--completions",
    "k",
    type=options.whole(1, options.MOST_COMPLETIONS),
    metavar="K",
    show_default="10; all that a FOLDER holds",
    help="Completions of each picture; a deterministic one counts as K equal ones.",
)
@options.limit()
@options.seed
@click.option(
    "--size",
    type=options.whole(8, LARGEST_SIDE),
    metavar="S",
    show_default="the model's",
    help="Complete pictures of S pixels across; models of another size do so in windows, "
    "as in complete.",
)
@options.temperature(
    "Below 1: likelier and less varied. 0: the likeliest completion, which counts as K equal ones.",
)
@click.option(
    "--detail",
    type=click.Choice(["photo", "none"]),
    show_default="none",
    help="With --size: fill with the picture's own texture, as complete does, or with the models' "
    "pictures.",
)
@click.option(
    "--reconstruct",
    is_flag=True,
    help="Score also what the models' autoencoders make of the whole originals: the best that "
    "completions by them can be.",
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.npz",
    show_default="as recorded by complete",
    help="The originals of a FOLDER, of the same names. Or published statistics (mu, sigma), with "
    "which fid compares.",
)
@click.option(
    "--unpaired",
    is_flag=True,
    help="FOLDER and --reference are sets of any names, numbers and sizes: fid, fid-inf and kid.",
)
@click.option(
    "--write-reference",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.npz",
    help="Score nothing: write the statistics of FOLDER, for --reference or pytorch-fid.",
)
@click.option(
    "--resize", metavar="S|HxW", help="Resize the pictures of FOLDER and their originals."
)
@click.option("--crop", metavar="S|HxW", help="Or cut them to their middle.")
@click.option(
    "--by-visible",
    is_flag=True,
    help="Also by the share that is visible: five ranges, drawn equally often.",
)
@click.option(
    "--features",
    metavar="NAME|FILE",
    show_default="inception if its weights are here, else a classifier that ships",
    help="What fid, kid, p-ids, u-ids, div-fid, is and class-... look at: inception, "
    "efficientnet-lite0, a classifier, LAYOUT=FILE or a TorchScript file.",
)
@click.option(
    "--trust-code",
    is_flag=True,
    help="Let a TorchScript file of --features run its code, which loading it does.",
)
@click.option(
    "--features-input",
    metavar="SIDE,VALUES",
    show_default="224,imagenet",
    help="What a TorchScript file takes: pixels across, and imagenet, 0..1, -1..1 or 0..255.",
)
@click.option(
    "--perceptual",
    metavar="lpips|NAME|FILE",
    show_default="lpips if its trunk is here, else a classifier that ships",
    help="The perceptual distance.",
)
@click.option(
    "--weights-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Look here first for weights that do not ship.",
)
@click.option(
    "--fid-resize",
    type=click.Choice(["tf1", "clean"]),
    default="tf1",
    help="How Inception gets its size: as torch-fidelity or as clean-fid.",
)
@click.option(
    "--sets",
    type=options.whole(1, options.MOST_COMPLETIONS),
    metavar="N",
    show_default="1; 5 for p-ids, u-ids, div-fid",
    help="Take the features of the first N completions.",
)
@click.option(
    "--calibration",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Made by 'inpaint calibrate' for the model: coverage also tells of its intervals.",
)
@click.option(
    "--is",
    "is_form",
    type=click.Choice(["image", "pooled"]),
    default="image",
    help="pooled: also the inception score of all pictures together.",
)
@click.option(
    "--kid-form",
    type=click.Choice(["paired", "subsets"]),
    default="paired",
    help="paired: unbiased, with an error. subsets: as the field reports it, of random subsets.",
)
@click.option(
    "--kid-subsets",
    type=options.whole(1, 1_000_000),
    metavar="N",
    show_default="100",
    help="How many, for the form of subsets.",
)
@click.option(
    "--kid-size",
    type=options.whole(2, options.MOST_PICTURES),
    metavar="N",
    show_default="1000",
    help="Pictures of each of them.",
)
@click.option(
    "--allow-biased",
    is_flag=True,
    help="Compute fid and its kind of no more pictures than features, instead of refusing it.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep what is measured here, for going on or again.",
)
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write pictures: metrics over the ranges, the rank histogram.",
)
@options.exec_timeout
@click.option(
    "--sd",
    is_flag=True,
    help="Print also how far the pictures' figures lie apart: their standard deviation.",
)
@options.table_forms
@click.option("--check", is_flag=True, help="Say which metrics could be computed, and why not.")
@click.option("--strict", is_flag=True, help="A metric that cannot be computed is an error.")
@click.option("--list", "list_metrics", is_flag=True, help="List the metrics and leave.")
@options.split_map
@options.check_leaks
@options.download
@options.device
@options.common
def score(folders: tuple[Path, ...], reporter: Reporter, as_json: bool, **given: Any) -> None:
    """Score completions, and say how they were scored.

    A model completes the pictures of a data set under masks that are the same for every model. Or a
    FOLDER of pictures made by any tool, paired by name with --reference, or the results of
    'inpaint complete', is scored as it is. Every figure comes with its error; what was done
    stands in the JSON.

    \b
    Examples:
      inpaint score --metrics kid,lpips-gt
      inpaint score --model telea --model pcnn-mnist --data mnist --limit 100
      inpaint score --masks centre --masks random --metrics psnr,ssim,mae
      inpaint score results/ --reference originals/ --masks holes/ --metrics psnr
      inpaint score completions/ --metrics lpips-diversity,crps --json
      inpaint score generated/ --reference photos/ --unpaired
    """
    if given["list_metrics"]:
        return click.echo("\n".join(listing()))
    check_given(folders, as_json, given)
    reporter.loading(*(map(str, folders) if folders else given["model"] or (DEFAULT,)))
    from inpaint_cli import api
    from inpaint_cli.metrics import score as scoring

    load = functools.partial(api.contestant, exec_timeout=given.pop("exec_timeout"))
    order = api.score_order(given["model"] or (DEFAULT,), **asked(folders, given))
    if given["write_reference"] is not None:
        written = scoring.write_reference(order, given["write_reference"], reporter)
        return click.echo(as_written(written, as_json)) if written else None
    if given["check"]:
        return click.echo(checked(scoring.check(order, load, reporter), as_json))
    if given["plots"] is not None:
        from inpaint_cli.metrics import plots

        plots.figure_class()  # what is missing is told before the work
    documents = scoring.run(order, load, reporter)
    if not documents:  # another process of torchrun has them
        return None
    click.echo(printed(documents, as_json, given), nl=False)
    if given["plots"] is not None:
        for path in plots.write_all(documents, given["plots"]):
            reporter.note(str(path))
    return verdict(documents)


def asked(folders: tuple[Path, ...], given: dict[str, Any]) -> dict[str, Any]:
    """Return the options as the Python API takes them; those not given are left out."""
    if folders and given["model"]:
        raise UserError("a FOLDER is scored as it is. Give models or folders.", setting="model")
    if folders:
        options.refuse_typed(OF_MODELS, "belongs to models; folders of pictures are scored here.")
    if given["write_reference"] is not None:
        others = [name for name in click.get_current_context().params if name not in OF_WRITING]
        options.refuse_typed(others, "means nothing with --write-reference.")
        given["metrics"] = "fid"  # whose features are meant
    of_output = ("model", "resize", "crop", "is_form", "plots", "sd", "as_csv", "as_markdown")
    names = given.keys() - {*of_output, "check", "list_metrics", "write_reference"}
    settings = {name: given[name] for name in names if given[name] not in (None, ())}
    for name in ("resize", "crop"):
        if given[name] is not None:
            settings[name] = parse_size(given[name], setting=name)
    return {**settings, "folders": folders, "pooled": given["is_form"] == "pooled"}


def check_given(folders: tuple[Path, ...], as_json: bool, given: dict[str, Any]) -> None:
    """Raise UserError for what can be told before torch is imported."""
    options.check_forms(as_json, given)
    for folder in folders:
        if not folder.exists():
            raise UserError("no such folder.", where=folder)
