"""The course of one stage of a run: what is logged, validated and saved between its steps."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from inpaint_cli import ranks
from inpaint_cli.device import world_size
from inpaint_cli.errors import Interrupted, ResourceError
from inpaint_cli.family import Model
from inpaint_cli.files import write_text
from inpaint_cli.training import checkpoints
from inpaint_cli.training.loading import WorkerDied
from inpaint_cli.training.log import Log, StageLog, cut
from inpaint_cli.training.loop import BrokenStep, StepReport, Trainer
from inpaint_cli.training.stopping import TIME_IS_UP
from inpaint_cli.training.takeover import BEST
from inpaint_cli.training.validation import Validation
from inpaint_cli.weights import CLASSES, save_weights

if TYPE_CHECKING:
    from inpaint_cli.data import ImageSet
    from inpaint_cli.training.run import TrainingRun


class StageRun:
    """The course of one stage: logs, validates and saves while its trainer steps."""

    def __init__(self, run: TrainingRun, trainer: Trainer, held_out: ImageSet) -> None:
        self.run, self.folder, self.reporter = run, run.folder, run.reporter
        self.trainer, self.stage, self.training = trainer, trainer.stage, trainer.training
        learned = run.recipe.config.class_count is not None
        self.class_names = held_out.classes if learned else ()
        self.validation = Validation(self.stage, self.training, held_out, trainer.device)
        self.saved = trainer.progress.step
        """The step of the newest checkpoint."""
        self.validated = trainer.progress.validated
        """The step of the last validation that it knows of."""
        if trainer.progress.changes != run.changes:  # figures of other images do not compare
            trainer.progress.best, trainer.progress.validated = None, 0
            trainer.progress.changes = run.changes
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
            if self.trainer.progress.step >= self.trainer.steps and not self.stopped:
                self._save(finished=True)
                return True
        self._tell_why_it_ends()
        return False

    def _begin(self, stack: ExitStack) -> None:
        """Open log and progress bar until `stack` ends."""
        step, steps = self.trainer.progress.step, self.trainer.steps
        cut(self.folder.log, self.stage.name, step, self.reporter, self.validated)
        log = Log(self.folder.log, self.run.machine.tensorboard)
        stack.callback(log.close)
        division = self.trainer.batches.division
        self.reporter.note(
            f"{self.folder.path}: stage '{self.stage.name}', {steps} steps, batches of {division}"
            + (f", resumed after step {step}" if step else "")
        )
        advance = stack.enter_context(self.reporter.progress(self.stage.name, steps, step))
        self.log = StageLog(log, self.trainer, advance)
        facts = {
            "steps": steps,
            "batch": str(division),
            "processes": division.world,
            "precision": "bfloat16" if self.trainer.autocast else "float32",
        }
        if self.run.accepted:
            facts["accepted"] = self.run.accepted
        self.log.event("resume" if step else "start", facts)

    def _steps(self) -> None:
        try:
            self.trainer.run(self._after_step, lambda: self.run.stop.reason)
        except BrokenStep as error:
            raise self._broken(str(error)) from error
        except WorkerDied as error:
            raise self._without_a_worker(error) from error
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            images, parts = self.trainer.batches.division.size, self.training.accumulate
            raise ResourceError(
                f"{self.trainer.device}: out of memory with {images} images at once. Cut the batch "
                f"into more parts (accumulate={2 * parts}); the result stays the same."
            ) from error

    def _after_step(self, report: StepReport) -> bool:
        """Do what is due after a step; False ends the training."""
        self.run.has_trained = True
        if self.log:
            with self._writing():
                self.log.step(report)
        self.stopped = report.stop
        self._validate_if_due()
        if self.stopped or self.trainer.progress.step % self.training.checkpoint_every == 0:
            self._save()
        return not self.stopped

    def _validate_if_due(self) -> None:
        """Validate if that is due and was not done; a signal puts it off until the resumption."""
        step = self.trainer.progress.step
        due = step % self.training.validate_every == 0 or step >= self.trainer.steps
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
            with self._writing():
                self._record(figures, step)
                family = self.run.recipe.family
                if ranks.is_first() and family.completes and self.training.sheet_images:
                    prefix = "" if len(family.stage_names) == 1 else self.stage.name
                    path = self.folder.samples / prefix / f"step-{step:06d}.png"
                    self.validation.sheet(model, path)
        finally:
            self.trainer.model.train()
        if self.log:
            self.log.restart()

    def _record(self, figures: Mapping[str, float], step: int) -> None:
        """Log the figures of a validation, and keep the weights that are the best so far."""
        progress, count = self.trainer.progress, len(self.validation.indices)
        progress.validated = step
        if not figures:
            self.reporter.note(f"step {step}: not validated, there are no held-out images")
            return
        name, figure = next(iter(figures.items()))
        if math.isnan(figure):
            self.reporter.note(
                f"step {step}: no {name} on {count} held-out images: masks={self.training.masks} "
                "gives them none, so no weights are kept as the best"
            )
        better = math.isfinite(figure) and (progress.best is None or figure < progress.best)
        if better:
            progress.best, progress.best_step = figure, step
            if ranks.is_first():
                best = checkpoints.best_path(self.folder.checkpoints, self.stage.name)
                self._save_weights(best, more={BEST: self.stage.name})
        if self.log:
            values = {"figures": figures, "images": count, "best": progress.best}
            self.log.line("validation", values)
        if not math.isnan(figure):
            remark = (
                ""
                if progress.best is None
                else f" (best {progress.best:.4f} at {progress.best_step})"
            )
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
            size = sum(tensor.nbytes for tensor in tensors.values()) / 2**20
            with self._writing(
                f"A checkpoint takes {size:,.1f} MiB; only the newest of {self.folder.checkpoints} "
                "is needed. "
            ):
                self._keep_the_folder()
                if (self.saved, self.validated) != (progress.step, progress.validated):
                    checkpoint = checkpoints.Checkpoint(progress, tensors, self._header())
                    checkpoints.save(self.folder.checkpoints, checkpoint)
                self.saved = progress.step  # what comes next may fail, and says what is kept
                checkpoints.prune(self.folder.checkpoints, self.stage.name)  # after a kill before
                self._save_weights(self.folder.weights, finished)
        self.saved, self.validated = progress.step, progress.validated

    @contextmanager
    def _writing(self, advice: str = "") -> Iterator[None]:
        """Say of what cannot be written inside the block what is kept, and how to go on."""
        try:
            yield
        except ResourceError as error:
            raise ResourceError(f"{error} {advice}{self._kept()}. {self._command()}") from error

    def _keep_the_folder(self) -> None:
        """Write config.toml again where it is gone: without it no checkpoint could be gone on from.

        The folder was moved, or removed, while this process trained in it.
        """
        if not self.folder.config.is_file():
            write_text(self.folder.config, self.run.recipe.to_toml())
            self.reporter.warn(
                f"{self.folder.path}: its config.toml is gone, as after the folder was moved or "
                "removed. It is made again, and the run goes on here."
            )

    def _save_weights(
        self, path: Path, finished: bool = False, more: Mapping[str, str] | None = None
    ) -> None:
        step = str(self.trainer.progress.step)
        extra = {**self._header(finished), "step": step, **(more or {})}
        model, recipe = cast(Model, self.trainer.best_model), self.run.recipe
        save_weights(path, model, family=recipe.model, preset=recipe.preset, extra=extra)

    def _header(self, finished: bool = False) -> dict[str, str]:
        """Return what the weight file says of the run's stages and of the classes it learned."""
        stages = self.folder.finished_stages() + ([self.stage.name] if finished else [])
        progress = {} if finished else {"in_progress": self.stage.name}
        named = {CLASSES: json.dumps(self.class_names)} if self.class_names else {}
        return {"stages": ",".join(stages), **progress, **named}

    def _kept(self) -> str:
        if self.saved == 0:
            return "There is no checkpoint yet"
        return f"The last good checkpoint is that of step {self.saved} in {self.folder.path}"

    def _command(self, more: str = "") -> str:
        return f"Go on with: inpaint train --resume {shlex.quote(str(self.folder.path))}{more}"

    def _without_a_worker(self, error: WorkerDied) -> ResourceError:
        """Save, and return the sentence for what ended because a worker was killed."""
        is_between_steps = world_size() == 1 and self.training.accumulate == 1
        if is_between_steps and self.run.has_trained:
            self._save()
        advice = self._command(" --workers 0") if self.saved else "Train with workers = 0"
        return ResourceError(f"{self.folder.path}: {error}. {self._kept()}. {advice}")

    def _broken(self, what: str) -> ResourceError:
        step = self.trainer.progress.step
        return ResourceError(
            f"{self.folder.path}: stage '{self.stage.name}', step {step + 1}: {what}. "
            f"{self._kept()}. Start a new run with a lower lr, or with clip_norm=1."
        )

    def _tell_why_it_ends(self) -> None:
        """Note that the time is up; Interrupted after a signal."""
        where = f"{self.folder.path}: saved after step {self.trainer.progress.step}"
        if self.stopped == TIME_IS_UP:
            self.reporter.note(f"{where}; the time is up. {self._command()}")
        elif self.stopped:
            ranks.wait()  # all processes stop after the same step
            raise Interrupted(f"{where}. {self._command()}", self.stopped)


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
