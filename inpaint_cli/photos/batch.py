"""Completes many photos in turn and writes what comes out: completions, sheets, the record."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli import __version__
from inpaint_cli.errors import Interrupted, PartialFailure, ResourceError, UserError
from inpaint_cli.family import Model
from inpaint_cli.files import replacing
from inpaint_cli.photos.completing import Completed, Request, complete_photo, in_order
from inpaint_cli.photos.details import of_completion, write_pictures
from inpaint_cli.photos.holes import HoleSource
from inpaint_cli.photos.overview import Overview
from inpaint_cli.photos.pairing import Item
from inpaint_cli.photos.reading import read_photo
from inpaint_cli.photos.record import Record, files_of, is_of, same_files, same_settings
from inpaint_cli.photos.writing import write_photo
from inpaint_cli.reporting import Advance, Reporter


@dataclass(frozen=True)
class Job:
    """All that a run needs to know, apart from the photos."""

    model: Model
    model_name: str
    weights_sha256: str | None
    request: Request
    hole: HoleSource
    folder: Path
    rank: bool = False
    metadata: bool = True
    skip_existing: bool = False
    overwrite: bool = False


@dataclass
class Run:
    """One run over some photos."""

    job: Job
    items: Sequence[Item]
    reporter: Reporter
    failed: list[dict[str, str]] = field(default_factory=list)
    """Photos of several that could not be completed: `image` and `message`."""
    skipped: list[str] = field(default_factory=list)
    """Photos whose results were there already."""
    present: int = 0
    """Completions of this run's photos that are in the folder by now."""

    def __post_init__(self) -> None:
        self.record = Record.of(self.job.folder, self.job.overwrite)
        self.inputs = {item.photo.resolve() for item in self.items}
        self.inputs |= {item.mask.resolve() for item in self.items if item.mask}

    def all(self, several: bool) -> list[dict[str, Any]]:
        """Completes all photos and gives their items of the record.

        several: one photo's failure does not stop the others; they are listed at the end by
        PartialFailure. Otherwise it is raised as it is.
        """
        done = list[dict[str, Any]]()
        total = len(self.items) * self.job.request.n
        with self.reporter.progress("completing", total) as advance:
            for item in self.items:
                try:
                    made = self._one(item, advance)
                    done += [made] if made else []
                except KeyboardInterrupt as stop:
                    raise self._interrupted(stop, total) from stop
                except Exception as error:  # whatever it is, it must not end a night's work
                    if not several:
                        raise _named(item.photo, error) from error
                    message = _message(item.photo, error)
                    self.failed.append({"image": str(item.photo), "message": message})
                    advance(self.job.request.n)
        return done

    def _interrupted(self, stop: KeyboardInterrupt, total: int) -> Interrupted:
        """Gives the interruption with the count of what was finished before it."""
        ours = isinstance(stop, Interrupted)
        number = stop.signal_number if isinstance(stop, Interrupted) else signal.SIGINT
        word = str(stop) if ours else "interrupted"
        return Interrupted(
            f"{word}; {self.present} of {total} completions are in {self.job.folder}", number
        )

    def raise_failures(self) -> None:
        """Lists what failed, if anything did, and raises PartialFailure."""
        if not self.failed:
            return
        for failure in self.failed:
            self.reporter.warn(f"failed: {failure['image']}: {failure['message']}")
        raise PartialFailure(f"{len(self.failed)} of {len(self.items)} photos failed (see above).")

    def _one(self, item: Item, advance: Advance) -> dict[str, Any] | None:
        job = self.job
        if item.problem:
            raise UserError(item.problem)
        photo = read_photo(item.photo)
        names = [f"{item.stem.as_posix()}-{i}{photo.suffix}" for i in range(job.request.n)]
        sheet = f"{item.stem.as_posix()}-sheet.png"
        if job.skip_existing and self._exists(item, names, sheet):
            self.reporter.note(f"{item.photo}: its results exist, skipped")
            self.skipped.append(str(item.photo))
            self.present += job.request.n
            advance(job.request.n)
            return None
        self.record.check_photo([*names, sheet], item.photo, job.overwrite)
        self.record.check_free([*names, sheet], self.inputs, job.overwrite)
        if job.skip_existing and self._all_there([*names, sheet]):
            self.reporter.note(f"{item.photo}: made with other settings, done again")
        visible = job.hole.visible(
            item.photo,
            item.mask,
            (photo.height, photo.width),
            model_size=job.model.size,
            seed=job.request.seed,
            reporter=self.reporter,
        )
        completed = complete_photo(photo, visible, job.model, job.request)
        self._remark(item, completed)
        return self._write(item, completed, names, sheet, advance)

    def _all_there(self, names: Sequence[str]) -> bool:
        return all((self.job.folder / name).is_file() for name in names)

    def _exists(self, item: Item, names: list[str], sheet: str) -> bool:
        """Says whether the results are there and were made as this run would make them."""
        found = self.record.of_files([*names, sheet])
        new = {**self._settings(item), "seed": self.job.request.seed}
        return (
            self._all_there([*names, sheet])
            and len(found) == 1
            and is_of(found[0], item.photo)
            and same_settings(found[0], new)
            and same_files(found[0], names, self.job.rank)
        )

    def _remark(self, item: Item, completed: Completed) -> None:
        share = f"{100 * completed.hole_fraction:.1f} % hidden"
        request = self.job.request
        self.reporter.note(
            f"{item.photo}: {share}; {self.job.model_name}, seed {request.seed}, {request.n} "
            f"completion{'s' * (request.n > 1)}"
        )
        for note in completed.notes():
            self.reporter.note(f"{item.photo}: {note}.")

    def _write(
        self, item: Item, completed: Completed, names: list[str], sheet: str, advance: Advance
    ) -> dict[str, Any]:
        entry = self._entry(item, completed)
        overview = Overview(completed)
        try:
            for name, index in zip(names, in_order(completed, self.job.rank), strict=True):
                samples = completed.samples(index)
                text = self._text(completed, index) if self.job.metadata else None
                write_photo(self.job.folder / name, completed.photo, samples, text)
                entry["completions"].append(self._line(completed, name, index))
                self.present += 1
                overview.add(samples, index)
                advance(text=item.photo.name)
            entry |= self._write_details(item, completed)
            entry["sheet"] = sheet
            with replacing(self.job.folder / sheet) as temporary:
                overview.sheet().save(temporary, format="PNG")
        except Exception:
            self._discard(entry)
            raise
        except BaseException:  # interrupted: what is finished stays, and is known to be ours
            if entry["completions"]:
                self.record.put({**entry, "sheet": None})
            raise
        for path in self.record.put(entry):
            self.reporter.note(f"{path}: removed; it was of the results that these replace.")
        return entry

    def _write_details(self, item: Item, completed: Completed) -> dict[str, Any]:
        """Writes the pictures that the family gives besides; gives what a record says of them."""

        def check(name: str) -> None:
            self.record.check_free([name], self.inputs, self.job.overwrite)

        details = completed.details
        made = write_pictures(details, self.job.folder, item.stem.as_posix(), check)
        count = len(completed.drawn)
        which = f" (of the first of {count} windows)" if count > 1 else ""
        for name, file in made.items():
            word = name.replace("_", " ")
            self.reporter.note(f"{item.photo}: {word} in {self.job.folder / file}{which}")
        told = {"separation": details["separation"]} if "separation" in details else {}
        return {**made, **told}

    def _discard(self, entry: Mapping[str, Any]) -> None:
        for name in files_of(entry):
            (self.job.folder / name).unlink(missing_ok=True)
        self.present -= len(entry["completions"])

    def _settings(self, item: Item) -> dict[str, Any]:
        """Gives what decides the completions of a photo, but for its content and the seed."""
        return {
            "mask": self.job.hole.label(item.mask),
            "model": self.job.model_name,
            "weights_sha256": self.job.weights_sha256,
            "options": self._options(),
        }

    def _entry(self, item: Item, completed: Completed) -> dict[str, Any]:
        return {
            "image": str(item.photo),
            **self._settings(item),
            "hole_fraction": completed.hole_fraction,
            "log_prob_unit": "nats at model resolution, summed over windows",
            "log_prob_kind": completed.log_prob_kind,
            "hidden_values": completed.hidden_values,
            "windows": [
                [d.window.left, d.window.top, d.window.width, d.window.height]
                for d in completed.drawn
            ],
            "completions": [],
        }

    def _line(self, completed: Completed, name: str, index: int) -> dict[str, Any]:
        log_prob = None if completed.log_prob is None else float(completed.log_prob[index])
        line = {"file": name, "seed": self.job.request.seed, "index": index, "log_prob": log_prob}
        if log_prob is not None and completed.hidden_values:
            line["log_prob_per_value"] = log_prob / completed.hidden_values
        return {**line, **of_completion([d.details for d in completed.drawn], index)}

    def _text(self, completed: Completed, index: int) -> str:
        """Gives the JSON kept inside a completion; the same whatever -n is."""
        request = self.job.request
        log_prob = None if completed.log_prob is None else float(completed.log_prob[index])
        about = {
            "version": __version__,
            "model": self.job.model_name,
            "weights_sha256": self.job.weights_sha256,
            "seed": request.seed,
            "index": index,
            "log_prob": log_prob,
            "options": self._options(),
        }
        return json.dumps(about)

    def _options(self) -> dict[str, Any]:
        """Gives what else decides the result."""
        request = self.job.request
        return {
            "temperature": request.temperature,
            "context": request.context,
            "feather": request.feather,
            **request.options,
        }


def _named(photo: Path, error: Exception) -> Exception:
    """Gives the error with the photo's name in front, unless it begins with it already."""
    if isinstance(error, MemoryError):
        return ResourceError(f"{photo}: out of memory. Free some, or reduce the photo.")
    text = str(error)
    if not isinstance(error, UserError | ResourceError) or text.startswith(f"{photo}:"):
        return error
    return type(error)(f"{photo}: {text}")


def _message(photo: Path, error: Exception) -> str:
    """Gives what to say of a photo that failed, without its name."""
    named = _named(photo, error)
    if isinstance(named, UserError | ResourceError):
        return str(named).removeprefix(f"{photo}: ")
    return f"{type(named).__name__}: {named}"
