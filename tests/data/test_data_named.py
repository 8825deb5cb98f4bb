import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpaint_cli import data
from inpaint_cli.data import ImageSet, Split
from inpaint_cli.data.arrays import digits
from inpaint_cli.data.names import SETS
from inpaint_cli.errors import ResourceError, UserError
from tests.data.image_files import folder_of, photos, zip_of

TOP = Path(__file__).parents[2]
BUILT_IN = {"digits", "graphics"}


pytestmark = pytest.mark.usefixtures("home")


def opened(name: str, split: Split = "train", size: int = 8, **options: Any) -> ImageSet:
    return data.load_images([name], size=size, channels=3, split=split, **options)


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    expected, arrays = load_digits(), digits()
    ((pixels, labels),) = arrays.load().values()
    assert np.array_equal(pixels, np.floor(expected.images * 255 / 16 + 0.5))
    assert labels is not None
    assert np.array_equal(labels, expected.target)


@pytest.mark.parametrize("name", sorted(SETS.keys() - BUILT_IN))
def test_a_missing_set_says_what_to_place_where(name: str, home: Path) -> None:
    with pytest.raises(UserError) as caught:
        opened(name)
    text = str(caught.value)
    assert text.startswith(f"data: {name}: not found. Place ")
    assert str(home / "data" / name) in text
    assert ("use the setting download" in text) == bool(SETS[name].torchvision)


@pytest.mark.parametrize(
    "name", sorted(n for n, s in SETS.items() if not s.torchvision and n not in BUILT_IN)
)
def test_a_set_without_a_download_says_so(name: str) -> None:
    with pytest.raises(UserError, match="cannot be downloaded"):
        opened(name, download=True)


@pytest.mark.parametrize("suffix", [".zip", ".npz", ""])
def test_a_placed_file_is_taken_as_the_set(suffix: str, home: Path) -> None:
    place = home / "data" / f"mnist{suffix}"
    place.parent.mkdir(parents=True)
    if suffix == ".npz":
        np.savez(
            place, train_images=np.zeros((9, 8, 8), np.uint8), test_images=np.ones((2, 8, 8), bool)
        )
    else:
        make = zip_of if suffix else folder_of
        make(place, photos(*(f"train/{i}.png" for i in range(9)), "test/1.png", "test/2.png"))
    image_set = opened("mnist", "test")
    assert image_set.name == "mnist"
    assert image_set.counts == {"train": 8, "validation": 1, "test": 2}


def test_a_folder_of_the_name_of_a_set_needs_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "mnist", photos("1.png", "2.png", "3.png"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="data: mnist: not found"):
        opened("mnist")
    assert len(opened("./mnist")) == 1


def test_sets_tested_on_their_validation_split_have_it_as_test(home: Path) -> None:
    tree = photos(*(f"train/{i}_AB.jpg" for i in range(9)), "val/1_AB.jpg")
    folder_of(home / "data" / "edges2shoes", tree)
    assert opened("edges2shoes", "test").ids == ("val/1_AB.jpg",)


def test_the_test_list_of_the_chest_x_rays_is_obeyed(home: Path) -> None:
    tree = photos(*(f"images/{i:08}_000.png" for i in range(12)))
    listed = {"test_list.txt": b"00000003_000.png\n00000007_000.png\n"}
    folder_of(home / "data" / "chestxray14", {**tree, **listed})
    image_set = opened("chestxray14", "test")
    assert image_set.ids == ("00000003_000.png", "00000007_000.png")


class FakeMnist:
    """What torchvision's class shows, for a set of 20 and 5 images."""

    classes = ("0 - zero", "1 - one")

    def __init__(self, root: str, train: bool, download: bool = False) -> None:
        folder = Path(root) / "MNIST" / "raw"
        if download:
            folder.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            raise RuntimeError("Dataset not found.")
        count = 20 if train else 5
        self.data = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
        self.targets = [i % 2 for i in range(count)]


def install(monkeypatch: pytest.MonkeyPatch, **classes: object) -> None:
    package, module = types.ModuleType("torchvision"), types.ModuleType("torchvision.datasets")
    vars(module).update(classes)
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)


