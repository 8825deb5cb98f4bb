"""From the options of `inpaint train` to a running session, new or resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from inpaint_cli import device as devices
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.family import Model
from inpaint_cli.files import write_text
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import ranks
from inpaint_cli.training.folder import RunFolder, create, newest, open_existing
from inpaint_cli.training.recipe import Choices, Recipe
from inpaint_cli.training.session import Machine, Session, build, check_needs
from inpaint_cli.training.takeover import finished_in, kept_of, take_over
from inpaint_cli.weights import save_weights

NEWEST = "newest"
"""`--resume` without a run folder."""


@dataclass(frozen=True)
class Request:
    """What to do with the choices of the command line."""

    runs: Path
    resume: str | None = None
    dry_run: bool = False
    device: str = "auto"
    workers: int | None = None
    minutes: float | None = None
    tensorboard: bool = False
    download: bool = False


@dataclass(frozen=True)
class Result:
    """What stdout gets: `text`, or `facts` as JSON."""

    text: str
    facts: Mapping[str, Any]


def start(choices: Choices, request: Request, reporter: Reporter) -> Result | None:
    """Trains as asked, or plans it; None in all processes but the first."""
    with ranks.joined(devices.resolve(request.device)) as device:
        if not ranks.is_first():
            reporter = Reporter(quiet=True)
        machine = Machine(
            device,
            _workers(device) if request.workers is None else request.workers,
            request.minutes,
            request.tensorboard,
            request.download,
        )
        if request.dry_run:
            return _plan(choices, request, machine, reporter)
        folder, recipe = _folder(choices, request)
        weights = Session(recipe, folder, machine, reporter, choices.stage).train()
        if not ranks.is_first():
            return None
        facts = {
            "run": str(folder.path),
            "weights": str(weights),
            "finished_stages": folder.finished_stages(),
        }
        return Result(str(weights), facts)


def _plan(choices: Choices, request: Request, machine: Machine, reporter: Reporter) -> Result:
    from inpaint_cli.training.plan import plan

    recipe = _resumed(choices, request)[1] if request.resume else choices.recipe()
    planned = plan(recipe, machine, reporter)
    return Result(planned.text, planned.facts)


def _folder(choices: Choices, request: Request) -> tuple[RunFolder, Recipe]:
    """Gives the run folder, new or found by the first process, and its recipe."""
    found: tuple[RunFolder, Recipe] | Exception | None = None
    if ranks.is_first():
        try:
            found = _resumed(choices, request) if request.resume else _new(choices, request.runs)
        except Exception as error:  # the other processes must learn of it
            found = error
    found = ranks.share(found)
    if isinstance(found, Exception):
        raise found
    assert found is not None
    return found


def _new(choices: Choices, runs: Path) -> tuple[RunFolder, Recipe]:
    recipe = choices.recipe()
    kept = kept_of(choices.weights, choices.stage) if choices.weights else []
    trained = list(kept)
    for stage in recipe.family.stages():
        if stage.name in recipe.stages:
            check_needs(stage, trained, None)
            trained.append(stage.name)
    if choices.weights is None:
        return create(runs, recipe), recipe
    model = build(recipe)
    take_over(model, recipe.family.stages(), choices.weights)
    further = {"further": choices.stage} if choices.stage in finished_in(choices.weights) else {}
    folder = create(runs, recipe)
    save_weights(
        folder.weights,
        cast(Model, model),
        family=recipe.model,
        preset=recipe.preset,
        extra={"stages": ",".join(kept), **further},
    )
    return folder, recipe


def _resumed(choices: Choices, request: Request) -> tuple[RunFolder, Recipe]:
    for option, value in (
        ("--set", choices.settings),
        ("--config", choices.config),
        ("--preset", choices.preset),
        ("--seed", choices.seed is not None),
        ("--perceptual", choices.perceptual),
        ("--from-weights", choices.weights),
    ):
        if value:
            raise UserError(f"{option}: a resumed run keeps its settings. Start a new run instead.")
    where = request.resume
    path = (
        newest(request.runs, choices.model, choices.data)
        if where == NEWEST or where is None
        else Path(where)
    )
    folder, recipe = open_existing(path)
    if choices.model not in (None, recipe.model):
        raise UserError(f"--model: {path} is a run of '{recipe.model}', not of '{choices.model}'.")
    if choices.data and tuple(choices.data) != recipe.data:
        raise UserError(f"--data: {path} is a run on {', '.join(recipe.data)}.")
    if choices.stage and choices.stage not in recipe.stages:
        recipe = _with_stage(folder, recipe, choices.stage)
    return folder, recipe


def _with_stage(folder: RunFolder, recipe: Recipe, name: str) -> Recipe:
    """Adds a stage to a run, if what it stands on is finished."""
    stages = {stage.name: stage for stage in recipe.family.stages()}
    if name not in stages:
        raise unknown_name(f"--stage: {recipe.model} has no stage", name, stages)
    check_needs(stages[name], folder.finished_stages(), folder)
    recipe = replace(recipe, stages=(*recipe.stages, name))
    write_text(folder.config, recipe.to_toml())
    return recipe


def _workers(device: torch.device) -> int:
    """Gives the processes that prepare batches while this one trains; one core is left to it."""
    spare = (os.cpu_count() or 1) - 1
    return min(spare, 1 if device.type == "cpu" else 4)
