"""`inpaint calibrate`: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from inpaint_cli.commands import options
from inpaint_cli.commands.output_options import check_file, file_of
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.zoo import DEFAULT


@click.command(context_settings={"show_default": True})
@options.model(
    "What completes; any model that draws.",
    default=DEFAULT,
)
@options.data(
    "Pictures that the model was not trained on, like those it will meet.  [required]",
)
@click.option("--split", default="validation", help="Which part: validation, test or train.")
@click.option("--masks", default="freeform@mixture", metavar="KIND|DIR", help="What is hidden.")
@click.option(
    "-k",
    "--completions",
    "k",
    type=options.whole(2, options.MOST_COMPLETIONS),
    default=8,
    metavar="K",
    help="Completions of each picture; -n of 'inpaint complete' must be the same.",
)
@click.option(
    "--level",
    type=options.Number(float, 50, 100, above=True),
    default=90.0,
    metavar="PERCENT",
    help="The share of hidden values that shall lie inside.",
)
@click.option(
    "--spread",
    type=click.Choice(["deviation", "range"]),
    default="deviation",
    help="What an interval is a multiple of: the standard deviation of the K values, or half "
    "their range.",
)
@click.option(
    "--by-visible",
    is_flag=True,
    help="A factor for each of five ranges of the visible share, so that each holds.",
)
@options.limit()
@options.temperature(
    "As it will be in 'inpaint complete'.",
    above=True,
)
@options.split_map
@options.download
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    show_default="MODEL.calibration.json",
    help="Where to write the calibration.",
)
@options.seed
@options.device
@options.common
def calibrate(reporter: Reporter, as_json: bool, output: Path | None, **given: Any) -> None:
    """Find how wide intervals must be to hold what they promise.

    The K completions of a picture say how sure a model is; mostly it is too sure. This completes
    pictures whose truth is known and finds the factor by which the spread of the completions must
    be multiplied, so that at most 10 % (--level 90) of the hidden values lie outside, on average
    over pictures like those (conformal risk control; Angelopoulos et al. 2022).

    It promises nothing for a single pixel or a single picture, nor for pictures, masks, K or
    temperatures unlike those it was made with.

    \b
    Examples:
      inpaint calibrate --model picme --data photos/ -o c.json
      inpaint complete a.png --mask m.png --model picme --calibration c.json
      inpaint score --model picme --data photos/ -k 8 --calibration c.json
    """
    if not given["data"]:
        raise UserError(
            "is needed: pictures that the model was not trained on, such as a folder or 'cifar10'.",
            setting="data",
        )
    reporter.loading(given["model"])
    from inpaint_cli import api
    from inpaint_cli.photos import calibration as files

    path = output or file_of(given["model"], ".calibration.json")
    if check_file(path):  # an earlier calibration is replaced, and nothing else
        files.load(path)
    result = api.calibrate(given.pop("model"), reporter=reporter, **given)
    files.save(result, path)
    unit = "deviation" if result.spread == "deviation" else "half the range"
    reporter.note(
        f"{result.model}: {100 * result.level:g} % of hidden values inside mean ± factor x "
        f"{unit} of {result.k} completions; {result.data} ({result.split}), {result.masks}"
    )
    for line in files.described(result):
        reporter.note(line)
    click.echo(json.dumps({"file": str(path), **asdict(result)}, indent=1) if as_json else path)
