"""The scoring of targets, one after the other or shared by processes: measured, then reported.

Metrics of all kinds of masks together, as FID-agg of AIPO, stand in a report more for each model.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inpaint_cli import __version__, metrics
from inpaint_cli.data.image_set import counted
from inpaint_cli.device import rank, world_size
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.metrics import instruments, measuring
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.intervals import Strata
from inpaint_cli.metrics.measuring import Meter, WorkFolder, entries, parts, remark, spent_of
from inpaint_cli.metrics.metric import Columns
from inpaint_cli.metrics.options import MeasureOptions
from inpaint_cli.metrics.protocol import Subject, TargetFacts
from inpaint_cli.metrics.report import Document, Scored, compare, document_of, unlike
from inpaint_cli.metrics.targets import Target
from inpaint_cli.ranks import wait
from inpaint_cli.reporting import Reporter

ONE_KIND = "needs several kinds of masks, such as patches:n=0-5"
FAILED = "figures of the other images alone would be no figures of this set"
"""Why nothing is said of a program that failed for some images."""


@dataclass
class Planned:
    """A target with what is measured of it."""

    target: Target
    joint: bool
    """Its masks are one of several kinds, and some metrics take all of them together."""
    asked: tuple[str, ...]
    """The metrics that are measured of it, or refused."""
    refused: dict[str, Refused] = field(default_factory=dict)
    failed: bool = False
    """Some images have no completion, so there are no figures."""

    @property
    def wanted(self) -> frozenset[str]:
        """The metrics that are measured."""
        return frozenset(self.asked) - self.refused.keys()

    @property
    def reported(self) -> tuple[str, ...]:
        """The metrics of its own report."""
        return tuple(n for n in self.asked if not (self.joint and metrics.get(n).over_masks))


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

    def run(self, targets: Sequence[Target]) -> list[Document]:
        """Return a report per target; in the other processes of torchrun, nothing.

        A metric that cannot be computed is listed as refused and stops no other. With `strict` it
        is an error before anything is computed: ResourceError for a missing file, else UserError.
        Metrics of all kinds of masks together stand in a report of their own per model.
        """
        tools = self.announced()
        plans = self.planned(targets, tools)
        for plan in plans:
            self.report_refused(plan.target.label, plan.refused)
        works = [self.measure(plan, tools, alone=len(plans) == 1) for plan in plans]
        for work, _ in works if rank() != 0 else ():
            work.use.release()
        wait()
        if rank() != 0:
            wait()
            return []
        for plan, (work, _) in zip(plans, works, strict=True):
            if plan.wanted and work.todo():
                plan.failed = True
                wanted = [name for name in plan.asked if name not in plan.refused]
                plan.refused |= dict.fromkeys(wanted, Refused(FAILED))
        scored = [
            self._scored(plan, tools, work, seconds)
            for plan, (work, seconds) in zip(plans, works, strict=True)
        ]
        compare(scored)
        for line in unlike(scored):
            self.reporter.warn(line)
        every = [one for one, plan in zip(scored, plans, strict=True) if plan.reported]
        every += self._together(plans, scored, tools)
        for work, _ in works:
            work.remove()
        wait()
        return [one.document for one in every]

    def check(self, targets: Sequence[Target]) -> list[tuple[str, str, str]]:
        """Return (target, metric, "ok" or why not) of every metric, and compute nothing."""
        tools, answers = self.announced(), []
        for plan in self.planned(targets, tools):
            for name in plan.asked:
                reason = plan.refused[name].reason if name in plan.refused else "ok"
                answers.append((plan.target.label, name, reason))
        return answers

    def planned(self, targets: Sequence[Target], tools: Instruments) -> list[Planned]:
        """Return the targets with the metrics that cannot be computed, and the reason."""
        joint = names_of_several(targets)
        plans = [
            Planned(target, target.name in joint, self._asked_of(target)) for target in targets
        ]
        for plan in plans:
            for name in plan.asked:
                reason = metrics.get(name).refusal(plan.target, tools)
                if metrics.get(name).over_masks and not plan.joint:
                    reason = reason or Refused(ONE_KIND)
                if reason is not None:
                    plan.refused[name] = reason
        return plans

    def _asked_of(self, target: Target) -> tuple[str, ...]:
        names = self.options.metrics
        if not target.is_reconstruction:
            return names
        return tuple(name for name in names if metrics.get(name).compares_pictures)

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

    def report_refused(self, name: str, refused: Mapping[str, Refused]) -> None:
        """Warn of what is refused, each reason once; raise it where `strict` asks for that."""
        names: dict[str, list[str]] = {}
        for metric, error in refused.items():
            names.setdefault(error.reason, []).append(metric)
        lines = [f"{', '.join(group)}: {reason}" for reason, group in names.items()]
        if self.options.strict and lines:
            text = f"{name}: {'; '.join(lines)}"
            if any(error.missing_file for error in refused.values()):
                raise ResourceError(text)
            raise UserError(text, setting="strict")
        for line in lines if rank() == 0 else ():
            self.reporter.warn(f"{name}: refused: {' '.join(line.split())}")

    def _report_failed(self, target: Target, meter: Meter) -> None:
        """List the images of which a program gave no completion."""
        for name, reason in meter.failed.items():
            self.reporter.warn(f"{target.label}: failed: {name}: {reason}")
        if meter.failed:
            count = f"{len(meter.failed)} of {len(target.ids)} images failed"
            self.reporter.warn(f"{target.label}: refused: {count}; {FAILED}")

    def measure(
        self, plan: Planned, tools: Instruments, alone: bool = True
    ) -> tuple[WorkFolder, float]:
        """Make this process's shards of a target, but for those that are there.

        UserError or ResourceError of what fails `alone`; beside others it is left at that.
        """
        target = plan.target
        meter = Meter(target, self.options, plan.wanted, tools)
        pieces = parts(len(target.ids), target.k)
        work = WorkFolder.of(self._identity(target, tools, meter), pieces, self.work)
        (todo, ours, done), start = work.share(rank(), world_size()), time.monotonic()
        if done and rank() == 0:
            self.reporter.note(f"{target.label}: going on; {done} of {ours} images are done")
        reporter = self.reporter if rank() == 0 else Reporter(quiet=True)
        if plan.wanted:
            total, finished = ours * target.k, done * target.k
            try:
                with reporter.progress(target.label, total, finished) as advance:
                    for number in todo:
                        tensors = meter.shard(pieces[number], advance)
                        if tensors is not None:
                            work.save(number, tensors)
            except (ResourceError, UserError) as error:
                if alone:
                    raise
                self.reporter.warn(f"{target.label}: refused: {error.on_command_line()}")
                return work, time.monotonic() - start
        self._report_failed(target, meter)
        return work, time.monotonic() - start

    @property
    def versions(self) -> list[Any]:
        """What decides figures beside what is asked for."""
        return [__version__, measuring.VERSION, str(torch.__version__), self.device.type]

    def _identity(self, target: Target, tools: Instruments, meter: Meter) -> list[Any]:
        """Return what decides every byte of the shards."""
        return [
            self.versions,
            [sorted(meter.wanted), meter.sets, self.options.pooled],
            tools.identity(),
            None if self.options.calibration is None else asdict(self.options.calibration),
            [target.name, target.k, target.fingerprint()],
        ]

    def _scored(
        self, plan: Planned, tools: Instruments, work: WorkFolder, seconds: float
    ) -> Scored:
        start, target = time.monotonic(), plan.target
        options = replace(self.options, metrics=plan.reported)
        refused = {name: why for name, why in plan.refused.items() if name in options.metrics}
        columns = work.load() if plan.wanted else work.nothing()
        subject = Subject(target.name, target.k, target.setting, target.facts())
        scored = document_of(subject, options, tools, columns, refused, self.device.type)
        seconds = round(seconds + time.monotonic() - start, 3)
        spent = spent_of(columns.figures)
        done, took = entries(spent)
        scored.document["protocol"]["completions"] |= done
        scored.document["timing"] = {"seconds": seconds, "processes": world_size(), **took}
        self._remark_on(target, spent)
        if plan.failed:
            scored.document["failed"] = True
        return scored

    def _together(
        self, plans: Sequence[Planned], scored: Sequence[Scored], tools: Instruments
    ) -> list[Scored]:
        """Return the reports of all kinds of masks together, one for each model."""
        names, reports = asked_for(self.options.metrics), list[Scored]()
        joint = [(p, s) for p, s in zip(plans, scored, strict=True) if p.joint and names]
        for model in dict.fromkeys(plan.target.name for plan, _ in joint):
            of_model = [pair for pair in joint if pair[0].target.name == model]
            refused = {name: why for plan, _ in of_model for name, why in plan.refused.items()}
            start, parts_of = time.monotonic(), [part for _, part in of_model]
            report = scored_together(
                parts_of,
                {name: why for name, why in refused.items() if name in names},
                self.options,
                tools,
                self.device.type,
            )
            seconds = round(time.monotonic() - start, 3)
            report.document["timing"] = {"seconds": seconds, "processes": world_size()}
            reports.append(report)
        return reports

    def _remark_on(self, target: Target, spent: Mapping[str, Any]) -> None:
        """Tell what was converted of the files, and what programs took."""
        for what, count in sorted((target.converted or {}).items()):
            self.reporter.note(f"{target.label}: {counted(count, 'file')}: {what}")
        if told := remark(spent):
            self.reporter.note(f"{target.label}: {told}")
        if spent.get("changed") and target.keeps_visible:
            self.reporter.warn(
                f"{target.label}: 'inpaint complete' keeps what is visible, so originals or masks "
                "are no longer those that were completed"
            )


def names_of_several(targets: Sequence[Target]) -> set[str]:
    """Return the names of the models that complete under several kinds of masks."""
    counts = Counter(target.name for target in targets if not target.is_reconstruction)
    return {name for name, count in counts.items() if count > 1}


def asked_for(names: Sequence[str]) -> tuple[str, ...]:
    """Return those of some metrics that take all kinds of masks together."""
    return tuple(name for name in names if metrics.get(name).over_masks)


def scored_together(
    parts: Sequence[Scored],
    refused: Mapping[str, Refused],
    options: MeasureOptions,
    tools: Instruments,
    device: str,
) -> Scored:
    """Return the report of one model's parts, which hold the same images in the same order."""
    first, columns = parts[0].subject, [part.results.columns for part in parts]
    names = asked_for(options.metrics)
    union = Columns(
        columns[0].count,
        {},
        columns[0].real,
        tuple(one.sets[0] for one in columns if one.sets),
        _digest_together(columns),
        columns[0].originals,
    )
    subject = Subject(first.name, first.k, first.setting, _facts_together(parts))
    options = replace(options, metrics=names, by_visible=False)
    strata = _ranges_of([part.results.strata for part in parts])
    return document_of(subject, options, tools, union, refused, device, strata)


def _ranges_of(every: Sequence[Strata]) -> Strata:
    """Return the range of each image: under mixtures it is that of its number, whatever the kind.

    None where some kind is no mixture.
    """
    known = [one for one in every if one is not None]
    same = len(known) == len(every) and all(np.array_equal(one, known[0]) for one in known)
    return known[0] if same else None


def _facts_together(parts: Sequence[Scored]) -> TargetFacts:
    kinds = [str(part.subject.facts.masks["distribution"]) for part in parts]
    facts = parts[0].subject.facts
    masks = {
        **facts.masks,
        "distribution": ", ".join(kinds),
        "params": {"kinds": kinds},
        "bins": None,
        "bin_weights": None,
    }
    return replace(facts, masks=masks)


def _digest_together(columns: Sequence[Columns]) -> str | None:
    """Return one hash of the masks of all kinds; None where some were not measured."""
    each = [one.masks_sha256 for one in columns]
    if None in each:
        return None
    return hashlib.sha256(" ".join(map(str, each)).encode()).hexdigest()
