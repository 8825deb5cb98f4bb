"""Complete many photos in turn, each in two steps: complete it, write its results.

Where one of several fails the others go on, and what failed is told at the end.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from inpaint_cli.errors import Interrupted, PlainError, ResourceError, UserError
from inpaint_cli.family import Model
from inpaint_cli.files import check_length, replacing, resolved, writing_once
from inpaint_cli.models.external import in_words
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.completing import CompletedPhoto, complete_photo
from inpaint_cli.photos.extending import extended
from inpaint_cli.photos.holes import HoleSource
from inpaint_cli.photos.intervals import ENDINGS as INTERVALS
from inpaint_cli.photos.memory import is_out_of_memory
from inpaint_cli.photos.output import OutputSettings
from inpaint_cli.photos.overview import TILE_PX
from inpaint_cli.photos.pairing import PhotoTask, inputs_of
from inpaint_cli.photos.record import check_ordinary
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.photos.results import ResultNames, ResultWriter
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.pictures.reading import read
from inpaint_cli.reporting import Advance, Reporter, percent

RECONSTRUCTION = "-reconstruction"
"""Behind the photo's name in those of its reconstruction."""


@dataclass(frozen=True)
class BatchJob:
    """All that a run needs to know, apart from the photos."""

    model: Model
    model_name: str
    weights_sha256: str | None
    request: CompletionRequest
    hole: HoleSource
    folder: Path
    rank: bool = False
    metadata: bool = True
    skip_existing: bool = False
    overwrite: bool = False
    sheet: bool = True
    tile: int = TILE_PX
    """The length of a completion's longer side on the sheet, at least."""
    output: OutputSettings = field(default_factory=OutputSettings)
    calibration: Calibration | None = None
    intervals: bool = False
    """Write pictures of the calibrated intervals."""
    huge: bool = False
    """Photos of more than 400 megapixels are read as well."""


