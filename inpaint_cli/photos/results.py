"""Write what comes out of one completed photo: completions, sheet, pictures of details, record."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from inpaint_cli import __version__
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.completing import CompletedPhoto
from inpaint_cli.photos.details import of_completion, of_window, write_pictures
from inpaint_cli.photos.earlier import (
    INPUTS,
    inputs_of,
    is_of,
    same_files,
    same_inputs,
    same_settings,
)
from inpaint_cli.photos.intervals import ENDINGS, PhotoIntervals
from inpaint_cli.photos.output import OutputSettings
from inpaint_cli.photos.overview import TILE_PX, Overview
from inpaint_cli.photos.record import SHEET, Record, files_of
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.photos.spread import Spread
from inpaint_cli.pictures.picture import Samples
from inpaint_cli.pictures.writing import Placing, Written, mark, own_text, visible_change, write
from inpaint_cli.reporting import Advance, Reporter
from inpaint_cli.streams import shown

DECIMALS = 6
"""Digits behind the point of likelihoods in files."""


@dataclass(frozen=True)
class ResultNames:
    """What the results of one photo are called, relative to the folder of results."""

    photo: Path
    stem: str
    completions: Sequence[str]
    has_sheet: bool = True

    @classmethod
    def of(
        cls, photo: Path, stem: Path, suffix: str, n: int, seed: int = 0, has_sheet: bool = True
    ) -> ResultNames:
        """Return the names of n completions with the suffix that the photo's samples need.

        Each seed has names of its own, so that none replaces another's results.
        """
        name = stem.as_posix() + (f"-s{seed}" if seed else "")
        return cls(photo, name, [f"{name}-{number}{suffix}" for number in range(n)], has_sheet)

    @property
    def sheet(self) -> str | None:
        """The sheet of all completions; None where none is wanted."""
        return self.stem + SHEET if self.has_sheet else None

    @property
    def all(self) -> list[str]:
        """The files that every photo gets."""
        return [*self.completions, *([self.sheet] if self.sheet else [])]


@dataclass
class ResultWriter:
    """Writes results of photos into one folder, and keeps its record."""

    folder: Path
    model_name: str
    weights_sha256: str | None
    reporter: Reporter
    inputs: frozenset[Path] = frozenset()
    """Resolved paths that are never replaced."""
    rank: bool = False
    """Number the files by likelihood, the likeliest first."""
    metadata: bool = True
    """Keep in each completion how it was made."""
    overwrite: bool = False
    """Also replace files that are no earlier results."""
    tile: int = TILE_PX
    """The length of a completion's longer side on the sheet, at least."""
    output: OutputSettings = field(default_factory=OutputSettings)
    calibration: Calibration | None = None
    """Of the model's completions: the sheet then shows how wide intervals are."""
    intervals: bool = False
    """Also write pictures of the calibrated intervals."""
    stale: bool = False
    """The photo's file is no more what was read."""
    chosen: int | None = None
    """The completion that a person chose, kept in the record; None = none was."""
    written: int = 0
    """Completions in the folder by now, of those that were to be written."""
    record: Record = field(init=False)
    _measured: CompletedPhoto | None = field(init=False, default=None)
    """The photo whose visible pixels were compared last."""
    _waited: bool = field(init=False, default=False)
    _told: set[tuple[Path, str]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.record = Record.of(self.folder, self.overwrite)
        if self.record.damaged:
            self.reporter.warn(
                f"{self.record.path}: damaged; it is put aside, and results are known by their "
                "own text"
            )

    def check(self, names: ResultNames) -> None:
        """Raise UserError where a file to be written is another photo's, an input or not ours."""
        self.record.check_photo(names.all, names.photo, self.overwrite)
        self.record.check_free(names.all, set(self.inputs), self.overwrite)

    def is_foreign(self, file: Path) -> bool:
        """Return whether a file can be no completion by this model, as far as its format tells."""
        told = self.metadata and self.output.format in ("png", "tiff")
        return told and own_text(file).get("model") != self.model_name

    def finish(self) -> None:
        """Bring the record up to date, at the end of a run."""
        self.record.finish()

    def all_there(self, names: ResultNames) -> bool:
        """Return whether all files exist, whatever they were made from."""
        return all((self.folder / name).is_file() for name in names.all)

    def is_done(
        self, names: ResultNames, hole: Mapping[str, Any], request: CompletionRequest
    ) -> bool:
        """Return whether the results are there and were made as they would be made now."""
        earlier = self.record.of_files(names.all)
        return (
            self.all_there(names)
            and len(earlier) == 1
            and not earlier[0].get("interrupted")
            and is_of(earlier[0], names.photo)
            and same_settings(earlier[0], {**self._settings(hole, request), "seed": request.seed})
            and same_inputs(earlier[0], self._inputs_of(names.photo, hole))
            and same_files(earlier[0], names.completions, self._in_order)
            and self._made_alike(earlier[0], request.n)
            and self._has_intervals(earlier[0])
        )

    @property
    def _in_order(self) -> bool:
        """Whether files are numbered by likelihood, where there is one."""
        return self.rank or self.output.keep is not None

    def _made_alike(self, item: Mapping[str, Any], n: int) -> bool:
        new = self.output.fields(n)
        return all(item.get(key) == new.get(key) for key in ("quality", "drawn"))

    def _has_intervals(self, item: Mapping[str, Any]) -> bool:
        """Return whether the intervals that are wanted were made, with this calibration."""
        if not self.intervals or self.calibration is None:
            return True
        there = all(item.get(name) and (self.folder / item[name]).is_file() for name in ENDINGS)
        return there and item.get("calibration") == self.calibration.facts()

    def write(
        self,
        names: ResultNames,
        hole: Mapping[str, Any],
        completed: CompletedPhoto,
        advance: Advance,
    ) -> dict[str, Any]:
        """Write all files of a photo, and return its item of the record.

        hole: as `HoleSource.fields` tells it. A failure leaves no files; after an interruption
        those that are finished stay, and are known to be ours. Another process that writes into
        the folder is waited for.
        """
        with self.record.alone(self._waiting):
            self.check(names)
            return self._write(names, hole, completed, advance)

    def _waiting(self) -> None:
        if not self._waited:
            self.reporter.note(f"{self.folder}: another run writes here too; they take turns")
        self._waited = True

    def _write(
        self,
        names: ResultNames,
        hole: Mapping[str, Any],
        completed: CompletedPhoto,
        advance: Advance,
    ) -> dict[str, Any]:
        placing = partial(self.record.placing, photo=names.photo)
        item = self._item(names.photo, hole, completed)
        overview = Overview(
            completed, names.photo.name, self.model_name, self.tile, self.calibration
        )
        spread = Spread(completed)
        try:
            order = completed.in_order(self._in_order)
            kept = islice(order, len(names.completions))
            for name, index in zip(names.completions, kept, strict=True):
                samples, line = completed.samples(index), _line(completed, name, index)
                self.write_file(self.folder / name, names.photo, completed, samples, index, placing)
                item["completions"].append(line)
                self.written += 1
                if names.sheet:
                    overview.add(samples, index)
                spread.add(samples)
                advance(text=names.photo.name)
            item["deviation"] = round(spread.deviation, 4)
            sentence = spread.sentence()
            for remark in filter(None, (sentence, _without_bound(completed))):
                self.reporter.note(f"{names.photo}: {remark}.")
            item |= self._write_details(names, completed, placing)
            item |= self._write_intervals(names, completed, placing)
            item["sheet"] = names.sheet
            if names.sheet:
                text = mark("sheet") if self.metadata else None
                with placing(self.folder / names.sheet) as temporary:
                    overview.sheet(sentence).save(temporary, format="PNG", pnginfo=text)
        except Exception:
            self._discard(item)
            raise
        except BaseException:
            if item["completions"]:
                # All completions may be there and still not all that is told or made of them.
                self.record.put({**item, "sheet": None, "interrupted": True})
            raise
        for path in self.record.put(item):
            self.reporter.note(f"{path}: removed; it was of the results that these replace.")
        return self.record.item_of(item)

    def write_file(
        self,
        path: Path,
        photo: Path,
        completed: CompletedPhoto,
        samples: Samples,
        index: int,
        placing: Placing,
    ) -> None:
        """Write one completion; tell once a photo what its format costs."""
        written = write(
            path,
            completed.photo,
            samples,
            format=self.output.format,
            quality=self.output.quality,
            text=self._text(completed, index) if self.metadata else None,
            placing=placing,
        )
        for note in self._costs(path, completed, written):
            if (photo, note) not in self._told:
                self._told.add((photo, note))
                self.reporter.note(f"{photo}: {note}.")

    def _costs(self, path: Path, completed: CompletedPhoto, written: Written) -> list[str]:
        notes = list(written.notes)
        if not written.exact and completed is not self._measured:
            change = visible_change(completed.photo, completed.visible, path)
            notes.append(f"as {written.format}, {change}")
            self._measured = completed
        return notes

    def _write_details(
        self, names: ResultNames, completed: CompletedPhoto, placing: Placing
    ) -> dict[str, Any]:
        """Write the pictures of the first window's details, and return what a record keeps."""

        def check(name: str) -> None:
            self.record.check_free([name], set(self.inputs), self.overwrite)

        if not completed.details:
            return {}
        details, declared = completed.details[0], completed.request.details
        count, seed = len(completed.windows), completed.request.seed
        which = f" (of the first of {count} windows)" if count > 1 else ""
        files = write_pictures(
            details,
            declared,
            self.folder,
            names.stem,
            check,
            placing,
            f"{shown(names.photo.name)}, {self.model_name}, seed {seed}{which}",
        )
        for name, file in files.items():
            words = name.replace("_", " ")
            self.reporter.note(f"{names.photo}: {words} in {self.folder / file}{which}")
        return {**files, **of_window(details, declared)}

    def _write_intervals(
        self, names: ResultNames, completed: CompletedPhoto, placing: Placing
    ) -> dict[str, Any]:
        """Write the pictures of the calibrated intervals, and return what a record keeps."""
        if self.calibration is None or not completed.windows:
            return {}
        facts = {"calibration": self.calibration.facts()}
        if not self.intervals:
            return facts
        files = {name: names.stem + ending for name, ending in ENDINGS.items()}
        self.record.check_free(files.values(), set(self.inputs), self.overwrite)
        for name, picture in PhotoIntervals(completed, self.calibration).pictures().items():
            write(self.folder / files[name], picture, picture.samples, placing=placing)
        low, high, width = files.values()
        self.reporter.note(
            f"{names.photo}: {100 * self.calibration.level:g} % intervals in {self.folder / low}, "
            f"{high} and {width}"
        )
        return {**facts, **files}

    def _discard(self, item: Mapping[str, Any]) -> None:
        for name in files_of(item):
            (self.folder / name).unlink(missing_ok=True)
        self.written -= len(item["completions"])

    def _settings(self, hole: Mapping[str, Any], request: CompletionRequest) -> dict[str, Any]:
        """Return what decides the completions of a photo, but for its content and the seed."""
        return {
            "hole": dict(hole),
            "model": self.model_name,
            "weights_sha256": self.weights_sha256,
            "options": request.sampling_options(),
        }

    def _inputs_of(self, photo: Path, hole: Mapping[str, Any]) -> dict[str, str]:
        return inputs_of(None if self.stale else photo, hole)

    def item_of(
        self, photo: Path, hole: Mapping[str, Any], completed: CompletedPhoto, file: str
    ) -> dict[str, Any]:
        """Return the item of a photo whose one completion was written alone, for a report."""
        item = self._item(photo, hole, completed)
        return {**item, "completions": [_line(completed, file, 0)], "sheet": None}

    def _item(
        self, photo: Path, hole: Mapping[str, Any], completed: CompletedPhoto
    ) -> dict[str, Any]:
        """Return what a record says of a photo before its files are written."""
        boxes = [completed_window.window for completed_window in completed.windows]
        return {
            "image": str(photo),
            **self._settings(hole, completed.request),
            INPUTS: self._inputs_of(photo, hole),
            "hole_fraction": completed.hole_fraction,
            "log_prob_unit": "nats at model resolution, summed over windows",
            "log_prob_kind": completed.log_prob_kind,
            "hidden_values": completed.hidden_values,
            "windows": [[box.left, box.top, box.width, box.height] for box in boxes],
            **self.output.fields(completed.request.n),
            **({} if self.chosen is None else {"chosen": self.chosen}),
            "completions": [],
        }

    def _text(self, completed: CompletedPhoto, index: int) -> str:
        """Return the JSON kept inside a completion; the same whatever n is."""
        about = {
            "version": __version__,
            "model": self.model_name,
            "weights_sha256": self.weights_sha256,
            "seed": completed.request.seed,
            "index": index,
            "log_prob": _log_prob(completed, index),
            "options": completed.request.sampling_options(),
        }
        return json.dumps(about)


def _line(completed: CompletedPhoto, name: str, index: int) -> dict[str, Any]:
    """Return what a record says of one completion."""
    request, log_prob = completed.request, _log_prob(completed, index)
    line = {"file": name, "seed": request.seed, "index": index, "log_prob": log_prob}
    if log_prob is not None and completed.hidden_values:
        line["log_prob_per_value"] = round(log_prob / completed.hidden_values, DECIMALS)
    return {**line, **of_completion(completed.details, index, request.details)}


def _log_prob(completed: CompletedPhoto, index: int) -> float | None:
    """Return a likelihood, rounded so that it does not depend on the number of threads.

    None where there is none, and where its bound is minus infinity, which JSON has not.
    """
    nats = -math.inf if completed.log_prob is None else float(completed.log_prob[index])
    return round(nats, DECIMALS) if math.isfinite(nats) else None


def _without_bound(completed: CompletedPhoto) -> str:
    """Return what to tell of likelihoods whose bound is minus infinity; "" if there are none."""
    log_prob = [] if completed.log_prob is None else completed.log_prob.tolist()
    endless = sum(not math.isfinite(nats) for nats in log_prob)
    if not endless:
        return ""
    return (
        f"{endless} of {len(log_prob)} log-probabilities have no finite bound, and come last where "
        "they are ranked: the photo is unlike all that the model was trained on"
    )
