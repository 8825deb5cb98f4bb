"""What names of folders and arrays say: a split, or masks; and what a user says (`split_map`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal

from inpaint_cli.data.image_set import Split
from inpaint_cli.errors import UserError

SplitChoice = Split | Literal["ignore", "class"]
"""What a name is said to be: a split, left out, or a class in spite of its name."""

WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "trn": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "t10k": "test",
    "eval": "test",
    "evaluation": "test",
}
"""Words, in lower case, that are splits."""
ANY_WORD = re.compile("|".join(WORDS), re.IGNORECASE)
TOGETHER: dict[frozenset[Split], Split] = {
    frozenset(("train", "validation")): "train",
    frozenset(("test", "validation")): "test",
}
"""What a name says that says two: "train_val" is trained on, and "test-dev" is not."""
SHORT: dict[str, Split] = {"tr": "train", "va": "validation", "ts": "test", "te": "test"}
"""Short words, which mean a split beside the same name with another, as imagesTr beside imagesTs,
and where all names of a level are such words."""
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
    (
        *("ground", "semantic", "instance", "panoptic", "class", "object", "pixel", "binary"),
        *("fine", "coarse", *NEUTRAL),
    )
)
"""Folders named by words of `TRUTH`, and of these beside them, hold answers, not pictures."""
ENDINGS = frozenset(
    (
        *("truth", "groundtruth", "annotation", "annotations", "anno", "annos"),
        *("segmentation", "segmentations"),
    )
)
"""So do folders whose name ends in one of these, whatever else it says."""
PICTURES = frozenset(
    ("image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "input", "inputs")
)
"""Words for pictures: "set-image" beside "set-mask" tells what the latter is."""
GLUED_BEFORE = ("x", "y", *sorted(word for word in NEUTRAL if len(word) > len("px")))
"""What stands before a split word without a sign between, as in "Xtrain" and "minival"."""
MAPS = frozenset(
    (
        *("depth", "depths", "depthmap", "depthmaps", "disparity", "disparities", "disp"),
        *("normals", "flow", "flows", "edge", "edges", "contours", "trimap", "trimaps"),
        *("alpha", "alphas", "saliency", "ann", "anns"),
    )
)
"""Folders named by words of `MAPS` hold what belongs to pictures, where these stand beside them."""
COLOURS = frozenset(("rgb", "color", "colors", "colour", "colours", "frames"))
"""Words for pictures that stand beside such maps."""
GOOD = frozenset(("gt", "gts", "truth", "groundtruth", "hq", "hr"))
WORSE = frozenset(
    (
        *("lq", "lr", "lowres", "degraded", "blur", "blurred", "blurry", "noisy", "noise"),
        *("hazy", "haze", "rainy", "rain"),
    )
)
"""Folders named by words of `WORSE` hold worse copies of pictures in one named by `GOOD` beside."""
CHOICES: dict[str, SplitChoice] = {
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

    pairs: tuple[tuple[str, SplitChoice], ...] = ()

    @classmethod
    def parse(cls, text: str) -> SplitMap:
        """Read "train2017=train,extra=ignore". UserError for anything else.

        >>> SplitMap.parse("a/b = val, x=ignore").pairs
        (('a/b', 'validation'), ('x', 'ignore'))
        """
        pairs: dict[str, SplitChoice] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = (piece.strip() for piece in part.rpartition("="))
            if not equals or not name or value.lower() not in CHOICES:
                raise UserError(
                    f"expected NAME=SPLIT with commas between, SPLIT one of {', '.join(CHOICES)}; "
                    f"got '{part}'.",
                    setting="split_map",
                )
            choice = CHOICES[value.lower()]
            if pairs.setdefault(name.strip("/"), choice) != choice:
                raise UserError(f"says two things of '{name}'. Leave one out.", setting="split_map")
        return cls(tuple(pairs.items()))

    def key_of(self, path: Sequence[str]) -> str | None:
        """Return the entry about a folder or an array, if there is one: by path or by name."""
        if not self.pairs:
            return None
        names = dict(self.pairs)
        return next((key for key in ("/".join(path), path[-1]) if key in names), None)

    def of(self, path: Sequence[str]) -> SplitChoice | None:
        """Return what is said of a folder or an array, by its path within the source."""
        key = self.key_of(path)
        return None if key is None else dict(self.pairs)[key]

    def keys_of_file(self, path: Sequence[str]) -> list[str]:
        """Return the entries about a file: its name, its path, or a pattern of one with `*`."""
        whole, name = "/".join(path), path[-1]
        return [
            key
            for key, _ in self.pairs
            if key in (whole, name)
            or ("*" in key and fnmatchcase((whole if "/" in key else name).lower(), key.lower()))
        ]

    def of_file(self, path: Sequence[str]) -> SplitChoice | None:
        """Return what is said of a file, by its path within the source: the first entry counts."""
        keys = self.keys_of_file(path) if self.pairs else []
        return dict(self.pairs)[keys[0]] if keys else None


NO_SPLIT_MAP = SplitMap()


@dataclass(frozen=True)
class NameWord:
    """The split word at an end of a file's name."""

    word: str
    is_first: bool
    """Whether the name begins with it."""
    rest: tuple[str, ...]
    """The other words: what names of one set have in common."""


