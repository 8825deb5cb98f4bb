"""The door: fills the hole of a picture with texture that is its own, as often as is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from inpaint_cli.randomness import stream
from inpaint_cli.texture import frequency
from inpaint_cli.texture.frequency import depth_of
from inpaint_cli.texture.pyramid import ENOUGH, THIN, levels_of, resized, whole_patches
from inpaint_cli.texture.surface import Surface, surface_of
from inpaint_cli.texture.synthesis import Progress, guide_features, synthesise

Array = np.ndarray[Any, np.dtype[Any]]

GUIDE_WEIGHT = 0.3
"""Weight of the guide on the coarsest level; each finer one has half of the weight before it."""
BLEND_ONE, BLEND_SEVERAL = (0.5, 0.5), (0.3, 0.1)
"""Shares of the low and the high frequencies of the first guess, with one level and with several."""
WIDE = 50.0
"""Inside holes of a greater inscribed radius a first guess at full size only smears."""


class TooLittleTexture(ValueError):
    """Fewer than `ENOUGH` whole patches are visible: there is nothing to take texture from."""


def fill(
    samples: Array,
    hole: Array,
    *,
    seed: int,
    index: int = 0,
    scale: float = 255.0,
    guide: Array | None = None,
    guide_size: int = 0,
    guide_weight: float = GUIDE_WEIGHT,
    progress: Progress | None = None,
) -> Array:
    """Return completion `index` of `samples`; see `Filler`, which is better for several."""
    filler = Filler(samples, hole, seed=seed, scale=scale)
    return filler.draw(index, guide, guide_size, guide_weight, progress)


class Filler:
    """A picture with a hole, prepared for as many completions as are wanted.

    samples: [H, W, C] of any number of channels, in any unit; `scale` is what white is in it. Only
    what is not in `hole`, bool [H, W], is read. Completion i depends on the visible samples, the
    hole, the seed and i alone. TooLittleTexture where too little is visible.
    """

    def __init__(
        self, samples: Array, hole: Array, *, seed: int = 0, scale: float = 255.0
    ) -> None:
        self.samples = np.asarray(samples, np.float32)
        self.hole, self.seed, self.scale = hole, seed, scale
        visible = np.where(hole[..., None], np.float32(0), self.samples)
        self.key = hashlib.sha256(
            repr((samples.shape, scale)).encode() + np.packbits(hole).tobytes() + visible.tobytes()
        ).digest()
        picture = visible * np.float32(255.0 / scale)
        self.highest = max(255.0, float(picture.max(initial=0.0)))
        quantum = 255.0 / scale if scale > 1 else 0.0
        self.surfaces, thin, wide = _sorted(picture, hole, quantum)
        if (thin.any() or wide.any()) and whole_patches(hole) < ENOUGH:
            raise TooLittleTexture(f"fewer than {ENOUGH} whole patches of the picture are visible")
        for surface in self.surfaces:
            picture[surface.span][surface.hole] = surface.smooth[surface.hole]
        self.parts: list[Part] = []
        # Thin parts first: what they hold is known by the time that the wide ones are drawn.
        for part, unknown in ((thin, thin | wide), (wide, wide)):
            if part.any():
                self.parts.append(Part(picture, part, unknown, hole, self.highest))

    def draw(
        self,
        index: int,
        guide: Array | None = None,
        guide_size: int = 0,
        guide_weight: float = GUIDE_WEIGHT,
        progress: Progress | None = None,
    ) -> Array:
        """Return completion `index`, float32 [H, W, C]: only hole samples differ from `samples`.

        guide: [H, W, C] in the unit of the samples, a completion whose structure wide holes follow;
        guide_size: the side, in pixels, at which its model worked (blurs the comparison).
        """
        rng = stream(self.seed, self.key, index)
        picture = self.samples * np.float32(255.0 / self.scale)
        for surface in self.surfaces:
            picture[surface.span][surface.hole] = surface.drawn(rng)[surface.hole]
        if guide is not None:
            guide = np.asarray(guide, np.float32) * np.float32(255.0 / self.scale)
        for part in self.parts:
            part.draw(picture, rng, guide, guide_size, guide_weight, progress)
        filled = np.clip(picture, 0.0, self.highest) * np.float32(self.scale / 255.0)
        return np.where(self.hole[..., None], filled, self.samples)


class Part:
    """All thin holes of a picture, or all wide ones; with what its completions share."""

    def __init__(
        self, picture: Array, part: Array, unknown: Array, hole: Array, highest: float
    ) -> None:
        self.span = _window(part, hole)
        self.part, self.unknown = part[self.span], unknown[self.span]
        self.hidden, self.highest = hole[self.span], highest
        self.radius = float(depth_of(self.part).max())
        picture = picture[self.span]
        self.first: Array | None = None
        if self.radius <= WIDE:
            self.first = frequency.reconstruct(picture, self.part, highest, self.unknown)

    def draw(
        self,
        picture: Array,
        rng: np.random.Generator,
        guide: Array | None,
        guide_size: int,
        guide_weight: float,
        progress: Progress | None,
    ) -> None:
        """Fill this part of `picture`, in which parts drawn before are filled."""
        here = picture[self.span]
        if self.first is not None:
            here = np.where(self.unknown[..., None], self.first, here)
        levels = levels_of(here, self.part, self.hidden)
        coarsest = levels[-1]
        if len(levels) == 1:
            first = here
        elif self.first is not None:
            first = resized(here, coarsest.hole.shape)
        else:
            first = frequency.reconstruct(coarsest.picture, coarsest.hole, self.highest)
        if guide is None or len(levels) == 1:
            guides = [np.zeros((*level.hole.shape, 0), np.int16) for level in levels]
        else:
            shown = np.where(self.part[..., None], guide[self.span], here)
            guides = guide_features(shown, levels, guide_weight, guide_size)
        state = np.array([int(rng.random() * 2**53)], np.uint64)
        drawn = synthesise(levels, first, guides, state, progress)
        if self.first is not None:
            drawn = _blended(drawn, self.first, self.part, BLEND_SEVERAL if len(levels) > 1 else BLEND_ONE)
        picture[self.span][self.part] = drawn[self.part]


def _sorted(picture: Array, hole: Array, quantum: float) -> tuple[list[Surface], Array, Array]:
    """Return the connected parts of the hole: those in plain surfaces, then thin and wide ones."""
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8))
    surfaces = []
    thin, wide = np.zeros_like(hole), np.zeros_like(hole)
    depth = depth_of(hole)
    for number in range(1, count):
        left, top, width, height = boxes[number, :4]
        margin = 32
        y, x = max(0, top - margin), max(0, left - margin)
        span = slice(y, top + height + margin), slice(x, left + width + margin)
        part = labels[span] == number
        surface = surface_of(picture[span], part, hole[span], quantum)
        if surface is not None:
            surfaces.append(surface.moved(y, x))
            continue
        group = thin if depth[span][part].max() <= THIN else wide
        group[span] |= part
    return surfaces, thin, wide


def _window(part: Array, hole: Array) -> tuple[slice, slice]:
    """Return the surroundings that serve as sources: twice the extent, and 128 pixels at least."""
    rows, columns = np.nonzero(part.any(1))[0], np.nonzero(part.any(0))[0]
    margin = max(128, (rows[-1] - rows[0] + 1) // 2, (columns[-1] - columns[0] + 1) // 2)
    span = (
        slice(max(0, int(rows[0] - margin)), int(rows[-1] + margin + 1)),
        slice(max(0, int(columns[0] - margin)), int(columns[-1] + margin + 1)),
    )
    return span if whole_patches(hole[span]) >= ENOUGH else (slice(None), slice(None))


def _blended(drawn: Array, first: Array, hole: Array, blend: tuple[float, float]) -> Array:
    """Return the drawn picture with shares of the low and high frequencies of the first guess."""
    low_share, high_share = blend
    inside = hole.astype(np.float32)
    step = (first - drawn) * inside[..., None]
    share = np.maximum(cv2.GaussianBlur(inside, (0, 0), 1.5), 1e-6)[..., None]
    low = cv2.GaussianBlur(step, (0, 0), 1.5).reshape(step.shape) / share
    return drawn + low_share * low + high_share * (step - low)
