"""Expectation and maximisation by turns, from the coarsest level to the photo's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from inpaint_cli.texture import patchmatch, votes
from inpaint_cli.texture.pyramid import Level, resized

Array = np.ndarray[Any, np.dtype[Any]]

ROUNDS = (15, 10, 8, 6, 4, 3, 2)
"""Rounds a level, from the coarsest on; the last one holds for all that follow."""
ROUNDS_ONE, SWEEPS_ONE = 2, 2
NEAR_ONE, NEAR_SEVERAL = 0.3, 0.05
"""What a pixel of distance adds to a cost, with one level and with several."""

FAINTEST = 0.05
"""Levels on which a guide would count less than this are not guided."""


def synthesise(
    levels: Sequence[Level],
    first: Array,
    guides: Sequence[Array],
    state: Array,
) -> Array:
    """Return the finest level's picture with its hole drawn from patches.

    first: the coarsest level's picture with a first guess in the hole; guides: int16 [H, W, G] a
    level; state: uint64 [1], the random generator's.
    """
    several = len(levels) > 1
    rounds = [
        ROUNDS[min(n, len(ROUNDS) - 1)] if several else ROUNDS_ONE for n in range(len(levels))
    ]
    picture, field = first.copy(), None
    for step, level in enumerate(reversed(levels)):
        guide = guides[len(levels) - 1 - step]
        nearness = NEAR_SEVERAL if several else NEAR_ONE
        search = Search(level, levels[0].picture.shape[2], guide, nearness, state)
        if field is None:
            search.scatter()
        else:
            search.refine(field)
            picture = search.drawn(level.picture)
        last = step == len(levels) - 1
        search.run(picture, rounds[step], 1 if several else SWEEPS_ONE, last)
        field = search.field
    return picture


class Search:
    """The field of one level, and what is needed to improve it."""

    def __init__(
        self, level: Level, colours: int, guide: Array, nearness: float, state: Array
    ) -> None:
        height, width, channels = level.picture.shape
        self.colours = colours
        self.level, self.guide, self.nearness, self.state = level, guide, nearness, state
        self.each = channels + 2 + guide.shape[2]
        self.field = np.full((height, width, 2), -1, np.int32)
        self.costs = np.zeros(len(level.targets), np.float64)
        self.features = np.zeros((height, width * self.each), np.int16)

    def scatter(self) -> None:
        """Begin with random sources."""
        patchmatch.scatter(self.level.targets, self.level.sources, self.field, self.state)

    def refine(self, coarse: Array) -> None:
        """Begin with the field of the next coarser level."""
        level = self.level
        patchmatch.refine(coarse, level.targets, level.sources, level.share, self.field, self.state)

    def drawn(self, picture: Array) -> Array:
        """Return a picture voted by the field as it stands, all patches alike good."""
        result = picture.copy()
        self.costs[:] = 0
        self._vote(votes.vote, result)
        return result

    def run(self, picture: Array, rounds: int, sweeps: int, last: bool) -> None:
        """Search and vote by turns, in `picture`; the `last` round of all chooses instead."""
        height, width = self.level.hole.shape
        scene, forward = self._scene(), True
        for turn in range(rounds):
            box = self.level.box if turn else (0, height, 0, width)
            patchmatch.write_features(picture, self.colours, self.guide, box, self.features)
            patchmatch.measure(scene, self.field, self.costs)
            for _ in range(sweeps):
                patchmatch.sweep(scene, self.field, self.costs, self.state, forward)
                forward = not forward
            final = last and turn == rounds - 1
            self._vote(votes.choose if final else votes.vote, picture)

    def _scene(self) -> patchmatch.Scene:
        level = self.level
        return patchmatch.Scene(
            self.features, level.seen, level.share, self.each, self.nearness, level.targets
        )

    def _vote(self, rule: Any, picture: Array) -> None:
        level = self.level
        variance = votes.variance_of(self.costs)
        rule(
            picture, level.hole, level.hidden, level.confidence,
            level.targets, self.field, self.costs, variance,
        )  # fmt: skip


def guide_features(
    picture: Array, levels: Sequence[Level], weight: float, size: int
) -> list[Array]:
    """Return int16 [H, W, C] a level: `picture`, which a model filled, as blurred as its model is.

    The coarsest level's has the `weight`, each finer one half of the weight before it; where hardly
    any is left there are no channels.
    """
    blurred = []
    for number, level in enumerate(levels):
        height, width = level.hole.shape
        strength = (weight * 0.5 ** (len(levels) - 1 - number)) ** 0.5
        if strength < FAINTEST:
            blurred.append(np.zeros((height, width, 0), np.int16))
            continue
        small = picture if number == 0 else resized(picture, (height, width))
        sigma = max(0.6, max(height, width) / size)
        soft = cv2.GaussianBlur(small, (0, 0), sigma).reshape(small.shape)
        blurred.append(np.rint(soft * (patchmatch.QUANTA * strength)).astype(np.int16))
    return blurred
