"""Looks at photos in files: one after another, with their pictures, arrays and one record."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.files import resolved, write_text
from inpaint_cli.locking import alone_in
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
        _, looks = earlier_looks(self.folder / RECORD)
        for task in self.tasks:
            stem = task.stem.as_posix()
            for ending in ("png", "npz"):
                path = self.folder / f"{stem}-design.{ending}"
                if resolved(path) in inputs:
                    raise UserError(f"{path} is a photo itself, and is kept.", setting="output")
                if stem not in looks and os.path.lexists(path):
                    raise UserError(
                        f"exists, and {RECORD} knows nothing of it. Move it, or choose another "
                        "output folder.",
                        where=path,
                    )

    def all(self, load: Callable[[str, str], Contestant]) -> Record:
        """Look at all photos, write their files, and return the record.

        A photo that fails does not stop the others; one alone raises its error.
        """
        bench = prepare(self.order, load, self.reporter)
        facts = {"schema": SCHEMA, **protocol(bench), "start": self.order.start}
        self._check_earlier(facts)
        photos = list[Record]()
        total = len(self.tasks) * self.order.steps
        with self.reporter.progress("looks", total) as advance:
            for task in self.tasks:
                try:
                    designed = self._one(bench, task, advance)
                    photos.append(self._keep(designed, task, facts))
                except PlainError as error:
                    if len(self.tasks) == 1:
                        raise error.within(task.photo) from error
                    self.failed.append((task.photo, error))
                    advance(self.order.steps)
        if photos:
            self.written.append(self.folder / RECORD)
        return {**facts, "photos": photos}

    def _check_earlier(self, facts: Record) -> None:
        """Raise UserError where photos of other settings stand in the record, and would stay."""
        path = self.folder / RECORD
        before, looks = earlier_looks(path)
        stems = {task.stem.as_posix() for task in self.tasks}
        others = [item["photo"] for stem, item in looks.items() if stem not in stems]
        differing = [name for name, value in facts.items() if before.get(name) != value]
        if others and differing:
            raise UserError(
                f"holds looks at {others[0]}, of other settings ({', '.join(differing)}). Choose "
                "another output folder.",
                where=path,
            )

    def _keep(self, designed: DesignedPhoto, task: PhotoTask, facts: Record) -> Record:
        """Write the files of a photo and its part of the record, beside those of others."""
        stem = task.stem.as_posix()
        self.written += designed.save(self.folder, stem)
        item = {**designed.record(), "stem": stem}
        path = self.folder / RECORD
        with alone_in(self.folder):
            before, looks = earlier_looks(path)
            kept = looks if all(before.get(name) == facts[name] for name in facts) else {}
            kept[stem] = item
            record = {**facts, "photos": list(kept.values())}
            write_text(path, whole_json(json.dumps(record, indent=1, ensure_ascii=False)) + "\n")
        return item

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


def earlier_looks(path: Path) -> tuple[Record, dict[str, Record]]:
    """Return the settings of a record and its photos by the stem of their files; {} without one.

    UserError where the file is no record of 'inpaint design'.
    """
    if not os.path.lexists(path):
        return {}, {}
    refusal = UserError(
        "exists and is no record of 'inpaint design'. Choose another output folder.", where=path
    )
    try:
        document = json_of(read_text(path), path)
    except UserError:
        raise refusal from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise refusal
    photos = document.pop("photos", None)
    if not isinstance(photos, list) or not all(_is_item(item) for item in photos):
        raise refusal
    # Records of earlier versions name the photo alone.
    return document, {item.get("stem", Path(item["photo"]).stem): item for item in photos}


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("photo"), str)
        and isinstance(item.get("stem", ""), str)
    )
