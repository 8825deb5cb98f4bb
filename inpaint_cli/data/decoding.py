"""All images of some sources decoded: a pass over them, and a second one over the deep ones."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.data.image_set import counted
from inpaint_cli.data.pixels import Decoded, decode
from inpaint_cli.data.preparation import Preparation
from inpaint_cli.data.sources import Raw, Source
from inpaint_cli.data.split_words import NO_SPLIT_MAP, SplitMap
from inpaint_cli.data.splits import Assignment, Member
from inpaint_cli.data.value_ranges import SampleKind, Undecided, ValueRange, decide
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Advance

MOST_WORKERS = 16
"""Threads that decode; each may hold a few photos, so memory grows with them."""
MOST_HELD_BYTES = 1 << 28
"""Files that wait to be decoded take no more memory than this, and one file."""
MOST_SKIPPED = 0.05
"""More broken pictures than this share are no accident of a few files."""


@dataclass(frozen=True)
class SourcePlan:
    """One source, with what is to be done to its images and how they are to be split."""

    name: str
    """Begins the ids where there are several sources, so no two plans share it."""
    source: Source
    preparation: Preparation
    assign: Callable[[Sequence[Member]], Assignment]
    settings: tuple[Any, ...]
    """What `assign` depends on, JSON-able."""
    split_map: SplitMap = NO_SPLIT_MAP
    """What a user says of folders and arrays."""


MemberRow = tuple[SourcePlan, Member]


@dataclass
class Decoding:
    """What came of decoding: which rows are good, what was skipped, what had to be done."""

    good: npt.NDArray[np.bool_]
    skipped: dict[int, tuple[str, str]]
    enlarged: int = 0
    converted: int = 0
    uncropped: int = 0
    pixels: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    """Name of the source -> how many pixels of its images, as prepared, have each value, [256]."""
    contents: dict[int, bytes] = field(default_factory=dict)
    """Row -> digest of the file or array as it was read."""
    guesses: list[str] = field(default_factory=list)
    """What was taken for black and white, sentence by sentence."""

    def add(self, row: int, name: str, decoded: Decoded) -> None:
        """Count one image."""
        self.good[row] = True
        self.enlarged += decoded.enlarged
        self.converted += decoded.converted
        self.uncropped += decoded.uncropped
        counts = np.bincount(decoded.pixels.reshape(-1), minlength=256)
        self.pixels[name] = self.pixels.get(name, 0) + counts


def decode_all(
    rows: Sequence[MemberRow], handle: IO[bytes], size: int, advance: Advance
) -> Decoding:
    """Write each image to its row of `handle`; memory holds a few images a worker at a time."""
    result = Decoding(np.zeros(len(rows), bool), {})
    with warnings.catch_warnings():
        # Pillow's remarks on files it still reads; those it does not read are errors.
        warnings.simplefilter("ignore")
        Image.init()
        ranges: dict[str, dict[SampleKind, ValueRange]] = {}
        later = _pass(rows, range(len(rows)), ranges, result, handle, size, advance)
        if later:
            ranges = _decided(rows, later, result)
            _pass(rows, later, ranges, result, handle, size, advance)
    return result


def _pass(
    rows: Sequence[MemberRow],
    wanted: Iterable[int],
    ranges: Mapping[str, Mapping[SampleKind, ValueRange]],
    result: Decoding,
    handle: IO[bytes],
    size: int,
    advance: Advance,
) -> dict[int, Undecided]:
    """Decode the `wanted` rows; return those of which the range of the source must be known."""
    later: dict[int, Undecided] = {}
    for row, content, outcome in _decoded(rows, wanted, ranges):
        plan, member = rows[row]
        if isinstance(outcome, Undecided):
            later[row] = outcome
            continue
        if isinstance(outcome, Exception):
            result.skipped[row] = (member.id, _why(outcome))
        else:
            handle.seek(row * size)
            handle.write(outcome.pixels.tobytes())
            result.contents[row] = content
            result.add(row, plan.name, outcome)
        advance()
    return later


def _decided(
    rows: Sequence[MemberRow], later: Mapping[int, Undecided], result: Decoding
) -> dict[str, dict[SampleKind, ValueRange]]:
    """Return black and white of each source's kinds of samples. UserError where none fit."""
    rows_by_source: dict[str, dict[SampleKind, list[int]]] = {}
    for row, extent in later.items():
        rows_by_source.setdefault(rows[row][0].name, {}).setdefault(extent.kind, []).append(row)
    ranges: dict[str, dict[SampleKind, ValueRange]] = {}
    for name, kinds in rows_by_source.items():
        for kind, of_kind in sorted(kinds.items()):
            lowest = min(of_kind, key=lambda row: later[row].low)
            highest = max(of_kind, key=lambda row: later[row].high)
            low, high = later[lowest].low, later[highest].high
            values = (
                f"{kind} from {low:g} ({rows[lowest][1].id}) to {high:g} ({rows[highest][1].id})"
            )
            try:
                decided = decide(kind, low, high)
            except ValueError as error:
                raise UserError(
                    f"{name}: {values}, {error}. Scale them to one of these, or leave out the "
                    "files that differ.",
                    setting="data",
                ) from error
            ranges.setdefault(name, {})[kind] = decided
            if decided.guess:
                result.guesses.append(
                    f"values: {counted(len(of_kind), 'image')} of {kind} from {low:g} to {high:g} "
                    f"taken as {decided.guess}"
                )
    return ranges


