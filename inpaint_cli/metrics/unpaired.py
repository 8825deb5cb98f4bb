"""Whole sets of pictures that do not pair, compared by their features, as pytorch-fid does.

Both sides are folders of any names, numbers and sizes, or one is a published mean and covariance.
"""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from inpaint_cli import metrics
from inpaint_cli.data.image_set import counted
from inpaint_cli.device import rank, world_size
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.metrics import statistics_file
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.folders import CommonSize, header, is_lossy, suffixes_of
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.measuring import WorkFolder, parts, print_of
from inpaint_cli.metrics.metric import Columns
from inpaint_cli.metrics.moments import Moments
from inpaint_cli.metrics.pairs import items_of, names_of, pictures_in, state_of
from inpaint_cli.metrics.protocol import (
    Setting,
    Subject,
    TargetFacts,
    check_names,
    dataset_facts,
    mask_facts,
)
from inpaint_cli.metrics.report import Document, copies_of, document_of
from inpaint_cli.metrics.statistics_file import Statistics
from inpaint_cli.metrics.targets import subset
from inpaint_cli.parsing import brief
from inpaint_cli.photos.record import is_recorded
from inpaint_cli.pictures.plain import Span, common_span, plain_bytes
from inpaint_cli.ranks import wait
from inpaint_cli.reporting import Reporter

if TYPE_CHECKING:
    from inpaint_cli.metrics.options import FolderOptions
    from inpaint_cli.metrics.scoring import Scoring

PAIRS = "needs originals and completions that pair; these pictures do not"
PICTURES = "needs the pictures of both sides, and a mean and covariance is all that there is of one"


@dataclass
class PictureSet:
    """The pictures of a folder; of the results of `inpaint complete` the first completions."""

    folder: Path
    files: Sequence[Path]
    size: CommonSize
    converted: Counter[str] = field(default_factory=Counter)
    """What was converted of the files that were read so far -> of how many."""

    @classmethod
    def of(cls, folder: Path, size: CommonSize, limit: int | None) -> PictureSet:
        """Return the pictures of a folder, or `limit` of them at random; UserError for none."""
        if is_recorded(folder):
            files = [folder / item["completions"][0]["file"] for item in items_of(folder)]
        else:
            files = pictures_in(folder)
        return cls(folder, [files[place] for place in subset(files, limit)], size)

    @property
    def name(self) -> str:
        """The folder's, without those around it."""
        return self.folder.name or str(self.folder)

    @cached_property
    def ids(self) -> list[str]:
        """The pictures' paths in the folder, without suffix."""
        return [path.relative_to(self.folder).with_suffix("").as_posix() for path in self.files]

    @cached_property
    def setting(self) -> Setting:
        """The size that all pictures have, 0 where they differ; UserError for a crop too large."""
        grey, sizes = True, set[tuple[int, int]]()
        for path in self.files:
            size, is_grey = header(path)
            grey = grey and is_grey
            if self.size.crop and any(map(int.__lt__, size, self.size.crop)):
                raise UserError(f"{path}: {size[1]}x{size[0]} pixels only.", setting="crop")
            sizes.add(self.size.of(size))
        height, width = next(iter(sizes)) if len(sizes) == 1 else (0, 0)
        return Setting(height, width, 1 if grey else 3)

    @cached_property
    def _span(self) -> Span | None:
        """Black and white of deeper samples."""
        return common_span(self.files)

    def measured(self, tools: Instruments, scoring: Scoring) -> tuple[WorkFolder, Columns | None]:
        """Return the features, and where they lie; None in the other processes."""
        work = self._measured(tools, scoring)
        if rank() != 0:
            work.use.release()
        wait()
        return work, work.load() if rank() == 0 else None

    def repeated(self, columns: Columns) -> str:
        """Return what must be known of a set in which pictures repeat; empty if they do not."""
        copies = copies_of(columns)
        if copies is None:
            return ""
        return (
            f"the {columns.count} pictures of {self.name} are "
            f"{counted(len(np.unique(copies)), 'different picture')}, and are taken for "
            "independent: kid is too high, and errors and biases are too small"
        )

    def _measured(self, tools: Instruments, scoring: Scoring) -> WorkFolder:
        """Measure this process's shards, but for those that are there."""
        pieces = parts(len(self.files), 1)
        work = WorkFolder.of(self._identity(tools, scoring), pieces, scoring.work)
        todo, ours, done = work.share(rank(), world_size())
        reporter = scoring.reporter if rank() == 0 else Reporter(quiet=True)
        if done and todo:
            reporter.note(f"{self.name}: going on; {done} of {ours} pictures are done")
        with reporter.progress(self.name, ours, done) as advance:
            for number in todo:
                work.save(number, self._shard(pieces[number], tools))
                advance(len(pieces[number]))
        for what, count in sorted(self.converted.items()):
            reporter.note(f"{self.name}: {counted(count, 'file')}: {what}")
        return work

    def _shard(self, part: range, tools: Instruments) -> dict[str, Tensor]:
        """Return the features of some pictures, and what each is known by.

        Neighbours of one size go through the network together.
        """
        vectors, prints = [], []
        pictures = map(self._picture, part)
        for _, group in itertools.groupby(pictures, lambda picture: picture.shape):
            alike = list(group)
            vectors.append(tools.network.features(torch.stack(alike)))
            prints += [print_of(picture) for picture in alike]
        return {
            "features": torch.cat(vectors)[:, None],
            "truth": torch.from_numpy(np.stack(prints)),
        }

    def _picture(self, index: int) -> Tensor:
        """Return a picture: uint8 [C, H, W]."""
        pixels, remarks = plain_bytes(self.files[index], self._span)
        self.converted.update(remarks)
        return torch.from_numpy(self.size.picture(pixels).copy()).permute(2, 0, 1)

    def _identity(self, tools: Instruments, scoring: Scoring) -> list[Any]:
        """Return what decides every byte of the shards."""
        return [
            scoring.versions,
            ["pictures", *tools.identity()],
            [state_of(self.files), self.size.rule],
        ]


