"""Sets that torchvision downloads and reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inpaint_cli import files, torchvision_import
from inpaint_cli.data.arrays import Array, Arrays
from inpaint_cli.data.combined import ConcatenatedSource
from inpaint_cli.data.image_set import Split
from inpaint_cli.data.sources import Folder, Source, identity
from inpaint_cli.errors import ResourceError, UserError

FOLDERS = {
    "MNIST": "MNIST/raw",
    "FashionMNIST": "FashionMNIST/raw",
    "CIFAR10": "cifar-10-batches-py",
    "CelebA": "celeba/img_align_celeba",
    "Places365": "data_256_standard",
}
"""Class in torchvision.datasets -> where it keeps the images, below its root."""
ARRAYS = ("MNIST", "FashionMNIST", "CIFAR10")


def of_torchvision(name: str, root: Path, download: bool) -> Source | None:
    """Return a set that torchvision keeps below `root`, or None if it is not there.

    With `download` it is fetched first. UserError without torchvision; ResourceError if the
    download fails.
    """
    folder = root / FOLDERS[name]
    if download and (name in ARRAYS or not folder.is_dir()):
        files.make_folder(root)
        _fetch(name, root)
    if not folder.is_dir():
        return None
    if name in ARRAYS:
        return Arrays(name, str(identity(folder)), lambda: _arrays(name, root))
    if name == "Places365":
        parts: dict[str, tuple[Source, Split | None]] = {
            "train": (Folder(folder), "train"),
            "val": (Folder(root / "val_256"), "test"),
        }
        return ConcatenatedSource(name, parts)
    return Folder(folder)


def _fetch(name: str, root: Path) -> None:
    dataset = getattr(torchvision_import.load("torchvision.datasets"), name)
    splits: dict[str, list[dict[str, Any]]] = {
        "CelebA": [{"split": "all"}],
        "Places365": [{"split": "train-standard", "small": True}, {"split": "val", "small": True}],
    }
    try:
        for options in splits.get(name, [{"train": True}, {"train": False}]):
            dataset(str(root), download=True, **options)
    # No network, a full quota of the host, a wrong checksum: each library raises its own.
    except Exception as error:
        first = str(error).partition("\n")[0]
        raise ResourceError(f"{name} could not be fetched ({first}).") from error


def _arrays(name: str, root: Path) -> Mapping[Split | None, tuple[Array, Array | None]]:
    dataset: Callable[..., Any] = getattr(torchvision_import.load("torchvision.datasets"), name)
    parts: dict[Split | None, tuple[Array, Array | None]] = {}
    splits: tuple[Split, ...] = ("train", "test")
    for split in splits:
        try:
            loaded = dataset(str(root), train=split == "train")
        except RuntimeError as error:
            raise UserError(
                f"{root / FOLDERS[name]} is not complete: use the setting download."
            ) from error
        labels = np.asarray(loaded.targets)
        # torchvision calls MNIST's classes "0 - zero" and so on.
        named = labels if name == "MNIST" else np.asarray(loaded.classes)[labels]
        parts[split] = (np.asarray(loaded.data), named)
    return parts
