"""The door: fills the hole of a picture with texture that is its own, as often as is asked for.

The first fill on a machine waits for numba. Draws hang on the visible samples and the hole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from inpaint_cli.randomness import stream
from inpaint_cli.texture import frequency, patchmatch
from inpaint_cli.texture.frequency import depth_of
from inpaint_cli.texture.pyramid import (
    ENOUGH,
    THIN,
    levels_of,
    repainted,
    resized,
    whole_patches,
)
from inpaint_cli.texture.surface import Surface, around, step_of, surface_of
from inpaint_cli.texture.synthesis import guide_features, synthesise

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[slice, slice]

GUIDE_WEIGHT = 0.15
"""Weight of the guide on the coarsest level; each finer one has half of the weight before it."""
BLEND_ONE, BLEND_SEVERAL = (0.6, 0.4), (0.4, 0.2)
"""Shares of the first guess in low and in high frequencies, with one level and with several."""
GHOST = 30.0
"""Levels of 255. With several levels the guess has half of its share where it differs by so much
from what the patches draw: a mixture of two different pictures is seen as a ghost of one."""
FEW_COLOURS, EVEN_SHARE = 16, 0.6
"""A drawing has no more colours, or as many neighbours that are equal: there a mixture of the guess
and of what the patches draw is a smudge."""
WIDE = 50.0
"""Inside holes of a greater inscribed radius a first guess at full size only smears."""


@dataclass(frozen=True)
class ScaledGuide:
    """A picture on 0..255 to follow, the side at which its model works, and how closely."""

    values: Array
    """float32 [N, C], the picture in `hole`, in raster order."""
    hole: Array
    """bool [H, W]."""
    size: int
    weight: float

    def over(self, picture: Array, part: Array, span: Span) -> Array:
        """Return `picture`, what lies in `span`, with that part of the hole as in the guide."""
        here = np.zeros_like(self.hole)
        here[span] = part
        shown = picture.copy()
        shown[part] = self.values[here[self.hole]]
        return shown


class TooLittleTexture(ValueError):
    """Fewer than `ENOUGH` whole patches are visible: there is nothing to take texture from."""


class Filler:
    """A picture with a hole, prepared for as many completions as are wanted.

    samples: [H, W, C] of any number of channels, in any unit; `scale` is what white is in it. Only
    what is not in `hole`, bool [H, W], is read. A completion depends on the visible samples, the
    hole, the seed and its key alone; of the samples, those in `crop`, the surroundings of the hole,
    which are all that is changed or read. ignored: bool [H, W], pixels that are neither filled nor
    taken from, whose samples are a guess. TooLittleTexture where too little is visible, and no part
    of the hole lies in a plain surface; `left` is what does not where some do. If numba
    has to compile (see `compiled`), `compiling` is called before. keep: keep the samples, which
    `draw` needs; `values` has copies of its own where it needs any.
    """

    def __init__(
        self,
        samples: Array,
        hole: Array,
        *,
        seed: int = 0,
        scale: float = 255.0,
        ignored: Array | None = None,
        compiling: Callable[[], None] | None = None,
        keep: bool = True,
    ) -> None:
        self.samples, self.seed, self.scale = samples if keep else None, seed, scale
        hidden = hole if ignored is None else hole | ignored
        # Far pixels have no say, and cost memory: what follows is about the surroundings alone.
        self.crop = _window(hole, hidden)
        near, hole = np.asarray(samples[self.crop], np.float32), hole[self.crop]
        hidden = hidden[self.crop]
        self.hole, self.key = hole, key_of(near, hole, scale)
        picture = np.where(hole[..., None], np.float32(0), near)
        picture *= np.float32(255.0 / scale)
        self.highest = max(255.0, float(picture.max(initial=0.0)))
        step = step_of(picture[~hidden], scale)
        self.surfaces, thin, broad = _sorted(picture, hole, hidden, step)
        self.parts: list[HolePart] = []
        # What later parts see: the samples, with all that was drawn before.
        self.near: Array | None = near
        self.left = np.zeros(int(hole.sum()), np.bool_)
        if not (thin.any() or broad.any()):
            return
        if whole_patches(hidden) < ENOUGH:
            if not self.surfaces:
                raise TooLittleTexture(f"fewer than {ENOUGH} whole patches are visible")
            self.left = (thin | broad)[hole]
            return
        if compiling is not None and not compiled():
            compiling()
        for surface in self.surfaces:
            picture[surface.span][surface.hole] = surface.smooth[surface.hole]
        # Thin parts first: what they hold is known by the time that the wide ones are drawn.
        for part, unknown in ((thin, hidden), (broad, hidden & ~thin)):
            if part.any():
                alone = not self.surfaces and not self.parts
                self.parts.append(HolePart(picture, part, unknown, hidden, self.highest, alone))
        if len(self.parts) == 1 and not self.surfaces:
            self.near = None

    @property
    def varied(self) -> bool:
        """Whether completions differ: not where all that is filled is plain, without grain."""
        return bool(self.parts or self.left.any()) or any(
            surface.grainy for surface in self.surfaces
        )

    def draw(self, key: int | tuple[int, ...], **guided: Any) -> Array:
        """Return the completion of `key`, float32 [H, W, C]: only hole samples are changed.

        guided: as of `values`.
        """
        if self.samples is None:
            raise RuntimeError("the samples were not kept, and `draw` needs them")
        result = np.array(self.samples, np.float32)
        result[self.crop][self.hole] = self.values(key, **guided)
        return result

    def values(
        self,
        key: int | tuple[int, ...],
        *,
        guide: Array | None = None,
        guide_size: int = 0,
        guide_weight: float = GUIDE_WEIGHT,
    ) -> Array:
        """Return what `draw` puts into the hole, float32 [N, C] in raster order.

        guide: likewise, in the unit of the samples: the hole in a picture whose structure wide
        holes follow, with `guide_weight`; guide_size: the side at which its model works (blurs the
        comparison).
        """
        rng = stream(self.seed, self.key, *(key if isinstance(key, tuple) else (key,)))
        given = None
        if guide is not None and guide_weight > 0:
            given = ScaledGuide(self._scaled(guide), self.hole, guide_size, guide_weight)
        filled: Array
        if self.near is None:
            filled = self.parts[0].drawn(None, rng, given)
        else:
            filled = self._in_turn(self._scaled(self.near), rng, given)
        return np.clip(filled, 0.0, self.highest) / np.float32(255.0 / self.scale)

    def _in_turn(
        self,
        picture: Array,
        rng: np.random.Generator,
        guide: ScaledGuide | None,
    ) -> Array:
        """Return what surfaces and parts put into the hole, each seeing what was drawn before."""
        for surface in self.surfaces:
            picture[surface.span][surface.hole] = surface.drawn(rng)[surface.hole]
        for part in self.parts:
            picture[part.span][part.hole] = part.drawn(picture, rng, guide)
        filled: Array = picture[self.hole]
        return filled

    def _scaled(self, samples: Array) -> Array:
        """Return samples on 0..255."""
        scaled: Array = np.asarray(samples, np.float32) * np.float32(255.0 / self.scale)
        return scaled


class HolePart:
    """All thin holes of a picture, or all wide ones; with what its completions share."""

    def __init__(
        self,
        picture: Array,
        part: Array,
        unknown: Array,
        hidden: Array,
        highest: float,
        alone: bool,
    ) -> None:
        self.alone = alone
        """Nothing is filled before it: what it sees is the same in every completion."""
        self.span = _window(part, hidden)
        self.hole, self.unknown = part[self.span], unknown[self.span]
        here = picture[self.span]
        self.levels = levels_of(here, self.hole, hidden[self.span])
        self.first: Array | None = None
        if float(depth_of(self.hole).max()) <= WIDE:
            self.first = frequency.reconstruct(here, self.hole, highest, self.unknown)
        self.start = self._start(highest)
        if _is_drawing(here, ~hidden[self.span]):
            self.first = None

    def _start(self, highest: float) -> Array:
        """Return what the coarsest level begins with: the first guess, or one of its own."""
        coarsest = self.levels[-1]
        if self.first is None:
            return frequency.reconstruct(coarsest.picture, coarsest.hole, highest)
        start = resized(self.first, coarsest.hole.shape)
        if len(self.levels) == 1:
            return start
        rough = np.ascontiguousarray(coarsest.picture[..., start.shape[2] :])
        return np.dstack([start, frequency.reconstruct(rough, coarsest.hole, highest)])

    def drawn(
        self,
        picture: Array | None,
        rng: np.random.Generator,
        guide: ScaledGuide | None,
    ) -> Array:
        """Return what fills this part, float32 [N, C] in raster order.

        picture: the whole one, in which parts drawn before are filled; None where none is.
        """
        levels = self.levels
        if picture is not None and not self.alone:
            here = np.where(self.hole[..., None], np.float32(0), picture[self.span])
            levels = repainted(levels, here)
        coarsest = levels[-1]
        start = np.where(coarsest.hole[..., None], self.start, coarsest.picture)
        if guide is None or len(levels) == 1:
            guides = [np.zeros((*level.hole.shape, 0), np.int16) for level in levels]
        else:
            shown = guide.over(levels[0].picture, self.hole, self.span)
            guides = guide_features(shown, levels, guide.weight, guide.size)
            del shown
        state = np.array([int(rng.random() * 2**53)], np.uint64)
        drawn = synthesise(levels, start, guides, state)
        if self.first is not None:
            several = len(levels) > 1
            blend, ghost = (BLEND_SEVERAL, GHOST) if several else (BLEND_ONE, np.inf)
            drawn = _blended(drawn, self.first, self.hole, blend, ghost)
        filled: Array = drawn[self.hole]
        return filled


def _sorted(
    picture: Array, hole: Array, hidden: Array, quantum: float
) -> tuple[list[Surface], Array, Array]:
    """Return the connected parts of the hole: those in plain surfaces, then thin and wide ones."""
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8))
    surfaces = []
    thin, broad = np.zeros_like(hole), np.zeros_like(hole)
    depth = depth_of(hole)
    for number in range(1, count):
        left, top, width, height = boxes[number, :4]
        margin = 32
        y, x = max(0, top - margin), max(0, left - margin)
        span = slice(y, top + height + margin), slice(x, left + width + margin)
        part = labels[span] == number
        surface = surface_of(picture[span], part, hidden[span], quantum)
        if surface is not None:
            surfaces.append(surface.moved(y, x))
            continue
        group = thin if depth[span][part].max() <= THIN else broad
        group[span] |= part
    return surfaces, thin, broad


def _window(part: Array, hidden: Array) -> tuple[slice, slice]:
    """Return the surroundings that serve as sources: twice the extent, and 128 pixels at least."""
    if not part.any():
        return slice(0, 1), slice(0, 1)  # nothing to fill; OpenCV dies of empty pictures
    rows, columns = around(part, 0)
    span = around(
        part, max(128, (rows.stop - rows.start) // 2, (columns.stop - columns.start) // 2)
    )
    return span if whole_patches(hidden[span]) >= ENOUGH else (slice(None), slice(None))


def _is_drawing(picture: Array, known: Array) -> bool:
    """Return whether what is known of a picture [H, W, C] is of few colours, or of even areas."""
    pairs = known[:, 1:] & known[:, :-1]
    equal = (picture[:, 1:] == picture[:, :-1]).all(axis=2)
    if pairs.any() and equal[pairs].mean() >= EVEN_SHARE:
        return True
    keys = np.rint(picture[known]).astype(np.int64) @ (256 ** np.arange(picture.shape[2]))
    return len(np.unique(keys)) <= FEW_COLOURS


def _blended(
    drawn: Array, first: Array, hole: Array, blend: tuple[float, float], ghost: float
) -> Array:
    """Return the drawn picture with shares of the low and high frequencies of the first guess.

    ghost: the difference of both at which these shares are halved.
    """
    inside = hole.astype(np.float32)
    step = (first - drawn) * inside[..., None]
    share = np.maximum(cv2.GaussianBlur(inside, (0, 0), 1.5), 1e-6)[..., None]
    low = cv2.GaussianBlur(step, (0, 0), 1.5).reshape(step.shape) / share
    apart = cv2.GaussianBlur((low**2).mean(2), (0, 0), 3.0)[..., None]
    low_share, high_share = (part / (1 + apart / np.float32(ghost**2)) for part in blend)
    blended: Array = drawn + low_share * low + high_share * (step - low)
    return blended


def key_of(samples: Array, hole: Array, scale: float) -> bytes:
    """Return the 32-byte hash of what is visible: the hole and the samples round it, never in it.

    samples: float32 [H, W, C]; hole: bool [H, W].
    """
    digest = hashlib.sha256(repr((samples.shape, float(scale))).encode())
    digest.update(np.packbits(hole).tobytes())
    for row, hidden in zip(samples, hole, strict=True):  # not at once: that takes much memory
        digest.update(np.where(hidden[:, None], np.float32(0), row).tobytes())
    return digest.digest()


def compiled() -> bool:
    """Return whether numba's cache holds the loops; if not, the first fill takes ~20 s longer."""
    kernels: dict[str, Any] = {"fill_blocks": frequency.fill_blocks, "sweep": patchmatch.sweep}
    return all(
        kernel.signatures or _cached(kernel.stats.cache_path, name)
        for name, kernel in kernels.items()
    )


def _cached(folder: str | None, name: str) -> bool:
    return folder is not None and any(Path(folder).glob(f"*.{name}-*.nbi"))
