"""Random images in the place of a data set, and the fake families in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

COUNT = 22


@dataclass(frozen=True)
class FakeImages:
    name: str
    split: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64] | None
    sha256: str = "0" * 64
    classes: tuple[str, ...] = ("a", "b", "c")

    def describe(self) -> list[str]:
        return [f"{self.name}: {len(self.images)} {self.split} images"]


def open_fake(
    sources: Sequence[str], *, size: int, channels: int, split: str, **others: Any
) -> FakeImages:
    rng = np.random.Generator(np.random.Philox(len(split)))
    count = COUNT if split == "train" else 9
    images = (rng.random((count, channels, size, size)) * 256).astype(np.uint8)
    return FakeImages(sources[0], split, images, np.arange(count) % 3)


def install() -> None:
    """Puts the fakes in place, for the rest of this process."""
    from inpaint_cli import data, models

    models.FAMILIES |= {
        "fake": "tests.training.fake_family",
        "fake-two": "tests.training.fake_family",
    }
    data.load_images = open_fake  # type: ignore[assignment]


if __name__ == "__main__":
    install()
    from inpaint_cli.cli import run

    run()
