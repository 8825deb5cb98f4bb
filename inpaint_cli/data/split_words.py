"""What names of folders and arrays say: a split, or masks; and what a user says (`split_map`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from inpaint_cli.data.image_set import Split
from inpaint_cli.errors import UserError

Choice = Split | Literal["ignore", "class"]
"""What a name is said to be: a split, left out, or a class in spite of its name."""

WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "t10k": "test",
    "eval": "test",
    "evaluation": "test",
}
"""Words, in lower case, that are splits."""
EVALUATION = ("eval", "evaluation")
"""Words for the test split, or for validation where another name says test."""
NEUTRAL = frozenset(
    (
        *("set", "sets", "data", "dataset", "split", "dir", "folder", "part", "batch", "full"),
        *("image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pics"),
        *("jpg", "jpeg", "png", "raw", "clean", "original", "orig", "resized", "crop", "cropped"),
        *("a", "b", "x", "y", "hr", "lr", "px", "large", "small", "standard", "challenge", "mini"),
    )
)
"""Words beside a split's that do not make its name one of a thing, as in "test_tube"."""
TRUTH = frozenset(
    (
        *("truth", "groundtruth", "gt", "gts", "mask", "masks", "matte", "mattes"),
        *("annotation", "annotations", "anno", "annos", "annot", "annots"),
        *("segmentation", "segmentations", "seg", "segs", "label", "labels", "labelmap"),
    )
)
BESIDE_TRUTH = frozenset(
    ("ground", "semantic", "instance", "panoptic", "class", "object", "pixel", "binary", *NEUTRAL)
)
"""Folders named by words of `TRUTH`, and of these beside them, hold answers, not pictures."""
CHOICES: dict[str, Choice] = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
    "ignore": "ignore",
    "class": "class",
}
"""The values of a split map."""


@dataclass(frozen=True)
class SplitMap:
    """What a user says of folders and arrays, by name or by path within the source."""

    pairs: tuple[tuple[str, Choice], ...] = ()

    @classmethod
    def parse(cls, text: str) -> SplitMap:
        """Read "train2017=train,extra=ignore". UserError for anything else.

        >>> SplitMap.parse("a/b = val, x=ignore").pairs
        (('a/b', 'validation'), ('x', 'ignore'))
        """
        pairs: dict[str, Choice] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = (piece.strip() for piece in part.rpartition("="))
            if not equals or not name or value.lower() not in CHOICES:
                raise UserError(
                    f"expected NAME=SPLIT with commas between, SPLIT one of {', '.join(CHOICES)}; "
                    f"got '{part}'.",
                    setting="split_map",
                )
            pairs[name.strip("/")] = CHOICES[value.lower()]
        return cls(tuple(pairs.items()))

    def key_of(self, path: Sequence[str]) -> str | None:
        """Return the entry about a folder or an array, if there is one: by path or by name."""
        if not self.pairs:
            return None
        names = dict(self.pairs)
        return next((key for key in ("/".join(path), path[-1]) if key in names), None)

    def of(self, path: Sequence[str]) -> Choice | None:
        """Return what is said of a folder or an array, by its path within the source."""
        key = self.key_of(path)
        return None if key is None else dict(self.pairs)[key]


NOTHING_SAID = SplitMap()


def split_word(word: str) -> str | None:
    """Return the split word that one word is, also with "set", "data" and the like glued on.

    >>> split_word("val"), split_word("TrainSet"), split_word("trains")
    ('val', 'train', None)
    """
    lower = word.lower()
    glued = next((lower.removesuffix(e) for e in sorted(NEUTRAL) if lower.endswith(e)), lower)
    return next((each for each in (lower, glued) if each in WORDS), None)


def split_of(name: str) -> Split | None:
    """Return the split that a name says; None where it says none, or two.

    >>> [split_of(n) for n in ("train_data_batch_1", "x_t10k", "val2017", "testA", "images")]
    ['train', 'test', 'validation', 'test', None]
    >>> split_of("train_val")
    """
    found = {WORDS[word] for word in map(split_word, _tokens(name)) if word}
    return found.pop() if len(found) == 1 else None


def splits_of(names: Collection[str]) -> dict[str, Split]:
    """Return the splits that names of one level say; "eval" is validation where another is test.

    >>> splits_of(["train", "eval"]), splits_of(["train", "eval_2", "test"])["eval_2"]
    ({'train': 'train', 'eval': 'test'}, 'validation')
    """
    found = {name: split for name in names if (split := split_of(name))}
    evaluated = {name for name in found if {*map(split_word, _tokens(name))} & {*EVALUATION}}
    if any(split == "test" for name, split in found.items() if name not in evaluated):
        found |= dict.fromkeys(evaluated, WORDS["val"])
    return found


def is_plain(name: str) -> bool:
    """Return whether a name says a split and no more than years, sizes and the like.

    >>> is_plain("val_256"), is_plain("test_set"), is_plain("test_tube")
    (True, True, False)
    """
    others = [token for token in _tokens(name) if split_word(token) is None]
    return all(token.isdecimal() or token in NEUTRAL for token in others)


def without_splits(name: str) -> str:
    """Return the name of an array without the words that say its split.

    >>> without_splits("x_t10k"), without_splits("train_images"), without_splits("arr_0")
    ('x', 'images', 'arr_0')
    """
    words = re.split(r"[_\-.]", name.lower())
    return "_".join(word for word in words if split_word(word) is None)


@cache
def is_truth(name: str) -> bool:
    """Return whether a folder of this name holds masks or annotations.

    >>> is_truth("ground_truth"), is_truth("train_masks"), is_truth("SegmentationClass")
    (True, True, True)
    >>> is_truth("gas_mask"), is_truth("images")
    (False, False)
    """
    tokens = [t for t in _tokens(name) if not t.isdecimal() and split_word(t) is None]
    return bool(TRUTH & {*tokens}) and {*tokens} <= TRUTH | BESIDE_TRUTH


def _tokens(name: str) -> list[str]:
    """Return the words and numbers of a name, in lower case: "trainA_256" has three."""
    found = re.findall(r"(?i:t10k)|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name)
    return [token.lower() for token in found]
