"""Images that come as arrays: npz files, the digits of scikit-learn, what torchvision loaded."""

from __future__ import annotations

import gzip
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.archives import RATIO_OF_ARRAYS, Npy, open_zip
from inpaint_cli.data.image_set import SPLITS, Split, counted
from inpaint_cli.data.sources import Listing, PackedFile, Raw
from inpaint_cli.data.split_words import splits_of, without_splits
from inpaint_cli.data.splits import Member
from inpaint_cli.errors import UserError

Array = npt.NDArray[Any]
IMAGE_KEYS = ("images", "image", "imgs", "x", "data", "arr_0", "")
CHANNELS = (1, 3, 4)
LABEL_KEYS = ("labels", "label", "y")
CHUNK_BYTES = 1 << 24
LARGEST_COLUMNS_BYTES = 1 << 30
"""An array in Fortran order has its images interleaved, so all of it is read at once."""
FEW_IMAGES = 4096
"""So many may be packed into fewer bytes than images, as blank ones are."""


@dataclass(frozen=True)
class ArrayPart:
    """Some images of one split: where their array is, and their classes."""

    key: str
    split: Split | None
    labels: Array | None
    count: int


@dataclass(frozen=True)
class Arrays:
    """Images that `load` gives, once they are needed: split (None: not split) -> images, labels.

    Images are [N, H, W] or [N, H, W, C]; `version` changes when they do.
    """

    name: str
    version: str
    load: Callable[[], Mapping[Split | None, tuple[Array, Array | None]]]
    counts: Mapping[Split, int] = field(default_factory=dict)
    """How many images without classes there will be, where that is known before."""
    image_bytes: int = 0
    """The same of the bytes of an image."""

    @cached_property
    def _parts(self) -> Mapping[Split | None, tuple[Array, Array | None]]:
        return self.load()

    def fingerprint(self) -> list[Any]:
        return ["arrays", self.name, self.version]

    def size_bytes(self) -> int:
        if self.counts:
            return self.image_bytes * sum(self.counts.values())
        return sum(images.nbytes for images, _ in self._parts.values())

    def listing(self) -> Listing:
        if self.counts:
            parts = [ArrayPart(split, split, None, n) for split, n in self.counts.items()]
        else:
            loaded = self._parts.items()
            parts = [ArrayPart(s or "", s, labels, len(a)) for s, (a, labels) in loaded]
        return Listing([member for part in parts for member in _members(part)])

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        arrays: dict[str, Array] = {
            split or "": images for split, (images, _) in self._parts.items()
        }
        for member in members:
            part, index = _place(member)
            yield member, arrays[part][index]


