"""A whole score: from options to targets, measured shard by shard, to a report each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch

from inpaint_cli import __version__, metrics
from inpaint_cli.device import rank, resolve, world_size
from inpaint_cli.errors import ResourceError, UserError, unknown_name
from inpaint_cli.metrics import calibrated, instruments, measuring
from inpaint_cli.metrics.completion_options import CompletionOptions, load_images
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.folders import CommonSize, target_of
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.measuring import Meter, WorkFolder, parts
from inpaint_cli.metrics.protocol import (
    MeasureOptions,
    ModelSize,
    Setting,
    check_counts,
    settings_of,
    unequal_warning,
)
from inpaint_cli.metrics.report import Document, Scored, compare, document_of
from inpaint_cli.metrics.spent import entries, remark, spent_of
from inpaint_cli.metrics.targets import Contestant, Described, Target, prepared, refuse_temperature
from inpaint_cli.metrics.unpaired import UnpairedScoring, split_reference, write
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.calibration import load as load_calibration
from inpaint_cli.ranks import first_before_the_others, joined, wait
from inpaint_cli.reporting import Reporter

Loader = Callable[[str, str], Contestant]
"""Loads a model by name on a device."""
FAILED = "figures of the other images alone would be no figures of this set"
"""Why nothing is said of a program that failed for some images."""
OF_FOLDERS = ("reference", "resize", "crop", "unpaired")
"""Options that belong to folders of pictures alone."""


@dataclass(frozen=True)
class FolderOptions:
    """Pictures made beforehand."""

    folders: tuple[Path, ...] = ()
    reference: Path | None = None
    masks: Path | None = None
    k: int | None = None
    """None = all that there are."""
    size: CommonSize = field(default_factory=CommonSize)
    unpaired: bool = False
    """Pictures of both sides do not pair."""


@dataclass(frozen=True)
class ScoreOrder:
    """All of a score that a person may ask for."""

    models: tuple[str, ...]
    measured: MeasureOptions
    completed: CompletionOptions
    files: FolderOptions
    device: str = "auto"
    work: Path | None = None

    def __post_init__(self) -> None:
        completed = self.completed
        check_counts(completed.k, completed.limit, self.measured.sets, completed.size)
        if not self.models and not self.files.folders:
            raise UserError("nothing to score: give a model or a folder.")


def order_of(models: Sequence[str], given: Mapping[str, Any]) -> ScoreOrder:
    """Sort options by name into an order; UserError with the nearest name for unknown ones."""
    options = dict(given)
    folders = tuple(Path(folder) for folder in options.pop("folders", ()))
    kinds = (MeasureOptions, CompletionOptions)
    names = {kind: {f.name for f in fields(kind)} for kind in kinds}
    known = set().union(*names.values(), OF_FOLDERS, ("device", "work"))
    for name in options:
        if name not in known:
            raise unknown_name("score: no option", name, known)
    if isinstance(options.get("metrics"), str):
        options["metrics"] = metrics.parse(options["metrics"])
    if isinstance(options.get("data"), str):
        options["data"] = (options["data"],)
    if options.get("calibration") is not None:
        options["calibration"] = _calibration_of(options["calibration"])
    split_reference(folders, options)
    work = options.get("work")
    return ScoreOrder(
        () if folders else tuple(models),
        MeasureOptions(**{n: v for n, v in options.items() if n in names[MeasureOptions]}),
        CompletionOptions(**{n: v for n, v in options.items() if n in names[CompletionOptions]}),
        _folder_options(folders, options),
        options.get("device", "auto"),
        Path(work) if work else None,
    )


def _calibration_of(given: Calibration | str | Path) -> Calibration:
    return given if isinstance(given, Calibration) else load_calibration(Path(given))


def _folder_options(folders: tuple[Path, ...], options: Mapping[str, Any]) -> FolderOptions:
    if not folders:
        for name in OF_FOLDERS:
            if options.get(name) not in (None, False):
                raise UserError("belongs to folders of pictures; none is given.", setting=name)
        return FolderOptions()
    for name in ("data", "size", "temperature", "detail"):
        if options.get(name):
            raise UserError("belongs to models; folders of pictures are scored here.", setting=name)
    size = CommonSize(options.get("resize"), options.get("crop"))
    if size.resize and size.crop:
        raise UserError("give it or crop, not both.", setting="resize")
    paths = [options.get(name) for name in ("reference", "masks")]
    reference, masks = (None if path is None else Path(path) for path in paths)
    unpaired = bool(options.get("unpaired"))
    return FolderOptions(folders, reference, masks, options.get("k"), size, unpaired)


def run(order: ScoreOrder, load: Loader, reporter: Reporter) -> list[Document]:
    """Return a report per target; in the other processes of torchrun, nothing."""
    with joined(resolve(order.device)) as device:
        if order.files.unpaired:
            return _unpaired(order, device, reporter).run()
        targets = targets_of(order, load, reporter, device)
        calibrated.check(order.measured.calibration, targets)
        return Scoring.of(order, device, reporter).run(targets)


def check(order: ScoreOrder, load: Loader, reporter: Reporter) -> list[tuple[str, str, str]]:
    """Return (target, metric, "ok" or why not), computing nothing."""
    device = resolve(order.device)
    if order.files.unpaired:
        return _unpaired(order, device, reporter).check()
    targets = targets_of(order, load, reporter, device)
    return Scoring.of(order, device, reporter).check(targets)


def write_reference(order: ScoreOrder, path: Path, reporter: Reporter) -> Document:
    """Write mean and covariance of the features of a folder; nothing in the other processes."""
    with joined(resolve(order.device)) as device:
        scoring = Scoring.of(order, device, reporter)
        return write(scoring, order.files, order.completed.limit, path)


def _unpaired(order: ScoreOrder, device: torch.device, reporter: Reporter) -> UnpairedScoring:
    scoring = Scoring.of(order, device, reporter)
    return UnpairedScoring.of(scoring, order.files, order.completed.limit)


def targets_of(
    order: ScoreOrder, load: Loader, reporter: Reporter, device: torch.device
) -> list[Target]:
    """Return what is to be scored, loaded and checked; remarks come from one process only."""
    reporter = reporter if rank() == 0 else Reporter(quiet=True)
    files, targets = order.files, list[Target]()
    for folder in files.folders:
        limit = order.completed.limit
        target = target_of(folder, files.reference, files.masks, files.k, files.size, limit)
        for line in target.cautions():
            reporter.warn(f"{target.name}: {line}")
        targets.append(target)
    if not files.folders:
        targets += _of_models(order, load, reporter, device)
    names = [target.name for target in targets]
    if len(set(names)) < len(names):
        raise UserError(f"{', '.join(names)}: two of these have one name. Give each once.")
    if order.measured.by_visible and not all(target.has_masks for target in targets):
        raise UserError(
            "which pixels are visible is unknown. Give masks, a folder of them.",
            setting="by_visible",
        )
    return targets


def _of_models(
    order: ScoreOrder, load: Loader, reporter: Reporter, device: torch.device
) -> Sequence[Target]:
    contestants = [load(name, str(device)) for name in order.models]
    refuse_temperature(order.completed.temperature, contestants)
    sizes = [contestant.size for contestant in contestants]
    settings = settings_of(sizes, order.completed.size)
    _remark_on(sizes, settings, reporter)
    images = {}
    for setting in dict.fromkeys(settings):
        images[setting] = first_before_the_others(
            partial(load_images, order.completed, setting, reporter)
        )
        for line in images[setting].remarks:
            reporter.note(line)
        for line in images[setting].describe():
            reporter.detail(line)
    return prepared(contestants, settings, images, order.completed, reporter)


def _remark_on(sizes: Sequence[ModelSize], settings: Sequence[Setting], reporter: Reporter) -> None:
    warning = unequal_warning(sizes, settings)
    if warning:
        reporter.warn(warning)
    for setting in dict.fromkeys(settings):
        group = [size for size, other in zip(sizes, settings, strict=True) if other == setting]
        if any(model.levels != setting.levels for model in group):
            lead = min(group, key=lambda model: model.levels).name
            reporter.note(
                f"originals and completions are compared at {setting.levels} levels, those of "
                f"{lead}"
            )


@dataclass
class Scoring:
    """The scoring of one or more targets, on one device."""

    options: MeasureOptions
    device: torch.device
    reporter: Reporter
    work: Path | None = None
    """Where the shards lie, and stay; None = below the caches, removed at the end."""
    data: str = ""
    """Name of the data set, which decides what serves where nothing is asked for by name."""

    @classmethod
    def of(cls, order: ScoreOrder, device: torch.device, reporter: Reporter) -> Scoring:
        """Return the scoring of an order."""
        return cls(order.measured, device, reporter, order.work, "+".join(order.completed.data))

    def run(self, targets: Sequence[Target]) -> list[Document]:
        """Return a report per target; in the other processes of torchrun, nothing.

        A metric that cannot be computed is listed as refused and stops no other. With `strict` it
        is an error before anything is computed: ResourceError for a missing file, else UserError.
        """
        tools = self.announced()
        refusals = [self.refused(target, tools) for target in targets]
        for target, refused in zip(targets, refusals, strict=True):
            self.report_refused(target, refused)
        works = [
            self._measure(target, tools, refused)
            for target, refused in zip(targets, refusals, strict=True)
        ]
        wait()
        if rank() != 0:
            wait()
            return []
        for refused, (work, _) in zip(refusals, works, strict=True):
            if work.todo():
                refused |= dict.fromkeys(self.options.metrics, Refused(FAILED))
        scored = []
        for target, refused, (work, seconds) in zip(targets, refusals, works, strict=True):
            scored.append(self._scored(target, tools, refused, work, seconds))
        compare(scored)
        for work, _ in works:
            work.remove()
        wait()
        return [one.document for one in scored]

    def check(self, targets: Sequence[Target]) -> list[tuple[str, str, str]]:
        """Return (target, metric, "ok" or why not) of every metric, and compute nothing."""
        tools, answers = self.announced(), []
        for target in targets:
            refused = self.refused(target, tools)
            for name in self.options.metrics:
                reason = refused[name].reason if name in refused else "ok"
                answers.append((target.name, name, reason))
        return answers

    def _report_failed(self, target: Target, meter: Meter) -> None:
        """List the images of which a program gave no completion."""
        for name, reason in meter.failed.items():
            self.reporter.warn(f"{target.name}: failed: {name}: {reason}")
        if meter.failed:
            count = f"{len(meter.failed)} of {len(target.ids)} images failed"
            self.reporter.warn(f"{target.name}: refused: {count}; {FAILED}")

    def refused(self, target: Target, tools: Instruments) -> dict[str, Refused]:
        """Return the metrics that cannot be computed, with the reason."""
        reasons = {name: metrics.get(name).refusal(target, tools) for name in self.options.metrics}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def load_instruments(self) -> Instruments:
        """Load the networks that the metrics need."""
        return instruments.load(self.options, self.device, self.data)

    def announced(self) -> Instruments:
        """Return the networks, with remarks; UserError where statistics are of another one."""
        tools = self.load_instruments()
        for note in tools.notes if rank() == 0 else ():
            self.reporter.note(note)
        reference, network = self.options.statistics, tools.extractor
        if reference is not None and network is not None:
            reference.check(network.description())
        return tools

    def report_refused(self, target: Described, refused: dict[str, Refused]) -> None:
        """Warn of what is refused, each reason once; raise it where `strict` asks for that."""
        names: dict[str, list[str]] = {}
        for name, error in refused.items():
            names.setdefault(error.reason, []).append(name)
        lines = [f"{', '.join(group)}: {reason}" for reason, group in names.items()]
        if self.options.strict and lines:
            text = f"{target.name}: {'; '.join(lines)}"
            if any(error.missing_file for error in refused.values()):
                raise ResourceError(text)
            raise UserError(text, setting="strict")
        for line in lines if rank() == 0 else ():
            self.reporter.warn(f"{target.name}: refused: {line}")

    def _measure(
        self, target: Target, tools: Instruments, refused: dict[str, Refused]
    ) -> tuple[WorkFolder, float]:
        """Make this process's shards of a target, but for those that are there."""
        wanted = frozenset(self.options.metrics) - refused.keys()
        meter = Meter(target, self.options, wanted, tools)
        pieces = parts(len(target.ids), target.k)
        work = WorkFolder.of(self._identity(target, tools, meter), pieces, self.work)
        todo, start = work.todo(rank(), world_size()), time.monotonic()
        all_of_us = sum(len(pieces[n]) for n in range(rank(), len(pieces), world_size()))
        done = all_of_us - sum(len(pieces[n]) for n in todo)
        if done and rank() == 0:
            self.reporter.note(f"{target.name}: going on; {done} of {all_of_us} images are done")
        reporter = self.reporter if rank() == 0 else Reporter(quiet=True)
        if wanted:
            total, finished = all_of_us * target.k, done * target.k
            with reporter.progress(target.name, total, finished) as advance:
                for number in todo:
                    tensors = meter.shard(pieces[number], advance)
                    if tensors is not None:
                        work.save(number, tensors)
        self._report_failed(target, meter)
        return work, time.monotonic() - start

    def _identity(self, target: Target, tools: Instruments, meter: Meter) -> list[Any]:
        """Return what decides every byte of the shards."""
        return [
            [__version__, measuring.VERSION, str(torch.__version__), self.device.type],
            [sorted(meter.wanted), meter.sets, self.options.pooled],
            tools.identity(),
            None if self.options.calibration is None else asdict(self.options.calibration),
            [target.name, target.k, target.fingerprint()],
        ]

    def _scored(
        self,
        target: Target,
        tools: Instruments,
        refused: dict[str, Refused],
        work: WorkFolder,
        seconds: float,
    ) -> Scored:
        start = time.monotonic()
        nothing = len(refused) == len(self.options.metrics)
        columns = work.nothing() if nothing else work.load()
        scored = document_of(target, self.options, tools, columns, refused, self.device.type)
        seconds = round(seconds + time.monotonic() - start, 3)
        spent = spent_of(columns.figures)
        done, took = entries(spent)
        scored.document["protocol"]["completions"] |= done
        scored.document["timing"] = {"seconds": seconds, "processes": world_size(), **took}
        for what, count in sorted(getattr(target, "converted", {}).items()):
            self.reporter.note(f"{target.name}: {count} files: {what}")
        if told := remark(spent):
            self.reporter.note(f"{target.name}: {told}")
        if work.todo():
            scored.document["failed"] = True
        return scored
