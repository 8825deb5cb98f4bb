"""Sources made of sources: one under another name, several as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inpaint_cli.data.image_set import Split
from inpaint_cli.data.sources import Listing, Raw, Source
from inpaint_cli.data.splits import Member


@dataclass(frozen=True)
class RenamedSource:
    """A source under the name of the set that it holds."""

    name: str
    source: Source

    def fingerprint(self) -> list[Any]:
        return [self.name, *self.source.fingerprint()]

    def size_bytes(self) -> int:
        return self.source.size_bytes()

    def listing(self) -> Listing:
        return self.source.listing()

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        return self.source.read(members)


@dataclass(frozen=True)
class ConcatenatedSource:
    """Sources as one, each with the split of what has none; ids begin with the source's key."""

    name: str
    parts: Mapping[str, tuple[Source, Split | None]]

    def fingerprint(self) -> list[Any]:
        return [[key, split, *part.fingerprint()] for key, (part, split) in self.parts.items()]

    def size_bytes(self) -> int:
        return sum(part.size_bytes() for part, _ in self.parts.values())

    def listing(self) -> Listing:
        listings = [(key, part.listing(), split) for key, (part, split) in self.parts.items()]
        members = [  # found again by the number of the part: its key may hold any sign
            replace(m, key=f"{number}:{m.key}", id=f"{key}/{m.id}", split=m.split or split)
            for number, (key, listing, split) in enumerate(listings)
            for m in listing.members
        ]
        return Listing(
            members,
            sum(listing.ignored for _, listing, _ in listings),
            tuple(f"{key}/{text}" for key, listing, _ in listings for text in listing.odd),
            tuple(f"{key}: {text}" for key, listing, _ in listings for text in listing.remarks),
            frozenset().union(*(listing.used for _, listing, _ in listings)),
        )

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        wanted: dict[str, dict[str, Member]] = {}
        for member in members:
            number, _, inner = member.key.partition(":")
            wanted.setdefault(number, {})[inner] = member
        sources = [source for source, _ in self.parts.values()]
        for number, members_of in wanted.items():
            source = sources[int(number)]
            for member, raw in source.read(
                [replace(m, key=inner) for inner, m in members_of.items()]
            ):
                yield members_of[member.key], raw
