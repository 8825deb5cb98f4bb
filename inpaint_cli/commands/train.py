"""`inpaint train`: parse, call, print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inpaint_cli.commands import options
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter

if TYPE_CHECKING:
    from inpaint_cli.training.recipe import RecipeChoices

NEWEST = "newest"
"""What `--resume` without a folder stands for."""


@click.command()
@click.option(
    "--model",
    metavar="FAMILY",
    shell_complete=options.trained_names,
    help="What to train ('inpaint models' lists all).",
)
@options.data(
    "What to train on; may be given more than once.",
)
@click.option(
    "--preset",
    help="Sizes and settings to start from.  [default: the one named after the data, else the "
    "smallest]",
)
@click.option("--stage", help="Train this stage only.  [default: all, in order]")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Settings from a file, such as the config.toml of a run.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one setting; STAGE.NAME=VALUE in one stage only. May be given more than once.",
)
@click.option(
    "--seed",
    type=options.whole(0, options.LARGEST_SEED),
    metavar="N",
    help="The same seed gives the same run.  [default: 0]",
)
@click.option(
    "--perceptual",
    metavar="lpips|NAME|FILE|none",
    help="The perceptual distance of the losses, for families that take one: LPIPS, a classifier, "
    "or a file of trunk weights.  [default: none]",
)
@click.option(
    "--from-weights",
    "weights",
    metavar="NAME|RUN|FILE",
    shell_complete=options.model_names,
    help="Start a new run from a model: its settings, and what its finished stages trained; "
    "--stage trains one of these further.",
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value=NEWEST,
    metavar="[RUN]",
    help="Go on with a run folder; without one, with the newest run of that model and data that "
    "has a checkpoint.",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="With --resume: go on though images or settings are no longer those of the run.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show the plan, parameters and memory; train nothing."
)
@click.option(
    "--stop-after",
    "minutes",
    type=options.Number(float, 0, options.LONGEST_WAIT, above=True),
    metavar="MINUTES",
    help="Save and end after this time; --resume goes on as if there had been no pause.",
)
@click.option(
    "--workers",
    type=options.whole(0, options.MOST_WORKERS),
    metavar="N",
    help="Processes that prepare batches.",
)
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard files (an extra).")
@options.split_map
@options.check_leaks
@options.download
@click.option(
    "-o",
    "--runs",
    type=options.Folder(),
    default="runs",
    show_default=True,
    help="Folder of the run folders.",
)
@options.device
@options.common
def train(reporter: Reporter, as_json: bool, **given: Any) -> None:
    """Train a model on images.

    Everything about a run lies in its folder, RUNS/NNNN-MODEL-DATA/: config.toml, log.jsonl,
    samples/, checkpoints/ and the trained model.safetensors. Ctrl-C saves; --resume goes on.

    \b
    Examples:
      inpaint train --model pcnn --data digits
      inpaint train --model pcnn --data my-photos/ --set filters=66 --set lr=1e-3
      inpaint train --from-weights pcnn-photos32 --stage pixels --data mine/
      inpaint train --resume runs/0001-pcnn-digits
    """
    from inpaint_cli.device import check_name

    check_name(given["device"])
    choices = _choices(given)
    _announce(choices, given["resume"], given["weights"], reporter)
    from inpaint_cli.training.run import Machine
    from inpaint_cli.training.run import train as train_model

    if given["check_leaks"]:
        if given["resume"]:
            raise UserError("belongs to a new run.", setting="check_leaks")
        choices.recipe().load_images(given["download"], reporter, check_leaks=True)
    of_machine = ("device", "workers", "minutes", "tensorboard", "download")
    report = train_model(
        choices,
        Machine(**{name: given[name] for name in of_machine}),
        reporter,
        **{name: given[name] for name in ("runs", "resume", "accept_changes", "dry_run")},
    )
    if report:
        click.echo(json.dumps(report.facts, indent=2) if as_json else report.text)


def _choices(given: Mapping[str, Any]) -> RecipeChoices:
    """Return what makes a recipe, of all that was given."""
    from inpaint_cli.training.recipe import RecipeChoices

    choices = {field.name: given[field.name] for field in fields(RecipeChoices)}
    weights = given["weights"]
    return RecipeChoices(**{**choices, "weights": _weight_file(weights) if weights else None})


def _announce(
    choices: RecipeChoices, resume: str | None, weights: str | None, reporter: Reporter
) -> None:
    """Tell what is loaded, before torch is; UserError for what is wrong without it."""
    if resume and resume != NEWEST:
        from inpaint_cli.training.folder import open_existing

        open_existing(Path(resume))
    elif not (resume or weights or choices.looks_at_the_data()):
        choices.recipe()
    begun = "the newest run" if resume == NEWEST else resume
    name = begun or weights or choices.model or str(choices.config or "")
    reporter.loading(*filter(None, [name]))


def _weight_file(name: str) -> Path:
    from inpaint_cli import zoo

    path = zoo.find(name, "from_weights")
    if isinstance(path, str):
        raise UserError(f"'{path}' has no weights.", setting="from_weights")
    zoo.whole(path)
    return path
