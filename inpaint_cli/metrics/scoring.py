"""Runs a score: refuses what cannot be, measures shard by shard, and puts the report together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from inpaint_cli import __version__
from inpaint_cli.device import rank, world_size
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.metrics import instruments, measuring
from inpaint_cli.metrics.catalogue import METRICS
from inpaint_cli.metrics.images import WINDOW_PX
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.measuring import Meter
from inpaint_cli.metrics.protocol import Request
from inpaint_cli.metrics.report import Document, Scored, compare, document_of
from inpaint_cli.metrics.shards import Work, parts
from inpaint_cli.metrics.state import Refused
from inpaint_cli.metrics.targets import Target
from inpaint_cli.ranks import wait
from inpaint_cli.reporting import Reporter


@dataclass
class Session:
    """One score of one or more targets, on one device."""

    request: Request
    device: torch.device
    reporter: Reporter
    work: Path | None = None
    """Where the shards lie, and stay; None = below the caches, removed at the end."""
    data: str = ""
    """Name of the data set, which decides what serves where nothing is asked for by name."""

    def run(self, targets: Sequence[Target]) -> list[Document]:
        """Gives a report per target; in the other processes of torchrun, nothing.

        A metric that cannot be computed is listed as refused and stops no other. With `strict` it
        is an error before anything is computed: ResourceError for a missing file, else UserError.
        """
        tools = self._tools()
        refusals = [refused_of(target, self.request, tools) for target in targets]
        for target, refused in zip(targets, refusals, strict=True):
            self._say(target, refused)
        places = [
            self._measure(target, tools, refused)
            for target, refused in zip(targets, refusals, strict=True)
        ]
        wait()
        if rank() != 0:
            wait()
            return []
        scored = []
        for target, refused, (work, seconds) in zip(targets, refusals, places, strict=True):
            scored.append(self._report(target, tools, refused, work, seconds))
        compare(scored)
        for work, _ in places:
            work.remove()
        wait()
        return [one.document for one in scored]

    def check(self, targets: Sequence[Target]) -> list[tuple[str, str, str]]:
        """Gives (target, metric, "ok" or why not) of every metric, and computes nothing."""
        tools = self._tools()
        found = []
        for target in targets:
            refused = refused_of(target, self.request, tools)
            for name in self.request.metrics:
                reason = refused[name].reason if name in refused else "ok"
                found.append((target.name, name, reason))
        return found

    def _tools(self) -> Instruments:
        tools = instruments.load(self.request, self.device, self.data)
        if rank() == 0:
            for note in tools.notes:
                self.reporter.note(note)
        return tools

    def _say(self, target: Target, refused: dict[str, Refused]) -> None:
        """Says what is refused, each reason once; raises it where `strict` asks for that."""
        names: dict[str, list[str]] = {}
        for name, error in refused.items():
            names.setdefault(error.reason, []).append(name)
        lines = [f"{', '.join(own)}: {reason}" for reason, own in names.items()]
        if self.request.strict and lines:
            missing = any(error.missing_file for error in refused.values())
            text = f"--strict: {target.name}: {'; '.join(lines)}"
            raise ResourceError(text) if missing else UserError(text)
        if rank() == 0:
            for line in lines:
                self.reporter.warn(f"{target.name}: refused: {line}")

    def _measure(
        self, target: Target, tools: Instruments, refused: dict[str, Refused]
    ) -> tuple[Work, float]:
        """Makes this process's shards of a target, but for those that are there."""
        wanted = frozenset(self.request.metrics) - refused.keys()
        meter = Meter(target, self.request, wanted, tools)
        pieces = parts(len(target.ids), target.k)
        work = Work.of(self._identity(target, tools, wanted, meter.sets), pieces, self.work)
        todo, start = work.todo(rank(), world_size()), time.monotonic()
        own = sum(len(pieces[n]) for n in range(rank(), len(pieces), world_size()))
        left = sum(len(pieces[n]) for n in todo)
        if left < own and rank() == 0:
            self.reporter.note(f"{target.name}: going on; {own - left} of {own} images are done")
        total, done = own * target.k, (own - left) * target.k
        quiet = Reporter(quiet=True)
        reporter = self.reporter if rank() == 0 else quiet
        if wanted:
            with reporter.progress(target.name, total, done) as advance:
                for number in todo:
                    work.save(number, meter.shard(pieces[number], advance))
        return work, time.monotonic() - start

    def _identity(
        self, target: Target, tools: Instruments, wanted: frozenset[str], sets: int
    ) -> list[Any]:
        """Gives what decides every byte of the shards."""
        return [
            [__version__, measuring.VERSION, str(torch.__version__), self.device.type],
            [sorted(wanted), sets, self.request.pooled],
            tools.identity(),
            [target.name, target.k, target.fingerprint()],
        ]

    def _report(
        self,
        target: Target,
        tools: Instruments,
        refused: dict[str, Refused],
        work: Work,
        seconds: float,
    ) -> Scored:
        start = time.monotonic()
        nothing = len(refused) == len(self.request.metrics)
        measured = work.nothing() if nothing else work.load()
        scored = document_of(target, self.request, tools, measured, refused, self.device.type)
        summing = time.monotonic() - start
        scored.document["timing"] = {
            "seconds": round(seconds + summing, 3), "processes": world_size()
        }  # fmt: skip
        return scored


def refused_of(target: Target, request: Request, tools: Instruments) -> dict[str, Refused]:
    """Gives the metrics that cannot be computed, with the reason, before anything is computed."""
    found = {}
    for name in request.metrics:
        reason = _why_not(name, target, tools)
        if reason is not None:
            found[name] = reason
    return found


def _why_not(name: str, target: Target, tools: Instruments) -> Refused | None:
    metric = METRICS[name]
    if metric.several and target.k < 2:
        return Refused("needs at least 2 completions of every image, and there is 1")
    if metric.hole and not target.has_masks:
        return Refused("which pixels are hidden is unknown; add --masks DIR (white = hidden)")
    if metric.likelihood and not target.has_likelihood:
        return Refused("the completions come without a likelihood, or at a size not the model's")
    if metric.perceptual and tools.distance is None:
        return tools.missing["perceptual"]
    if (metric.features or metric.logits) and tools.extractor is None:
        return tools.missing["features"]
    if metric.logits and _has_no_classes(tools):
        assert tools.extractor is not None
        return Refused(f"features of '{tools.extractor.name}' come without classes")
    side = min(target.setting.height, target.setting.width)
    if name == "ssim" and side < WINDOW_PX:
        return Refused(f"images {side} pixels across are smaller than its window of {WINDOW_PX}")
    return None


def _has_no_classes(tools: Instruments) -> bool:
    extractor = tools.extractor
    assert extractor is not None
    probe = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    return extractor.logits(probe) is None