def test_download_fetches_through_torchvision_and_later_runs_need_neither(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, MNIST=FakeMnist)
    with pytest.raises(UserError, match="or use the setting download"):
        opened("mnist")
    image_set = opened("mnist", "test", download=True)
    assert image_set.classes == ("0", "1")
    assert image_set.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert (home / "data" / "torchvision" / "MNIST").is_dir()
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    assert opened("mnist", "test").sha256 == image_set.sha256


def test_cifar10_has_the_class_names_of_torchvision(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(root: str, train: bool, download: bool = False) -> types.SimpleNamespace:
        images = np.zeros((4, 8, 8, 3), np.uint8)
        return types.SimpleNamespace(data=images, targets=[1, 0, 1, 1], classes=["cat", "dog"])

    (home / "data" / "torchvision" / "cifar-10-batches-py").mkdir(parents=True)
    install(monkeypatch, CIFAR10=loaded)
    image_set = opened("cifar10", "test")
    assert image_set.labels is not None
    assert [image_set.classes[i] for i in image_set.labels] == ["dog", "cat", "dog", "dog"]


def test_places_of_torchvision_are_tested_on_their_validation_folder(home: Path) -> None:
    tree = photos(*(f"data_256_standard/a/abbey/{i}.png" for i in range(9)), "val_256/x.png")
    folder_of(home / "data" / "torchvision", tree)
    image_set = opened("places365", "test")
    assert image_set.ids == ("val/x.png",)
    assert image_set.counts["test"] == 1


def test_celeba_of_torchvision_has_the_official_splits(home: Path) -> None:
    numbers = (1, 162_770, 162_771, 182_637, 182_638, 202_599)
    tree = photos(*(f"celeba/img_align_celeba/{number:06}.jpg" for number in numbers))
    folder_of(home / "data" / "torchvision", tree)
    assert opened("celeba64", "validation").ids == ("162771.jpg", "182637.jpg")


def test_a_half_finished_download_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def incomplete(*_: object, **__: object) -> None:
        raise RuntimeError("Dataset not found or corrupted.")

    (home / "data" / "torchvision" / "cifar-10-batches-py").mkdir(parents=True)
    install(monkeypatch, CIFAR10=incomplete)
    with pytest.raises(UserError, match="is not complete: use the setting download"):
        opened("cifar10")


def test_a_download_that_fails_is_the_machine_s_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    install(monkeypatch, CIFAR10=fail)
    with pytest.raises(ResourceError, match="CIFAR10 could not be fetched"):
        opened("cifar10", download=True)


def test_without_torchvision_download_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.delitem(sys.modules, "torchvision.datasets", raising=False)
    with pytest.raises(UserError, match="pip install torchvision"):
        opened("mnist", download=True)


BUILT_FOR_CUDA = """
import torch
torch.library.register_fake("torchvision::nms")(lambda dets, scores, iou_threshold: dets)
torch.library.register_fake("torchvision::qnms")(lambda dets, scores, iou_threshold: dets)
"""


def load_beside(folder: Path, content: str) -> str:
    """Return what `torchvision_import.load` makes of a torchvision with this content.

    In a process of its own: what torch registers for an operator stays until a process ends.
    """
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(content)
    (package / "datasets.py").write_text("MNIST = 1\n")
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "from inpaint_cli import torchvision_import\n"
        "from inpaint_cli.errors import UserError\n"
        "try:\n    print(torchvision_import.load('torchvision.datasets').MNIST)\n"
        "except UserError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_a_torchvision_built_for_cuda_imports_beside_a_torch_for_the_cpu(tmp_path: Path) -> None:
    assert load_beside(tmp_path, BUILT_FOR_CUDA) == "1\n"


def test_a_torchvision_that_does_not_load_says_why(tmp_path: Path) -> None:
    message = load_beside(tmp_path, "raise RuntimeError('built for torch 1.0')")
    assert "does not load here (built for torch 1.0)" in message


def test_names_are_plain_data() -> None:
    assert list(data.NAMES)[:3] == ["digits", "graphics", "mnist"]
    assert all(line and "\n" not in line for line in data.NAMES.values())