def split_word(word: str) -> str | None:
    """Return the split word that one word is, also with "set", "data" and the like glued on.

    >>> split_word("tst"), split_word("TrainSet"), split_word("xtrain"), split_word("trains")
    ('tst', 'train', 'train', None)
    """
    return _parted(word)[0]


@cache
def _parted(word: str) -> tuple[str | None, str]:
    """Return the split word in one word, and what is left of it: "trainset" is train and set."""
    lower = word.lower()
    if lower in WORDS:
        return lower, ""
    for other in sorted(NEUTRAL):
        if lower.endswith(other) and lower.removesuffix(other) in WORDS:
            return lower.removesuffix(other), other
    for other in GLUED_BEFORE:
        if lower.startswith(other) and lower.removeprefix(other) in WORDS:
            return lower.removeprefix(other), other
    return None, lower


def split_of(name: str) -> Split | None:
    """Return the split that a name says; None where it says none, or train and test.

    >>> [split_of(n) for n in ("train_data_batch_1", "x_t10k", "val2017", "testA", "images")]
    ['train', 'test', 'validation', 'test', None]
    >>> split_of("train_val"), split_of("test-dev2017"), split_of("train_test")
    ('train', 'test', None)
    """
    splits = {WORDS[word] for word in map(split_word, _tokens(name)) if word}
    return splits.pop() if len(splits) == 1 else TOGETHER.get(frozenset(splits))


def splits_of(names: Collection[str]) -> dict[str, Split]:
    """Return the splits that names of one level say; "eval" is validation where another is test.

    >>> splits_of(["train", "eval"]), splits_of(["train", "eval_2", "test"])["eval_2"]
    ({'train': 'train', 'eval': 'test'}, 'validation')
    """
    splits = {name: split for name in names if (split := split_of(name))}
    evaluated = {name for name in splits if {*map(split_word, _tokens(name))} & {*EVALUATION}}
    if any(split == "test" for name, split in splits.items() if name not in evaluated):
        splits |= dict.fromkeys(evaluated, WORDS["val"])
    return _short_ones(names) | splits


def _short_ones(names: Collection[str]) -> dict[str, Split]:
    """Return the splits that short words at the end of names say, which are alike otherwise.

    >>> _short_ones(["tr", "va", "te"])["va"], _short_ones(["tr", "te", "en"])
    ('validation', {})
    """
    bare = {name: SHORT[name.lower()] for name in names if name.lower() in SHORT}
    if len(bare) == len(names) and len(set(bare.values())) > 1:
        return bare
    alike: dict[tuple[str, ...], dict[str, Split]] = {}
    for name in names:
        *rest, last = _tokens(name) or [""]
        if rest and last in SHORT:
            alike.setdefault(tuple(rest), {})[name] = SHORT[last]
    groups = (group for group in alike.values() if len(set(group.values())) > 1)
    return {name: split for group in groups for name, split in group.items()}


