"""One sitting of a run: opens data and folder, trains stage after stage, saves and reports."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from inpaint_cli.device import rank, world_size
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.family import Stage
from inpaint_cli.files import home
from inpaint_cli.randomness import tag_of
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import checkpoints, ranks
from inpaint_cli.training.batches import MaskSource, MicroBatches, Order, Split
from inpaint_cli.training.folder import RunFolder, write_environment
from inpaint_cli.training.loop import Trainer, steps_of
from inpaint_cli.training.optimisation import place
from inpaint_cli.training.recipe import NO_DISTANCE, Recipe
from inpaint_cli.training.stage_run import StageRun
from inpaint_cli.training.stopping import Stop
from inpaint_cli.weights import load_weights


@dataclass(frozen=True)
class Machine:
    """What may change between the sittings of a run without changing its result."""

    device: torch.device
    workers: int = 0
    minutes: float | None = None
    """Stop after this time, ready to be resumed."""
    tensorboard: bool = False
    download: bool = False


def build(recipe: Recipe) -> nn.Module:
    """Gives the model with the random weights of the recipe's seed, the same on every device."""
    with torch.random.fork_rng():
        torch.manual_seed(tag_of(f"weights {recipe.seed}") >> 1)
        return cast(nn.Module, recipe.family.build(recipe.config))


def open_data(recipe: Recipe, machine: Machine, reporter: Reporter) -> tuple[Any, Any]:
    """Gives the training and the held-out images; the first process prepares the cache."""
    from inpaint_cli import data

    config = recipe.config
    if config.size == 0:
        raise UserError("--set size=N: this model takes any size; say the one to train at.")

    def both() -> tuple[Any, Any]:
        quiet = reporter if ranks.is_first() else Reporter(quiet=True)
        train, validation = (
            data.open(
                recipe.data,
                size=config.size,
                channels=config.channels,
                levels=config.levels,
                split=split,
                download=machine.download,
                reporter=quiet,
            )
            for split in ("train", "validation")
        )
        return train, validation

    return ranks.first_before_the_others(both)


@dataclass
class Session:
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

    def train(self) -> Path:
        """Trains what is left of the run; gives its weight file.

        Raises Interrupted after a signal and ResourceError where NaN or a full disk ended it; the
        last good checkpoint is there in both cases.
        """
        with ExitStack() as stack:
            if ranks.is_first():
                stack.enter_context(self.folder.locked())
                self.folder.clean()
            if not self._stages():
                self.reporter.note(f"{self.folder.path}: finished; for more, start a new run")
                return self.folder.weights
            train, validation = open_data(self.recipe, self.machine, self.reporter)
            self._describe(train, validation)
            stack.enter_context(self.stop.listening())
            for stage in self._stages():
                if not self._train_stage(stage, train, validation):
                    break
        return self.folder.weights

    def _stages(self) -> list[Stage]:
        by_name = {stage.name: stage for stage in self.recipe.family.stages()}
        wanted = (self.only,) if self.only else self.recipe.stages
        return [by_name[name] for name in wanted if name not in self.folder.finished_stages()]

    def _describe(self, train: Any, validation: Any) -> None:
        if not ranks.is_first():
            return
        for line in train.describe():
            self.reporter.note(line)
        facts = {
            "processes": world_size(),
            "data": {
                s.split: {"name": s.name, "images": len(s.images), "sha256": s.sha256}
                for s in (train, validation)
            },
        }
        write_environment(self.folder, str(self.machine.device), facts)

    def _train_stage(self, stage: Stage, train: Any, validation: Any) -> bool:
        """Trains one stage; says whether it was finished."""
        run = StageRun(
            stage,
            self._trainer(stage, train),
            validation,
            self.recipe,
            self.folder,
            self.stop,
            self.reporter,
            self.machine.tensorboard,
        )
        finished = run.train()
        ranks.wait()
        return finished

    def _trainer(self, stage: Stage, train: Any) -> Trainer:
        training = self.recipe.training(stage.name)
        seed = self.recipe.seed
        split = Split(training.batch_size, training.accumulate, world_size(), rank())
        height, width = train.images.shape[2:]
        masks = ranks.first_before_the_others(
            lambda: MaskSource.of(training, seed, (height, width), home() / "masks")
        )
        order = Order(len(train.images), seed)
        further = self.folder.stage_trained_further()
        checkpoint = checkpoints.load_newest(self.folder.checkpoints, stage.name, self.reporter)
        trainer = Trainer(
            stage,
            training,
            self._model(stage, begins=checkpoint is None and stage.name != further),
            MicroBatches(train, order, split, masks, training.augment),
            steps_of(training, len(train.images)),
            seed,
            self.machine.device,
            self.machine.workers,
        )
        if checkpoint:
            trainer.load(checkpoint)
        elif self.folder.stage_in_progress() == stage.name:
            raise UserError(
                f"{self.folder.checkpoints}: the checkpoints of '{stage.name}' are gone, so it "
                "cannot go on. Start a new one."
            )
        return trainer

    def _model(self, stage: Stage, begins: bool) -> nn.Module:
        """Gives the model on its device, ready for the first step of `stage` or a checkpoint."""
        model = self._start_weights(stage)
        if begins and hasattr(stage, "begin"):
            with torch.no_grad():
                stage.begin(model)
        model = place(model, self.machine.device)
        if self._distance is not None:
            cast(Any, model).use_perceptual(self._distance)
        return model

    @cached_property
    def _distance(self) -> nn.Module | None:
        """Gives the perceptual distance of the losses, on the device."""
        from inpaint_cli.zoo.perceptual import load_perceptual
        from inpaint_cli.zoo.weight_files import MissingWeights

        if self.recipe.perceptual == NO_DISTANCE:
            if self.recipe.family.perceptual:
                self.reporter.note(
                    "no perceptual distance in the losses: --perceptual lpips|NAME|FILE adds one"
                )
            return None
        try:
            distance = load_perceptual(self.recipe.perceptual)
        except MissingWeights as error:
            raise ResourceError(str(error)) from error
        return distance.to(self.machine.device)

    def _start_weights(self, stage: Stage) -> nn.Module:
        """Gives the model that `stage` starts from. UserError if it needs more."""
        finished = self.folder.finished_stages()
        check_needs(stage, finished, self.folder)
        if not finished and not self.folder.stage_trained_further():
            return build(self.recipe)
        return cast(nn.Module, load_weights(self.folder.weights))


def check_needs(stage: Stage, finished: list[str], folder: RunFolder | None) -> None:
    """Raises UserError if `stage` stands on a stage that is not in `finished`."""
    missing = [name for name in stage.needs if name not in finished]
    if missing:
        where = f" in {folder.path}" if folder else ""
        raise UserError(
            f"--stage: '{stage.name}' stands on '{missing[0]}', which is not trained{where}. "
            f"Train that first: leave --stage out for all stages in order, or give --stage "
            f"{missing[0]}, then --resume its run with --stage {stage.name}."
        )
