"""log.jsonl, one JSON object a line, and TensorBoard beside it if asked for."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.files import write_error, write_text
from inpaint_cli.reporting import Advance, Reporter
from inpaint_cli.training.loop import StepReport, Trainer


class Log:
    """Appends lines; each is flushed, so that a killed run has lost none but the last."""

    def __init__(self, path: Path, tensorboard: bool = False) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._path = path
        self._board = _board(path.parent / "tensorboard") if tensorboard else None

    def write(self, kind: str, stage: str, step: int, values: Mapping[str, Any]) -> None:
        """Write one line; numbers also go to TensorBoard."""
        line = {"kind": kind, "stage": stage, "step": step, **_finite(values)}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise write_error(self._path, error) from error
        if self._board is not None:
            for name, value in _flat(values):
                self._board.add_scalar(f"{stage}/{name}", value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


class StageLog:
    """What is logged of one stage, with the rate since the line before, and its progress bar."""

    def __init__(self, log: Log, trainer: Trainer, advance: Advance) -> None:
        self._log, self._trainer, self._advance = log, trainer, advance
        self.restart()

    def restart(self) -> None:
        """Begin to measure the rate here: a validation before it is no training."""
        self._start, self._waited = time.monotonic(), 0.0
        self._first_step = self._trainer.progress.step

    def line(self, kind: str, values: Mapping[str, Any]) -> None:
        """Write one line about the step that the stage is at."""
        progress = self._trainer.progress
        self._log.write(kind, progress.stage, progress.step, values)

    def event(self, name: str, values: Mapping[str, Any]) -> None:
        """Write that something happened."""
        self.line("event", {"event": name, **values})

    def step(self, report: StepReport) -> None:
        """Write a step where that is due, and move the progress bar."""
        trainer, step, text = self._trainer, self._trainer.progress.step, ""
        self._waited += report.waited
        if report.skipped:
            norms = {n: v if math.isfinite(v) else str(v) for n, v in report.norms.items()}
            self.event("skip", {"gradient_norm": norms})
        if step % trainer.training.log_every == 0 or step == trainer.steps:
            text = self._write_step(report)
            self.restart()
        self._advance(1, text)

    def _write_step(self, report: StepReport) -> str:
        """Write the figures of a step; return those that stand beside the progress bar."""
        trainer, step = self._trainer, self._trainer.progress.step
        seconds = max(time.monotonic() - self._start, 1e-9)
        rate = (step - self._first_step) * trainer.training.batch_size / seconds
        self.line(
            "step",
            {
                "epoch": step * trainer.training.batch_size / trainer.batches.order.count,
                "seconds": trainer.progress.seconds,
                "images_per_second": rate,
                "wait_share": self._waited / seconds,
                "lr": trainer.rate(step - 1),
                "loss": report.losses,
                "gradient_norm": report.norms,
                **report.scalars,
            },
        )
        losses = " ".join(f"{name} {value:.4g}" for name, value in report.losses.items())
        return f"{rate:.0f} images/s, loss {losses}"


def cut(
    path: Path, stage: str, step: int, reporter: Reporter, validated: int | None = None
) -> None:
    """Remove what a killed run logged after `step` of `stage`, and what is no line of a log.

    validated: the step of the last validation that its checkpoint knows; later ones are done again.
    """
    last = step if validated is None else validated
    if not path.is_file():
        return
    kept, damaged = [], 0
    texts = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for text in texts[:-1] if texts[-1:] == [""] else texts:
        line = _read_line(text)
        if line is None:
            damaged += 1
            continue
        if line["stage"] == stage and line["step"] > step:
            continue  # what follows may be of another stage, trained in between
        if line["stage"] == stage and line.get("kind") == "validation" and line["step"] > last:
            continue
        kept.append(json.dumps(line) + "\n")
    if damaged:
        reporter.warn(f"{path}: damaged lines left out: {damaged}. {len(kept)} are kept.")
    write_text(path, "".join(kept))


def _read_line(text: str) -> dict[str, Any] | None:
    """Return a line of a log, None if it is none; a power cut leaves NULs before or behind it."""
    try:
        line = json.loads(text.strip("\0 \r"))
    except (ValueError, RecursionError):
        return None
    is_whole = isinstance(line, dict) and isinstance(line.get("stage"), str)
    return line if is_whole and type(line.get("step")) is int else None


def _finite(value: Any) -> Any:
    """Return `value` with null for NaN and infinities, which JSON lacks."""
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    pairs: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)):
            pairs.append((prefix + name, float(value)))
    return pairs


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError(
            "TensorBoard is not installed. Run: pip install 'inpaint[tensorboard]'.",
            setting="tensorboard",
        ) from error
    return SummaryWriter(str(folder))
