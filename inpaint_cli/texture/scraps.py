"""Where a picture has too few whole patches: a smooth guess, and grain pixel by pixel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from inpaint_cli.randomness import stream
from inpaint_cli.texture.filler import key_of
from inpaint_cli.texture.frequency import reconstruct

Array = np.ndarray[Any, np.dtype[Any]]

BLUR = 1.5


class Scraps:
    """Like `Filler`, for pictures that it refuses: some pixel must be visible, and no more."""

    def __init__(self, samples: Array, hole: Array, *, seed: int = 0, scale: float = 255.0) -> None:
        self.samples = np.asarray(samples, np.float32)
        self.hole, self.seed, self.scale = hole, seed, scale
        self.key = key_of(self.samples, hole, scale)
        picture = np.where(hole[..., None], 0, self.samples) * np.float32(255.0 / scale)
        self.first = reconstruct(picture, hole, max(255.0, float(picture.max())))
        soft = cv2.GaussianBlur(self.first, (0, 0), BLUR).reshape(self.first.shape)
        self.grain = (picture - soft)[~hole]

    def draw(self, key: int | tuple[int, ...]) -> Array:
        """Return the completion of `key`, float32 [H, W, C]; only hole samples are changed."""
        rng = stream(self.seed, self.key, *(key if isinstance(key, tuple) else (key,)))
        picks = (rng.random(int(self.hole.sum())) * len(self.grain)).astype(np.int64)
        result = self.samples.copy()
        filled = np.clip(self.first[self.hole] + self.grain[picks], 0, None)
        highest = max(self.scale, float(self.samples[~self.hole].max()))
        result[self.hole] = np.minimum(filled * np.float32(self.scale / 255.0), highest)
        return result
