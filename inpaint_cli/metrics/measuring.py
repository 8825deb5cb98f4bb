"""From cases to columns of figures, on the disk: a file per few images.

So a killed run goes on where it stopped. A shard's content depends on the protocol and its number
alone: any number of processes may make them in any order, and the whole, read in the order of the
shards, is the same. What completions took and did is measured beside: programs, and folders.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_cli import files, metrics
from inpaint_cli import tensors as sealed
from inpaint_cli.errors import UserError
from inpaint_cli.locking import Shared
from inpaint_cli.masks.sets import pack
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.metric import Column, Columns, Figures, MeasuredCase
from inpaint_cli.metrics.options import MeasureOptions
from inpaint_cli.metrics.protocol import digest_of
from inpaint_cli.metrics.targets import Case, Target
from inpaint_cli.models.external import ToolFailure, in_words, plain
from inpaint_cli.reporting import Advance

VERSION = 10
"""Counts the changes that alter columns, of this code or of the bounds that models give."""
COMPLETIONS = 512
"""About so many completions make a shard."""
HOPELESS = 3
"""A program that fails for so many images at first is not asked for others."""
FEWEST, MOST = 4, 32
"""Images in a shard."""
Features = npt.NDArray[np.float32]


@dataclass
class Meter:
    """Measures the cases of one target."""

    target: Target
    options: MeasureOptions
    wanted: frozenset[str]
    """The metrics that are not refused."""
    instruments: Instruments

    def __post_init__(self) -> None:
        self.metrics = [metrics.get(name) for name in metrics.METRICS if name in self.wanted]
        self.failed = dict[str, str]()
        """Name of an image -> why a program gave no completion of it."""
        self._made = 0

    def shard(self, indices: Sequence[int], advance: Advance) -> dict[str, Tensor] | None:
        """Return the columns of some images, `c.NAME`, float64 [n, ...], and their features.

        None where a program failed for one of them, which is then in `failed`.

        "truth": uint8 [n, 16], what each original is known by; "mask": uint8 [n, bytes], the masks
        as bits; "features": float32 [n, 1 + sets, d], the original first.
        """
        rows, masks, pictures = list[Figures](), list[npt.NDArray[Any]](), list[Tensor]()
        truths = list[npt.NDArray[Any]]()
        for index in indices:
            case = self._case(index)
            if case is None:
                continue
            rows.append(self.figures(case))
            truths.append(print_of(case.truth))
            if case.visible is not None:
                masks.append(pack(case.visible.numpy()))
            if self.sets:
                pictures.append(torch.cat([case.truth[None], case.completions[: self.sets]]))
            advance(self.target.k)
        if len(rows) < len(indices):
            return None
        tensors = {f"c.{name}": column for name, column in columns_of(rows).items()}
        tensors["truth"] = torch.from_numpy(np.stack(truths))
        if masks:
            tensors["mask"] = torch.from_numpy(np.stack(masks))
        if pictures and self.instruments.extractor is not None:
            vectors = self.instruments.extractor.features(torch.cat(pictures))
            tensors["features"] = vectors.reshape(len(pictures), 1 + self.sets, -1).contiguous()
        return tensors

    def _case(self, index: int) -> Case | None:
        """Make a case; None where a program failed, ToolFailure where it always does."""
        try:
            case = self.target.case(index)
        except ToolFailure as error:
            self.failed[self.target.ids[index]] = error.on_command_line()
            if not self._made and len(self.failed) == HOPELESS:
                raise error.within(f"failed for the first {HOPELESS} images") from error
            return None
        self._made += 1
        return case

    @property
    def sets(self) -> int:
        """Of how many completions of each image the features are kept."""
        wanted = [metric.feature_sets for metric in self.metrics if "features" in metric.needs]
        return min(self.options.sets or max(wanted), self.target.k) if wanted else 0

    def figures(self, case: Case) -> Figures:
        """Return the figures of one image."""
        visible = case.visible
        if visible is None:
            visible = torch.ones_like(case.truth[0], dtype=torch.bool)
        row: Figures = {}
        if case.visible is not None:
            row["visible"] = float(visible.double().mean())
            row["hidden"] = float((~visible[None].expand_as(case.truth)).sum())
        measured = MeasuredCase(case, self.instruments, self.options, self.wanted, visible[None])
        for metric in self.metrics:
            row |= metric.figures(measured)
        row |= {f"spent.{name}": value for name, value in case.spent.items()}
        # What is known to draw once stands for K equal ones.
        if len(case.completions) > 1 and self.target.draws > 1:
            row["spent.alike"] = float((case.completions == case.completions[:1]).all())
        if case.nats is not None:
            row["nats"] = case.nats
            row["bound"] = float(self.target.bound == "elbo")
        return row


def print_of(picture: Tensor) -> npt.NDArray[np.uint8]:
    """Return what a picture is known by, whatever its name: 16 bytes of a hash of its pixels."""
    pixels = picture.cpu().contiguous().numpy()
    digest = hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).digest()
    return np.frombuffer(digest[:16], np.uint8).copy()


def columns_of(rows: Sequence[Figures]) -> dict[str, Tensor]:
    """Return the rows as columns, float64; NaN where an image has no such figure.

    >>> columns_of([{"a": 1.0}, {"a": 2.0, "b": np.array([3.0, 4.0])}])["b"].tolist()
    [[nan, nan], [3.0, 4.0]]
    """
    shapes = {name: np.shape(value) for row in rows for name, value in row.items()}
    columns = {}
    for name, shape in shapes.items():
        blank = np.full(shape, np.nan)
        columns[name] = torch.from_numpy(np.stack([np.asarray(r.get(name, blank)) for r in rows]))
    return columns


def parts(count: int, k: int) -> list[range]:
    """Return the images of each shard: enough to fill a batch, few enough to lose little.

    >>> [len(part) for part in parts(70, 10)]
    [32, 32, 6]
    """
    size = min(MOST, max(FEWEST, COMPLETIONS // k))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


@dataclass(frozen=True)
class WorkFolder:
    """The folder of one target under one protocol."""

    folder: Path
    parts: list[range]
    keep: bool
    use: Shared
    """Another run of the same command may be at work here as well."""

    @classmethod
    def of(cls, identity: Any, parts: list[range], given: Path | None) -> WorkFolder:
        """Return the folder for what `identity` describes, below `given` or the caches."""
        base = files.home() / "score" if given is None else given
        files.check_utf8(base, setting="" if given is None else "work")
        folder = base / digest_of(identity)[:16]
        return cls(folder, parts, given is not None, Shared(folder, files.make_folder))

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / f"shard-{number:06}.safetensors"

    def todo(self, rank: int = 0, processes: int = 1) -> list[int]:
        """Return the shards of this process that are not there yet."""
        numbers = range(rank, len(self.parts), processes)
        return [number for number in numbers if not self.path(number).exists()]

    def share(self, rank: int, processes: int) -> tuple[list[int], int, int]:
        """Return the shards that a process has to make, how many images are its own, and done."""
        todo = self.todo(rank, processes)
        ours = sum(len(part) for part in self.parts[rank::processes])
        return todo, ours, ours - sum(len(self.parts[number]) for number in todo)

    def save(self, number: int, tensors: dict[str, Tensor]) -> None:
        """Write a shard in one piece."""
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        sealed.save(self.path(number), whole, {})

    def load(self) -> Columns:
        """Read all shards in their order; features go from file to file, not into memory."""
        count = self.parts[-1].stop
        columns, sides = dict[str, Column](), list[Features]()
        masks, masked, truths = hashlib.sha256(), False, list[npt.NDArray[np.uint8]]()
        for number, part in enumerate(self.parts):
            tensors = self._shard(number)
            for name, values in tensors.items():
                if name.startswith("c."):
                    blank = np.full((count, *values.shape[1:]), np.nan)
                    columns.setdefault(name[2:], blank)[part.start : part.stop] = values
            if "truth" in tensors:
                truths.append(tensors["truth"])
            if "mask" in tensors:
                masks.update(tensors["mask"].tobytes())
                masked = True
            if "features" in tensors:
                sides = sides or self._sides(count, tensors["features"].shape[1:])
                for side, rows in zip(sides, tensors["features"].swapaxes(0, 1), strict=True):
                    side[part.start : part.stop] = rows
        digest = masks.hexdigest() if masked else None
        originals = np.concatenate(truths) if truths else None
        real, sets = (sides[0], tuple(sides[1:])) if sides else (None, ())
        return Columns(count, columns, real, sets, digest, originals)

    def _shard(self, number: int) -> dict[str, npt.NDArray[Any]]:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self.path(number)
        try:
            sealed.check(path)
            return load_file(path)
        except (sealed.Damaged, SafetensorError) as error:
            raise UserError(
                f"{path}: damaged. Remove it and score again: it alone is measured anew."
            ) from error

    def nothing(self) -> Columns:
        """Return the columns of a score whose every metric is refused: none."""
        return Columns(self.parts[-1].stop, {}, None, (), None)

    def _sides(self, count: int, shape: Sequence[int]) -> list[Features]:
        """Return room for the features of originals and sets, in files of this process alone."""
        sides = list[Features]()
        for _ in range(shape[0]):
            with tempfile.TemporaryFile(dir=self.folder) as file:
                sides.append(np.memmap(file, np.float32, "w+", shape=(count, shape[1])))
        return sides

    def remove(self) -> None:
        """Remove the folder, unless the user named its place, or another run is at work in it."""
        if not self.keep and self.use.is_last():
            shutil.rmtree(self.folder, ignore_errors=True)
        self.use.release()


PREFIX = "spent."


def spent_of(figures: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, float]:
    """Return the figures of all images as one, of columns `spent.NAME`; empty where there are none.

    runs: summed; peak_bytes: the largest; the others: the mean over images.
    """
    columns = {n[len(PREFIX) :]: v for n, v in figures.items() if n.startswith(PREFIX)}
    means = {name: float(np.nanmean(values)) for name, values in columns.items()}
    if "runs" in columns:
        means["runs"] = float(np.nansum(columns["runs"]))
        peaks = columns["peak_bytes"]
        means["peak_bytes"] = float("nan" if np.isnan(peaks).all() else np.nanmax(peaks))
    return means


def remark(spent: Mapping[str, float]) -> str | None:
    """Return what a person is told of it; None where there is nothing to tell.

    >>> remark({"alike": 1.0}), remark({"alike": 0.9})
    ('all completions of each picture are the same: is the seed used?', None)
    >>> (remark({"changed": 0.996, "changed_by": 120.0}) or "").partition(";")[0]
    '99.6 % of the visible samples differ from the originals, by 120 of 255 on average'
    """
    told = []
    if "runs" in spent:
        told.append(in_words(spent))
    elif spent.get("changed"):
        told.append(
            f"{plain(100 * spent['changed'])} % of the visible samples differ from the originals, "
            f"by {plain(spent['changed_by'])} of 255 on average; they are scored as they are"
        )
        if spent.get("untouched") == 1:
            told.append("no hidden sample differs: are the masks inverted? White is hidden")
    if spent.get("alike") == 1:
        told.append("all completions of each picture are the same: is the seed used?")
    return "; ".join(told) or None


def entries(spent: Mapping[str, float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a report's `completions` and its `timing` say of it."""
    done = {"visible_changed": spent["changed"]} if "changed" in spent else {}
    if "changed_by" in spent:
        done["visible_changed_by"] = spent["changed_by"]
    took: dict[str, Any] = {}
    if "runs" in spent:
        peak = spent["peak_bytes"]
        took = {
            "runs": int(spent["runs"]),
            "seconds_per_completion": spent["seconds"],
            "peak_bytes": None if np.isnan(peak) else int(peak),
        }
    return done, took
