"""Splits from the names of files, where no folder is one: train_001.png beside test_001.png."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from inpaint_cli.data.image_set import SPLITS, Split, counted
from inpaint_cli.data.split_words import (
    GOOD,
    PICTURES,
    TRUTH,
    NameWord,
    SplitChoice,
    splits_of,
    word_at_an_end,
)
from inpaint_cli.errors import UserError

Path = tuple[str, ...]
LEAST_OF_A_SPLIT = 2
"""One file alone may be called "test_1.png" for any reason."""
LARGE_PART = 0.25
"""Names that are alike but for their split are meant as splits from this share of all files on."""
NEARLY_ALL = 0.9
"""The same for names that share nothing but the words, such as a word and a hash."""
FEW = 10
"""Fewer files than these share their words by chance."""
WORTH_A_REMARK = 5
MASK_NAME = re.compile(r"(.+)([-_. ])([a-z]+)")
"""What a mask is of, a sign, and a word for masks."""
NAMED = 3
"""So many files are named in a refusal; the others are counted."""


@dataclass(frozen=True)
class Named:
    """What the names of files say."""

    splits: dict[str, Split]
    """Key -> split; empty where names say none."""
    remarks: tuple[str, ...] = ()


NOTHING = Named({})


def read(files: Mapping[str, Path], given: Mapping[str, SplitChoice]) -> Named:
    """Return the splits that the names of `files`, which lie in no folder that is one, say.

    given: key -> what a user says of a file. UserError where many of the names say a split, and
    others none.
    """
    given = {key: choice for key, choice in given.items() if key in files}
    told: dict[str, Split] = {k: choice for k, choice in given.items() if choice in SPLITS}
    words = {
        key: word
        for key, path in files.items()
        if key not in given and (word := word_at_an_end(PurePosixPath(path[-1]).stem))
    }
    split_of_word = splits_of({word.word for word in words.values()})
    named = {key: split_of_word[word.word] for key, word in words.items()}
    if not _are_meant(words, named, len(files) - len(given)):
        if not told:
            return Named({}, tuple(_doubts(words, named, len(files))))
        named = {}
    counts = sorted(Counter((_shown(words[key]), split) for key, split in named.items()).items())
    meanings = [f"{name} is {split} ({count})" for (name, split), count in counts]
    meanings += [f"{split} as said ({count})" for split, count in Counter(told.values()).items()]
    left = [files[key][-1] for key in files if key not in named and key not in given]
    if left:
        raise _in_part(meanings, left, [f"{name}={split}" for (name, split), _ in counts])
    return Named({**named, **told}, (f"file names: {', '.join(meanings)}",))


def masks(files: Mapping[str, Path]) -> dict[str, str]:
    """Return key -> name of the files that are masks of another beside them: cat_mask of cat."""
    places = {key: (*path[:-1], _stem(path)) for key, path in files.items()}
    named = {
        key: (match[1], match[2])
        for key, place in places.items()
        if (match := MASK_NAME.fullmatch(place[-1])) and match[3] in TRUTH - GOOD
    }
    there = set(places.values()) if named else set()
    return {
        key: files[key][-1]
        for key, (of, sign) in named.items()
        if any(
            (*places[key][:-1], other) in there
            for other in (of, *(f"{of}{sign}{picture}" for picture in PICTURES))
        )
    }


def _stem(path: Path) -> str:
    return PurePosixPath(path[-1]).stem.lower()


def _are_meant(words: Mapping[str, NameWord], named: Mapping[str, Split], files: int) -> bool:
    """Return whether the words in names are splits: two at least, in names that are alike."""
    if _several(named) and len(named) >= max(FEW, NEARLY_ALL * files):
        return True
    alike: dict[tuple[str, ...], dict[str, Split]] = {}
    for key, word in words.items():
        alike.setdefault(word.rest, {})[key] = named[key]
    regular = {
        key: split for group in alike.values() if _several(group) for key, split in group.items()
    }
    return bool(regular) and len(regular) >= LARGE_PART * files


def _several(named: Mapping[str, Split]) -> bool:
    counts = Counter(named.values())
    return sum(count >= LEAST_OF_A_SPLIT for count in counts.values()) > 1


def _doubts(words: Mapping[str, NameWord], named: Mapping[str, Split], files: int) -> Iterator[str]:
    """Yield what is not taken for a split, though names say one of what is to be held out."""
    for split, count in sorted(Counter(named.values()).items()):
        if split == "train" or not WORTH_A_REMARK <= count < files:
            continue
        pattern = min(_shown(words[key]) for key in named if named[key] == split)
        yield (
            f"{counted(count, 'file name')} with the word of a split, as {pattern}, "
            f"are not taken for {split}; a split map ({pattern}={split}) says so"
        )


def _shown(word: NameWord) -> str:
    """Return names with a split word as a pattern: "test*"."""
    return f"{word.word}*" if word.is_first else f"*{word.word}*"


def _in_part(meanings: Sequence[str], left: Sequence[str], entries: Sequence[str]) -> UserError:
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return UserError(
        f"the names of some files say their split ({', '.join(meanings)}), those of {len(left)} do "
        f"not: {', '.join(sorted(left)[:NAMED])}{more}. Say what they are by patterns, the first "
        f"that fits counts, such as '{','.join([*entries, '*=ignore'])}'; '*=class' if names mean "
        "no splits.",
        setting="split_map",
    )
