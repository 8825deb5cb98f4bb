"""Labels of pictures from a table beside them, labels.csv: any number of names for each."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from inpaint_cli.data.image_set import ImageSet, counted
from inpaint_cli.data.splits import Member
from inpaint_cli.errors import UserError

NAME = "labels.csv"
HEADER = ["image", "labels"]
BETWEEN = "|"
ANY = "any"
"""The last label of every set: that of pictures with one or more others."""
LARGEST_BYTES = 1 << 26
TOLD = 3
"""So many names are told in a sentence; the others are counted."""


@dataclass(frozen=True)
class LabelTable:
    """The rows of a labels.csv: the name of a picture, and its labels."""

    path: str
    """Within its source."""
    rows: Mapping[str, tuple[str, ...]]
    """Under the path of a picture from the folder of the table, or its file name."""

    def attached(self, members: Sequence[Member]) -> tuple[list[Member], list[str]]:
        """Return the pictures with their labels, and a sentence on what was attached.

        UserError where a row names several pictures.
        """
        folder = PurePosixPath(self.path).parent
        keys = [
            self._row(PurePosixPath(member.key.replace("\\", "/")), folder) for member in members
        ]
        self._check_names(keys, members)
        labelled = [
            member if key is None else replace(member, labels=self.rows[key])
            for member, key in zip(members, keys, strict=True)
        ]
        missing, unused = keys.count(None), len(self.rows.keys() - set(keys))
        names = {label for labels in self.rows.values() for label in labels}
        text = f"{NAME}: {counted(len(self.rows), 'row')}, {counted(len(names), 'label')}"
        if unused:
            text += f"; {counted(unused, 'row')} of pictures that are not here"
        if missing:
            text += f"; {counted(missing, 'picture')} without a row, so no labels are used"
        return labelled, [text]

    def _row(self, path: PurePosixPath, folder: PurePosixPath) -> str | None:
        inside = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""
        return next((key for key in (inside, path.name) if key in self.rows), None)

    def _check_names(self, keys: Sequence[str | None], members: Sequence[Member]) -> None:
        twice = next((key for key, n in Counter(keys).items() if key is not None and n > 1), None)
        if twice is not None:
            several = [m.key for m, key in zip(members, keys, strict=True) if key == twice]
            raise UserError(
                f"{self.path}: '{twice}' may be {' or '.join(several[:2])}. Give paths in place of "
                "file names.",
                setting="data",
            )


def table_of(
    names: Sequence[str], read: Callable[[str], bytes]
) -> tuple[LabelTable | None, list[str]]:
    """Return the table among the files of a source, and why one that is there is not used.

    It is the labels.csv in the fewest folders. UserError where a row of it is broken.
    """
    tables = [name for name in names if PurePosixPath(name).name.lower() == NAME]
    if not tables:
        return None, []
    depths = [name.count("/") for name in tables]
    if depths.count(min(depths)) > 1:
        return None, [f"{len(tables)} files {NAME}, so none of them is used"]
    path = tables[depths.index(min(depths))]
    rows = parse(read(path), path)
    if rows is None:
        return None, [f"{path} is not used: its first line is not {','.join(HEADER)}"]
    return LabelTable(path, rows), []


def parse(content: bytes, where: str) -> dict[str, tuple[str, ...]] | None:
    """Return the rows of a table; None if its first line is another than image,labels."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if [cell.strip().lower() for cell in next(lines, [])] != HEADER:
            return None
        rows: dict[str, tuple[str, ...]] = {}
        for cells in lines:
            if cells:
                name, labels = _row(cells, f"{where}, line {lines.line_num}")
                if name in rows:
                    raise UserError(
                        f"{where}, line {lines.line_num}: a second row of '{name}'.", setting="data"
                    )
                rows[name] = labels
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{where}: no CSV in UTF-8 ({error}).", setting="data") from error
    return rows


def _row(cells: Sequence[str], where: str) -> tuple[str, tuple[str, ...]]:
    if len(cells) != len(HEADER) or not cells[0].strip():
        raise UserError(
            f"{where}: must be the name of a picture, a comma and its labels with {BETWEEN} "
            "between them.",
            setting="data",
        )
    labels = [label.strip() for label in cells[1].split(BETWEEN)]
    labels = sorted({label for label in labels if label})
    for label in labels:
        if "," in label or label.lower() == ANY:
            raise UserError(
                f"{where}: '{label}' is no label: it has a comma, or is the word for one or more "
                "of the others.",
                setting="data",
            )
    return PurePosixPath(cells[0].strip().replace("\\", "/")).as_posix(), tuple(labels)


def with_labels(images: ImageSet, names: tuple[str, ...] | None) -> ImageSet:
    """Return images with the labels that a model tells of, in its order, and `any` as the last.

    names: None = the model tells of none; the images stay as they are. UserError where there is no
    table, or where it has other names.
    """
    if names is None:
        return images
    if images.labels is None or images.labels.ndim != 2:
        told = "".join(f" ({text})" for text in images.remarks if NAME in text.lower())
        raise UserError(
            f"{images.name} has no {NAME} with a row for every picture{told}: a line "
            f"{','.join(HEADER)}, then names of pictures and their labels with {BETWEEN} between "
            "them.",
            setting="data",
        )
    there = images.classes[:-1]
    others = [name for name in there if name not in names]
    if others:
        more = f" and {len(others) - TOLD} more" if len(others) > TOLD else ""
        raise UserError(
            f"{images.name} has the labels {', '.join(others[:TOLD])}{more}, and they are none of "
            f"the model's. Say all of them: labels={','.join(there)}.",
            setting="data",
        )
    columns = [there.index(name) if name in there else None for name in names]
    count = len(images.labels)
    columns_of_labels = [
        np.zeros(count, np.int64) if c is None else images.labels[:, c] for c in columns
    ]
    labels = np.stack([*columns_of_labels, images.labels[:, -1]], axis=1)
    return replace(images, labels=labels, classes=(*names, ANY))