def word_at_an_end(stem: str) -> NameWord | None:
    """Return the split word that begins or ends the name of a file, if it says more than that.

    Numbers, and words such as "img", do not count as ends.

    >>> [word_at_an_end(n).word for n in ("train_001", "img_7_test", "COCO_val2014_000000042")]
    ['train', 'test', 'val']
    >>> [word_at_an_end(n) for n in ("test", "the_test_of_time", "train_val_1", "trains-2")]
    [None, None, None, None]
    """
    if not ANY_WORD.search(stem):  # nearly every name of a large set
        return None
    pieces = _tokens(stem)
    words = [piece for piece in pieces if not piece.isdecimal() and piece not in NEUTRAL]
    split_words = [word for word in words if split_word(word)]
    if len(pieces) < 2 or len(split_words) != 1 or split_words[0] not in (words[0], words[-1]):
        return None
    rest = tuple(piece for piece in pieces if piece != split_words[0] and not piece.isdecimal())
    word = str(split_word(split_words[0]))
    return NameWord(word, stem.lower().startswith(word), rest)


def is_plain(name: str) -> bool:
    """Return whether a name says a split and no more than years, sizes and the like.

    >>> is_plain("val_256"), is_plain("test_set"), is_plain("test_tube")
    (True, True, False)
    """
    others = [piece for piece in _tokens(name) if split_word(piece) is None]
    return all(piece.isdecimal() or piece in NEUTRAL for piece in others)


def without_splits(name: str) -> str:
    """Return the name of an array without the words that say its split.

    >>> [without_splits(name) for name in ("x_t10k", "train_images", "arr_0", "trainY", "Xtest")]
    ['x', 'images', 'arr_0', 'y', 'x']
    """
    left = (_parted(piece)[1] for piece in _tokens(name))
    return "_".join(word for word in left if word not in ("", "set"))


def is_truth(name: str, beside: Collection[str] = ()) -> bool:
    """Return whether a folder of this name, beside others, holds no pictures to train on.

    They are masks, annotations, or worse copies of the pictures in another.

    >>> is_truth("ground_truth"), is_truth("train_masks"), is_truth("gtFine")
    (True, True, True)
    >>> is_truth("gas_mask"), is_truth("a-mask", ["a-image"]), is_truth("gas_mask", ["gas"])
    (False, True, False)
    >>> is_truth("depth", ["rgb"]), is_truth("depth", ["width"])
    (True, False)
    >>> is_truth("GT", ["LQ"]), is_truth("LQ", ["GT"]), is_truth("GT", ["input"])
    (False, True, True)
    """
    words = _content(name)
    if is_worse(name) and any(_is_worse_of(words, _content(other)) for other in beside):
        return True
    if any(_is_worse_of(_content(other), words) for other in beside):
        return False
    if not TRUTH & {*words}:
        return _is_map(words, beside)
    if {*words} <= TRUTH | BESIDE_TRUTH or words[-1] in ENDINGS:
        return True
    others = {frozenset(_content(other)) for other in beside}
    rest = {*words} - TRUTH
    return any(other & PICTURES and other - PICTURES == rest for other in others)


def is_worse(name: str) -> bool:
    """Return whether a name says worse copies of pictures: "LQ", "train_blur"."""
    return bool(WORSE & {*_content(name)})


def _is_worse_of(words: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether names of these words are alike, but for WORSE in one and GOOD in the other."""
    worse, good = {*words}, {*others}
    return bool(worse & WORSE and good & GOOD) and good - GOOD <= worse - WORSE


def _is_map(words: Sequence[str], beside: Collection[str]) -> bool:
    """Return whether a folder of these words holds maps of the pictures in one beside it."""
    if not MAPS & {*words} or not {*words} <= MAPS | BESIDE_TRUTH | {"map", "maps"}:
        return False
    pictures = PICTURES | COLOURS
    others = ({*_content(other)} for other in beside)
    return any(other & pictures and other <= pictures | NEUTRAL for other in others)


@cache
def _content(name: str) -> tuple[str, ...]:
    """Return the words of a name without numbers and splits."""
    return tuple(t for t in _tokens(name) if not t.isdecimal() and split_word(t) is None)


def _tokens(name: str) -> list[str]:
    """Return the words and numbers of a name, in lower case: "trainA_256" has three."""
    pieces = re.findall(r"(?i:t10k)|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name)
    return [piece.lower() for piece in pieces]
