"""The one place where random numbers are keyed: a result depends on seed and input alone.

Every stream is a counter-based Philox generator whose key is (seed, tag, integers), so drawing one
never shifts another. Only `Generator.random` is used: numpy keeps the bit generators stable between
versions, not the other methods.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor


def tag_of(specification: str | bytes) -> int:
    """Return the first 8 bytes of SHA-256 of a specification, as an integer.

    >>> tag_of("freeform") == tag_of(b"freeform")
    True
    """
    raw = specification.encode() if isinstance(specification, str) else specification
    return int.from_bytes(hashlib.sha256(raw).digest()[:8], "big")


def stream(seed: int, tag: str | bytes, *key: int) -> np.random.Generator:
    """Return the independent generator of (seed, tag, key); seed and key are >= 0.

    >>> float(stream(0, "test", 1).random()) == float(stream(0, "test", 1).random())
    True
    """
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(tag_of(tag), *key))
    return np.random.Generator(np.random.Philox(sequence))


def content_key(image: Tensor, visible: Tensor) -> bytes:
    """Return the 32-byte hash of the mask and the visible values, never of the hidden ones.

    image: uint8 [1, C, H, W]; visible: bool [1, 1, H, W], True = known.
    """
    return content_key_of(image.cpu().numpy(), visible.cpu().numpy())


def content_key_of(image: npt.NDArray[np.uint8], visible: npt.NDArray[np.bool_]) -> bytes:
    """Return `content_key` of arrays of the same shapes."""
    digest = hashlib.sha256(repr(tuple(image.shape)).encode())
    digest.update(np.packbits(visible).tobytes())
    digest.update((image * visible).tobytes())
    return digest.digest()


class Noise:
    """n independent random streams, one per completion or per training sample.

    Stream i gives the same numbers whatever n is and whatever the other streams do. Draws are made
    on the CPU in float64 and advance every stream alike.
    """

    def __init__(self, seed: int, tag: str | bytes, keys: Sequence[tuple[int, ...]]) -> None:
        self.seed, self.tag, self.keys = seed, tag, list(keys)
        self._streams: list[np.random.Generator] | None = None

    @classmethod
    def of_completions(cls, seed: int, key: bytes, indices: Sequence[int]) -> Noise:
        """Return the streams of completions `indices` of the input with `content_key` `key`."""
        return cls(seed, key, [(index,) for index in indices])

    @classmethod
    def of_samples(cls, seed: int, tag: str, epoch: int, indices: Sequence[int]) -> Noise:
        """Return the streams of training samples `indices` of `epoch`."""
        return cls(seed, tag, [(epoch, index) for index in indices])

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> Noise:
        """Return some of the streams, from their beginning."""
        return Noise(self.seed, self.tag, self.keys[part])

    def split(self, size: int) -> Iterator[Noise]:
        """Yield the streams in batches of at most `size`, each from its beginning."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def uniform(self, *shape: int) -> Tensor:
        """Draw float64 [n, *shape], uniform in [0, 1)."""
        import torch

        return torch.from_numpy(np.stack([rng.random(shape) for rng in self._generators()]))

    def normal(self, *shape: int) -> Tensor:
        """Draw float64 [n, *shape], standard normal, by Box-Muller."""
        import torch

        return torch.from_numpy(
            np.stack([standard_normal(rng, shape) for rng in self._generators()])
        )

    def _generators(self) -> list[np.random.Generator]:
        if self._streams is None:
            self._streams = [stream(self.seed, self.tag, *key) for key in self.keys]
        return self._streams


def standard_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Draw standard normals by Box-Muller from `rng.random` alone (see the module)."""
    radius = np.sqrt(-2.0 * np.log1p(-rng.random(shape)))
    return np.asarray(radius * np.cos(2.0 * np.pi * rng.random(shape)))
