"""Decoded images on the disk, read through memory mapping; built once for each state of a source.

Two files under INPAINT_HOME/cache/data: NAME-KEY.raw, the pixels of train, validation and test one
after the other, and NAME-KEY.json, the index. The index is written last, so it never promises more
than there is; whatever does not fit together is built again. Two processes that build at once
write the same bytes, and each rename is atomic.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli import files
from inpaint_cli.data.image_set import NAMED_IN_FULL, SPLITS, ImageSet, Split, counted
from inpaint_cli.data.pixels import Decoded, decode
from inpaint_cli.data.preparation import Preparation
from inpaint_cli.data.sources import Listing, Raw, Source
from inpaint_cli.data.splits import Assignment, Member
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Advance, Reporter

MOST_WORKERS = 16
"""Threads that decode; each may hold a few photos, so memory grows with them."""
MOST_HELD_BYTES = 1 << 28
"""Files that wait to be decoded take no more memory than this, and one file."""
VERSION = 2
"""Counts the changes of this code that alter pixels, splits or the index."""


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


Index = dict[str, Any]
INDEX_KEYS = {"shape", "rules", "splits", "classes", "skipped", "sha256"}
MemberRow = tuple[SourcePlan, Member]


def load(plans: Sequence[SourcePlan], split: Split, reporter: Reporter) -> ImageSet:
    """Return a split of all sources together, from the cache if it is there."""
    name = "+".join(plan.name for plan in plans)
    path = files.home() / "cache" / "data" / f"{_safe(name)}-{_key(plans)}.json"
    index = _read(path)
    if index is not None and not _is_unchanged(path, index, split):
        reporter.warn(f"{path.with_suffix('.raw')}: damaged since it was written; built again.")
        index = None
    if index is None:
        index = _build(plans, path, reporter)
    return _image_set(name, path, index, split)


def _key(plans: Sequence[SourcePlan]) -> str:
    facts = [VERSION] + [
        [plan.name, plan.source.fingerprint(), asdict(plan.preparation), list(plan.settings)]
        for plan in plans
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _safe(name: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_+") else "_" for c in name)
    return kept[:60]


def _read(path: Path) -> Index | None:
    """Return the index if it and the pixels are whole, else None."""
    try:
        index: Index = json.loads(path.read_text("utf-8"))
        if not isinstance(index, dict) or index.keys() != INDEX_KEYS:
            return None
        count = sum(len(index["splits"][split]["ids"]) for split in SPLITS)
        size = path.with_suffix(".raw").stat().st_size
        return index if size == count * int(np.prod(index["shape"])) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _build(plans: Sequence[SourcePlan], path: Path, reporter: Reporter) -> Index:
    listings = [plan.source.listing() for plan in plans]
    assigned = [plan.assign(listing.members) for plan, listing in zip(plans, listings, strict=True)]
    rows: list[MemberRow] = [
        (plan, member)
        for split in SPLITS
        for plan, assignment in zip(plans, assigned, strict=True)
        for member in assignment.splits[split]
    ]
    ends = np.cumsum([sum(len(a.splits[split]) for a in assigned) for split in SPLITS])
    if not rows:
        raise UserError(
            f"{_names(plans)}: no images found ({_looked_for(listings)}).", setting="data"
        )
    preparation = plans[0].preparation
    shape = (preparation.channels, preparation.size, preparation.size)
    with files.replacing(path.with_suffix(".raw")) as temporary, temporary.open("r+b") as handle:
        with reporter.progress(f"reading {_names(plans)}", len(rows)) as advance:
            result = _decode_all(rows, handle, int(np.prod(shape)), advance)
        if not result.good.any():
            file, why = next(iter(result.skipped.values()))
            raise UserError(
                f"{_names(plans)}: none of {len(rows)} images can be read ({file}: {why}).",
                setting="data",
            )
        _close_gaps(handle, result.good, int(np.prod(shape)))
        rules = _rules(plans, [a.rule for a in assigned], result, listings)
        index = {"shape": shape, "rules": rules, **_index_of(rows, ends, result, len(plans) > 1)}
        _add_hashes(handle, index)
    files.write_text(path, json.dumps(index))
    return index


@dataclass
class _Decoding:
    """What came of decoding: which rows are good, what was skipped, what had to be done."""

    good: npt.NDArray[np.bool_]
    skipped: dict[int, tuple[str, str]]
    enlarged: int = 0
    converted: int = 0
    uncropped: int = 0


def _decode_all(
    rows: Sequence[MemberRow], handle: IO[bytes], size: int, advance: Advance
) -> _Decoding:
    """Write each image to its row of `handle`; memory holds a few images a worker at a time."""
    result = _Decoding(np.zeros(len(rows), bool), {})
    with warnings.catch_warnings():
        # Pillow's remarks on files it still reads; those it does not read are errors.
        warnings.simplefilter("ignore")
        Image.init()
        for row, outcome in _decoded(rows):
            if isinstance(outcome, Exception):
                result.skipped[row] = (rows[row][1].id, _why(outcome))
            else:
                handle.seek(row * size)
                handle.write(outcome.pixels.tobytes())
                result.good[row] = True
                result.enlarged += outcome.enlarged
                result.converted += outcome.converted
                result.uncropped += outcome.uncropped
            advance()
    return result


def _decoded(rows: Sequence[MemberRow]) -> Iterator[tuple[int, Decoded | Exception]]:
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    waiting: deque[tuple[int, int, Future[Decoded | Exception]]] = deque()
    held = 0
    with ThreadPoolExecutor(workers) as pool:
        for row, preparation, raw in _raw(rows):
            size = len(raw) if isinstance(raw, bytes) else getattr(raw, "nbytes", 0)
            waiting.append((row, size, pool.submit(_try, raw, preparation)))
            held += size
            while len(waiting) >= 4 * workers or (held > MOST_HELD_BYTES and waiting):
                first, freed, future = waiting.popleft()
                held -= freed
                yield first, future.result()
        for row, _, future in waiting:
            yield row, future.result()


def _raw(rows: Sequence[MemberRow]) -> Iterator[tuple[int, Preparation, Raw]]:
    """Yield row, preparation and file, source by source."""
    by_plan: dict[int, tuple[SourcePlan, dict[str, int]]] = {}
    for row, (plan, member) in enumerate(rows):
        by_plan.setdefault(id(plan), (plan, {}))[1][member.key] = row
    for plan, row_of in by_plan.values():
        for member, raw in plan.source.read([rows[row][1] for row in row_of.values()]):
            yield row_of[member.key], plan.preparation, raw


def _try(raw: Raw, preparation: Preparation) -> Decoded | Exception:
    if isinstance(raw, Exception):
        return raw
    try:
        return decode(raw, preparation)
    except UserError:
        raise
    # Broken files make Pillow raise whatever comes: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        return error


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _close_gaps(handle: IO[bytes], good: npt.NDArray[np.bool_], size: int) -> None:
    """Move the good rows together and cut the file to them."""
    for target, row in enumerate(np.flatnonzero(good)):
        if target != row:
            handle.seek(int(row) * size)
            data = handle.read(size)
            handle.seek(target * size)
            handle.write(data)
    handle.truncate(int(good.sum()) * size)


def _index_of(
    rows: Sequence[MemberRow], ends: npt.NDArray[np.int64], result: _Decoding, several: bool
) -> Index:
    labels = [member.label for _, member in rows]
    known = None not in {label for label, good in zip(labels, result.good, strict=True) if good}
    classes = sorted({str(label) for label in labels}, key=_natural) if known else []
    number = {name: i for i, name in enumerate(classes)}
    splits, start = {}, 0
    for split, end in zip(SPLITS, ends.tolist(), strict=True):
        kept = [rows[row] for row in range(start, end) if result.good[row]]
        splits[split] = {
            "ids": [f"{p.name}/{m.id}" if several else m.id for p, m in kept],
            "labels": [number[str(m.label)] for _, m in kept] if known else None,
        }
        start = end
    skipped = [result.skipped[row] for row in sorted(result.skipped)]
    return {"splits": splits, "classes": classes, "skipped": skipped}


def _add_hashes(handle: IO[bytes], index: Index) -> None:
    for split in SPLITS:
        index["splits"][split]["sha256"] = _hash_of_split(handle, index, split)
    index["sha256"] = _hash_of_index(index)


def _is_unchanged(path: Path, index: Index, split: Split) -> bool:
    """Return whether index and pixels are what was written; it reads the whole split."""
    with path.with_suffix(".raw").open("rb") as handle:
        expected: str = index["splits"][split].get("sha256", "")
        is_index_whole: bool = index["sha256"] == _hash_of_index(index)
        return is_index_whole and _hash_of_split(handle, index, split) == expected


def _hash_of_index(index: Index) -> str:
    facts = {name: value for name, value in index.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _hash_of_split(handle: IO[bytes], index: Index, split: Split) -> str:
    """Return the hash of the ids, the shape and the pixels of a split."""
    size, ids = int(np.prod(index["shape"])), index["splits"][split]["ids"]
    before = SPLITS[: SPLITS.index(split)]
    handle.seek(size * sum(len(index["splits"][other]["ids"]) for other in before))
    digest = hashlib.sha256(json.dumps([ids, index["shape"]]).encode())
    for _ in ids:
        digest.update(handle.read(size))
    return digest.hexdigest()


def _rules(
    plans: Sequence[SourcePlan],
    splits: Sequence[str],
    result: _Decoding,
    listings: Sequence[Listing],
) -> list[str]:
    sentences = list(dict.fromkeys([*splits, *(p.preparation.sentence() for p in plans)]))
    size, grey = plans[0].preparation.size, plans[0].preparation.channels == 1
    remarks: Mapping[str, int] = {
        f"smaller than {size}x{size}, so enlarged": result.enlarged,
        ("colour, so converted to grey" if grey else "grey, so repeated to RGB"): result.converted,
        "of another size than the set's, so cropped to the square in the middle": result.uncropped,
    }
    sentences += [f"{counted(count, 'image')} {text}" for text, count in remarks.items() if count]
    if ignored := sum(listing.ignored for listing in listings):
        left_out = counted(ignored, "other file")
        sentences.append(f"{left_out} left out (no images, or beside train/ and test/)")
    if odd := [text for listing in listings for text in listing.odd]:
        more = ", ..." if len(odd) > NAMED_IN_FULL else ""
        named = ", ".join(odd[:NAMED_IN_FULL])
        sentences.append(f"{counted(len(odd), 'file')} left out: {named}{more}")
    return sentences


def _image_set(name: str, path: Path, index: Index, split: Split) -> ImageSet:
    counts: dict[str, int] = {s: len(index["splits"][s]["ids"]) for s in SPLITS}
    part = index["splits"][split]
    if not counts[split]:
        there = ", ".join(f"{count} {s}" for s, count in counts.items() if count)
        raise UserError(f"{name} has no {split} images (there are {there}).", setting="data")
    size = int(np.prod(index["shape"]))
    offset = sum(counts[s] for s in SPLITS[: SPLITS.index(split)]) * size
    shape = (counts[split], *index["shape"])
    images = np.memmap(path.with_suffix(".raw"), np.uint8, "r", offset, shape)
    labels = None if part["labels"] is None else np.array(part["labels"], np.int64)
    return ImageSet(
        name=name,
        split=split,
        images=images,
        labels=labels,
        classes=tuple(index["classes"]),
        ids=tuple(part["ids"]),
        skipped=tuple((file, why) for file, why in index["skipped"]),
        counts=counts,
        rules=tuple(index["rules"]),
        sha256=part["sha256"],
    )


def _names(plans: Sequence[SourcePlan]) -> str:
    return " and ".join(plan.name for plan in plans)


def _looked_for(listings: Sequence[Listing]) -> str:
    others = sum(listing.ignored + len(listing.odd) for listing in listings)
    return f"{counted(others, 'other file')}; looked for .png, .jpg, .webp, .tif and the like"


def _natural(name: str) -> tuple[int, int, str]:
    """Sort numbers by value, before words."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)