def _decoded(
    rows: Sequence[MemberRow],
    wanted: Iterable[int],
    ranges: Mapping[str, Mapping[SampleKind, ValueRange]],
) -> Iterator[tuple[int, bytes, Decoded | Exception]]:
    """Yield row, digest of the content, and image or error."""
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    waiting: deque[tuple[int, int, Future[tuple[bytes, Decoded | Exception]]]] = deque()
    held = 0
    with ThreadPoolExecutor(workers) as pool:
        for row, plan, raw in _raw(rows, wanted):
            size = len(raw) if isinstance(raw, bytes) else getattr(raw, "nbytes", 0)
            future = pool.submit(_try, raw, plan, ranges.get(plan.name, {}))
            waiting.append((row, size, future))
            held += size
            while len(waiting) >= 4 * workers or (held > MOST_HELD_BYTES and waiting):
                first, freed, future = waiting.popleft()
                held -= freed
                yield first, *future.result()
        for row, _, future in waiting:
            yield row, *future.result()


def _raw(rows: Sequence[MemberRow], wanted: Iterable[int]) -> Iterator[tuple[int, SourcePlan, Raw]]:
    """Yield row, source and file, source by source."""
    by_plan: dict[int, tuple[SourcePlan, dict[str, int]]] = {}
    for row in wanted:
        plan, member = rows[row]
        by_plan.setdefault(id(plan), (plan, {}))[1][member.key] = row
    for plan, row_of in by_plan.values():
        for member, raw in plan.source.read([rows[row][1] for row in row_of.values()]):
            yield row_of[member.key], plan, raw


def _try(
    raw: Raw, plan: SourcePlan, ranges: Mapping[SampleKind, ValueRange]
) -> tuple[bytes, Decoded | Exception]:
    if isinstance(raw, Exception):
        return b"", raw
    try:
        content = raw if isinstance(raw, bytes) else np.ascontiguousarray(raw).tobytes()
        digest = hashlib.blake2b(content, digest_size=16).digest()
        return digest, decode(raw, plan.preparation, ranges)
    except UserError:
        raise
    # Broken files make Pillow raise whatever comes: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        return b"", error


def check_skipped(rows: Sequence[MemberRow], result: Decoding) -> None:
    """Raise UserError where a source lost more pictures than a few broken files explain."""
    for name in dict.fromkeys(plan.name for plan, _ in rows):
        of_source = [row for row, (plan, _) in enumerate(rows) if plan.name == name]
        skipped = [row for row in of_source if row in result.skipped]
        if not skipped:
            continue
        file, why = result.skipped[skipped[0]]
        if len(skipped) == len(of_source):
            text = f"none of {len(of_source)} images can be read"
        elif len(skipped) > max(1, MOST_SKIPPED * len(of_source)):
            text = (
                f"{len(skipped)} of {len(of_source)} images cannot be read, more than "
                f"{MOST_SKIPPED:.0%}; mend or remove them"
            )
        else:
            continue
        raise UserError(f"{name}: {text} ({file}: {why}).", setting="data")


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
