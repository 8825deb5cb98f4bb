"""completions.json: what lies in a folder of results, and which files are ours to replace."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.files import (
    Stamp,
    hash_of,
    is_ours,
    make_folder,
    replacing,
    resolved,
    stamp_of,
    write_text,
)
from inpaint_cli.locking import alone_in
from inpaint_cli.parsing import read_bytes
from inpaint_cli.photos.details import drawn_endings
from inpaint_cli.photos.earlier import is_of
from inpaint_cli.photos.intervals import ENDINGS as INTERVALS
from inpaint_cli.photos.journal import NAME as JOURNAL
from inpaint_cli.photos.journal import Journal, Line
from inpaint_cli.photos.old_records import upgraded
from inpaint_cli.pictures.writing import own_text
from inpaint_cli.streams import whole_json

NAME = "completions.json"
SCHEMA = 2
SHEET = "-sheet.png"
"""Ending of the sheet of a photo."""
MOST_BYTES = 1 << 30
"""A larger file is no record."""


@dataclass
class _Entry:
    """One item, with the files that it names."""

    item: Mapping[str, Any]
    files: set[str]
    done: bool = True
    """No file of it was replaced since."""


@dataclass
class Record:
    """What is known of one folder of results: its record, and the journal of what came after.

    Whoever writes is `alone` first. A file is announced with its hash before it takes its place,
    so whatever a killed run leaves is known to be ours, and nothing else is.
    """

    folder: Path
    overwrite: bool = False
    """Take a record that is not ours for none."""
    damaged: bool = field(init=False, default=False)
    """There is a record that cannot be read; it is put aside when one is written."""
    _entries: dict[int, _Entry] = field(init=False)
    _entry_of: dict[str, int] = field(init=False)
    _hashes: dict[str, set[str]] = field(init=False)
    """File -> the SHA-256 of what we wrote there."""
    _photos: dict[str, str] = field(init=False)
    """File that belongs to no item yet -> the photo it is of."""
    _written: dict[str, str] = field(init=False, default_factory=dict)
    """File that this process wrote last -> its SHA-256."""
    _numbers: Iterator[int] = field(init=False, default_factory=count)
    _left: set[str] = field(init=False)
    """Files of results that were replaced by others without them."""
    _stamp: Stamp | None = field(init=False, default=None)

    @classmethod
    def of(cls, folder: Path, overwrite: bool) -> Record:
        """Read the record of earlier runs, if there is one. UserError if it is not ours."""
        record = cls(folder, overwrite)
        record.refresh()
        return record

    def __post_init__(self) -> None:
        self.journal = Journal(self.folder / JOURNAL)
        self._clear()

    def _clear(self) -> None:
        self._entries, self._entry_of, self._left = {}, {}, set()
        self._hashes, self._photos = {}, {}

    @property
    def path(self) -> Path:
        """The file of the record."""
        return self.folder / NAME

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of all photos that are done, in the order of their files."""
        done = [entry for entry in self._entries.values() if entry.done]
        return [dict(e.item) for e in sorted(done, key=lambda e: min(e.files, default=""))]

    @contextmanager
    def alone(self, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Keep other processes out of the folder, having read what they wrote."""
        make_folder(self.folder)
        with alone_in(self.folder, waiting):
            self.refresh()
            yield

    def refresh(self) -> None:
        """Read what was written since the last time, by this process or others."""
        stamp, lines = stamp_of(self.path), self.journal.unread()
        if lines is None or stamp != self._stamp:
            self._clear()
            self.damaged = False
            self.journal.open()
            for item in self._read():
                self._put(item, done=True)
            self._stamp, lines = stamp, self.journal.unread() or []
        for line in lines:
            self._take(line)

    def _read(self) -> list[dict[str, Any]]:
        try:
            return _items_of(json.loads(read_bytes(self.path, MOST_BYTES)))
        except FileNotFoundError:
            return []
        except (KeyError, TypeError, AttributeError, OSError, _NotOurs):
            pass
        except (ValueError, RecursionError):
            self.damaged = True
            return []
        check_ordinary(self.path)
        if self.overwrite:
            return []
        raise UserError(
            "not a record of this version of inpaint. Choose another output folder, or replace it "
            "with the setting overwrite.",
            where=self.path,
        )

    def _take(self, line: Line) -> None:
        """Take in one line of the journal; what is none of ours says nothing."""
        name, digest, image = (line.get(key) for key in ("file", "sha256", "image"))
        if isinstance(name, str) and isinstance(digest, str):
            self._hashes.setdefault(name, set()).add(digest)
            self._photos[name] = str(image)
            if name in self._entry_of:
                self._entries[self._entry_of[name]].done = False
        for key, done in (("item", True), ("undone", False)):
            if key in line and _is_item(line[key]):
                self._put(line[key], done)

    def _put(self, item: Mapping[str, Any], done: bool) -> None:
        files = files_of(item)
        for number in {self._entry_of[name] for name in files & self._entry_of.keys()}:
            old = self._entries.pop(number).files
            for name in old:
                del self._entry_of[name]
            self._left |= old
        self._left -= files
        number = next(self._numbers)
        self._entries[number] = _Entry(item, files, done)
        self._entry_of |= dict.fromkeys(files, number)
        for name in files:
            self._photos.pop(name, None)
            digest = item.get("sha256", {}).get(name)
            if digest is not None:
                self._hashes[name] = {digest}

    @property
    def named(self) -> set[str]:
        """The files that runs wrote, or were about to, relative to the folder."""
        return {*self._entry_of, *self._photos}

    def owns(self, name: str) -> bool:
        """Return whether a file is one that we wrote, and as we wrote it."""
        return is_ours(self.folder, name, lambda path: self._is_as_written(name, path))

    def _is_as_written(self, name: str, path: Path) -> bool:
        if name in self._hashes:
            return hash_of(path) in self._hashes[name]
        if own_text(path):
            # A copy that somebody kept under such a name is theirs, where a record tells.
            return name in self._entry_of or self.damaged or self._stamp is None
        # Records of earlier versions hold no hashes, and sheets of theirs no text.
        number = self._entry_of.get(name)
        entry = {} if number is None else self._entries[number].item
        lines = [] if "sha256" in entry else entry.get("completions", [])
        return any(own_text(self.folder / line["file"]) for line in lines)

    def of_files(self, names: Iterable[str]) -> list[Mapping[str, Any]]:
        """Return the items of photos that are done which name any of these files."""
        numbers = {self._entry_of[name] for name in names if name in self._entry_of}
        return [self._entries[n].item for n in sorted(numbers) if self._entries[n].done]

    def check_photo(self, names: Iterable[str], photo: Path, overwrite: bool) -> None:
        """Raise UserError if one of the files, or one made with it, is of another photo."""
        for name in [] if overwrite else names:
            number = self._entry_of.get(name)
            entry = None if number is None else self._entries[number]
            image = entry.item.get("image") if entry else self._photos.get(name)
            there = [
                file
                for file in sorted(entry.files if entry else {name})
                if (self.folder / file).exists()
            ]
            if image is not None and there and not is_of({"image": image}, photo):
                raise UserError(
                    f"holds results of {image}. Choose another output folder, or replace them "
                    "with the setting overwrite.",
                    where=self.folder / there[0],
                )

    def check_free(self, names: Iterable[str], inputs: set[Path], overwrite: bool) -> None:
        """Raise UserError if a file to be written is an input, or is there and not ours."""
        for name in names:
            path = self.folder / name
            if resolved(path) in inputs:
                raise UserError(
                    "is an input, which is never replaced. Choose another output folder.",
                    where=path,
                )
            check_ordinary(path)
            if path.exists() and not overwrite and not self.owns(name):
                raise UserError(
                    "exists and is no result of an earlier run, or was changed since. Choose "
                    "another output folder, or replace it with the setting overwrite.",
                    where=path,
                )

    @contextmanager
    def placing(self, path: Path, photo: Path) -> Iterator[Path]:
        """Write one file of a photo's results, as `replacing` does, known as ours beforehand."""
        name = path.relative_to(self.folder).as_posix()

        def announce(temporary: Path) -> None:
            digest = self._written[name] = hash_of(temporary)
            self.journal.append({"file": name, "sha256": digest, "image": str(photo)})

        with replacing(path, announce) as temporary:
            yield temporary

    def put(self, item: Mapping[str, Any]) -> list[Path]:
        """Add an item in place of earlier ones of the same files.

        Return the files of those that the new one does not have; they are removed.
        """
        sha256 = {name: self._written.pop(name, None) for name in sorted(files_of(item))}
        self.journal.append({"item": {**item, "sha256": {k: v for k, v in sha256.items() if v}}})
        self.refresh()
        return self._sweep()

    def item_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the record holds of the files of an item that was put into it."""
        (kept,) = self.of_files(files_of(item))
        return dict(kept)

    def _sweep(self) -> list[Path]:
        """Remove, and return, the files of replaced results that no item names any more."""
        gone = [name for name in sorted(self._left) if self.owns(name)]
        for name in gone:
            (self.folder / name).unlink()
        self._left.clear()
        return [self.folder / name for name in gone]

    def finish(self) -> None:
        """Move the lines of all journals into the record; what no item names yet stays there."""
        if not self.journal.path.exists():
            return
        with self.alone():
            self._sweep()
            items, undone = self.items, [e.item for e in self._entries.values() if not e.done]
            begun = [
                {"file": name, "sha256": hash_of(self.folder / name), "image": image}
                for name, image in self._photos.items()
                if self.owns(name)
            ]
            if self.damaged and self.path.exists():
                self.path.replace(self._aside())
            if items or self.path.exists():
                write_text(self.path, dumps(items))
            self.journal.rewrite([*({"undone": item} for item in undone), *begun])
            self.refresh()

    def _aside(self) -> Path:
        """Return a free name for a record that cannot be read."""
        names = (self.folder / f"completions.damaged-{number}.json" for number in count(1))
        return next(path for path in names if not path.exists())


class _NotOurs(Exception):
    """A document that is well formed, and no record of this version."""


def check_ordinary(path: Path) -> None:
    """Raise UserError for a folder, a pipe or a device, which nothing replaces."""
    if path.exists() and not path.is_file():
        raise UserError(
            "not an ordinary file. Remove it, or choose another output folder.", where=path
        )


def dumps(items: Iterable[Mapping[str, Any]], **more: Any) -> str:
    """Return the JSON document of some items, and of what else is to be told of a run."""
    document = {"schema": SCHEMA, "items": list(items), **more}
    return whole_json(json.dumps(document, indent=1, ensure_ascii=False)) + "\n"


def is_recorded(folder: Path) -> bool:
    """Return whether a folder holds results of ours, with their record."""
    return any((folder / name).is_file() for name in (NAME, JOURNAL))


def files_of(item: Mapping[str, Any]) -> set[str]:
    """Return the files that an item names and that can be ours."""
    names = [entry["file"] for entry in item["completions"]]
    names += [item[key] for key in _naming() if item.get(key)]
    return {
        name
        for name in names
        if _is_our_name(name) and not Path(name).is_absolute() and ".." not in Path(name).parts
    }


def _naming() -> list[str]:
    """Return the keys of an item that name a file."""
    return ["sheet", *INTERVALS, *drawn_endings()]


def _is_our_name(name: str) -> bool:
    """Return whether a file is called as ours are.

    Nothing else is ever taken for ours, whatever a record says.
    """
    endings = (SHEET, *INTERVALS.values(), *drawn_endings().values())
    return name.endswith(endings) or re.search(r"-\d+\.(png|tiff|jpg|webp)\Z", name) is not None


def _items_of(document: Any) -> list[dict[str, Any]]:
    """Return the items of a record of any schema, as this one's; an exception if it is none."""
    if not isinstance(document, dict) or document.get("schema") not in (1, SCHEMA):
        raise _NotOurs
    items = document.get("items")
    if not isinstance(items, list) or not all(map(_is_item, items)):
        raise _NotOurs
    return [upgraded(item) for item in items] if document["schema"] == 1 else items


def _is_item(item: Any) -> bool:
    """Return whether something is an item, by the types of all that steers anything."""
    lines = item.get("completions") if isinstance(item, dict) else None
    hashes = item.get("sha256", {}) if isinstance(item, dict) else None
    return (
        isinstance(lines, list)
        and all(isinstance(line, dict) and isinstance(line.get("file"), str) for line in lines)
        and isinstance(hashes, dict)
        and all(isinstance(digest, str) for digest in hashes.values())
        and all(isinstance(item.get(key, ""), str | None) for key in _naming())
    )
