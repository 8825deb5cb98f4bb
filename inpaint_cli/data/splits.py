"""Which image belongs to train, validation or test: by folder, else by a hash of its name.

The hash looks at the seed and the name alone, so that an image stays in its split whatever else
is added to the source, in whatever order the files come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from inpaint_cli.data.image_set import SPLITS, Split
from inpaint_cli.randomness import tag_of

TEST_SHARE = 0.05
VALIDATION_SHARE = 0.05
VALIDATION_MOST = 1000
FOLDERS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Folder names, in lower case, that are splits."""


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a source, not read yet."""

    key: str
    """How the source finds it again."""
    id: str
    split: Split | None = None
    label: str | None = None


@dataclass(frozen=True)
class Assignment:
    """The images of each split, by id, and the sentence that says how they were split."""

    splits: dict[Split, list[Member]]
    rule: str


def assign_splits(keys: Sequence[str], unwrap: bool) -> tuple[list[Member], int]:
    """Read splits and classes from the folders in `keys`; also count what lies beside train/.

    `unwrap` drops one folder around everything from the ids, as packing a folder adds one.
    """
    parts = [PurePosixPath(key.replace("\\", "/")).parts for key in keys]
    around = _shared_folders(parts)
    dropped = min(around, 1) if unwrap else 0
    members = [
        _member(key, part[dropped:], part[around:]) for key, part in zip(keys, parts, strict=True)
    ]
    if any(member.split == "train" for member in members):
        inside = [member for member in members if member.split]
        return inside, len(members) - len(inside)
    if any(member.split for member in members):
        members = [member if member.split else replace(member, split="train") for member in members]
    return members, 0


def divide(
    members: Sequence[Member],
    seed: int,
    official: Callable[[str], Split | None] | None = None,
    validation_is_test: bool = False,
) -> Assignment:
    """Give every image its split.

    Folders decide; without them `official`, a rule from id to split, where it fills both train and
    test; else the seeded hash. A missing validation split is a seeded part of train.
    """
    if validation_is_test and not any(member.split == "test" for member in members):
        members = [replace(m, split="test") if m.split == "validation" else m for m in members]
    splits, rule = _given(members, official)
    if not splits["test"] and (splits["train"] or not splits["validation"]):
        splits["train"], splits["test"] = _part(splits["train"], seed, "test", TEST_SHARE)
        rule = f"test is a part of train chosen by file name (5 %, seed {seed})"
    if not splits["validation"]:
        splits["train"], splits["validation"] = _part(
            splits["train"], seed, "validation", VALIDATION_SHARE, VALIDATION_MOST
        )
        rule += (
            f"; validation is a part of train chosen by file name (5 %, at most 1000, seed {seed})"
        )
    return Assignment(
        {name: sorted(part, key=lambda member: member.id) for name, part in splits.items()},
        f"splits: {rule}",
    )


def _given(
    members: Sequence[Member], official: Callable[[str], Split | None] | None
) -> tuple[dict[Split, list[Member]], str]:
    rule = "the source's own"
    if official and not any(member.split for member in members):
        ruled = [replace(member, split=official(member.id)) for member in members]
        if {"train", "test"} <= {member.split for member in ruled}:
            members, rule = ruled, "the official ones"
    splits: dict[Split, list[Member]] = {name: [] for name in SPLITS}
    for member in members:
        splits[member.split or "train"].append(member)
    return splits, rule


def _part(
    members: Sequence[Member], seed: int, tag: str, share: float, most: int | None = None
) -> tuple[list[Member], list[Member]]:
    """Part `members` into the rest and the chosen; one is chosen at least, if one stays."""
    hashes = {
        m.id: tag_of(f"{tag} {seed} {m.id}".encode(errors="surrogateescape")) for m in members
    }
    ranked = sorted(members, key=lambda member: (hashes[member.id], member.id))
    count = sum(value < share * 2**64 for value in hashes.values())
    count = min(max(count, 1), most or len(ranked), max(len(ranked) - 1, 0))
    return ranked[count:], ranked[:count]


def _shared_folders(parts: Sequence[tuple[str, ...]]) -> int:
    """Count the folders around all files that are not splits."""
    shortest = min((len(part) for part in parts), default=1) - 1
    for depth in range(shortest):
        names = {part[depth].lower() for part in parts}
        if len(names) > 1 or names <= FOLDERS.keys():
            return depth
    return shortest


def _member(key: str, id_parts: tuple[str, ...], parts: tuple[str, ...]) -> Member:
    split = FOLDERS.get(parts[0].lower()) if len(parts) > 1 else None
    folders = parts[1 if split else 0 : -1]
    return Member(key, "/".join(id_parts), split, folders[0] if folders else None)