@dataclass(frozen=True)
class Npz(PackedFile):
    """Arrays of images in an npz file, read a few at a time and never unpickled.

    Keys: images and labels, alone or with a split before or after (`train_images`, `x_t10k`), or
    as `split_map` says; images may be [N, H, W], [N, H, W, C], [N, C, H, W], or flat [N, 3*H*H].
    """

    kind = "npz"

    def listing(self) -> Listing:
        members = [member for part in self._parts for member in _members(part)]
        used = frozenset(key for name in self._names if (key := self.split_map.key_of([name])))
        return Listing(members, remarks=tuple(self._remarks()), used=used)

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        wanted: dict[str, dict[int, Member]] = {}
        for member in members:
            part, index = _place(member)
            wanted.setdefault(part, {})[index] = member
        with open_zip(self.path, RATIO_OF_ARRAYS) as archive:
            for key, indices in wanted.items():
                for index, image in self._images(archive, key):
                    if index in indices:
                        yield indices[index], image

    @cached_property
    def _names(self) -> list[str]:
        """The arrays of the file."""
        with open_zip(self.path, RATIO_OF_ARRAYS) as archive:
            names = dict.fromkeys(archive.namelist())
        return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]

    @cached_property
    def _chosen(self) -> tuple[dict[Split | None, str], dict[Split | None, str]]:
        """Split -> the array of its images; split -> that of its labels."""
        choices = {name: self.split_map.of([name]) for name in self._names}
        given = {name: choice for name, choice in choices.items() if choice in SPLITS}
        open_ones = [name for name in self._names if choices[name] is None]
        splits: dict[str, Split] = {**splits_of(open_ones), **given}
        images, labels = dict[Split | None, str](), dict[Split | None, str]()
        for name in self._names:
            role = without_splits(PurePosixPath(name).name)
            if role in LABEL_KEYS:
                labels.setdefault(splits.get(name), name)
            elif name in given or (choices[name] is None and role in IMAGE_KEYS):
                first = images.setdefault(splits.get(name), name)
                if first != name:
                    raise self._ambiguous(first, name, splits.get(name))
        return images, labels

    @cached_property
    def _parts(self) -> list[ArrayPart]:
        images, labels = self._chosen
        if not images:
            raise UserError(
                f"{self.path} holds {', '.join(self._names) or 'no arrays'}; expected images and "
                "labels, or train_images, train_labels, test_images and so on. Say which are the "
                "images with the setting split_map, such as 'NAME=train'.",
                setting="data",
            )
        with open_zip(self.path, RATIO_OF_ARRAYS) as archive:
            parts = [
                self._part(archive, split, name, labels.get(split))
                for split, name in images.items()
            ]
        if not any(part.count for part in parts):
            raise UserError(
                f"{self.path}: no images in {', '.join(images.values())}.", setting="data"
            )
        return parts

    def _ambiguous(self, first: str, second: str, split: Split | None) -> UserError:
        whose = f"the {split} images" if split else "the images"
        return UserError(
            f"{self.path}: {first} and {second} could both be {whose}. Say which, such as "
            f"'{second}=ignore'.",
            setting="split_map",
        )

    def _remarks(self) -> Iterator[str]:
        """Yield what was made of the arrays."""
        images, labels = self._chosen
        counts = {part.key: part.count for part in self._parts}
        if None not in images or len(images) > 1:
            roles = ", ".join(
                f"{name} is {split or 'train'} ({counts[name]})" for split, name in images.items()
            )
            yield f"arrays: {roles}"
        used = {*images.values(), *(labels[split] for split in images if split in labels)}
        left_out = [name for name in self._names if name not in used]
        if left_out:
            yield f"arrays left out: {', '.join(left_out)}"
        for part in self._parts:
            missing = 0 if part.labels is None else int(_is_missing(part.labels).sum())
            if missing:
                yield (
                    f"{counted(missing, 'label')} of {part.key} are no values (NaN, NaT, infinite "
                    "or empty), so there are no classes"
                )

    def _part(
        self, archive: zipfile.ZipFile, split: Split | None, name: str, labels: str | None
    ) -> ArrayPart:
        with Npy(archive, name) as array:
            self._check(array)
            count = array.shape[0]
        numbers = None
        if labels:
            with Npy(archive, labels) as array:
                if len(array.shape) > 1 and math.prod(array.shape) != count:
                    raise UserError(
                        f"{self.path}: {labels} is {list(array.shape)}; expected one label for "
                        f"each of {count} images, such as the argmax of one-hot ones.",
                        setting="data",
                    )
                numbers = array.values().reshape(-1)
            if len(numbers) != count:
                raise UserError(
                    f"{self.path}: {name} has {count} images, {labels} {len(numbers)}.",
                    setting="data",
                )
        return ArrayPart(name, split, numbers, count)

    def _check(self, array: Npy) -> None:
        """Raise UserError where an array holds no images."""
        shape, dtype = array.shape, array.dtype
        if dtype.kind not in "uifb" or len(shape) not in (2, 3, 4):
            raise UserError(
                f"{self.path}: {array.name} is {dtype} {list(shape)}; expected uint8 [N, H, W] or "
                "[N, H, W, C].",
                setting="data",
            )
        if 0 in shape[1:]:
            raise UserError(
                f"{self.path}: {array.name} is {dtype} {list(shape)}: images without a pixel.",
                setting="data",
            )
        # One object is made of each, long before a byte of them is read.
        if shape[0] > max(array.packed, FEW_IMAGES):
            raise UserError(
                f"{self.path}: {array.name} is {list(shape)} in {array.packed} bytes: more images "
                "than these can hold.",
                setting="data",
            )

    def _images(self, archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, Array]]:
        with Npy(archive, name) as array:
            self._check(array)
            if array.fortran:
                for index, image in enumerate(self._of_columns(array)):
                    yield index, self._upright(image, name)
                return
            each = math.prod(array.shape[1:]) * array.dtype.itemsize
            rows = max(1, CHUNK_BYTES // max(each, 1))
            for start in range(0, array.shape[0], rows):
                chunk = array.rows(start, min(rows, array.shape[0] - start))
                for offset, image in enumerate(chunk):
                    yield start + offset, self._upright(image, name)

    def _of_columns(self, array: Npy) -> Array:
        """Return an array in Fortran order, which has to be in memory as a whole."""
        if array.size > LARGEST_COLUMNS_BYTES:
            raise UserError(
                f"{self.path}: {array.name} is in Fortran order, which takes {array.size >> 20} "
                "MiB of memory. Save numpy.ascontiguousarray of it.",
                setting="data",
            )
        return array.values()

    def _upright(self, image: Array, name: str) -> Array:
        """Return [H, W] or [H, W, C] of an image that may be flat or channels first."""
        if image.ndim == 1:
            for channels in (3, 1):
                side = round((image.size / channels) ** 0.5)
                if channels * side * side == image.size:
                    image = image.reshape(channels, side, side)
                    break
        if image.ndim == 3 and _has_channels_first(*image.shape):
            image = image.transpose(1, 2, 0)
        if image.ndim == 2 or (image.ndim == 3 and image.shape[2] in CHANNELS):
            return image
        raise UserError(
            f"{self.path}: {name} holds {list(image.shape)}, no image; expected [N, H, W], or "
            "[N, H, W, C] or [N, C, H, W] of 1, 3 or 4 channels.",
            setting="data",
        )


def digits() -> Arrays:
    """Return the 1797 digits of 8x8 pixels that scikit-learn carries; 0..16 becomes 0..255."""

    def load() -> Mapping[Split | None, tuple[Array, Array | None]]:
        table = _table_of_digits()
        images = table[:, :-1].reshape(-1, 8, 8)
        pixels = np.floor(images * 255 / 16 + 0.5).astype(np.uint8)
        return {None: (pixels, table[:, -1].astype(np.int64))}

    return Arrays("digits", "1", load)


def _table_of_digits() -> Array:
    """Return the rows of scikit-learn's file: 64 pixels from 0 to 16, and the digit."""
    package = find_spec("sklearn")
    path = Path((package and package.origin) or "").parent / "datasets/data/digits.csv.gz"
    if not path.is_file():
        from sklearn.datasets import load_digits

        data = load_digits()
        return np.column_stack([data.data, data.target])
    # Importing scikit-learn takes longer than planning a run does.
    with gzip.open(path, "rt") as lines:
        return np.loadtxt(lines, delimiter=",")


def graphics() -> Arrays:
    """Return the pictures that `data/graphics.py` draws, in fixed splits; seconds to draw."""
    from inpaint_cli.data.graphics import SIDE, TEST, TRAINING, draw

    def load() -> Mapping[Split | None, tuple[Array, Array | None]]:
        drawn = np.stack([draw(index) for index in range(TRAINING + TEST)])
        return {"train": (drawn[:TRAINING], None), "test": (drawn[TRAINING:], None)}

    counts: Mapping[Split, int] = {"train": TRAINING, "test": TEST}
    return Arrays("graphics", "1", load, counts, 3 * SIDE**2)


def _members(part: ArrayPart) -> Iterator[Member]:
    folder = f"{part.split}/" if part.split else ""
    for index in range(part.count):
        label = None if part.labels is None else _label(part.labels[index])
        yield Member(f"{part.key}:{index}", f"{folder}{index:07}", part.split, label)


def _has_channels_first(first: int, second: int, third: int) -> bool:
    """Return whether a shape is [C, H, W]; where [H, W, C] would do, too, squares decide."""
    if first not in CHANNELS or third not in CHANNELS:
        return first in CHANNELS
    return second == third != first


def _place(member: Member) -> tuple[str, int]:
    part, _, index = member.key.rpartition(":")
    return part, int(index)


def _label(value: Any) -> str | None:
    """Return the class that a label says; None where it says nothing. 3.0 is the class 3."""
    if _is_missing(np.asarray(value)):
        return None
    if isinstance(value, np.floating):
        return f"{value:g}" if value == int(value) else str(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_missing(labels: Array) -> npt.NDArray[np.bool_]:
    """Return which labels say nothing: NaN, infinite, no time, empty text."""
    if labels.dtype.kind in "fcmM":
        return ~np.isfinite(labels)
    if labels.dtype.kind in "US":
        return np.asarray(labels == labels.dtype.type(), np.bool_)
    return np.zeros(labels.shape, np.bool_)