@dataclass
class BatchRun:
    """One run over some photos."""

    job: BatchJob
    tasks: Sequence[PhotoTask]
    reporter: Reporter
    failed: list[FailedPhoto] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Photos whose results were there already."""
    writer: ResultWriter = field(init=False)

    def __post_init__(self) -> None:
        job = self.job
        self.writer = ResultWriter(
            job.folder,
            job.model_name,
            job.weights_sha256,
            self.reporter,
            inputs_of(self.tasks, job.hole.painted),
            rank=job.rank,
            metadata=job.metadata,
            overwrite=job.overwrite,
            tile=job.tile,
            output=job.output,
            calibration=job.calibration,
            intervals=job.intervals,
        )

    def all(self, several: bool) -> list[dict[str, Any]]:
        """Complete all photos and return their items of the record.

        several: one photo's failure does not stop the others; it is kept in `failed`. Otherwise it
        is raised.
        """
        total = len(self.tasks) * self._count
        try:
            with self.reporter.progress("completing", total) as advance:
                items = [self._item_of(task, advance, several) for task in self.tasks]
        except KeyboardInterrupt as stop:
            raise self._interrupted(stop, total) from stop
        finally:
            self.writer.finish()
        return [item for item in items if item]

    def _item_of(self, task: PhotoTask, advance: Advance, several: bool) -> dict[str, Any] | None:
        """Return what a photo's results are in the record; None where it has no new ones."""
        try:
            return self._results_of(task, advance)
        except Exception as error:  # whatever it is, it must not end a night's work
            self.failed.append(FailedPhoto.of(task, error, several))
            advance(self._count)
            return None

    @property
    def _count(self) -> int:
        """How many completions of a photo are written."""
        return self.job.output.count(self.job.request.n)

    def complete(
        self, task: PhotoTask, photo: Picture, advance: Advance | None = None
    ) -> CompletedPhoto:
        """Complete one photo that was read; nothing is written. advance: told of each window."""
        job = self.job
        visible = job.hole.visible(
            task.photo,
            task.mask,
            (photo.height, photo.width),
            model_size=job.model.size,
            seed=job.request.seed,
            reporter=self.reporter,
            number=task.number,
        )
        if job.hole.extension is not None:
            photo = extended(photo, job.hole.extension, huge=job.huge)
            job.output.format_of(photo)  # before anything is drawn for what cannot be written
        windows = itertools.count(1)

        def window() -> None:
            if advance is not None:
                advance(0, text=f"{task.photo.name}: window {next(windows)}")

        def compiling() -> None:
            self.reporter.note("making machine code for this processor, once: about half a minute")

        return complete_photo(photo, visible, job.model, job.request, window, compiling)

    def _results_of(self, task: PhotoTask, advance: Advance) -> dict[str, Any] | None:
        """Complete a photo and write its results, unless they are to be skipped."""
        job, writer = self.job, self.writer
        if task.problem:
            raise task.problem
        photo = read(task.photo, huge=job.huge)
        job.output.format_of(photo)
        if job.output.file is not None:
            return self._one_file(task, photo, job.output.file, advance)
        suffix = job.output.suffix_of(photo)
        stem = task.stem
        if job.request.reconstruct:  # so that no completions are replaced
            stem = stem.with_name(stem.name + RECONSTRUCTION)
        names = ResultNames.of(task.photo, stem, suffix, self._count, job.request.seed, job.sheet)
        endings = [detail.ending for detail in job.request.details if detail.drawn]
        endings += INTERVALS.values() if job.intervals else ()
        check_length(job.folder, [*names.all, *(names.stem + ending for ending in endings)])
        hole = self._hole_of(task, photo)
        if job.skip_existing and writer.is_done(names, hole, job.request):
            self.reporter.note(f"{task.photo}: its results exist, skipped")
            self.skipped.append(str(task.photo))
            writer.written += self._count
            advance(self._count)
            return None
        writer.check(names)
        if job.skip_existing and writer.all_there(names):
            self.reporter.note(f"{task.photo}: made from other files or settings, done again")
        completed = self.complete(task, photo, advance)
        self._remark(task.photo, completed)
        return writer.write(names, hole, completed, advance)

    def _one_file(
        self, task: PhotoTask, photo: Picture, file: Path, advance: Advance
    ) -> dict[str, Any] | None:
        """Complete a photo and write its one completion, without a sheet or a record."""
        if resolved(file) in self.writer.inputs:
            raise UserError("is an input, which is never replaced.", where=file)
        check_ordinary(file)
        if file.exists() and self.job.skip_existing:
            # No record stands beside a single file.
            self.reporter.note(f"{task.photo}: {file} exists, skipped; nothing is compared")
            self.skipped.append(str(task.photo))
            return None
        if file.exists() and not self.job.overwrite and self.writer.is_foreign(file):
            raise _in_the_way(file)
        completed = self.complete(task, photo, advance)
        self._remark(task.photo, completed)
        placing = replacing if self.job.overwrite else self._placing_once
        self.writer.write_file(file, task.photo, completed, completed.samples(0), 0, placing)
        self.writer.written += 1
        advance()
        return self.writer.item_of(task.photo, self._hole_of(task, photo), completed, str(file))

    def _hole_of(self, task: PhotoTask, photo: Picture) -> dict[str, Any]:
        """Return the hole of a photo for its record."""
        job, size = self.job, (photo.height, photo.width)
        return job.hole.fields(
            task.mask, size, job.request.seed, model_size=job.model.size, number=task.number
        )

    def _placing_once(self, path: Path) -> AbstractContextManager[Path]:
        return writing_once(path, _in_the_way(path), self.reporter.note)

    def _remark(self, photo: Path, completed: CompletedPhoto) -> None:
        request = self.job.request
        if not request.reconstruct:
            share = f"{percent(completed.hole_fraction)} hidden"
            self.reporter.note(
                f"{photo}: {share}; {self.job.model_name}, seed {request.seed}, {request.n} "
                f"completion{'s' * (request.n > 1)}"
            )
        spent = self.job.model.take_spent()
        for note in [*completed.notes(), *([in_words(spent)] if spent else [])]:
            self.reporter.note(f"{photo}: {note}.")

    def _interrupted(self, stop: KeyboardInterrupt, total: int) -> Interrupted:
        """Return the interruption with the count of what was finished before it."""
        is_signal = isinstance(stop, Interrupted)
        number = stop.signal_number if isinstance(stop, Interrupted) else signal.SIGINT
        word = str(stop) if is_signal else "interrupted"
        return Interrupted(
            f"{word}; {self.writer.written} of {total} completions are in {self.job.folder}", number
        )


def _in_the_way(file: Path) -> UserError:
    return UserError("exists. Replace it with the setting overwrite.", where=file)


@dataclass(frozen=True)
class FailedPhoto:
    """One of several photos that could not be completed."""

    photo: Path
    error: Exception

    @classmethod
    def of(cls, task: PhotoTask, error: Exception, several: bool) -> Self:
        """Return what failed; raise it where it is the only photo, or where it ends all."""
        plain = _plain(error, task.photo)
        if several and not (isinstance(error, PlainError) and error.ends_batch):
            return cls(task.photo, plain)
        if plain is error:
            raise error
        raise plain from error


def _plain(error: Exception, photo: Path) -> Exception:
    """Return an error that names the photo where it is one that people see; others as they are."""
    if is_out_of_memory(error):
        return ResourceError("out of memory. Free some, or reduce the photo.", where=photo)
    return error.within(photo) if isinstance(error, PlainError) else error
