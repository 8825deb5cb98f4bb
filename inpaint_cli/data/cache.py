"""Decoded images on the disk, read through memory mapping; built once for each state of a source.

Two files under INPAINT_HOME/cache/data: NAME-KEY.raw, the pixels of train, validation and test one
after the other, and NAME-KEY.json, the index. The index is written last, so it never promises more
than there is; whatever does not fit together is built again. Two processes that build at once
write the same bytes, and each rename is atomic.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli import files
from inpaint_cli.data import doubts, label_table
from inpaint_cli.data.decoding import Decoding, MemberRow, SourcePlan, check_skipped, decode_all
from inpaint_cli.data.image_set import NAMED_IN_FULL, SPLITS, ImageSet, Split, counted
from inpaint_cli.data.sources import Listing
from inpaint_cli.data.splits import Member
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter

VERSION = 8
"""Counts the changes of this code that alter pixels, splits or the index."""
READ_FOR_A_PLAN = 1 << 24
"""Bytes of a set that a plan reads whole, so that it tells what is wrong with the images."""
MADE_FOR_A_PLAN = 1 << 26
"""Bytes of pixels that a plan makes of a set that it reads."""
NOT_READ = "so large a set is listed and not read for a plan: training tells what cannot be read"
Index = dict[str, Any]
_WARNED = set[Path]()
"""The caches whose warnings were told in this process."""
INDEX_KEYS = {"shape", "rules", "remarks", "warnings", "splits", "classes", "skipped", "sha256"}


def load(plans: Sequence[SourcePlan], split: Split, reporter: Reporter) -> ImageSet:
    """Return a split of all sources together, from the cache if it is there."""
    return _image_set(*_opened(plans, [split], reporter), split)


def for_plan(plans: Sequence[SourcePlan], split: Split, reporter: Reporter) -> ImageSet:
    """Return a split as `load` does, but read no more than a little: a plan needs the counts.

    A large set has black pixels, if it is not in the cache; if it is, they are not looked at.
    """
    name, path = _place(plans)
    index = _read(path)
    if index and path.with_suffix(".raw").stat().st_size > READ_FOR_A_PLAN:
        _warn(name, path, index, reporter)
        return _image_set(name, path, index, split)
    if index:
        return load(plans, split, reporter)
    listed = _listed(plans)
    # Few bytes may become many: a small set is enlarged where images are larger than its own.
    pixels = int(np.prod(listed["shape"])) * sum(len(s["ids"]) for s in listed["splits"].values())
    if sum(p.source.size_bytes() for p in plans) <= READ_FOR_A_PLAN and pixels <= MADE_FOR_A_PLAN:
        return load(plans, split, reporter)
    return _image_set(name, path, listed, split, is_read=False)


def _opened(
    plans: Sequence[SourcePlan], wanted: Sequence[Split], reporter: Reporter
) -> tuple[str, Path, Index]:
    """Return name, path and content of the index, built if need be; tell its warnings once."""
    name, path = _place(plans)
    index = _read(path)
    if index and not all(_is_unchanged(path, index, split) for split in wanted):
        reporter.warn(f"{path.with_suffix('.raw')}: damaged since it was written; built again.")
        index = None
    if index is None:
        index = _build(plans, path, reporter)
    _warn(name, path, index, reporter)
    return name, path, index


def _warn(name: str, path: Path, index: Index, reporter: Reporter) -> None:
    if path not in _WARNED:  # several splits of one set are loaded
        _WARNED.add(path)
        for text in index["warnings"]:
            reporter.warn(f"{name}: {text}")


def _place(plans: Sequence[SourcePlan]) -> tuple[str, Path]:
    """Return the name of a set, and where its index is or will be."""
    name = "+".join(plan.name for plan in plans)
    return name, files.home() / "cache" / "data" / f"{_safe(name)}-{_key(plans)}.json"


def load_every(plans: Sequence[SourcePlan], reporter: Reporter) -> dict[Split, ImageSet]:
    """Return the splits that are not empty."""
    name, path, index = _opened(plans, SPLITS, reporter)
    full = [split for split in SPLITS if index["splits"][split]["ids"]]
    return {split: _image_set(name, path, index, split) for split in full}


def _key(plans: Sequence[SourcePlan]) -> str:
    facts: list[Any] = [VERSION]
    for plan in plans:
        settings = [*plan.settings, plan.split_map.pairs]
        facts.append([plan.name, plan.source.fingerprint(), asdict(plan.preparation), settings])
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


@dataclass(frozen=True)
class _Rows:
    """The images of all sources, split by split, before they are read."""

    listings: Sequence[Listing]
    rules: Sequence[str]
    """How each source is split."""
    rows: Sequence[MemberRow]
    ends: npt.NDArray[np.int64]
    """Where each split ends."""

    @property
    def remarks(self) -> list[str]:
        """What was made of folders, arrays and names."""
        return [text for listing in self.listings for text in listing.remarks]


def _rows_of(plans: Sequence[SourcePlan]) -> _Rows:
    """List all sources. UserError where there is nothing."""
    listings = [plan.source.listing() for plan in plans]
    assigned = [plan.assign(listing.members) for plan, listing in zip(plans, listings, strict=True)]
    rows: list[MemberRow] = [
        (plan, member)
        for split in SPLITS
        for plan, assignment in zip(plans, assigned, strict=True)
        for member in assignment.splits[split]
    ]
    ends = np.cumsum([sum(len(a.splits[split]) for a in assigned) for split in SPLITS])
    _check_said(plans, listings)
    if not rows:
        raise UserError(
            f"{_names(plans)}: no images found ({_looked_for(listings)}).", setting="data"
        )
    return _Rows(listings, [a.rule for a in assigned], rows, ends)


def _shape(plans: Sequence[SourcePlan]) -> tuple[int, int, int]:
    preparation = plans[0].preparation
    return preparation.channels, preparation.size, preparation.size


def _listed(plans: Sequence[SourcePlan]) -> Index:
    """Return the index of a set of which nothing is read."""
    listed, nothing = _rows_of(plans), Decoding(np.ones(0, bool), {})
    unread = replace(nothing, good=np.ones(len(listed.rows), bool))
    told = _index_of(listed.rows, listed.ends, unread, len(plans) > 1)
    for part in told["splits"].values():
        part["sha256"] = ""
    rules = [*_rules(plans, listed.rules, nothing, listed.listings), NOT_READ]
    return {"shape": _shape(plans), "rules": rules, "remarks": listed.remarks, **told}


def _build(plans: Sequence[SourcePlan], path: Path, reporter: Reporter) -> Index:
    listed, shape = _rows_of(plans), _shape(plans)
    rows, ends = listed.rows, listed.ends
    with files.replacing(path.with_suffix(".raw")) as temporary, temporary.open("r+b") as handle:
        with reporter.progress(f"reading {_names(plans)}", len(rows)) as advance:
            result = decode_all(rows, handle, int(np.prod(shape)), advance)
        check_skipped(rows, result)
        _close_gaps(handle, result.good, int(np.prod(shape)))
        told = _index_of(rows, ends, result, len(plans) > 1)
        rules = _rules(plans, listed.rules, result, listed.listings)
        remarks = listed.remarks + result.guesses
        warnings_ = [*doubts.doubles(plans), *doubts.found(rows, ends, result)]
        index = {"shape": shape, "rules": rules, "remarks": remarks, "warnings": warnings_, **told}
        _add_hashes(handle, index)
    files.write_text(path, json.dumps(index))
    return index


def _check_said(plans: Sequence[SourcePlan], listings: Sequence[Listing]) -> None:
    """Raise UserError for an entry of the split map that is about nothing here."""
    used = frozenset[str]().union(*(listing.used for listing in listings))
    unused = [name for plan in plans for name, _ in plan.split_map.pairs if name not in used]
    if unused:
        raise UserError(
            f"'{unused[0]}' is no folder, file or array of {_names(plans)}.", setting="split_map"
        )


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
    rows: Sequence[MemberRow], ends: npt.NDArray[np.int64], result: Decoding, several: bool
) -> Index:
    classes, number = _classes([member for _, member in rows], result.good)
    splits, start = {}, 0
    for split, end in zip(SPLITS, ends.tolist(), strict=True):
        kept = [rows[row] for row in range(start, end) if result.good[row]]
        splits[split] = {
            "ids": [f"{p.name}/{m.id}" if several else m.id for p, m in kept],
            "labels": [number(m) for _, m in kept] if classes else None,
        }
        start = end
    skipped = [result.skipped[row] for row in sorted(result.skipped)]
    return {"splits": splits, "classes": classes, "skipped": skipped}


def _classes(
    members: Sequence[Member], good: npt.NDArray[np.bool_]
) -> tuple[list[str], Callable[[Member], int | list[int]]]:
    """Return the names of classes, and what finds those of a picture among them.

    No names where not every picture has one. Of a table of labels a picture has any number of them.
    """
    kept = [member for member, is_good in zip(members, good, strict=True) if is_good]
    if all(member.labels is not None for member in kept):
        names = [*sorted({label for m in kept for label in m.labels or ()}), label_table.ANY]
        place = {name: i for i, name in enumerate(names)}

        def several(member: Member) -> list[int]:
            labels = [place[label] for label in member.labels or ()]
            return [*labels, len(names) - 1] if labels else []

        return names, several
    if any(member.label is None for member in kept):
        return [], lambda member: 0
    names = sorted({str(member.label) for member in members}, key=_natural)
    place = {name: i for i, name in enumerate(names)}
    return names, lambda member: place[str(member.label)]


def _labels(stored: list[Any] | None, classes: int) -> npt.NDArray[np.int64] | None:
    """Return labels as `ImageSet` has them, of those of an index."""
    if stored is None or not any(isinstance(one, list) for one in stored):
        return None if stored is None else np.array(stored, np.int64)
    labels = np.zeros((len(stored), classes), np.int64)
    for row, places in zip(labels, stored, strict=True):
        row[places] = 1
    return labels


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
    result: Decoding,
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
        sentences.append(f"{counted(len(odd), 'file')} left out: {_named(odd)}")
    return sentences


def _image_set(name: str, path: Path, index: Index, split: Split, is_read: bool = True) -> ImageSet:
    counts: dict[str, int] = {s: len(index["splits"][s]["ids"]) for s in SPLITS}
    part = index["splits"][split]
    if not counts[split]:
        there = ", ".join(f"{count} {s}" for s, count in counts.items() if count)
        raise UserError(
            f"{name} has no {split} images (there are {there}). Add some, or say with the setting "
            "split_map which they are.",
            setting="data",
        )
    size = int(np.prod(index["shape"]))
    offset = sum(counts[s] for s in SPLITS[: SPLITS.index(split)]) * size
    shape = (counts[split], *index["shape"])
    images: npt.NDArray[np.uint8] = (
        np.memmap(path.with_suffix(".raw"), np.uint8, "r", offset, shape)
        if is_read
        else np.broadcast_to(np.zeros((), np.uint8), shape)
    )
    return ImageSet(
        name=name,
        split=split,
        images=images,
        labels=_labels(part["labels"], len(index["classes"])),
        classes=tuple(index["classes"]),
        ids=tuple(part["ids"]),
        skipped=tuple((file, why) for file, why in index["skipped"]),
        counts=counts,
        rules=tuple(index["rules"]),
        remarks=tuple(index["remarks"]),
        sha256=part["sha256"],
    )


def _names(plans: Sequence[SourcePlan]) -> str:
    return " and ".join(plan.name for plan in plans)


def _looked_for(listings: Sequence[Listing]) -> str:
    odd = [text for listing in listings for text in listing.odd]
    others = counted(sum(listing.ignored for listing in listings) + len(odd), "other file")
    named = [others + (f", {_named(odd)}" if odd else "")]
    named += [text for listing in listings for text in listing.remarks]
    return "; ".join([*named, "looked for .png, .jpg, .webp, .tif and the like"])


def _named(texts: Sequence[str]) -> str:
    return ", ".join(texts[:NAMED_IN_FULL]) + (", ..." if len(texts) > NAMED_IN_FULL else "")


def _natural(name: str) -> tuple[int, int, str]:
    """Sort numbers by value, before words."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)
