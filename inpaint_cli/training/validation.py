"""Held-out images: the figure in the paper's unit, and sheets of completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from inpaint_cli import ranks
from inpaint_cli.device import rank, sum_over_ranks, world_size
from inpaint_cli.family import Batch, Model, Stage, Training
from inpaint_cli.files import replacing
from inpaint_cli.randomness import Noise, content_key
from inpaint_cli.training.batches import Images, held_out, labels_of

SEED = 0
"""Of the masks and the noise of every validation, whatever the run's own: so runs compare."""
COMPLETIONS = 6
"""Completions per row of a sheet."""
HIDDEN_COLOUR = (224, 122, 95)
"""Of hidden pixels on a sheet: no grey, which could be a pixel's own."""


class Validation:
    """The held-out images of a stage, always with the same masks."""

    def __init__(
        self, stage: Stage[Any], training: Training, images: Images, device: torch.device
    ) -> None:
        self.stage, self.training, self.device = stage, training, device
        self.images = images
        self.indices = held_out(images, training.validate_images)

    def figures(
        self, model: nn.Module, batch_size: int, stopped: Callable[[], bool] = lambda: False
    ) -> dict[str, float] | None:
        """Return the mean of each figure over the held-out images; None if `stopped` says so.

        Without held-out images there are no figures.
        """
        indices = list(self.indices)[rank() :: world_size()]
        sums: dict[str, Tensor] = {}
        for start in range(0, len(indices), batch_size):
            if stopped() and world_size() == 1:
                return None
            batch, noise = self._batch(indices[start : start + batch_size])
            with torch.no_grad():
                for name, value in self.stage.validate(cast(Model, model), batch, noise).items():
                    value = value.detach().double().cpu()
                    counts = ~value.isnan()
                    pair = torch.stack([value[counts].sum(), counts.sum().double()])
                    sums[name] = sums.get(name, torch.zeros(2, dtype=torch.float64)) + pair
        return self._means(sums)

    def draw_once(self) -> None:
        """Draw the first held-out image with its mask: what the settings forbid is raised."""
        self._batch(list(self.indices[:1] or held_out(self.images, 1)))

    def _means(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        means = {}
        # The first process has an image if any has; one without knows no names of its own.
        for name in ranks.of_the_first(lambda: list(sums)):
            pair = sums.get(name, torch.zeros(2, dtype=torch.float64))
            total, count = sum_over_ranks(pair.to(self.device, torch.float64)).tolist()
            means[name] = total / count if count else float("nan")
        return means

    def sheet(self, model: nn.Module, path: Path) -> None:
        """Draw held-out images, what was visible of them, and completions."""
        from inpaint_cli.photos import sheets

        rows = []
        shown = held_out(self.images, self.training.sheet_images)
        for index in shown:
            batch, _ = self._batch([index])
            completed = self._pictures(cast(Model, model), batch)
            hidden = torch.tensor(HIDDEN_COLOUR, dtype=torch.uint8, device=self.device)
            masked = torch.where(batch.visible, batch.image, hidden[:, None, None])
            pictures = [*batch.image, *masked, *completed]
            rows.append([_pixels(picture) for picture in pictures])
        labels = ["truth", "visible", *(str(i) for i in range(max(map(len, rows)) - 2))]
        with replacing(path) as temporary:
            sheets.grid(rows, column_labels=labels).save(temporary)

    def _pictures(self, model: Model, batch: Batch) -> Tensor:
        """Return what a sheet shows of one image: completions, or what the stage shows instead."""
        key = content_key(batch.image, batch.visible)
        noise = Noise.of_completions(SEED, key, range(COMPLETIONS if model.stochastic else 1))
        with torch.no_grad():
            pictures = self.stage.pictures(model, batch, noise)
            if pictures is not None:
                return pictures
            return model.complete(batch.image, batch.visible, noise).images

    def _batch(self, indices: list[int]) -> tuple[Batch, Noise]:
        from inpaint_cli import masks

        pixels = np.stack([self.images.images[index] for index in indices])
        visible = masks.draw_batch(
            self.training.masks, *pixels.shape[2:], seed=SEED, epoch=0, indices=indices
        )
        labels = labels_of(self.images, indices)
        batch = Batch(
            torch.from_numpy(pixels).to(self.device),
            visible.to(self.device),
            None if labels is None else labels.to(self.device),
        )
        return batch, Noise.of_samples(SEED, "validate", 0, indices)


def _pixels(image: Tensor) -> npt.NDArray[np.uint8]:
    """Return uint8 [C, H, W] as [H, W] or [H, W, 3]."""
    pixels = image.permute(1, 2, 0).cpu().numpy()
    return cast(npt.NDArray[np.uint8], pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
