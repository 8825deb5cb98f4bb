"""One sitting of a run: opens data and folder, trains stage after stage, saves and reports."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from inpaint_cli.device import rank, world_size
from inpaint_cli.errors import Interrupted, ResourceError, UserError
from inpaint_cli.family import Model, Stage
from inpaint_cli.randomness import tag_of
from inpaint_cli.reporting import Advance, Reporter
from inpaint_cli.training import checkpoints, ranks
from inpaint_cli.training.batches import MaskSource, MicroBatches, Order, Split
from inpaint_cli.training.folder import RunFolder, write_environment
from inpaint_cli.training.log import Log, cut
from inpaint_cli.training.loop import BrokenStep, StepReport, Trainer, steps_of
from inpaint_cli.training.optimisation import place
from inpaint_cli.training.recipe import Recipe
from inpaint_cli.training.stopping import TIME_IS_UP, Stop
from inpaint_cli.training.validation import Validation
from inpaint_cli.weights import load_weights, read_header, save_weights


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
        train, validation = (
            data.open(
                recipe.data,
                size=config.size,
                channels=config.channels,
                levels=config.levels,
                split=split,
                download=machine.download,
                reporter=reporter if ranks.is_first() else Reporter(quiet=True),
            )
            for split in ("train", "validation")
        )
        return train, validation

    sets = both() if ranks.is_first() else None
    ranks.wait()
    return sets or both()


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
        return [by_name[name] for name in wanted if name not in self._finished()]

    def _finished(self) -> list[str]:
        return finished_stages(self.folder)

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
        run = StageRun(self, stage, self._trainer(stage, train), validation)
        finished = run.train()
        ranks.wait()
        return finished

    def _trainer(self, stage: Stage, train: Any) -> Trainer:
        training = self.recipe.training(stage.name)
        seed = self.recipe.seed
        split = Split(training.batch_size, training.accumulate, world_size(), rank())
        height, width = train.images.shape[2:]
        cache = self.folder.path.parent / ".masks"
        masks = MaskSource.of(training, seed, (height, width), cache)
        order = Order(len(train.images), seed)
        trainer = Trainer(
            stage,
            training,
            place(self._start_weights(stage), self.machine.device),
            MicroBatches(train, order, split, masks, training.augment),
            steps_of(training, len(train.images)),
            seed,
            self.machine.device,
            self.machine.workers,
        )
        checkpoint = checkpoints.load_newest(self.folder.checkpoints, stage.name, self.reporter)
        if checkpoint:
            trainer.load(checkpoint)
        return trainer

    def _start_weights(self, stage: Stage) -> nn.Module:
        """Gives the model as the stages before left it. UserError if `stage` needs more."""
        finished = self._finished()
        check_needs(stage, finished, self.folder)
        if not finished:
            return build(self.recipe)
        return cast(nn.Module, load_weights(self.folder.weights))


def finished_stages(folder: RunFolder) -> list[str]:
    """Gives the stages that a run has finished, in their order."""
    if not folder.weights.is_file():
        return []
    return [name for name in read_header(folder.weights).get("stages", "").split(",") if name]


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


@dataclass
class StageRun:
    """The course of one stage: logs, validates and saves while its trainer steps."""

    session: Session
    stage: Stage
    trainer: Trainer
    validation_images: Any
    saved: int = field(init=False, default=-1)
    stopped: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.training = self.trainer.training
        self.folder, self.reporter = self.session.folder, self.session.reporter
        self.validation = Validation(
            self.stage, self.training, self.validation_images, self.trainer.device
        )
        self._interval_start, self._interval_waited = time.monotonic(), 0.0
        self._interval_step = self.trainer.progress.step
        self.log: Log | None = None
        self.advance: Advance | None = None

    def train(self) -> bool:
        """Trains to the end; False if the time was up before. Interrupted after a signal."""
        progress, steps = self.trainer.progress, self.trainer.steps
        self.saved = progress.step
        with ExitStack() as stack:
            if ranks.is_first():
                self._begin(stack)
            self._validate_if_due()  # a signal may have put it off
            if not self.stopped:
                self._steps()
            if progress.step == steps and not self.stopped:
                self._save(finished=True)
                return True
        self._raise_if_signalled()
        return False

    def _steps(self) -> None:
        try:
            self.trainer.run(self._after_step, lambda: self.session.stop.reason)
        except BrokenStep as error:
            raise self._broken(str(error)) from error
        except torch.OutOfMemoryError as error:
            parts = self.training.accumulate
            raise ResourceError(
                f"{self.trainer.device}: out of memory with {self.trainer.batches.split.size} "
                f"images at once. Cut the batch into more parts: --set accumulate={2 * parts}; the "
                "result stays the same."
            ) from error

    def _begin(self, stack: ExitStack) -> None:
        progress, steps = self.trainer.progress, self.trainer.steps
        cut(self.folder.log, self.stage.name, progress.step)
        self.log = Log(self.folder.log, self.session.machine.tensorboard)
        stack.callback(self.log.close)
        split = self.trainer.batches.split
        event = "resume" if progress.step else "start"
        self._event(event, {"steps": steps, "batch": str(split), "processes": split.world})
        self.reporter.note(
            f"{self.folder.path}: stage '{self.stage.name}', {steps} steps, batch {split}"
            + (f", resumed after step {progress.step}" if progress.step else "")
        )
        self.advance = stack.enter_context(
            self.reporter.progress(self.stage.name, steps, progress.step)
        )

    def _after_step(self, report: StepReport) -> bool:
        """Does what is due after a step; False ends the training."""
        progress = self.trainer.progress
        self._note(report)
        self.stopped = report.stop
        self._validate_if_due()
        if self.stopped or progress.step % self.training.checkpoint_every == 0:
            self._save()
        return not self.stopped

    def _validate_if_due(self) -> None:
        """Validates if that is due and was not done; a signal puts it off until the resumption."""
        step = self.trainer.progress.step
        due = step % self.training.validate_every == 0 or step == self.trainer.steps
        if not due or self.trainer.progress.validated == step or self.stopped:
            return
        model = self.trainer.best_model
        model.eval()
        try:
            figures = self.validation.figures(
                model,
                self.trainer.batches.split.size,
                lambda: self.session.stop.signal_number != 0,
            )
            if figures is None:
                self.stopped = self.session.stop.reason
                return
            self._record(figures, step)
            if ranks.is_first() and self.training.sheet_images:
                name = f"step-{step:06d}.png"
                prefix = "" if len(self.session.recipe.family.stage_names) == 1 else self.stage.name
                folder = self.folder.samples / prefix
                self.validation.sheet(model, folder / name)
        finally:
            self.trainer.model.train()
        self._interval_start, self._interval_waited = time.monotonic(), 0.0
        self._interval_step = step

    def _record(self, figures: Mapping[str, float], step: int) -> None:
        progress = self.trainer.progress
        name, figure = next(iter(figures.items()))
        better = math.isfinite(figure) and (progress.best is None or figure < progress.best)
        if better:
            progress.best, progress.best_step = figure, step
            if ranks.is_first():
                self._save_weights(checkpoints.best_path(self.folder.checkpoints, self.stage.name))
        progress.validated = step
        count = len(self.validation.indices)
        self._line("validation", {"figures": figures, "images": count, "best": progress.best})
        self.reporter.note(
            f"step {step}: {name} {figure:.4f} on {count} held-out images"
            + (
                " (best)"
                if better
                else f" (best {progress.best:.4f} at {progress.best_step})"
                if progress.best is not None
                else ""
            )
        )

    def _note(self, report: StepReport) -> None:
        """Logs a step where that is due, and moves the progress bar."""
        self._interval_waited += report.waited
        step = self.trainer.progress.step
        if report.skipped:
            self._event("skip", {"gradient_norm": report.norms})
        text = ""
        if step % self.training.log_every == 0 or step == self.trainer.steps:
            seconds = max(time.monotonic() - self._interval_start, 1e-9)
            images = (step - self._interval_step) * self.training.batch_size
            rate = images / seconds
            self._line(
                "step",
                {
                    "epoch": step * self.training.batch_size / self.trainer.batches.order.count,
                    "seconds": self.trainer.progress.seconds,
                    "images_per_second": rate,
                    "wait_share": self._interval_waited / seconds,
                    "lr": self.trainer.rate(step - 1),
                    "loss": report.losses,
                    "gradient_norm": report.norms,
                    **report.scalars,
                },
            )
            losses = " ".join(f"{name} {value:.4g}" for name, value in report.losses.items())
            text = f"{rate:.0f} images/s, loss {losses}"
            self._interval_start, self._interval_waited = time.monotonic(), 0.0
            self._interval_step = step
        if self.advance:
            self.advance(1, text)

    def _line(self, kind: str, values: Mapping[str, Any]) -> None:
        if self.log:
            self.log.write(kind, self.stage.name, self.trainer.progress.step, values)

    def _event(self, name: str, values: Mapping[str, Any]) -> None:
        self._line("event", {"event": name, **values})

    def _save(self, finished: bool = False) -> None:
        """Writes the checkpoint, and the weight file after it."""
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
        stages = finished_stages(self.folder) + ([self.stage.name] if finished else [])
        extra = {"stages": ",".join(stages), "step": str(self.trainer.progress.step)}
        recipe = self.session.recipe
        model = cast(Model, self.trainer.best_model)
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
            "Start a new run with a lower lr, or with clip_norm (--set lr=..., --set clip_norm=1)."
        )

    def _raise_if_signalled(self) -> None:
        command = f"inpaint train --resume {shlex.quote(str(self.folder.path))}"
        where = f"{self.folder.path}: saved after step {self.trainer.progress.step}"
        if self.stopped == TIME_IS_UP:
            self.reporter.note(f"{where}; the time is up. Go on with: {command}")
        elif self.stopped:
            raise Interrupted(f"{where}. Go on with: {command}", self.stopped)
