"""Which images, masks and noise each step sees: a pure function of seed and step.

The samples of a run are one endless row: epoch after epoch, each in its own random order. Step s
takes the samples s * B to (s + 1) * B; ranks and accumulated parts divide them. So nothing depends
on the number of workers, and a resumed run goes on by arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from inpaint_cli.errors import UserError
from inpaint_cli.family import Batch, Training
from inpaint_cli.randomness import Noise, stream, tag_of

if TYPE_CHECKING:
    from inpaint_cli.masks.cache import MaskCache

Keys = list[tuple[int, int]]
"""(epoch, index) of each sample."""


class Images(Protocol):
    """What the trainer needs of a data set."""

    @property
    def images(self) -> npt.NDArray[np.uint8]: ...
    @property
    def labels(self) -> npt.NDArray[Any] | None: ...


@dataclass(frozen=True)
class BatchDivision:
    """How a batch is divided over processes and accumulated parts."""

    batch_size: int
    parts: int
    world: int = 1
    rank: int = 0

    def __post_init__(self) -> None:
        if self.batch_size % (self.parts * self.world):
            raise UserError(
                f"batch_size: {self.batch_size} images do not divide over {self.world} processes "
                f"x {self.parts} accumulated parts. Take a multiple of {self.parts * self.world}."
            )

    @property
    def size(self) -> int:
        """The images that one process takes at once."""
        return self.batch_size // (self.parts * self.world)

    def start(self, number: int) -> int:
        """Return the first sample of this process's micro-batch `number` = step * parts + part."""
        return (number * self.world + self.rank) * self.size

    def __str__(self) -> str:
        if self.parts == self.world == 1:
            return f"{self.batch_size} images"
        pieces = [f"{self.size} images"]
        if self.world > 1:
            pieces.append(f"{self.world} processes")
        if self.parts > 1:
            pieces.append(f"{self.parts} accumulated parts")
        return f"{self.batch_size} = " + " x ".join(pieces)


@dataclass
class SampleOrder:
    """The endless row of samples of a data set of `count` images."""

    count: int
    seed: int
    _epochs: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict, repr=False)

    def keys(self, start: int, stop: int) -> Keys:
        """Return (epoch, index) of the samples `start` to `stop`."""
        return [
            (
                position // self.count,
                int(self._epoch(position // self.count)[position % self.count]),
            )
            for position in range(start, stop)
        ]

    def _epoch(self, epoch: int) -> npt.NDArray[np.int64]:
        if epoch not in self._epochs:
            if len(self._epochs) > 2:
                self._epochs.clear()
            draws = stream(self.seed, "order", epoch).random(self.count)
            self._epochs[epoch] = np.argsort(draws, kind="stable")
        return self._epochs[epoch]


@dataclass
class MaskSource:
    """Draws the masks of one stage, from beforehand drawn ones if the stage says so."""

    training: Training
    seed: int
    height: int
    width: int
    cache: MaskCache | None = None

    @classmethod
    def of(
        cls, training: Training, seed: int, shape: tuple[int, int], folder: Path | None
    ) -> MaskSource:
        """Return the masks of a stage; `folder` holds beforehand drawn ones, None: not yet."""
        cache = None
        if training.mask_cache:
            from inpaint_cli.masks.cache import MaskCache, check_count

            check_count(training.mask_cache, *shape)
        if training.mask_cache and folder is not None:
            # Of a seed of their own: validation and scoring draw the masks of the small ones.
            cache_seed = tag_of(f"mask cache {seed}")
            cache = MaskCache.open(training.masks, *shape, training.mask_cache, cache_seed, folder)
        return cls(training, seed, *shape, cache)

    def draw(self, keys: Keys) -> Tensor:
        """Return `visible` bool [N, 1, H, W] of the samples `keys`."""
        from inpaint_cli import masks

        if self.cache is not None:
            picked = [np.array(self.cache.pick(self.seed, *key)) for key in keys]
            shape = (len(keys), 1, self.height, self.width)
            return torch.from_numpy(np.stack(picked).reshape(shape))
        drawn = [
            masks.draw_batch(
                self.training.masks,
                self.height,
                self.width,
                seed=self.seed,
                epoch=epoch + 1,  # epoch 0 is that of validation and scoring
                indices=[index for _, index in group],
                training=True,
            )
            for epoch, group in groupby(keys, key=lambda key: key[0])
        ]
        return torch.cat(drawn)


MicroBatch = tuple[Tensor, Tensor, Tensor | None, Keys]
"""Image, visible, label, keys of the samples that a process takes at once."""


class MicroBatches(Dataset[MicroBatch]):
    """The micro-batches of this process, by their number."""

    def __init__(
        self,
        images: Images,
        order: SampleOrder,
        division: BatchDivision,
        masks: MaskSource,
        augment: str,
    ) -> None:
        self.images, self.order, self.division = images, order, division
        self.masks, self.augment = masks, augment

    def __getitem__(self, number: int) -> MicroBatch:
        start = self.division.start(number)
        keys = self.order.keys(start, start + self.division.size)
        indices = [index for _, index in keys]
        pixels = np.stack([self.images.images[index] for index in indices])
        if self.augment != "none":
            pixels = np.stack(
                [
                    augmented(image, self.augment, stream(self.order.seed, "augment", *key))
                    for image, key in zip(pixels, keys, strict=True)
                ]
            )
        labels = labels_of(self.images, indices)
        return torch.from_numpy(pixels), self.masks.draw(keys), labels, keys


def augmented(
    image: npt.NDArray[np.uint8], kind: str, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return `image` [C, H, W] mirrored at random; "crop" also cuts 75-100 % of the side."""
    if rng.random() < 0.5:
        image = image[:, :, ::-1]
    if kind == "crop":
        import cv2

        height, width = image.shape[1:]
        share = 0.75 + 0.25 * rng.random()
        rows, columns = round(height * share), round(width * share)
        top = int(rng.random() * (height - rows + 1))
        left = int(rng.random() * (width - columns + 1))
        part = np.ascontiguousarray(image[:, top : top + rows, left : left + columns])
        image = np.stack([cv2.resize(p, (width, height)) for p in part])
    return np.ascontiguousarray(image)


def as_batch(item: MicroBatch, device: torch.device, seed: int, tag: str) -> tuple[Batch, Noise]:
    """Return the batch on `device` and the noise of its samples."""
    image, visible, label, keys = item
    batch = Batch(
        image.to(device, non_blocking=True),
        visible.to(device, non_blocking=True),
        None if label is None else label.to(device, non_blocking=True),
    )
    return batch, Noise(seed, tag, keys)


def labels_of(images: Images, indices: Sequence[int]) -> Tensor | None:
    """Return classes or labels of some images, int64 [n] or [n, B]; None where there are none."""
    if images.labels is None:
        return None
    return torch.from_numpy(np.asarray(images.labels)[list(indices)].astype(np.int64))


def held_out(images: Images, count: int) -> Sequence[int]:
    """Return `count` indices spread evenly over a set, or all of a smaller one."""
    total = len(images.images)
    count = min(count, total)
    return [i * total // count for i in range(count)]
