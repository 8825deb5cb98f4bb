"""completions.json: what lies in a folder of results, and which files are ours to replace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.files import resolved, write_text
from inpaint_cli.photos.details import drawn_endings
from inpaint_cli.photos.intervals import ENDINGS as INTERVALS
from inpaint_cli.photos.old_records import upgraded
from inpaint_cli.streams import whole_json

NAME = "completions.json"
SCHEMA = 2
SHEET = "-sheet.png"
"""Ending of the sheet of a photo."""
SETTINGS = ("hole", "model", "weights_sha256", "options")
"""Keys of an item that, with the seed, decide its completions."""


@dataclass
class Record:
    """The items in one folder of results, written after each photo."""

    folder: Path
    items: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, overwrite: bool) -> Record:
        """Read the record of an earlier run, if there is one. UserError if it is not ours."""
        path = folder / NAME
        if not path.exists():
            return cls(folder)
        try:
            return cls(folder, _items_of(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        if overwrite:
            return cls(folder)
        raise UserError(
            "not a record of this version of inpaint, or damaged. Choose another output folder, "
            "or replace it with the setting overwrite.",
            where=path,
        )

    def owned(self) -> set[str]:
        """Return the files that earlier runs wrote, relative to the folder."""
        return {name for item in self.items for name in files_of(item)}

    def of_files(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the items that name any of these files."""
        wanted = set(names)
        return [item for item in self.items if files_of(item) & wanted]

    def check_photo(self, names: Iterable[str], photo: Path, overwrite: bool) -> None:
        """Raise UserError if one of the files, or one made with it, is of another photo."""
        for item in [] if overwrite else self.of_files(names):
            there = [name for name in sorted(files_of(item)) if (self.folder / name).exists()]
            if there and not is_of(item, photo):
                raise UserError(
                    f"holds results of {item.get('image')}. Choose another output folder, or "
                    "replace them with the setting overwrite.",
                    where=self.folder / there[0],
                )

    def check_free(self, names: Iterable[str], inputs: set[Path], overwrite: bool) -> None:
        """Raise UserError if a file to be written is an input, or is there and not ours."""
        owned = self.owned()
        for name in names:
            path = self.folder / name
            if resolved(path) in inputs:
                raise UserError(
                    "is an input, which is never replaced. Choose another output folder.",
                    where=path,
                )
            if path.exists() and name not in owned and not overwrite:
                raise UserError(
                    "exists and is no result of an earlier run. Choose another output folder, or "
                    "replace it with the setting overwrite.",
                    where=path,
                )

    def put(self, item: Mapping[str, Any]) -> list[Path]:
        """Add an item in place of earlier ones of the same files, and write the record.

        Return the files of those that the new one does not have; they are removed.
        """
        new = files_of(item)
        replaced = [old for old in self.items if files_of(old) & new]
        self.items = [old for old in self.items if old not in replaced] + [dict(item)]
        self.items.sort(key=lambda entry: min(files_of(entry), default=""))
        write_text(self.folder / NAME, dumps(self.items))
        left = set().union(*map(files_of, replaced)) - self.owned()
        gone = [self.folder / name for name in sorted(left) if (self.folder / name).exists()]
        for path in gone:
            path.unlink()
        return gone


def dumps(items: Iterable[Mapping[str, Any]], **more: Any) -> str:
    """Return the JSON document of some items, and of what else is to be told of a run."""
    document = {"schema": SCHEMA, "items": list(items), **more}
    return whole_json(json.dumps(document, indent=1, ensure_ascii=False)) + "\n"


def is_of(item: Mapping[str, Any], photo: Path) -> bool:
    """Return whether an item belongs to a photo, however its path is written."""
    image = item.get("image")
    return isinstance(image, str) and resolved(Path(image)) == resolved(photo)


def same_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether an earlier item was made from the same hole, model, seed and options.

    new: an item as it would be written, at least these keys of it, and a `seed`.
    """
    wanted = json.loads(json.dumps({key: new[key] for key in SETTINGS}))
    return {key: old.get(key) for key in SETTINGS} == wanted and all(
        line.get("seed") == new["seed"] for line in old["completions"]
    )


def same_files(old: Mapping[str, Any], names: Sequence[str], rank: bool) -> bool:
    """Return whether an earlier item has these completions, numbered as a new run would.

    Of unranked ones there may be more: the first are the same.
    """
    lines = old["completions"]
    if [line["file"] for line in lines[: len(names)]] != list(names):
        return False
    if not rank:
        return all(line.get("index") == place for place, line in enumerate(lines))
    log_probs = [line.get("log_prob") or 0.0 for line in lines]
    return len(lines) == len(names) and log_probs == sorted(log_probs, reverse=True)


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
    items = list(document["items"])
    if document["schema"] not in (1, SCHEMA) or not all(map(_is_item, items)):
        raise ValueError("not a record")
    return [upgraded(item) for item in items] if document["schema"] == 1 else items


def _is_item(item: Any) -> bool:
    return all(isinstance(entry["file"], str) for entry in item["completions"]) and all(
        isinstance(item.get(key, ""), str | None) for key in _naming()
    )
