"""A run: stage after stage, and what is logged, validated and saved between the steps of each."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from inpaint_cli import device as devices
from inpaint_cli import ranks
from inpaint_cli.device import rank, world_size
from inpaint_cli.errors import Interrupted, ResourceError, UserError
from inpaint_cli.family import Model, Stage
from inpaint_cli.files import home
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import checkpoints
from inpaint_cli.training.batches import BatchDivision, MaskSource, MicroBatches, SampleOrder
from inpaint_cli.training.folder import (
    RunFolder,
    check_needs,
    resume_run,
    start_new,
    write_environment,
)
from inpaint_cli.training.log import Log, StageLog, cut
from inpaint_cli.training.loop import BrokenStep, StepReport, Trainer, steps_of
from inpaint_cli.training.optimisation import to_device
from inpaint_cli.training.plan import RunReport, plan
from inpaint_cli.training.recipe import NO_DISTANCE, Recipe, RecipeChoices
from inpaint_cli.training.stopping import TIME_IS_UP, Stop
from inpaint_cli.training.validation import Validation
from inpaint_cli.weights import load_weights, save_weights

if TYPE_CHECKING:
    from inpaint_cli.data import ImageSet


@dataclass(frozen=True)
class Machine:
    """What may change between the sittings of a run without changing its result."""

    device: str = "auto"
    workers: int | None = None
    """Number of processes that prepare batches; None = all cores but one, within reason."""
    minutes: float | None = None
    """Stop after this time, ready to be resumed."""
    tensorboard: bool = False
    download: bool = False

    def on(self, device: torch.device) -> Machine:
        """Return the machine with the device of this process, and its number of workers."""
        spare = (os.cpu_count() or 1) - 1  # one core is left to the trainer
        workers = min(spare, 1 if device.type == "cpu" else 4)
        workers = workers if self.workers is None else self.workers
        return replace(self, device=str(device), workers=workers)


def train(
    choices: RecipeChoices,
    machine: Machine,
    reporter: Reporter,
    *,
    runs: Path,
    resume: str | None = None,
    dry_run: bool = False,
) -> RunReport | None:
    """Train a new run below `runs`, or go on with one; None in all processes but the first.

    resume: a run folder, or folder.NEWEST. dry_run: plan the run, train and write nothing.
    """
    with ranks.joined(devices.resolve(machine.device)) as device:
        if not ranks.is_first():
            reporter = Reporter(quiet=True)
        if dry_run:
            recipe = resume_run(choices, runs, resume)[1] if resume else choices.recipe()
            return plan(recipe, device, machine.download, reporter)
        folder, recipe = ranks.of_the_first(
            lambda: resume_run(choices, runs, resume) if resume else start_new(choices, runs)
        )
        TrainingRun(recipe, folder, machine.on(device), reporter, choices.stage).train()
        if not ranks.is_first():
            return None
        finished = folder.finished_stages()
        facts = {"run": str(folder.path), "weights": str(folder.weights)}
        return RunReport(str(folder.weights), {**facts, "finished_stages": finished})


@dataclass
class TrainingRun:
    """One sitting of a run in its folder."""

    recipe: Recipe
    folder: RunFolder
    machine: Machine
    reporter: Reporter
    only: str | None = None
    """Train this stage alone in this sitting."""
    stop: Stop = field(init=False)

    def __post_init__(self) -> None:
        self.stop = Stop(self.machine.minutes)
        self.device = torch.device(self.machine.device)

    def train(self) -> None:
        """Train what is left of the run.

        Raises Interrupted after a signal and ResourceError where NaN or a full disk ended it; the
        last good checkpoint is there in both cases.
        """
        with ExitStack() as stack:
            if ranks.is_first():
                stack.enter_context(self.folder.locked())
                self.folder.clean()
            stages = self.stages()
            if not stages:
                self.reporter.note(f"{self.folder.path}: finished; for more, start a new run")
                return
            images, held_out = self.recipe.load_images(self.machine.download, self.reporter)
            if ranks.is_first():
                self._describe(images, held_out)
            stack.enter_context(self.stop.listening())
            for stage in stages:
                finished = StageRun(self, self.trainer(stage, images), held_out).train()
                ranks.wait()
                if not finished:
                    break

    def stages(self) -> list[Stage[Any]]:
        """Return the stages that are left to train in this sitting."""
        by_name = {stage.name: stage for stage in self.recipe.family.stages()}
        wanted = (self.only,) if self.only else self.recipe.stages
        return [by_name[name] for name in wanted if name not in self.folder.finished_stages()]

    def trainer(self, stage: Stage[Any], images: ImageSet) -> Trainer:
        """Return the trainer of a stage, where its newest checkpoint left it."""
        training, seed = self.recipe.training(stage.name), self.recipe.seed
        height, width = images.images.shape[2:]
        masks = ranks.first_before_the_others(
            lambda: MaskSource.of(training, seed, (height, width), home() / "masks")
        )
        order = SampleOrder(len(images.images), seed)
        division = BatchDivision(training.batch_size, training.accumulate, world_size(), rank())
        further = self.folder.stage_trained_further()
        checkpoint = checkpoints.load_newest(self.folder.checkpoints, stage.name, self.reporter)
        trainer = Trainer(
            stage,
            training,
            self._model(stage, begins=checkpoint is None and stage.name != further),
            MicroBatches(images, order, division, masks, training.augment),
            steps_of(training, len(images.images)),
            seed,
            self.device,
            self.machine.workers or 0,
        )
        if checkpoint:
            trainer.load(checkpoint)
        elif self.folder.stage_in_progress() == stage.name:
            raise UserError(
                f"{self.folder.checkpoints}: the checkpoints of '{stage.name}' are gone, so it "
                "cannot go on. Start a new one."
            )
        return trainer

    def _describe(self, images: ImageSet, held_out: ImageSet) -> None:
        for line in images.describe():
            self.reporter.note(line)
        facts = {
            "processes": world_size(),
            "data": {
                s.split: {"name": s.name, "images": len(s.images), "sha256": s.sha256}
                for s in (images, held_out)
            },
        }
        write_environment(self.folder, self.machine.device, facts)

    def _model(self, stage: Stage[Any], begins: bool) -> nn.Module:
        """Return the model on its device, ready for the first step of `stage` or a checkpoint."""
        finished = self.folder.finished_stages()
        check_needs(stage, finished, self.folder)
        fresh = not finished and not self.folder.stage_trained_further()
        model = self.recipe.build() if fresh else load_weights(self.folder.weights)
        if begins:
            with torch.no_grad():
                stage.begin(cast(Model, model))
        model = to_device(cast(nn.Module, model), self.device)
        if self._distance is not None:
            cast(Any, model).use_perceptual(self._distance)
        return model

    @cached_property
    def _distance(self) -> nn.Module | None:
        """The perceptual distance of the losses, on the device."""
        from inpaint_cli.zoo.perceptual import load_perceptual
        from inpaint_cli.zoo.weight_files import MissingWeights

        if self.recipe.perceptual == NO_DISTANCE:
            if self.recipe.family.perceptual:
                self.reporter.note(
                    "no perceptual distance in the losses: the setting perceptual adds one "
                    "(lpips, a classifier or a file)"
                )
            return None
        try:
            distance = load_perceptual(self.recipe.perceptual)
        except MissingWeights as error:
            raise ResourceError(str(error)) from error
        return distance.to(self.device)


class StageRun:
    """The course of one stage: logs, validates and saves while its trainer steps."""

    def __init__(self, run: TrainingRun, trainer: Trainer, held_out: ImageSet) -> None:
        self.run, self.folder, self.reporter = run, run.folder, run.reporter
        self.trainer, self.stage, self.training = trainer, trainer.stage, trainer.training
        self.validation = Validation(self.stage, self.training, held_out, trainer.device)
        self.saved = trainer.progress.step
        self.stopped = 0
        """Why the stage ends before its last step (see `Stop.reason`); 0 = it does not."""
        self.log: StageLog | None = None

    def train(self) -> bool:
        """Train to the end; False if the time was up before. Interrupted after a signal."""
        with ExitStack() as stack:
            if ranks.is_first():
                self._begin(stack)
            self._validate_if_due()  # a signal may have put it off
            if not self.stopped:
                self._steps()
            if self.trainer.progress.step == self.trainer.steps and not self.stopped:
                self._save(finished=True)
                return True
        self._tell_why_it_ends()
        return False

    def _begin(self, stack: ExitStack) -> None:
        """Open log and progress bar until `stack` ends."""
        step, steps = self.trainer.progress.step, self.trainer.steps
        cut(self.folder.log, self.stage.name, step)
        log = Log(self.folder.log, self.run.machine.tensorboard)
        stack.callback(log.close)
        division = self.trainer.batches.division
        self.reporter.note(
            f"{self.folder.path}: stage '{self.stage.name}', {steps} steps, batch {division}"
            + (f", resumed after step {step}" if step else "")
        )
        advance = stack.enter_context(self.reporter.progress(self.stage.name, steps, step))
        self.log = StageLog(log, self.trainer, advance)
        facts = {"steps": steps, "batch": str(division), "processes": division.world}
        self.log.event("resume" if step else "start", facts)

    def _steps(self) -> None:
        try:
            self.trainer.run(self._after_step, lambda: self.run.stop.reason)
        except BrokenStep as error:
            raise self._broken(str(error)) from error
        except torch.OutOfMemoryError as error:
            images, parts = self.trainer.batches.division.size, self.training.accumulate
            raise ResourceError(
                f"{self.trainer.device}: out of memory with {images} images at once. Cut the batch "
                f"into more parts (accumulate={2 * parts}); the result stays the same."
            ) from error

    def _after_step(self, report: StepReport) -> bool:
        """Do what is due after a step; False ends the training."""
        if self.log:
            self.log.step(report)
        self.stopped = report.stop
        self._validate_if_due()
        if self.stopped or self.trainer.progress.step % self.training.checkpoint_every == 0:
            self._save()
        return not self.stopped

    def _validate_if_due(self) -> None:
        """Validate if that is due and was not done; a signal puts it off until the resumption."""
        step = self.trainer.progress.step
        due = step % self.training.validate_every == 0 or step == self.trainer.steps
        if not due or self.trainer.progress.validated == step or self.stopped:
            return
        model = self.trainer.best_model
        model.eval()
        try:
            figures = self.validation.figures(
                model,
                self.trainer.batches.division.size,
                lambda: self.run.stop.signal_number != 0,
            )
            if figures is None:
                self.stopped = self.run.stop.reason
                return
            self._record(figures, step)
            family = self.run.recipe.family
            if ranks.is_first() and family.completes and self.training.sheet_images:
                prefix = "" if len(family.stage_names) == 1 else self.stage.name
                self.validation.sheet(model, self.folder.samples / prefix / f"step-{step:06d}.png")
        finally:
            self.trainer.model.train()
        if self.log:
            self.log.restart()

    def _record(self, figures: Mapping[str, float], step: int) -> None:
        """Log the figures of a validation, and keep the weights that are the best so far."""
        progress, count = self.trainer.progress, len(self.validation.indices)
        name, figure = next(iter(figures.items()))
        better = math.isfinite(figure) and (progress.best is None or figure < progress.best)
        if better:
            progress.best, progress.best_step = figure, step
            if ranks.is_first():
                self._save_weights(checkpoints.best_path(self.folder.checkpoints, self.stage.name))
        progress.validated = step
        if self.log:
            values = {"figures": figures, "images": count, "best": progress.best}
            self.log.line("validation", values)
        remark = ""
        if progress.best is not None:
            remark = f" (best {progress.best:.4f} at {progress.best_step})"
        self.reporter.note(
            f"step {step}: {name} {figure:.4f} on {count} held-out images"
            + (" (best)" if better else remark)
        )

    def _save(self, finished: bool = False) -> None:
        """Write the checkpoint, and the weight file after it."""
        progress = self.trainer.progress
        tensors = self.trainer.tensors()
        if not checkpoints.is_finite(tensors):
            raise self._broken("the weights are no longer finite")
        if ranks.is_first():
            if self.saved != progress.step:
                checkpoints.save(self.folder.checkpoints, checkpoints.Checkpoint(progress, tensors))
            self._save_weights(self.folder.weights, finished)
        self.saved = progress.step

    def _save_weights(self, path: Path, finished: bool = False) -> None:
        stages = self.folder.finished_stages() + ([self.stage.name] if finished else [])
        extra = {"stages": ",".join(stages), "step": str(self.trainer.progress.step)}
        if not finished:
            extra["in_progress"] = self.stage.name
        model, recipe = cast(Model, self.trainer.best_model), self.run.recipe
        save_weights(path, model, family=recipe.model, preset=recipe.preset, extra=extra)

    def _broken(self, what: str) -> ResourceError:
        step = self.trainer.progress.step
        kept = (
            f"The last good checkpoint is that of step {self.saved} in {self.folder.path}"
            if self.saved > 0
            else "There is no checkpoint yet"
        )
        return ResourceError(
            f"{self.folder.path}: stage '{self.stage.name}', step {step + 1}: {what}. {kept}. "
            "Start a new run with a lower lr, or with clip_norm=1."
        )

    def _tell_why_it_ends(self) -> None:
        """Note that the time is up; Interrupted after a signal."""
        command = f"inpaint train --resume {shlex.quote(str(self.folder.path))}"
        where = f"{self.folder.path}: saved after step {self.trainer.progress.step}"
        if self.stopped == TIME_IS_UP:
            self.reporter.note(f"{where}; the time is up. Go on with: {command}")
        elif self.stopped:
            raise Interrupted(f"{where}. Go on with: {command}", self.stopped)
