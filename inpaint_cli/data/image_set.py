"""What every source of images becomes: one split, decoded, of one size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
NAMED_IN_FULL = 5
"""So many skipped files are named in `ImageSet.describe`; the others are counted."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "file"), counted(2, "file"), counted(2, "class")
    ('1 file', '2 files', '2 classes')
    """
    ending = "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{'' if number == 1 else ending}"


@dataclass(frozen=True)
class ImageSet:
    """One split of a data set: images of one size, with their classes where there are any."""

    name: str
    split: Split
    images: npt.NDArray[np.uint8]
    """[N, C, H, W], memory-mapped and read-only."""
    labels: npt.NDArray[np.int64] | None
    """[N], indices into `classes`; or, of a table of labels, [N, B] of 0 and 1 for each of
    `classes`. None unless every image has a class, or a row of the table."""
    classes: tuple[str, ...]
    """Names of the classes; or of the labels, the last of them `any`."""
    ids: tuple[str, ...]
    """The name of each image within its source; the same wherever the source lies."""
    skipped: tuple[tuple[str, str], ...]
    """(file, why) of what could not be read, in all splits."""
    counts: Mapping[str, int]
    """Images per split."""
    rules: tuple[str, ...]
    """How the images were split and converted, one sentence each."""
    sha256: str
    """Of the ids and the pixels of this split, in hex."""
    remarks: tuple[str, ...] = ()
    """What was recognised or guessed: folders that are splits, what was left out, ranges."""

    def __len__(self) -> int:
        return len(self.images)

    def describe(self) -> list[str]:
        """Return the lines that a run begins with: counts, size, rules, what was skipped."""
        channels, height, width = self.images.shape[1:]
        others = [f"{self.counts[s]} {s}" for s in SPLITS if s != self.split]
        kind = {1: "grey", 3: "RGB"}[channels]
        several = self.labels is not None and self.labels.ndim == 2
        told = counted(len(self.classes) - several, "label" if several else "class")
        classes = f", {told}" if self.classes else ""
        lines = [
            f"{self.name}: {counted(len(self), f'{self.split} image')} ({', '.join(others)}), "
            f"{width}x{height} {kind}{classes}"
        ]
        lines += [*self.remarks, *self.rules]
        if self.skipped:
            named = [f"{file} ({why})" for file, why in self.skipped[:NAMED_IN_FULL]]
            more = len(self.skipped) - len(named)
            rest = f" and {more} more" if more else ""
            lines.append(f"skipped {counted(len(self.skipped), 'file')}: {', '.join(named)}{rest}")
        return lines

    def protocol(self) -> dict[str, Any]:
        """Return what a report must say about the data, without paths: JSON-able."""
        return {
            "name": self.name,
            "split": self.split,
            "count": len(self),
            "size": list(self.images.shape[1:]),
            "sha256": self.sha256,
            "rules": [*self.remarks, *self.rules],
            "skipped": len(self.skipped),
        }
