"""A run: its folder, its data and its model, and stage after stage."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
from inpaint_cli.errors import UserError
from inpaint_cli.family import Model, Stage
from inpaint_cli.files import home
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import checkpoints, record
from inpaint_cli.training.batches import BatchDivision, MaskSource, MicroBatches, SampleOrder
from inpaint_cli.training.folder import (
    RunFolder,
    check_needs,
    recipe_of_new,
    resume_run,
    start_new,
)
from inpaint_cli.training.loop import Trainer, steps_of
from inpaint_cli.training.mending import mend_weights
from inpaint_cli.training.optimisation import to_device
from inpaint_cli.training.plan import RunReport, plan
from inpaint_cli.training.recipe import Recipe, RecipeChoices
from inpaint_cli.training.stage_run import StageRun
from inpaint_cli.training.stopping import Stop
from inpaint_cli.training.takeover import file_of, trained_by
from inpaint_cli.training.validation import Validation
from inpaint_cli.weights import load_weights, network_of

if TYPE_CHECKING:
    from inpaint_cli.data import ImageSet
    from inpaint_cli.models.perceptual import PerceptualDistance


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
    accept_changes: bool = False,
    dry_run: bool = False,
) -> RunReport | None:
    """Train a new run below `runs`, or go on with one; None in all processes but the first.

    resume: a run folder, or folder.NEWEST. accept_changes: go on though data or settings are no
    longer those of the run. dry_run: plan the run, train and write nothing.
    """
    if accept_changes and not resume:
        raise UserError("belongs to a run that is resumed.", setting="accept_changes")

    def resumed() -> tuple[RunFolder, Recipe]:
        return resume_run(choices, runs, str(resume), reporter, accept_changes)

    with ranks.joined(devices.resolve(machine.device)) as device:
        if not ranks.is_first():
            reporter = Reporter(quiet=True)
        machine = machine.on(device)
        if dry_run and resume:
            folder, recipe = resumed()
            run = TrainingRun(recipe, folder, machine, reporter, choices.stage, accept_changes)
            return run.plan()
        if dry_run:
            recipe = recipe_of_new(choices)
            return plan(recipe, device, machine.download, reporter, weights=file_of(recipe))
        if resume:
            folder, recipe = ranks.of_the_first(resumed)
            run = TrainingRun(recipe, folder, machine, reporter, choices.stage, accept_changes)
            run.train()
        else:
            folder = _train_new(choices, machine, reporter, runs)
        if not ranks.is_first():
            return None
        finished = folder.finished_stages()
        facts = {"run": str(folder.path), "weights": str(folder.weights)}
        return RunReport(str(folder.weights), {**facts, "finished_stages": finished})


def _train_new(
    choices: RecipeChoices, machine: Machine, reporter: Reporter, runs: Path
) -> RunFolder:
    """Train a new run; its folder is made last, and does not stay if no step can be taken."""
    recipe = recipe_of_new(choices)
    images, held_out = recipe.load_images(machine.download, reporter)
    for name in recipe.stages:
        _draw_once(recipe, name, images, held_out)
    folder = ranks.of_the_first(lambda: start_new(recipe, runs))
    run = TrainingRun(recipe, folder, machine, reporter, choices.stage)
    run.images = (images, held_out)
    try:
        run.train()
    except BaseException:
        if not run.has_trained and ranks.is_first():
            folder.remove()
        raise
    return folder


def _draw_once(recipe: Recipe, stage: str, images: ImageSet, held_out: ImageSet) -> None:
    """Draw a batch and a validation mask of a stage: what its settings forbid is raised here."""
    training, shape = recipe.training(stage), images.images.shape[2:]
    division = BatchDivision(training.batch_size, training.accumulate, world_size(), rank())
    order = SampleOrder(len(images.images), recipe.seed)
    masks = MaskSource.of(training, recipe.seed, (shape[0], shape[1]), None)
    _ = MicroBatches(images, order, division, masks, training.augment)[0]
    stages = {each.name: each for each in recipe.family.stages()}
    Validation(stages[stage], training, held_out, torch.device("cpu")).draw_once()


@dataclass
class TrainingRun:
    """One sitting of a run in its folder."""

    recipe: Recipe
    folder: RunFolder
    machine: Machine
    reporter: Reporter
    only: str | None = None
    """Train this stage alone in this sitting."""
    accept_changes: bool = False
    """Go on though data or settings are no longer those of the run."""
    images: tuple[ImageSet, ImageSet] | None = field(init=False, default=None)
    """Those of training and the held-out ones; None: not loaded yet."""
    accepted: list[str] = field(init=False, default_factory=list)
    """How this sitting differs from those before."""
    changes: int = field(init=False, default=0)
    """Sittings with such differences, this one included."""
    has_trained: bool = field(init=False, default=False)
    """Whether a step was taken in this sitting."""
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
            ranks.of_the_first(lambda: self._enter(stack))
            stages = self.stages()
            if not stages:
                self._tell_that_it_is_finished()
                return
            images, held_out = self.images or self.recipe.load_images(
                self.machine.download, self.reporter
            )
            admission: record.Admission | None = self._describe(images, held_out)
            stack.enter_context(self.stop.listening())
            for stage in stages:
                trainer = self.trainer(stage, images)
                if admission:  # whatever could refuse this sitting has been asked
                    self._record(admission)
                    admission = None
                finished = StageRun(self, trainer, held_out).train()
                ranks.wait()
                if not finished:
                    break

    def plan(self) -> RunReport:
        """Plan what is left of the run. UserError where the sitting would be refused."""
        self.folder.check(self.recipe.family.stage_names)
        try:
            stages = tuple(stage.name for stage in self.stages())
        except UserError:  # the weight file is damaged, and would be made again
            stages = self.recipe.stages
        if not stages:
            self._tell_that_it_is_finished()
        return plan(
            replace(self.recipe, stages=stages),
            self.device,
            self.machine.download,
            self.reporter,
            admitted=lambda images: self._check_plan(images) if stages else None,
        )

    def _check_plan(self, images: Sequence[ImageSet]) -> None:
        record.check_plan(self.folder.path, self.recipe, images, self.accept_changes)

    def _tell_that_it_is_finished(self) -> None:
        finished = self.folder.finished_stages()
        left = [name for name in self.recipe.family.stage_names if name not in finished]
        whole = "finished"
        if left:
            whole = f"finished {', '.join(finished)}; the setting stage={left[0]} goes on"
        self.reporter.note(
            f"{self.folder.path}: {whole}; a new run with the setting from_weights trains it "
            "further"
        )

    def _enter(self, stack: ExitStack) -> None:
        """Take the folder until `stack` ends, and mend what a killed sitting left."""
        self.folder.check(self.recipe.family.stage_names)
        stack.enter_context(self.folder.locked())
        self.folder.clean()
        mend_weights(self.folder, self.recipe, self.reporter)

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
        has_begun = bool(checkpoints.paths(self.folder.checkpoints, stage.name))
        trainer = Trainer(
            stage,
            training,
            self._model(stage, begins=not has_begun and stage.name != further),
            MicroBatches(images, order, division, masks, training.augment),
            steps_of(training, len(images.images)),
            seed,
            self.device,
            self.machine.workers or 0,
        )
        checkpoint = checkpoints.load_newest(
            self.folder.checkpoints,
            stage.name,
            trainer.tensors(),
            trainer.optimisers,
            self.reporter,
        )
        if checkpoint:
            trainer.load(checkpoint, self._trained_since(stage, checkpoint, trainer.model))
        elif self.folder.stage_in_progress() == stage.name:
            raise UserError(
                f"{self.folder.checkpoints}: the checkpoints of '{stage.name}' are gone, so it "
                "cannot go on. Start a new one."
            )
        return trainer

    def _trained_since(
        self, stage: Stage[Any], checkpoint: checkpoints.Checkpoint, model: nn.Module
    ) -> set[str]:
        """Return the names of what other stages have trained since the checkpoint of `stage`.

        They are as they stand in the weight file, where `model` comes from.
        """
        before = checkpoint.weights_header.get("stages")
        if before is None:  # of an earlier version, which does not tell
            return set()
        since = set(self.folder.finished_stages()) - {*before.split(","), stage.name}
        stages = self.recipe.family.stages()
        state = model.state_dict()
        others = trained_by(model, stages, since, state)
        return {*others} - {*trained_by(model, stages, [stage.name], state)}

    def _describe(self, images: ImageSet, held_out: ImageSet) -> record.Admission:
        """Tell of the data, and compare. UserError if the run was begun on others."""
        for line in images.describe():
            self.reporter.note(line)
        distance = self._distance if self.recipe.config.takes_perceptual else None
        admission = ranks.of_the_first(
            lambda: record.admit(
                self.folder.path,
                self.recipe,
                (images, held_out),
                distance.sha256 if distance else None,
                self.machine.device,
                self.accept_changes,
                self.reporter,
            )
        )
        self.accepted, self.changes = admission.differences, admission.changes
        for difference in self.accepted:
            self.reporter.note(f"accepted: {difference}")
        return admission

    def _record(self, admission: record.Admission) -> None:
        """Write down the sitting, and data or stages that it was given in place of the run's."""
        if ranks.is_first():
            self.folder.keep(self.recipe)
            admission.write(self.folder.path)

    def _model(self, stage: Stage[Any], begins: bool) -> nn.Module:
        """Return the model on its device, ready for the first step of `stage` or a checkpoint."""
        finished = self.folder.finished_stages()
        check_needs(stage, finished, self.folder)
        if begins and self.recipe.from_weights and not self.folder.weights.is_file():
            raise UserError(
                f"{self.folder.weights}: gone, and with it the weights that this run began from. "
                f"Start a new run with {self.folder.config} as its config."
            )
        fresh = not finished and not self.folder.stage_trained_further()
        model = self.recipe.build() if fresh else load_weights(self.folder.weights)
        if network_of(cast(Model, model).config) != network_of(self.recipe.config):
            raise UserError(
                f"{self.folder.config}: its settings change the network, of which "
                f"{self.folder.weights.name} holds finished stages. Put them back."
            )
        if begins:
            with torch.no_grad():
                stage.begin(cast(Model, model))
        model = to_device(cast(nn.Module, model), self.device)
        if self.recipe.config.takes_perceptual:
            cast(Any, model).use_perceptual(self._distance)
        return model

    @cached_property
    def _distance(self) -> PerceptualDistance | None:
        """The perceptual distance of the losses that take one, on the device."""
        distance = self.recipe.load_distance()
        if distance:
            return distance.to(self.device)
        self.reporter.note(
            "no perceptual distance in the losses: the setting perceptual adds one "
            "(lpips, a classifier or a file)"
        )
        return None
