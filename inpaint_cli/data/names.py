"""The data sets known by name: what they are, how the papers prepare them, what to place where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from inpaint_cli.data.image_set import Split
from inpaint_cli.data.preparation import Crop

SplitRule = Callable[[str], Split | None]
"""From an image's id to its official split; None where the id is not of the set."""


def celeba_split(name: str) -> Split | None:
    """Return CelebA's official split of a file, which is by number (list_eval_partition.txt).

    >>> celeba_split("img_align_celeba/162771.jpg")
    'validation'
    """
    number = _number(name)
    if number is None or not 1 <= number <= 202_599:
        return None
    return "train" if number <= 162_770 else "validation" if number <= 182_637 else "test"


def ffhq_split(name: str) -> Split | None:
    """Return the split of FFHQ used with VDVAE: the last 7000 of a shuffle of all 70 000 are test.

    >>> ffhq_split("69999.png")
    'train'
    """
    number = _number(name)
    if number is None or not 0 <= number < 70_000:
        return None
    return "test" if number in _ffhq_test() else "train"


@cache
def _ffhq_test() -> frozenset[int]:
    import numpy as np

    # The legacy generator with this seed is the published split; it is no source of noise.
    return frozenset(np.random.RandomState(5).permutation(70_000)[-7000:].tolist())


def _number(name: str) -> int | None:
    stem = PurePosixPath(name).stem
    return int(stem) if stem.isdecimal() else None


@dataclass(frozen=True)
class NamedSet:
    """One set: a line for help, what to place in INPAINT_HOME/data/NAME, the papers' choices."""

    summary: str
    place: str = ""
    torchvision: str = ""
    """Its class in torchvision.datasets, if there is one."""
    files: tuple[str, ...] = ()
    """Other names under which the same files may lie."""
    preparation: dict[str, Any] = field(default_factory=dict)
    """Fields of `Preparation` that differ from the defaults."""
    official: SplitRule | None = None
    test_list: str = ""
    """A text file in the folder that names the official test images."""
    validation_is_test: bool = False
    """The papers test on its validation split, because its test split is not to be had."""


CELEBA = "the aligned files 000001.jpg ... 202599.jpg of 178x218 pixels (img_align_celeba)"
PAIRS = "train/ and val/ of the pix2pix archive (pairs of 512x256 pixels)"
IMAGENET = (
    "the npz files of 'Downsampled ImageNet' (train_data_batch_1.npz ... and val_data.npz), or "
    "folders train/ and val/"
)

SETS: dict[str, NamedSet] = {
    "digits": NamedSet("1797 handwritten digits of 8x8, inside scikit-learn: nothing to download"),
    "graphics": NamedSet(
        "1800 drawn pictures of 128x128 (paper, text, charts, windows): nothing to download"
    ),
    "mnist": NamedSet(
        "handwritten digits, 28x28 grey",
        "mnist.npz (train_images, train_labels, test_images, test_labels)",
        torchvision="MNIST",
    ),
    "fashion-mnist": NamedSet(
        "clothes, 28x28 grey", "an npz or folders train/ and test/", torchvision="FashionMNIST"
    ),
    "cifar10": NamedSet(
        "ten classes of objects, 32x32 colour", "folders train/ and test/", torchvision="CIFAR10"
    ),
    "celeba32": NamedSet(
        "faces, 32x32, cropped as for Pixel Constrained CNN",
        CELEBA,
        torchvision="CelebA",
        files=("celeba",),
        # ToTensor, CenterCrop(89), Resize(32) of the authors' data loader.
        preparation={"crop": Crop((178, 218), 44, 64, 89, 89), "bilinear": True},
        official=celeba_split,
    ),
    "celeba64": NamedSet(
        "faces, 64x64, the usual 148x148 crop",
        CELEBA,
        torchvision="CelebA",
        files=("celeba",),
        preparation={"crop": Crop((178, 218), 15, 35, 148, 148)},
        official=celeba_split,
    ),
    "celeba-hq256": NamedSet(
        "faces, 256x256", "the square pictures, if possible in train/ and test/"
    ),
    "ffhq256": NamedSet(
        "faces, 256x256", "00000.png ... 69999.png, of any square size", official=ffhq_split
    ),
    "imagenet32": NamedSet("1000 classes, 32x32", IMAGENET, validation_is_test=True),
    "imagenet64": NamedSet("1000 classes, 64x64", IMAGENET, validation_is_test=True),
    "places365": NamedSet(
        "scenes, 256x256 (Places365-Standard)",
        "folders train/ (data_256) and val/ (val_256)",
        torchvision="Places365",
        validation_is_test=True,
    ),
    "paris-streetview": NamedSet(
        "views of Paris, 14 900 and 100", "train/ (paris_train_original) and test/ (paris_eval)"
    ),
    "edges2shoes": NamedSet(
        "photos of shoes, the right half of each pair",
        PAIRS,
        preparation={"right_half": True},
        validation_is_test=True,
    ),
    "edges2handbags": NamedSet(
        "photos of handbags, the right half of each pair",
        PAIRS,
        preparation={"right_half": True},
        validation_is_test=True,
    ),
    "chestxray14": NamedSet(
        "chest x-rays, 1024x1024 grey",
        "the png files, with test_list.txt beside them",
        test_list="test_list.txt",
    ),
}