@dataclass
class UnpairedTarget:
    """A set of pictures, with what they are compared."""

    pictures: PictureSet
    originals: PictureSet | Statistics

    def __post_init__(self) -> None:
        self.name, self.setting = self.pictures.name, self.pictures.setting

    def cautions(self) -> list[str]:
        """Return what a person should know of the files before any figure."""
        lines = []
        sides = [self.pictures]
        if isinstance(self.originals, PictureSet):
            sides.append(self.originals)
            unnumbered = [re.sub(r"(-s\d+)?-\d+$", "", name) for name in self.pictures.ids]
            if set(self.originals.ids) in (set(self.pictures.ids), set(unnumbered)):
                lines.append(
                    "both folders have the same names: pictures that pair are to be scored as "
                    "pairs, since kid of them unpaired is too low"
                )
                if len(self.pictures.ids) > len(self.originals.ids):
                    lines.append(
                        "several completions of one original are taken for independent pictures, "
                        "so errors are too small"
                    )
        elif self.originals.prepared not in (None, self.pictures.size.rule):
            lines.append(
                f"{self.originals.name} is of pictures prepared otherwise "
                f"({brief(self.originals.prepared)}; here: {self.pictures.size.rule}), so the "
                "distance is also one of sizes"
            )
        for side in sides:
            if not side.setting.height:
                lines.append(
                    f"the pictures of {side.name} have several sizes; each gets the size that the "
                    "features need"
                )
        return lines

    def facts(self) -> TargetFacts:
        pictures, setting = self.pictures, self.setting
        dataset = dataset_facts("files", "none", pictures.ids, setting, pictures.size.rule)
        if not setting.height:
            dataset |= {"height": None, "width": None}
        files = list(pictures.files)
        files += self.originals.files if isinstance(self.originals, PictureSet) else []
        lossy = suffixes_of(filter(is_lossy, files))
        return TargetFacts(
            model={
                "family": None,
                "checkpoint": None,
                "checkpoint_sha256": None,
                "sampler": {},
            },
            dataset=dataset,
            masks=mask_facts("unknown"),
            completions={
                "k": 1,
                "seed": None,
                "composited": False,
                "quantised": "uint8 as stored",
                "source": "folder",
            },
            of_features=(f"some files are lossy ({lossy}): their artefacts count",) * bool(lossy),
            pairing=self._pairing(),
        )

    def _pairing(self) -> dict[str, Any]:
        other = self.originals
        if isinstance(other, PictureSet):
            named = f"{counted(len(other.files), 'picture')} of {other.name}"
            return {"by": "none", "real_set": named, "n_images": len(other.files)}
        return {"by": "none", "real_set": other.name, "n_images": other.n}


