"""Looks at photos in files: one after another, with their pictures, arrays and one record."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.files import resolved, write_text
from inpaint_cli.metrics.targets import Contestant
from inpaint_cli.parsing import json_of, read_text
from inpaint_cli.photos.pairing import PhotoTask
from inpaint_cli.pictures.reading import read
from inpaint_cli.posterior.design_pictures import (
    SCHEMA,
    DesignedPhoto,
    Record,
    design_photo,
    remarks,
    square_of,
)
from inpaint_cli.posterior.design_table import protocol
from inpaint_cli.posterior.designing import Bench, DesignOrder, prepare
from inpaint_cli.reporting import Advance, Reporter
from inpaint_cli.streams import whole_json

RECORD = "design.json"


@dataclass
class PhotoRun:
    """One run over some photos."""

    order: DesignOrder
    tasks: Sequence[PhotoTask]
    folder: Path
    reporter: Reporter
    written: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, PlainError]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.order.estimators) > 1:
            raise UserError("photos are looked at in one way. Give one.", setting="estimator")
        inputs = {resolved(task.photo) for task in self.tasks}
        for task in self.tasks:
            for ending in ("png", "npz"):
                path = self.folder / f"{task.stem.as_posix()}-design.{ending}"
                if resolved(path) in inputs:
                    raise UserError(f"{path} is a photo itself, and is kept.", setting="output")
        if (self.folder / RECORD).exists() and not _is_ours(self.folder / RECORD):
            raise UserError(
                "exists and is no record of 'inpaint design'. Choose another output folder.",
                where=self.folder / RECORD,
            )

    def all(self, load: Callable[[str, str], Contestant]) -> Record:
        """Look at all photos, write their files, and return the record.

        A photo that fails does not stop the others; one alone raises its error.
        """
        bench = prepare(self.order, load, self.reporter)
        photos = list[Record]()
        total = len(self.tasks) * self.order.steps
        with self.reporter.progress("looks", total) as advance:
            for task in self.tasks:
                try:
                    designed = self._one(bench, task, advance)
                    self.written += designed.save(self.folder, task.stem.as_posix())
                    photos.append(designed.record())
                except PlainError as error:
                    if len(self.tasks) == 1:
                        raise error.within(task.photo) from error
                    self.failed.append((task.photo, error))
                    advance(self.order.steps)
        record = {"schema": SCHEMA, **protocol(bench), "start": self.order.start, "photos": photos}
        path = self.folder / RECORD
        write_text(path, whole_json(json.dumps(record, indent=1, ensure_ascii=False)) + "\n")
        self.written.append(path)
        return record

    def _one(self, bench: Bench, task: PhotoTask, advance: Advance) -> DesignedPhoto:
        photo = read(task.photo)
        for remark in remarks(photo, square_of(photo)):
            self.reporter.note(f"{task.photo}: {remark}")
        designed = design_photo(bench, photo, task.photo.name, advance)
        for note in designed.photo.notes:
            self.reporter.note(f"{task.photo}: {note}")
        if len(designed.steps) < self.order.steps:
            self.reporter.note(f"{task.photo}: all is seen after {len(designed.steps)} looks")
        return designed


def _is_ours(path: Path) -> bool:
    """Return whether a file is the record of an earlier run."""
    try:
        document = json_of(read_text(path), path)
    except UserError:
        return False
    return isinstance(document, dict) and document.get("schema") == SCHEMA
