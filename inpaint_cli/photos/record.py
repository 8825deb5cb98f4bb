"""completions.json: what lies in a folder of results, and which files are ours to replace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.files import write_text
from inpaint_cli.photos.details import PICTURES

NAME = "completions.json"
SCHEMA = 1
_SINGLE = "|".join(
    re.escape(ending) for ending in ("-sheet.png", *(e for e, _ in PICTURES.values()))
)
OURS = re.compile(rf"(-\d+\.(png|tiff)|{_SINGLE})\Z")
"""Names that we give; nothing else is ever taken for ours, whatever a record says."""

NAMING = ("sheet", *PICTURES)
"""Keys of an item that name a file."""


@dataclass
class Record:
    """The items in one folder of results, written after each photo."""

    folder: Path
    items: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, overwrite: bool) -> Record:
        """Reads the record of an earlier run, if there is one. UserError if it is not ours."""
        path = folder / NAME
        if not path.exists():
            return cls(folder)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["schema"] == SCHEMA and all(_is_item(item) for item in data["items"]):
                return cls(folder, list(data["items"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        if overwrite:
            return cls(folder)
        raise UserError(
            f"{path}: not a record of this version of inpaint, or damaged. Write elsewhere with "
            "-o DIR, or replace it with --overwrite."
        )

    def owned(self) -> set[str]:
        """Gives the files that earlier runs wrote, relative to the folder."""
        return {name for item in self.items for name in files_of(item)}

    def of_files(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Gives the items that name any of these files."""
        wanted = set(names)
        return [item for item in self.items if files_of(item) & wanted]

    def check_photo(self, names: Iterable[str], photo: Path, overwrite: bool) -> None:
        """Raises UserError if one of the files, or one made with it, is of another photo."""
        for item in [] if overwrite else self.of_files(names):
            there = [name for name in sorted(files_of(item)) if (self.folder / name).exists()]
            if there and not is_of(item, photo):
                raise UserError(
                    f"{self.folder / there[0]}: holds results of {item.get('image')}. Write "
                    "elsewhere with -o DIR, or replace them with --overwrite."
                )

    def check_free(self, names: Iterable[str], inputs: set[Path], overwrite: bool) -> None:
        """Raises UserError if a file to be written is an input, or is there and not ours."""
        owned = self.owned()
        for name in names:
            path = self.folder / name
            if path.resolve() in inputs:
                raise UserError(f"{path}: is an input, which is never replaced. Give another -o.")
            if path.exists() and name not in owned and not overwrite:
                raise UserError(
                    f"{path}: exists and is no result of an earlier run. Write elsewhere with "
                    "-o DIR, or replace it with --overwrite."
                )

    def put(self, item: Mapping[str, Any]) -> list[Path]:
        """Adds an item in place of earlier ones of the same files; gives what else of them went."""
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
    """Gives the JSON document of some items, and of what else is to be said about a run."""
    document = {"schema": SCHEMA, "items": list(items), **more}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def is_of(item: Mapping[str, Any], photo: Path) -> bool:
    """Says whether an item belongs to a photo, however its path is written."""
    image = item.get("image")
    return isinstance(image, str) and Path(image).resolve() == photo.resolve()


def same_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Says whether an earlier item was made from the same hole, model, seed and options.

    new: an item as it would be written, at least these keys of it, and a `seed`.
    """
    keys = ("mask", "model", "weights_sha256", "options")
    wanted = json.loads(json.dumps({key: new[key] for key in keys}))
    return {key: old.get(key) for key in keys} == wanted and all(
        line.get("seed") == new["seed"] for line in old["completions"]
    )


def same_files(old: Mapping[str, Any], names: Sequence[str], rank: bool) -> bool:
    """Says whether an earlier item has these completions, numbered as a new run would number them.

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
    """Gives the files that an item names and that can be ours."""
    names = [entry["file"] for entry in item["completions"]]
    names += [item[key] for key in NAMING if item.get(key)]
    return {
        name
        for name in names
        if OURS.search(name) and not Path(name).is_absolute() and ".." not in Path(name).parts
    }


def _is_item(item: Any) -> bool:
    return all(isinstance(entry["file"], str) for entry in item["completions"]) and all(
        isinstance(item.get(key, ""), str | None) for key in NAMING
    )
