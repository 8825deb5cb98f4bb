"""The work folder of a score: a file per few images, so a killed run goes on where it stopped.

A shard's content depends on the protocol and its number alone. So any number of processes may make
them in any order, and the whole, read in the order of the shards, is the same.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from inpaint_cli import files
from inpaint_cli.errors import ResourceError
from inpaint_cli.metrics.protocol import digest_of

COMPLETIONS = 512
"""About so many completions make a shard."""
FEWEST, MOST = 4, 32
"""Images in a shard."""
Values = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]


def parts(count: int, k: int) -> list[range]:
    """Gives the images of each shard: enough to fill a batch, few enough to lose little.

    >>> [len(part) for part in parts(70, 10)]
    [32, 32, 6]
    """
    size = min(MOST, max(FEWEST, COMPLETIONS // k))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


@dataclass(frozen=True)
class Measured:
    """All images of a target, measured."""

    count: int
    columns: dict[str, Values]
    """Name -> [N, ...], NaN where an image has no such figure."""
    real: Features | None
    """[N, d], on the disk."""
    sets: tuple[Features, ...]
    """Likewise, of each completion set."""
    masks_sha256: str | None


@dataclass(frozen=True)
class Work:
    """The folder of one target under one protocol."""

    folder: Path
    parts: list[range]
    keep: bool

    @classmethod
    def of(cls, identity: Any, parts: list[range], given: Path | None) -> Work:
        """Gives the folder for what `identity` describes, below `given` or the caches."""
        base = files.home() / "score" if given is None else given
        folder = base / digest_of(identity)[:16]
        files.make_folder(folder)
        return cls(folder, parts, keep=given is not None)

    def path(self, number: int) -> Path:
        """Gives the file of a shard."""
        return self.folder / f"shard-{number:06}.safetensors"

    def todo(self, rank: int = 0, processes: int = 1) -> list[int]:
        """Gives the shards of this process that are not there yet."""
        own = range(rank, len(self.parts), processes)
        return [number for number in own if not self.path(number).exists()]

    def save(self, number: int, tensors: dict[str, Tensor]) -> None:
        """Writes a shard in one piece."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        with files.replacing(self.path(number)) as temporary:
            try:
                save_file({name: t.contiguous() for name, t in tensors.items()}, temporary)
            except SafetensorError as error:
                raise ResourceError(f"{self.folder}: cannot be written ({error}).") from error

    def load(self) -> Measured:
        """Reads all shards in their order; features go from file to file, not into memory."""
        from safetensors.numpy import load_file

        count = self.parts[-1].stop
        columns, sides = dict[str, Values](), list[Features]()
        masks, masked = hashlib.sha256(), False
        for number, part in enumerate(self.parts):
            tensors = load_file(self.path(number))
            for name, values in tensors.items():
                if name.startswith("c."):
                    blank = np.full((count, *values.shape[1:]), np.nan)
                    columns.setdefault(name[2:], blank)[part.start : part.stop] = values
            if "mask" in tensors:
                masks.update(tensors["mask"].tobytes())
                masked = True
            if "features" in tensors:
                sides = sides or self._sides(count, tensors["features"].shape[1:])
                for side, rows in zip(sides, tensors["features"].swapaxes(0, 1), strict=True):
                    side[part.start : part.stop] = rows
        digest = masks.hexdigest() if masked else None
        return Measured(count, columns, sides[0] if sides else None, tuple(sides[1:]), digest)

    def nothing(self) -> Measured:
        """Gives what there is where every metric is refused."""
        return Measured(self.parts[-1].stop, {}, None, (), None)

    def _sides(self, count: int, shape: Sequence[int]) -> list[Features]:
        names = ["real", *(f"set-{number}" for number in range(shape[0] - 1))]
        return [
            np.memmap(self.folder / f"{name}.f32", np.float32, "w+", shape=(count, shape[1]))
            for name in names
        ]

    def remove(self) -> None:
        """Removes the folder, unless the user named its place."""
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
