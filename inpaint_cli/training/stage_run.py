"""The course of one stage: what is logged, validated and saved between its steps, and when."""

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

from inpaint_cli.errors import Interrupted, ResourceError
from inpaint_cli.family import Model, Stage
from inpaint_cli.reporting import Advance, Reporter
from inpaint_cli.training import checkpoints, ranks
from inpaint_cli.training.batches import Images
from inpaint_cli.training.folder import RunFolder
from inpaint_cli.training.log import Log, cut
from inpaint_cli.training.loop import BrokenStep, StepReport, Trainer
from inpaint_cli.training.recipe import Recipe
from inpaint_cli.training.stopping import TIME_IS_UP, Stop
from inpaint_cli.training.validation import Validation
from inpaint_cli.weights import save_weights


@dataclass
class StageRun:
    """The course of one stage: logs, validates and saves while its trainer steps."""

    stage: Stage[Any]
    trainer: Trainer
    held_out: Images
    recipe: Recipe
    folder: RunFolder
    stop: Stop
    reporter: Reporter
    tensorboard: bool = False
    saved: int = field(init=False, default=-1)
    stopped: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.training = self.trainer.training
        self.validation = Validation(self.stage, self.training, self.held_out, self.trainer.device)
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
            self.trainer.run(self._after_step, lambda: self.stop.reason)
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
        self.log = Log(self.folder.log, self.tensorboard)
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
                lambda: self.stop.signal_number != 0,
            )
            if figures is None:
                self.stopped = self.stop.reason
                return
            self._record(figures, step)
            drawn = self.recipe.family.completes and self.training.sheet_images
            if ranks.is_first() and drawn:
                name = f"step-{step:06d}.png"
                prefix = "" if len(self.recipe.family.stage_names) == 1 else self.stage.name
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
            norms = {n: v if math.isfinite(v) else str(v) for n, v in report.norms.items()}
            self._event("skip", {"gradient_norm": norms})
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
        stages = self.folder.finished_stages() + ([self.stage.name] if finished else [])
        extra = {"stages": ",".join(stages), "step": str(self.trainer.progress.step)}
        if not finished:
            extra["in_progress"] = self.stage.name
        model = cast(Model, self.trainer.best_model)
        save_weights(path, model, family=self.recipe.model, preset=self.recipe.preset, extra=extra)

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
