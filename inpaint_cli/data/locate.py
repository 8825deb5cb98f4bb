"""From the data that were asked for to a source: a known name, or a path.

Some of the known names are sets that torchvision downloads and reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inpaint_cli import files, torchvision_import
from inpaint_cli.data.arrays import Array, Arrays, Npz, digits, graphics
from inpaint_cli.data.image_set import Split
from inpaint_cli.data.names import SETS, NamedSet
from inpaint_cli.data.packed import Tar, Zip
from inpaint_cli.data.sources import (
    ARCHIVES,
    ConcatenatedSource,
    Folder,
    RenamedSource,
    Source,
    identity,
)
from inpaint_cli.data.split_words import NO_SPLIT_MAP, SplitMap, splits_of
from inpaint_cli.errors import ResourceError, UserError, unknown_name

TARS = tuple(suffix for suffix in ARCHIVES if suffix.startswith((".tar", ".tgz")))
FOLDERS = {
    "MNIST": "MNIST/raw",
    "FashionMNIST": "FashionMNIST/raw",
    "CIFAR10": "cifar-10-batches-py",
    "CelebA": "celeba/img_align_celeba",
    "Places365": "data_256_standard",
}
"""Class in torchvision.datasets -> where it keeps the images, below its root."""
ARRAYS = ("MNIST", "FashionMNIST", "CIFAR10")


def find(given: str, download: bool, split_map: SplitMap = NO_SPLIT_MAP) -> Source:
    """Return the source that `given` names; a known name wins over a file of that name.

    UserError where there is nothing: the nearest name, or what to place where.
    """
    if given in SETS:
        return RenamedSource(given, _named(given, SETS[given], download, split_map))
    path = files.expanded(given)
    if path.exists():
        return of_path(path, split_map)
    if path.suffix or "/" in given:
        raise UserError(f"{given}: no such file or folder.", setting="data")
    raise unknown_name("no data set or folder", given, SETS, setting="data")


def of_path(path: Path, split_map: SplitMap) -> Source:
    """Return the source of a folder or an archive."""
    lower = path.name.lower()
    if path.is_dir():
        return _of_folder(path, split_map)
    opener: Mapping[str, Callable[[Path, SplitMap], Source]] = {".zip": Zip, ".npz": Npz}
    for suffix, source in opener.items():
        if lower.endswith(suffix):
            return source(path, split_map)
    if lower.endswith(TARS):
        return Tar(path, split_map)
    raise UserError(
        f"{path}: not a folder, and not one of {', '.join(ARCHIVES)}. "
        "To train on a few files, put them into a folder.",
        setting="data",
    )


def _of_folder(path: Path, split_map: SplitMap) -> Source:
    folder = Folder(path, split_map)
    packed = [p for p in sorted(path.iterdir()) if p.suffix.lower() == ".npz" and p.name[:1] != "."]
    if not packed or folder.listing().members:
        return folder
    # Batches of one set, as those of Downsampled ImageNet: a file's name says its split.
    splits = splits_of([p.stem for p in packed])
    stems = [p.stem for p in packed]
    parts = {
        p.stem if stems.count(p.stem) == 1 else p.name: (Npz(p, split_map), splits.get(p.stem))
        for p in packed
    }
    return ConcatenatedSource(folder.name, parts)


def test_names(given: str, source: Source) -> frozenset[str] | None:
    """Return the file names of the official test list, if the set has one and it is there."""
    known = SETS.get(given)
    inner = source.source if isinstance(source, RenamedSource) else source
    if not known or not known.test_list or not isinstance(inner, Folder):
        return None
    path = inner.path / known.test_list
    if not path.is_file():
        return None
    return frozenset(line.strip() for line in path.read_text("utf-8", "replace").splitlines())


def _named(name: str, known: NamedSet, download: bool, split_map: SplitMap) -> Source:
    built_in = {"digits": digits, "graphics": graphics}
    if name in built_in:
        return built_in[name]()
    folder = files.home() / "data"
    for stem in (name, *known.files):
        for suffix in ("", *ARCHIVES):
            path = folder / f"{stem}{suffix}"
            if path.exists():
                return of_path(path, split_map)
    if known.torchvision:
        source = of_torchvision(known.torchvision, folder / "torchvision", download)
        if source:
            return source
    advice = f"Place {known.place} as {folder / name} (or .zip, .npz, .tar.gz)"
    if known.torchvision:
        advice += ", or use the setting download"
    elif download:
        advice = f"It cannot be downloaded from here. {advice}"
    raise UserError(f"{name}: not found. {advice}. docs/data.md says more.", setting="data")


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
