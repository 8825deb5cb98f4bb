"""Images that come as arrays: npz files, the digits of scikit-learn, what torchvision loaded."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.archives import RATIO_OF_ARRAYS, Npy, open_zip
from inpaint_cli.data.image_set import Split
from inpaint_cli.data.sources import Listing, Raw, identity, stem
from inpaint_cli.data.splits import FOLDERS, Member
from inpaint_cli.errors import UserError

Array = npt.NDArray[Any]
IMAGE_KEYS = ("images", "image", "imgs", "x", "data", "arr_0", "")
LABEL_KEYS = ("labels", "label", "y")
CHUNK_BYTES = 1 << 24
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

    @cached_property
    def _parts(self) -> Mapping[Split | None, tuple[Array, Array | None]]:
        return self.load()

    def fingerprint(self) -> list[Any]:
        return ["arrays", self.name, self.version]

    def listing(self) -> Listing:
        parts = [ArrayPart(s or "", s, labels, len(a)) for s, (a, labels) in self._parts.items()]
        return Listing([member for part in parts for member in _members(part)])

    def read(self, members: Sequence[Member]) -> Iterator[tuple[Member, Raw]]:
        arrays: dict[str, Array] = {
            split or "": images for split, (images, _) in self._parts.items()
        }
        for member in members:
            part, index = _place(member)
            yield member, arrays[part][index]


@dataclass(frozen=True)
class Npz:
    """Arrays of images in an npz file, read a few at a time and never unpickled.

    Keys: images and labels, alone or with a split before or after (`train_images`, `x_test`);
    images may be [N, H, W], [N, H, W, C], [N, C, H, W], or flat [N, 3*H*H].
    """

    path: Path

    @property
    def name(self) -> str:
        return stem(self.path)

    def fingerprint(self) -> list[Any]:
        return ["npz", *identity(self.path)]

    def listing(self) -> Listing:
        return Listing([member for part in self._parts for member in _members(part)])

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
    def _parts(self) -> list[ArrayPart]:
        with open_zip(self.path, RATIO_OF_ARRAYS) as archive:
            names = [Path(name).stem for name in archive.namelist() if name.endswith(".npy")]
            images = {split_of(n): n for n in names if _role(n) in IMAGE_KEYS}
            labels = {split_of(n): n for n in names if _role(n) in LABEL_KEYS}
            if not images:
                raise UserError(
                    f"{self.path} holds {', '.join(names) or 'nothing'}; expected images and "
                    "labels, or train_images, train_labels, test_images and so on.",
                    setting="data",
                )
            return [
                self._part(archive, split, name, labels.get(split))
                for split, name in images.items()
            ]

    def _part(
        self, archive: zipfile.ZipFile, split: Split | None, name: str, labels: str | None
    ) -> ArrayPart:
        with Npy(archive, name) as array:
            self._check(array)
            count = array.shape[0]
        numbers = None
        if labels:
            with Npy(archive, labels) as array:
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
        if dtype.kind not in "uifb" or array.fortran or len(shape) not in (2, 3, 4):
            raise UserError(
                f"{self.path}: {array.name} is {dtype} {list(shape)}; expected uint8 [N, H, W] or "
                "[N, H, W, C].",
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
            each = math.prod(array.shape[1:]) * array.dtype.itemsize
            rows = max(1, CHUNK_BYTES // max(each, 1))
            for start in range(0, array.shape[0], rows):
                chunk = array.rows(start, min(rows, array.shape[0] - start))
                for offset, image in enumerate(chunk):
                    yield start + offset, self._upright(image, name)

    def _upright(self, image: Array, name: str) -> Array:
        """Return [H, W] or [H, W, C] of an image that may be flat or channels first."""
        if image.ndim == 1:
            for channels in (3, 1):
                side = round((image.size / channels) ** 0.5)
                if channels * side * side == image.size:
                    image = image.reshape(channels, side, side)
                    break
        if image.ndim == 3 and image.shape[2] not in (1, 3, 4) and image.shape[0] in (1, 3, 4):
            image = image.transpose(1, 2, 0)
        if image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4)):
            return image
        raise UserError(f"{self.path}: {name} holds {list(image.shape)}, no image.", setting="data")


def digits() -> Arrays:
    """Return the 1797 digits of 8x8 pixels that scikit-learn carries; 0..16 becomes 0..255."""

    def load() -> Mapping[Split | None, tuple[Array, Array | None]]:
        from sklearn.datasets import load_digits

        data = load_digits()
        return {None: (np.floor(data.images * 255 / 16 + 0.5).astype(np.uint8), data.target)}

    return Arrays("digits", "1", load)


def graphics() -> Arrays:
    """Return the pictures that `data/graphics.py` draws, in fixed splits; seconds to draw."""

    def load() -> Mapping[Split | None, tuple[Array, Array | None]]:
        from inpaint_cli.data.graphics import TEST, TRAINING, draw

        drawn = np.stack([draw(index) for index in range(TRAINING + TEST)])
        return {"train": (drawn[:TRAINING], None), "test": (drawn[TRAINING:], None)}

    return Arrays("graphics", "1", load)


def _members(part: ArrayPart) -> Iterator[Member]:
    folder = f"{part.split}/" if part.split else ""
    for index in range(part.count):
        label = None if part.labels is None else str(part.labels[index])
        yield Member(f"{part.key}:{index}", f"{folder}{index:07}", part.split, label)


def _place(member: Member) -> tuple[str, int]:
    part, _, index = member.key.rpartition(":")
    return part, int(index)


def _words(name: str) -> list[str]:
    return re.split(r"[_\-.]", name.lower()) if name != "arr_0" else [name]


def split_of(name: str) -> Split | None:
    """Return the split that a word of a name says.

    >>> split_of("train_data_batch_1"), split_of("x_test"), split_of("images")
    ('train', 'test', None)
    """
    return next((FOLDERS[word] for word in _words(name) if word in FOLDERS), None)


def _role(name: str) -> str:
    return "_".join(word for word in _words(name) if word not in FOLDERS)
