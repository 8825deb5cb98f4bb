"""Which image belongs to train, validation or test: as its source says, else by a hash of its name.

The hash looks at a fixed seed and the name alone, so that an image stays in its split whatever else
is added to the source, in whatever order the files come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from inpaint_cli.data.image_set import SPLITS, Split
from inpaint_cli.randomness import tag_of

TEST_SHARE = 0.05
VALIDATION_SHARE = 0.05
VALIDATION_MOST = 1000
SEED = 0


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a source, not read yet."""

    key: str
    """How the source finds it again."""
    id: str
    split: Split | None = None
    label: str | None = None
    labels: tuple[str, ...] | None = None
    """Those of a table of labels; None where none has a row for it."""


@dataclass(frozen=True)
class Assignment:
    """The images of each split, by id, and the sentence that says how they were split."""

    splits: dict[Split, list[Member]]
    rule: str


def divide(
    members: Sequence[Member],
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
        splits["train"], splits["test"] = _part(splits["train"], "test", TEST_SHARE)
        rule = f"test is a part of train chosen by file name (5 %, seed {SEED})"
    if not splits["validation"]:
        splits["train"], splits["validation"] = _part(
            splits["train"], "validation", VALIDATION_SHARE, VALIDATION_MOST
        )
        rule += (
            f"; validation is a part of train chosen by file name (5 %, at most 1000, seed {SEED})"
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
    members: Sequence[Member], tag: str, share: float, most: int | None = None
) -> tuple[list[Member], list[Member]]:
    """Part `members` into the rest and the chosen; one is chosen at least, if one stays."""
    hashes = {
        m.id: tag_of(f"{tag} {SEED} {m.id}".encode(errors="surrogateescape")) for m in members
    }
    ranked = sorted(members, key=lambda member: (hashes[member.id], member.id))
    count = sum(value < share * 2**64 for value in hashes.values())
    count = min(max(count, 1), most or len(ranked), max(len(ranked) - 1, 0))
    return ranked[count:], ranked[:count]
