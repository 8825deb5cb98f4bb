"""Masks drawn beforehand for training, memory-mapped: ranges are slow to draw, images are not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.masks import Mask, draw, specification
from inpaint_cli.masks.sets import Packed, pack, row_bytes, unpack, versions
from inpaint_cli.randomness import stream
from inpaint_cli.reporting import Reporter

TAG = "mask-cache"
MOST_BYTES = 1 << 34
"""Of a cache on the disk."""


@dataclass(frozen=True)
class MaskCache:
    """`count` masks of a kind, as bits in a file that all processes share."""

    height: int
    width: int
    path: Path
    packed: Packed
    """uint8 [count, ceil(H*W/8)], mapped read-only."""

    @classmethod
    def open(
        cls,
        kind: str,
        height: int,
        width: int,
        count: int,
        seed: int,
        folder: Path,
        reporter: Reporter | None = None,
    ) -> MaskCache:
        """Open the cache of these masks in `folder`; draw them first if it is not there.

        The masks are 0..count-1 of the set with this seed, so a mixture is stratified.
        """
        check_count(count, height, width)
        path = folder / f"{_name(kind, height, width, count, seed)}.masks"
        shape = (count, row_bytes(height, width))
        if not path.is_file() or path.stat().st_size != shape[0] * shape[1]:
            _fill(path, kind, height, width, count, seed, reporter or Reporter(quiet=True))
        return cls(height, width, path, np.memmap(path, np.uint8, "r", shape=shape))

    def __len__(self) -> int:
        return len(self.packed)

    def pick(self, seed: int, epoch: int, index: int) -> Mask:
        """Return the mask of training sample `index`: bool [H, W], each of the cache as likely."""
        chosen = int(stream(seed, TAG, epoch, index).random() * len(self))
        return unpack(np.asarray(self.packed[chosen]), self.height, self.width)


def check_count(count: int, height: int, width: int) -> None:
    """Raise UserError for a number of masks that no cache holds."""
    if count < 1:
        raise UserError(f"mask_cache: must be at least 1, got {count}.")
    size = count * row_bytes(height, width)
    if size > MOST_BYTES:
        raise UserError(
            f"mask_cache: {count} masks of {height}x{width} would take {size >> 30} GiB on the "
            f"disk. At most {MOST_BYTES // row_bytes(height, width)} are drawn beforehand; 0 draws "
            "a new one for every image."
        )


def _name(kind: str, height: int, width: int, count: int, seed: int) -> str:
    # The libraries belong to it: another rasteriser may draw other pixels for the same seed.
    key = f"{specification(kind, height, width)} {count} {seed} {sorted(versions().items())}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _fill(
    path: Path, kind: str, height: int, width: int, count: int, seed: int, reporter: Reporter
) -> None:
    with (
        replacing(path) as temporary,
        temporary.open("wb") as file,
        reporter.progress("masks", count) as advance,
    ):
        for index in range(count):
            file.write(pack(draw(kind, height, width, seed=seed, index=index)).tobytes())
            advance()
