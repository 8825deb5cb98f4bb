"""Ways to choose where to look next: each takes what is visible, and gives a place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from inpaint_cli.family import Model
from inpaint_cli.photos.memory import Batches
from inpaint_cli.photos.windows import Mask
from inpaint_cli.posterior import gains
from inpaint_cli.posterior.classifying import Judge
from inpaint_cli.posterior.gains import Gains, Probabilities
from inpaint_cli.posterior.looks import Looks
from inpaint_cli.randomness import Noise, content_key, stream

if TYPE_CHECKING:
    from torch import Tensor

Estimator = Literal["eig", "epe", "random", "uncond", "uncond-sequence"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
UNCONDITIONAL = ("uncond", "uncond-sequence")
"""They stand on training images, and look at every picture in the same places."""
TIE = 1e-6
"""Gains within so many nats of the largest are equal: classifiers compute in float32."""
BATCH = 64


@dataclass(frozen=True)
class Situation:
    """What is known of a picture before a look."""

    image: Tensor
    """uint8 [1, C, S, S]; what is hidden has no influence."""
    visible: Mask
    start: Mask
    """What was visible before the first look."""
    step: int
    """From 1."""
    row: int = 0
    """Of the picture in its set: `random` looks elsewhere in each."""


@dataclass(frozen=True)
class ChosenPlace:
    """Where to look, and the gains by which that was chosen, in nats."""

    place: int
    gain: Gains
    """[L], NaN for places that are visible, and where none was computed."""
    each: Gains
    """[N, L], of which `gain` is the mean; no rows where none was computed."""
    pictures: Tensor
    """uint8 [N, C, S, S]: completions, or training images."""


@dataclass(frozen=True)
class Tools:
    """What choosing stands on."""

    model: Model
    device: torch.device | str
    judge: Judge
    looks: Looks
    n: int
    seed: int
    steps: int
    training: Tensor | None = None
    """Training images, uint8 [M, C, S, S], where there are any."""
    batch: int = BATCH
    """Completions drawn at a time; no result depends on it."""

    def completions(self, image: Tensor, visible: Mask) -> Tensor:
        """Return n completions of what is visible; of nothing, the training images if there are."""
        if self.training is not None and not visible.any():
            return self.training
        known = torch.from_numpy(visible)[None, None]
        noise = Noise.of_completions(self.seed, content_key(image, known), range(self.n))
        drawn = Batches(self.batch).drawn(
            self.model, image.to(self.device), known.to(self.device), noise
        )
        return torch.cat([part.images.cpu() for part in drawn])


@dataclass
class Chooser(ABC):
    """A way to choose."""

    tools: Tools

    @abstractmethod
    def choose(self, now: Situation) -> ChosenPlace:
        """Return where to look next; some place is not wholly visible."""


def chooser(estimator: Estimator, tools: Tools) -> Chooser:
    """Return the way to choose of this name."""
    if estimator == "random":
        return AtRandom(tools)
    if estimator == "uncond":
        return OfTrainingImages(tools)
    if estimator == "uncond-sequence":
        return BestSequence(tools)
    return ByCompletions(tools, estimator)


@dataclass
class ByCompletions(Chooser):
    """The largest gain over completions of what is visible: `eig` or `epe`."""

    estimator: gains.Estimator
    _of_nothing: ChosenPlace | None = None
    """It is the same for every picture."""

    def choose(self, now: Situation) -> ChosenPlace:
        if self._of_nothing is not None and not now.visible.any():
            return self._of_nothing
        judge, when = self.tools.judge, f" at look {now.step}"
        pictures = self.tools.completions(now.image, now.visible)
        expected = judge.of(now.image, now.visible[None], when)[0]
        choice = best(self.tools, pictures, now, expected, self.estimator)
        if not now.visible.any():
            self._of_nothing = choice
        return choice


@dataclass
class OfTrainingImages(Chooser):
    """`uncond`: eq. 10 of IPA with training images, so the same places in every picture."""

    _chosen: dict[bytes, ChosenPlace] = field(default_factory=dict)

    def choose(self, now: Situation) -> ChosenPlace:
        key = now.visible.tobytes()
        if key not in self._chosen:
            training = self.tools.training
            assert training is not None  # `prepare` refuses to go on without
            # What is expected now enters `epe` alone.
            nothing = np.zeros(self.tools.judge.classes)
            self._chosen[key] = best(self.tools, training, now, nothing, "eig")
        return self._chosen[key]


@dataclass
class BestSequence(Chooser):
    """`uncond-sequence`: of as many random sequences as there are places the most telling one."""

    _sequences: dict[bytes, npt.NDArray[np.int64]] = field(default_factory=dict)

    def choose(self, now: Situation) -> ChosenPlace:
        key = now.start.tobytes()
        if key not in self._sequences:
            self._sequences[key] = self._sequence(now.start)
        left = self.tools.looks.open_places(now.visible)
        # Of overlapping places an earlier look may have shown one wholly.
        place = next(place for place in [*self._sequences[key], *left] if place in left)
        return without_gains(self.tools, int(place))

    def _sequence(self, start: Mask) -> npt.NDArray[np.int64]:
        tools, looks = self.tools, self.tools.looks
        assert tools.training is not None
        places = looks.open_places(start)
        tag = b"looks in sequence" + start.tobytes()
        draws = [stream(tools.seed, tag, r).random(len(places)) for r in range(len(looks.masks))]
        sequences = places[np.argsort(draws, axis=1, kind="stable")[:, : tools.steps]]
        shown = looks.masks[sequences].any(axis=1) | start
        left = gains.entropy(tools.judge.each(tools.training, shown)).mean(axis=0)
        # The first term of the gain is the same for all, so the least left is the most gained.
        return np.asarray(sequences[first_of_largest(-left)])


class AtRandom(Chooser):
    """`random`: any place that is not wholly visible, as likely as any other."""

    def choose(self, now: Situation) -> ChosenPlace:
        key = content_key(now.image, torch.from_numpy(now.visible)[None, None])
        places = self.tools.looks.open_places(now.visible)
        drawn = stream(self.tools.seed, b"look" + key, now.row).random()
        return without_gains(self.tools, int(places[int(drawn * len(places))]))


def best(
    tools: Tools,
    pictures: Tensor,
    now: Situation,
    expected: Probabilities,
    estimator: gains.Estimator,
) -> ChosenPlace:
    """Return the place of the largest gain over `pictures`; of equal ones the first.

    expected: [C], the class probabilities of what is visible.
    """
    looks = tools.looks
    places = looks.open_places(now.visible)
    shown = looks.masks[places] | now.visible
    p = tools.judge.each(pictures, shown, f" at look {now.step}")
    gain = np.full(len(looks.corners), np.nan)
    each = np.full((len(pictures), len(looks.corners)), np.nan)
    gain[places] = gains.estimate(p, expected, estimator)
    each[:, places] = gains.gains_of_each(p, expected, estimator)
    return ChosenPlace(int(places[first_of_largest(gain[places])]), gain, each, pictures)


def without_gains(tools: Tools, place: int) -> ChosenPlace:
    """Return a choice that was not made by gains."""
    none = np.full(len(tools.looks.corners), np.nan)
    pictures = torch.empty(0, tools.judge.network.channels, tools.looks.size, tools.looks.size)
    return ChosenPlace(place, none, none[None][:0], pictures.to(torch.uint8))


def first_of_largest(values: Gains) -> int:
    """Return the first place of the largest value, or of what hardly differs from it.

    >>> first_of_largest(np.array([0.0, 1.0, 1.0 + 1e-9]))
    1
    """
    return int(np.flatnonzero(values >= values.max() - TIE)[0])
