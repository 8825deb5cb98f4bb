"""A damaged weight file beside good checkpoints: it is made again from the newest of them."""

from __future__ import annotations

from typing import cast

from inpaint_cli.errors import UserError
from inpaint_cli.family import Model
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import checkpoints
from inpaint_cli.training.checkpoints import Checkpoint
from inpaint_cli.training.folder import RunFolder
from inpaint_cli.training.recipe import Recipe
from inpaint_cli.weights import load_weights, read_header, save_weights


def mend_weights(folder: RunFolder, recipe: Recipe, reporter: Reporter) -> None:
    """Make the weight file again if it cannot be read. UserError where no checkpoint can, either.

    So, too, where it is gone, and a checkpoint tells of stages that it held.
    The stage of the checkpoint counts as not finished: training it to its end is no step then.
    """
    try:
        if not folder.weights.is_file():
            checkpoint = _newest(folder, recipe, reporter)
            if checkpoint is None or not checkpoint.weights_header.get("stages"):
                return
            raise UserError(f"{folder.weights}: gone.")
        family = read_header(folder.weights)["family"]
        if family == recipe.model:
            load_weights(folder.weights)
    except UserError as error:
        checkpoint = _newest(folder, recipe, reporter)
        if checkpoint is None:
            raise
        progress = checkpoint.progress
        reporter.warn(
            f"{error} It is made again from the checkpoint of '{progress.stage}', step "
            f"{progress.step}."
        )
    else:
        if family != recipe.model:
            raise UserError(
                f"{folder.weights}: a model of '{family}' in a run of '{recipe.model}'. Move it "
                "away, and resume."
            )
        return
    model = recipe.build()
    try:
        model.load_state_dict(checkpoint.part("average") or checkpoint.part("model"))
    except RuntimeError as error:
        raise UserError(
            f"{folder.config}: does not fit the checkpoints of its run. Put back the settings with "
            "which the run began."
        ) from error
    header = checkpoint.weights_header or _header(folder, recipe, progress.stage)
    extra = {**header, "step": str(progress.step)}
    save_weights(
        folder.weights, cast(Model, model), family=recipe.model, preset=recipe.preset, extra=extra
    )


def _newest(folder: RunFolder, recipe: Recipe, reporter: Reporter) -> Checkpoint | None:
    """Return the newest whole checkpoint of the last stage that has one."""
    for stage in reversed(recipe.family.stage_names):
        for path in reversed(checkpoints.paths(folder.checkpoints, stage)):
            try:
                return checkpoints.load(path, reporter)
            except checkpoints.DamagedCheckpoint:
                continue
    return None


def _header(folder: RunFolder, recipe: Recipe, stage: str) -> dict[str, str]:
    """Return what the weight file said, for checkpoints of earlier versions that do not hold it."""
    names = recipe.family.stage_names
    before = names[: names.index(stage)]
    done = [n for n in before if n not in recipe.stages or checkpoints.paths(folder.checkpoints, n)]
    return {"stages": ",".join(done), "in_progress": stage}