@dataclass
class UnpairedScoring:
    """The scoring of folders against one set of originals, or its statistics."""

    scoring: Scoring
    targets: Sequence[UnpairedTarget]

    @classmethod
    def of(cls, scoring: Scoring, files: FolderOptions, limit: int | None) -> UnpairedScoring:
        """Return the scoring of what is asked for, with remarks on the files."""
        given: Statistics | PictureSet | None = scoring.options.statistics
        if given is None:
            if files.reference is None:
                raise UserError(
                    "compares with a folder of originals or a file of statistics. Name it as "
                    "reference.",
                    setting="unpaired",
                )
            given = PictureSet.of(files.reference, files.size, limit)
        sets = [PictureSet.of(folder, files.size, limit) for folder in files.folders]
        targets = [UnpairedTarget(pictures, given) for pictures in sets]
        names = names_of(files.folders)
        for target, name in zip(targets, names, strict=True):
            target.name = name
        check_names(names)
        for target in targets if rank() == 0 else ():
            for line in target.cautions():
                scoring.reporter.warn(f"{target.name}: {line}")
        return cls(scoring, targets)

    def refused(self, tools: Instruments) -> dict[str, Refused]:
        """Return the metrics that cannot be computed, with the reason."""
        refused = {}
        for name in self.scoring.options.metrics:
            if metrics.get(name).pairs:
                refused[name] = Refused(PAIRS)
            elif self.scoring.options.statistics is not None and name != "fid":
                refused[name] = Refused(PICTURES)
            elif tools.extractor is None:
                refused[name] = tools.missing["features"]
        return refused

    def check(self) -> list[tuple[str, str, str]]:
        """Return (target, metric, "ok" or why not) of every metric, and compute nothing."""
        refused = self.refused(self.scoring.announced())
        return [
            (target.name, name, refused[name].reason if name in refused else "ok")
            for target in self.targets
            for name in self.scoring.options.metrics
        ]

    def run(self) -> list[Document]:
        """Return a report per target; in the other processes of torchrun, nothing."""
        scoring, start = self.scoring, time.monotonic()
        tools = scoring.announced()
        refused = self.refused(tools)
        for target in self.targets:
            scoring.report_refused(target.name, refused)
        works, sides = dict[Path, WorkFolder](), dict[Path, Columns | None]()
        nothing = len(refused) == len(scoring.options.metrics)
        for one in [] if nothing else self._sets():
            works[one.folder], sides[one.folder] = one.measured(tools, scoring)
        documents = []
        for target in self.targets if rank() == 0 else ():
            documents.append(self._document(target, tools, sides, refused))
            taken = round(time.monotonic() - start, 3)
            documents[-1]["timing"] = {"seconds": taken, "processes": world_size()}
        for work in works.values() if rank() == 0 else ():
            work.remove()
        wait()
        return documents

    def _sets(self) -> list[PictureSet]:
        """Return the sets of pictures that are measured, each once."""
        originals = self.targets[0].originals
        sets = [target.pictures for target in self.targets]
        sets += [originals] if isinstance(originals, PictureSet) else []
        return list({one.folder: one for one in sets}.values())

    def _document(
        self,
        target: UnpairedTarget,
        tools: Instruments,
        sides: Mapping[Path, Columns | None],
        refused: Mapping[str, Refused],
    ) -> Document:
        originals, facts = target.originals, target.facts()
        real = sides.get(originals.folder) if isinstance(originals, PictureSet) else None
        fake = sides.get(target.pictures.folder)
        for one, side in ((target.pictures, fake), (originals, real)):
            if side is not None and isinstance(one, PictureSet) and (told := one.repeated(side)):
                facts = replace(facts, of_features=(*facts.of_features, told))
        columns = Columns(
            len(target.pictures.files),
            {},
            None if real is None else real.real,
            () if fake is None or fake.real is None else (fake.real,),
            None,
        )
        options, device = self.scoring.options, self.scoring.device.type
        subject = Subject(target.name, 1, target.setting, facts)
        return document_of(subject, options, tools, columns, refused, device).document


def write(scoring: Scoring, files: FolderOptions, limit: int | None, path: Path) -> Document:
    """Write mean and covariance of the features of a folder; return what was written.

    UserError for more than one folder, ResourceError where the network of the features is not here.
    """
    if len(files.folders) != 1 or files.reference is not None:
        raise UserError("is made of one folder of pictures.", setting="write_reference")
    if path.suffix.lower() != statistics_file.SUFFIX:
        raise UserError(f"{path}: must end in .npz.", setting="write_reference")
    if path.exists() and not statistics_file.is_ours(path):
        raise UserError(
            f"{path}: exists, and was not written by inpaint, so it is not replaced.",
            setting="write_reference",
        )
    tools = scoring.announced()
    if tools.extractor is None:
        raise ResourceError(str(tools.missing["features"]))
    pictures = PictureSet.of(files.folders[0], files.size, limit)
    work, columns = pictures.measured(tools, scoring)
    if columns is None or columns.real is None:
        return {}
    described = tools.extractor.description()
    moments = Moments.of(columns.real)
    if told := pictures.repeated(columns):
        scoring.reporter.warn(f"{path}: {told}")
    if moments.n < 2 or not moments.is_finite:
        raise UserError(f"{pictures.folder}: needs at least 2 pictures with finite features.")
    statistics_file.save(path, moments, described, pictures.size.rule)
    if moments.n <= moments.d:
        scoring.reporter.warn(
            f"{path}: of {moments.n} pictures in {moments.d} dimensions, so its covariance has "
            "directions without any spread; fid against it is refused unless biased figures are "
            "allowed"
        )
    work.remove()
    return {"schema": 1, "file": str(path), "n_images": moments.n, "features": described}
