"""Looks at photos in files: one after another, with their pictures, arrays and one record."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.files import hash_of, make_folder, resolved, write_text
from inpaint_cli.locking import alone_in
from inpaint_cli.metrics.targets import Contestant
from inpaint_cli.parsing import json_of, read_text
from inpaint_cli.photos.batch import FailedPhoto
from inpaint_cli.photos.pairing import PhotoTask
from inpaint_cli.pictures.reading import read
from inpaint_cli.posterior.design_pictures import SCHEMA, DesignedPhoto, Record, design_photo
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
    failed: list[FailedPhoto] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.order.estimators) > 1:
            raise UserError("photos are looked at in one way. Give one.", setting="estimator")
        inputs = {resolved(task.photo) for task in self.tasks}
        earlier = EarlierLooks.of(self.folder / RECORD)
        for task in self.tasks:
            for ending in ("png", "npz"):
                path = self.folder / f"{task.stem.as_posix()}-design.{ending}"
                if resolved(path) in inputs:
                    raise UserError(f"{path} is a photo itself, and is kept.", setting="output")
                if os.path.lexists(path):
                    earlier.check(path, task)

    def all(self, load: Callable[[str, str], Contestant]) -> Record:
        """Look at all photos, write their files, and return the record.

        A photo that fails does not stop the others; one alone raises its error.
        """
        bench = prepare(self.order, load, self.reporter)
        facts = {"schema": SCHEMA, **protocol(bench), **start_facts(self.order.start)}
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
                    self.failed.append(FailedPhoto(task.photo, error))
                    advance(self.order.steps)
        if photos:
            self.written.append(self.folder / RECORD)
        return {**facts, "photos": photos}

    def _check_earlier(self, facts: Record) -> None:
        """Raise UserError where photos of other settings stand in the record, and would stay."""
        path = self.folder / RECORD
        before = EarlierLooks.of(path)
        stems = {task.stem.as_posix() for task in self.tasks}
        others = [item["photo"] for stem, item in before.photos.items() if stem not in stems]
        differing = before.differing(facts)
        if others and differing:
            raise UserError(
                f"holds looks at {others[0]}, of other settings ({', '.join(differing)}). Choose "
                "another output folder.",
                where=path,
            )

    def _keep(self, designed: DesignedPhoto, task: PhotoTask, facts: Record) -> Record:
        """Write the files of a photo and its part of the record, beside those of others.

        The record tells before that its files are begun: a killed run can be given again.
        """
        stem = task.stem.as_posix()
        item = {**designed.record(), "image": str(task.photo), "stem": stem}
        self._record(facts, stem, {"image": item["image"]}, begun=True)
        files = designed.save(self.folder, stem)
        item["sha256"] = {file.name: hash_of(file) for file in files}
        self.written += files
        self._record(facts, stem, item)
        return item

    def _record(self, facts: Record, stem: str, item: Record, begun: bool = False) -> None:
        """Put what is known of the files of one photo into the record."""
        path = self.folder / RECORD
        make_folder(self.folder)
        with alone_in(self.folder):
            looks = EarlierLooks.of(path)
            if looks.differing(facts):  # those of the same run, which are to be made anew
                looks.begun |= {name: {"image": i.get("image")} for name, i in looks.photos.items()}
                looks.photos.clear()
            if begun:
                looks.begun.setdefault(stem, item)
            else:
                looks.begun.pop(stem, None)
                looks.photos[stem] = item
            record = {**facts, "photos": list(looks.photos.values())}
            if looks.begun:
                record["begun"] = looks.begun
            write_text(path, whole_json(json.dumps(record, indent=1, ensure_ascii=False)) + "\n")

    def _one(self, bench: Bench, task: PhotoTask, advance: Advance) -> DesignedPhoto:
        photo = read(task.photo)
        if photo.height != photo.width:
            side, whole = min(photo.height, photo.width), f"{photo.width}x{photo.height}"
            middle = f"the {side}x{side} square in the middle of {whole} is looked at"
            self.reporter.note(f"{task.photo}: {middle}")
        designed = design_photo(bench, photo, task.photo.name, advance)
        for note in designed.photo.notes:
            self.reporter.note(f"{task.photo}: {note}")
        if len(designed.steps) < self.order.steps:
            self.reporter.note(f"{task.photo}: all is seen after {len(designed.steps)} looks")
        return designed


@dataclass
class EarlierLooks:
    """What a record tells: its settings, and of which photos the files beside it are."""

    facts: Record
    photos: dict[str, Record]
    """Stem of files -> what the record says of the photo."""
    begun: dict[str, Record]
    """Stem of files that a run meant to write, and may not have -> the photo's path, "image"."""

    @classmethod
    def of(cls, path: Path) -> EarlierLooks:
        """Read a record, if there is one. UserError where the file is none of 'inpaint design'."""
        if not os.path.lexists(path):
            return cls({}, {}, {})
        refusal = UserError(
            "exists and is no record of 'inpaint design'. Choose another output folder.", where=path
        )
        try:
            document = json_of(read_text(path), path)
        except UserError:
            raise refusal from None
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise refusal
        photos, begun = document.pop("photos", None), document.pop("begun", {})
        if not isinstance(photos, list) or not all(_is_item(item) for item in photos):
            raise refusal
        if not isinstance(begun, dict) or not all(isinstance(i, dict) for i in begun.values()):
            raise refusal
        # Records of earlier versions name the photo alone.
        stems = {item.get("stem", Path(item["photo"]).stem): item for item in photos}
        return cls(document, stems, begun)

    def differing(self, facts: Record) -> list[str]:
        """Return the settings in which a run differs from the record."""
        return [name for name, value in facts.items() if self.facts.get(name) != value]

    def check(self, path: Path, task: PhotoTask) -> None:
        """Raise UserError where a file that is there is none that a run wrote of this photo."""
        stem = task.stem.as_posix()
        item = self.photos.get(stem, self.begun.get(stem))
        if item is None:
            raise UserError(
                f"exists, and {RECORD} knows nothing of it. Move it, or choose another output "
                "folder.",
                where=path,
            )
        image = item.get("image")  # which earlier versions did not tell
        if isinstance(image, str) and resolved(Path(image)) != resolved(task.photo):
            raise UserError(
                f"holds looks at {image}. Move it, or choose another output folder.", where=path
            )
        # A run that was killed may have written the file anew, but not yet what it is.
        written = {} if stem in self.begun else item.get("sha256", {})
        if isinstance(written, dict) and written.get(path.name, "") not in ("", hash_of(path)):
            raise UserError(
                "was changed since it was written. Move it, or choose another output folder.",
                where=path,
            )


def start_facts(start: str) -> Record:
    """Return what a record says of what was visible at first: of a file, its content too."""
    path = Path(start)
    return {"start": start, **({"start_sha256": hash_of(path)} if path.is_file() else {})}


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("photo"), str)
        and isinstance(item.get("stem", ""), str)
    )
