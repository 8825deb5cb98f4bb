"""Detail of the photo's own: texture for the holes, drawn from what is visible round them.

It works on the samples as they are stored, so that depth, grain and ink are the photo's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt

from inpaint_cli.photos.drawing import Guide
from inpaint_cli.photos.parts import Part, holes_in_parts, in_order, pasted
from inpaint_cli.photos.windows import Box, Mask
from inpaint_cli.pictures.membrane import membrane
from inpaint_cli.pictures.picture import Picture, Samples
from inpaint_cli.pictures.tones import from_tones, tones, white_of
from inpaint_cli.texture import Filler, Scraps, TooLittleTexture
from inpaint_cli.texture.pyramid import ENOUGH, THIN, whole_patches

NEAR = 16
"""Hidden pixels nearer than about this are one hole."""
LONGEST = 1024
"""Holes longer than this, and than three times their width, are filled part by part."""
MARGIN = 160
"""Pixels round a part, at least, from which patches are taken; more for wide ones."""
KEPT_PIXELS = 1 << 22
"""What was prepared for parts is kept for the next completion up to so many pixels together."""


@dataclass(frozen=True)
class TexturedPart:
    """A part of a hole, its surroundings, and what is unknown there but filled elsewhere."""

    part: Part
    surroundings: Box
    pixels: Mask
    """bool, the shape of the surroundings: what is filled."""
    unknown: Mask
    """bool, likewise: neither read nor filled."""
    follows: bool
    """It adjoins earlier parts, so that its surroundings differ between completions."""


@dataclass
class Texturing:
    """Draws the texture of all holes of a photo, one completion at a time."""

    photo: Picture
    visible: Mask
    """bool [H, W], True where samples may be read: known, and not transparent."""
    hidden: Mask
    """bool [H, W], what is to be filled."""
    seed: int
    several: bool = True
    """More than one completion will be drawn: what they share is kept."""
    opaque: bool = False
    """What is filled will be made opaque."""
    compiling: Callable[[], None] | None = None
    """Called once if machine code has to be made first, which takes seconds."""
    holes: list[list[TexturedPart]] = field(init=False)
    starved: bool = field(init=False)
    """Whether some part has too little texture round it: a model's picture has to do there."""
    varied: bool = field(init=False, default=False)
    """Whether texture differs between completions; known once one was drawn."""
    _prepared: dict[int, Filler | None] = field(init=False, default_factory=dict)
    _kept: int = field(init=False, default=0)
    """Pixels of the surroundings of all that is kept."""

    def __post_init__(self) -> None:
        holes = holes_in_parts(self.hidden, NEAR, LONGEST)
        self.holes = [self._textured(parts) for parts in holes]
        every = [part for parts in self.holes for part in parts]
        self.starved = any(self._starved(part) for part in every)

    @property
    def reach(self) -> Box:
        """The smallest box that holds the surroundings of all parts."""
        boxes = [part.surroundings for parts in self.holes for part in parts]
        return reduce(Box.joined, boxes)

    @property
    def needs_structure(self) -> bool:
        """Whether a model is of use: in holes that are wide, or have too little round them."""
        return self.starved or any(
            part.part.radius > THIN for parts in self.holes for part in parts
        )

    def fill(
        self,
        samples: Samples,
        index: int,
        guide: Guide | None = None,
        corner: tuple[int, int] = (0, 0),
    ) -> None:
        """Fill the holes of `samples`, a copy of the photo's or of its part at `corner`, in place.

        guide: what wide holes follow in their structure; None = nothing but what is visible.
        """
        for parts in self.holes:
            for part in parts:
                around = part.surroundings.moved(-corner[0], -corner[1])
                self._fill_part(samples, part, around, index, guide)

    def _textured(self, parts: Sequence[Part]) -> list[TexturedPart]:
        """Return the parts of one hole with their surroundings, in the order of filling."""
        textured: list[TexturedPart] = []
        sees = [bool(self.visible[self._around(part).slices].any()) for part in parts]
        if not all(sees):
            seeing = {id(part) for part, some in zip(parts, sees, strict=True) if some}
            parts = in_order(parts, lambda part: id(part) in seeing)
        for number, part in enumerate(parts):
            around = self._around(part)
            pixels = pasted(part, around)
            unknown = ~self.visible[around.slices] & ~pixels
            if part.touches:
                for other in parts[:number]:
                    unknown &= ~pasted(other, around)
            textured.append(TexturedPart(part, around, pixels, unknown, bool(part.touches)))
        return textured

    def _starved(self, part: TexturedPart) -> bool:
        """Return whether a part has too little round it, and does not just continue a surface."""
        if whole_patches(part.unknown | part.pixels) >= ENOUGH:
            return False
        if part.follows:
            return True
        filler = self._filler(self.photo.samples[part.surroundings.slices], part, again=True)
        return filler is None or bool(filler.left.any())

    def _around(self, part: Part) -> Box:
        """Return the box from which the patches of a part are taken."""
        longest = max(part.box.height, part.box.width)
        margin = max(MARGIN, min(longest // 2, round(8 * part.radius)))
        return part.box.grown(margin).clipped(*self.hidden.shape)

    def _fill_part(
        self, samples: Samples, part: TexturedPart, around: Box, index: int, guide: Guide | None
    ) -> None:
        """Fill one part; around: its surroundings, where they lie in `samples`."""
        near = samples[around.slices]
        filler = self._filler(near, part)
        self.varied |= filler is None or filler.varied
        drawn = None if guide is None else guide.samples[around.slices][part.pixels]
        if filler is None or filler.left.any():
            if drawn is not None:
                near[part.pixels] = drawn
            else:
                self._store(near, part.pixels, self._scraps(near, part, index))
        if filler is None:
            return
        if drawn is None or guide is None:
            values = filler.values(index)
        else:
            size = max(1, round(max(around.height, around.width) / guide.scale))
            # As one row of pixels, likewise in `_store`: no more than what is filled is converted.
            shown = tones(self.photo, drawn[None])[0]
            values = filler.values(index, guide=shown, guide_size=size)
        pixels = part.pixels.copy()
        pixels[part.pixels] = ~filler.left
        self._store(near, pixels, values[~filler.left])

    def _store(self, samples: Samples, pixels: Mask, values: npt.NDArray[np.float32]) -> None:
        """Write values [N, C] to some pixels of `samples`, in place."""
        under = samples[pixels]
        stored = from_tones(self.photo, values[None], under[None], opaque=self.opaque)[0]
        samples[..., : stored.shape[1]][pixels] = stored

    def _scraps(self, around: Samples, part: TexturedPart, index: int) -> npt.NDArray[np.float32]:
        """Return what fills a part where neither texture nor a model can, [N, C]."""
        readable, hole = tones(self.photo, around), part.pixels | part.unknown
        if hole.all():  # as far as it sees, all else is transparent
            return np.tile(self._mean, (int(part.pixels.sum()), 1))
        scraps = Scraps(readable, hole, seed=self.seed, scale=white_of(self.photo))
        return scraps.draw(index)[part.pixels]

    @cached_property
    def _mean(self) -> npt.NDArray[np.float32]:
        """What is visible, on average."""
        readable = tones(self.photo, self.photo.samples[self.visible][None])[0]
        return np.asarray(readable.mean(axis=0), np.float32)

    def _filler(self, around: Samples, part: TexturedPart, again: bool = False) -> Filler | None:
        """Return what fills a part; kept if it serves `again`, as for later completions."""
        if id(part) in self._prepared:
            return self._prepared[id(part)]
        filler: Filler | None
        try:
            readable = tones(self.photo, around)
            self._guessed(readable, part)
            filler = Filler(
                readable,
                part.pixels,
                ignored=part.unknown,
                seed=self.seed,
                scale=white_of(self.photo),
                compiling=self.compiling,
                keep=False,
            )
        except TooLittleTexture:
            filler = None
        size = part.surroundings.height * part.surroundings.width
        if (self.several or again) and not part.follows and self._kept + size <= KEPT_PIXELS:
            self._prepared[id(part)] = filler
            self._kept += size
        return filler

    def _guessed(self, readable: npt.NDArray[np.float32], part: TexturedPart) -> None:
        """Replace what is unknown round a part by a smooth guess, in place."""
        known = ~part.unknown & ~part.pixels
        if known.all() or not part.unknown.any() or not known.any():
            return
        for band in range(readable.shape[2]):
            guess = membrane(readable[..., band], known, ~known)
            readable[..., band][part.unknown] = guess[part.unknown]
