"""What is scored: models that complete a split of a data set under one and the same set of masks.

Or what their autoencoders make of the originals: the best that completions can be.
Files made beforehand are the other kind of target (folders.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint_cli.data.image_set import ImageSet
from inpaint_cli.errors import ResourceError
from inpaint_cli.family import Model
from inpaint_cli.metrics.protocol import (
    RECONSTRUCTION,
    MaskChoice,
    ModelSize,
    Setting,
    TargetFacts,
    dataset_facts,
)
from inpaint_cli.models.external import ToolFailure
from inpaint_cli.models.quantise import to_bytes, to_levels
from inpaint_cli.photos.completing import complete_photo
from inpaint_cli.photos.memory import Batches
from inpaint_cli.photos.request import CompletionRequest, DetailSource
from inpaint_cli.pictures.picture import of_array
from inpaint_cli.randomness import Noise, content_key, stream, tag_of
from inpaint_cli.reporting import Reporter

BATCH_PIXELS = 2**20
"""Pixels of the completions that a model draws at a time."""
MOST_AT_A_TIME = 64


@dataclass(frozen=True)
class Case:
    """One image of a target with its completions; every image is uint8."""

    truth: Tensor
    """[C, H, W]."""
    visible: Tensor | None
    """bool [H, W], True = known; None where nothing says."""
    completions: Tensor
    """[K, C, H, W]."""
    nats: float | None = None
    """-log p(hidden | visible) of the truth."""
    label: int | None = None
    """The class of the truth, a place in the target's `classes`; None without classes."""
    spent: Mapping[str, float] = field(default_factory=dict)
    """What making the completions took and did, where that is measured."""


class Target:
    """A sequence of cases, each of which can be made on its own, in any order."""

    name: str
    """What a table calls it."""
    label: str
    """What remarks call it: the name, with its masks where there are several kinds."""
    ids: Sequence[str]
    """The name of each image."""
    k: int
    """The number of completions of every image."""
    setting: Setting
    """Size, channels and levels."""
    has_masks: bool = True
    """Whether cases know what is hidden."""
    has_likelihood: bool = False
    """Whether cases have `nats`."""
    classes: Sequence[str] = ()
    """The names of the classes that every image has one of; empty without classes."""
    is_reconstruction: bool = False
    """Whether its pictures are no completions, but what autoencoders make of the originals."""
    bound: str | None = None
    """Either "exact" or "elbo" once a case was made; None without a likelihood."""
    converted: Mapping[str, int] | None = None
    """What was converted of files that were read -> of how many."""

    @property
    def draws(self) -> int:
        """How many completions of an image are drawn; those stand for k."""
        return self.k

    @property
    def keeps_visible(self) -> bool:
        """Whether these files were written with the originals' visible pixels, bit for bit."""
        return False

    def case(self, index: int) -> Case:
        """Make case `index`; it depends on the target and the index alone."""
        raise NotImplementedError

    def facts(self) -> TargetFacts:
        """Return what a report says of it."""
        raise NotImplementedError

    def fingerprint(self) -> Any:
        """Return JSON-able data that differ where a case might."""
        raise NotImplementedError


@dataclass(frozen=True)
class Contestant:
    """A loaded model with what a report says of it."""

    name: str
    family: str
    model: Model
    device: torch.device | str
    weights_sha256: str | None = None
    checkpoint: str | None = None
    """Name of its weight file, without folders; the command of a program."""
    identity: tuple[str, ...] = ()
    """What tells it from others, beside name and weights."""
    note: str = ""
    """What is not trained yet; empty if all is."""

    def tell(self, reporter: Reporter) -> None:
        """Say what a user should know of its figures."""
        if self.note:
            reporter.note(f"{self.name}: {self.note}")

    @property
    def size(self) -> ModelSize:
        """What decides the setting in which it is scored."""
        model = self.model
        return ModelSize(self.name, model.size, model.channels, model.levels)


def subset(images: Sized, limit: int | None) -> list[int]:
    """Return the rows of the images that are scored: all, or `limit` at random, in their order.

    The draw is the same in every run, and a smaller limit takes some of a larger one's.
    """
    count = len(images)
    if limit is None or limit >= count:
        return list(range(count))
    order = np.argsort(stream(0, "score limit", count).random(count), kind="stable")
    return sorted(order[:limit].tolist())


@dataclass
class ModelTarget(Target):
    """A model that completes images under masks; the masks are the same for every model."""

    contestant: Contestant
    images: ImageSet
    rows: Sequence[int]
    setting: Setting
    masks: MaskChoice
    wanted_k: int
    seed: int = 0
    temperature: float | None = None
    detail: DetailSource = "none"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the model's family, by name."""
    batches: Batches = field(init=False)

    def __post_init__(self) -> None:
        pixels = self.setting.height * self.setting.width
        self.batches = Batches(max(1, min(MOST_AT_A_TIME, BATCH_PIXELS // pixels)))
        self.name = self.label = self.contestant.name
        self.ids = [self.images.ids[row] for row in self.rows]
        self.k = self.wanted_k
        # No likelihood at a size that is not the model's.
        self.has_likelihood = self.contestant.model.has_log_prob and not self.setting.windows
        self.classes = () if self.images.labels is None else self.images.classes

    @property
    def draws(self) -> int:
        """How many completions of an image are drawn.

        A deterministic model, or one at temperature 0, is drawn once and stands for k equal
        completions: its diversity is then 0 and its crps its mean absolute error, beside those of
        the others.
        """
        return self.k if self.contestant.model.stochastic and self._temperature != 0 else 1

    def case(self, index: int) -> Case:
        image, levels = self.picture(index), self.setting.levels
        visible = torch.from_numpy(np.array(self.masks[index]))
        if bool(visible.all()):
            completions, nats = image[None].expand(self.k, -1, -1, -1), None
        else:
            seed = self._seed_of(index, image, visible)
            completions, nats = self._completed(image[None], visible[None, None], seed)
        spent = self.contestant.model.take_spent()
        label = self.label_of(index)
        return Case(scored(image, levels), visible, scored(completions, levels), nats, label, spent)

    def picture(self, index: int) -> Tensor:
        """Return an original as a model takes it, uint8 [C, H, W], at its levels."""
        stored = torch.from_numpy(np.array(self.images.images[self.rows[index]]))
        levels = self.setting.levels
        return to_bytes(to_levels(stored, levels), levels) if levels < 256 else stored

    def label_of(self, index: int) -> int | None:
        """Return the class of an original; None without classes."""
        labels = self.images.labels
        return None if labels is None else int(labels[self.rows[index]])

    def _seed_of(self, index: int, image: Tensor, visible: Tensor) -> int:
        """Return the seed of an image's completions: its own where other images look the same.

        Streams are keyed by what is visible. Where that is nothing, or of one colour under a mask
        that all images share, these would share their completions, too: no sample of the model.
        """
        shown = image[:, visible]
        varied = bool((shown != shown[:, :1]).any())
        if varied or (visible.any() and self.masks.is_random):
            return self.seed
        return tag_of(f"{self.seed} {self.ids[index]}")

    def _completed(self, image: Tensor, visible: Tensor, seed: int) -> tuple[Tensor, float | None]:
        if self.setting.windows:
            return self._in_windows(image[0], visible[0, 0], seed), None
        model, device = self.contestant.model, self.contestant.device
        image, visible = image.to(device), visible.to(device)
        completions = self._drawn(image, visible, seed)
        if not self.has_likelihood:
            return completions, None
        with torch.inference_mode():
            return completions, -float(model.log_prob(image, visible)[0])

    def _drawn(self, image: Tensor, visible: Tensor, seed: int) -> Tensor:
        """Draw the completions in bounded batches."""
        noise = Noise.of_completions(seed, content_key(image, visible), range(self.draws))
        model = self.contestant.model
        try:
            parts = self.batches.drawn(
                model, image, visible, noise, temperature=self._temperature, **self.options
            )
        except ToolFailure:
            raise
        except ResourceError as error:
            raise ResourceError(f"{self.name}: {error}") from error
        self.bound = "elbo" if parts[0].lower_bound else "exact"
        return self._all(torch.cat([part.images.cpu() for part in parts]))

    def _all(self, drawn: Tensor) -> Tensor:
        """Return k completions of those that were drawn."""
        return drawn.repeat(self.k // len(drawn), 1, 1, 1)

    @property
    def _temperature(self) -> float | None:
        return self.temperature if takes_temperature(self.contestant) else None

    def _in_windows(self, image: Tensor, visible: Tensor, seed: int) -> Tensor:
        photo = of_array(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
        detail = self.detail if self.contestant.model.size else None
        request = CompletionRequest(
            n=self.draws,
            seed=seed,
            temperature=self._temperature,
            detail=detail,
            options=self.options,
        )
        completed = complete_photo(photo, visible.numpy(), self.contestant.model, request)
        pictures = np.stack([completed.samples(number) for number in range(self.draws)])
        return self._all(torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))))

    def facts(self) -> TargetFacts:
        setting, who, images = self.setting, self.contestant, self.images
        rules = "; ".join(images.rules) or "none"
        warnings = []
        if images.split == "train":
            warnings.append("the images scored are training images")
        temperature = self._temperature
        if temperature is None:
            temperature = who.model.own_temperature
        sampler: dict[str, Any] = {"temperature": temperature if takes_temperature(who) else None}
        sampler["at"] = "windows of its own size" if setting.windows else "its own size"
        if setting.windows:
            sampler["detail"] = self.detail
        sampler |= self.options
        return TargetFacts(
            model={
                "family": who.family,
                "checkpoint": who.checkpoint,
                "checkpoint_sha256": who.weights_sha256,
                "sampler": sampler,
            },
            dataset=dataset_facts(images.name, images.split, self.ids, setting, rules),
            masks=self.masks.facts(len(self.ids)),
            completions={
                "k": self.k,
                "seed": self.seed,
                "composited": True,
                "quantised": quantised(setting.levels),
                "source": "model",
            },
            warnings=tuple(warnings),
        )

    def fingerprint(self) -> Any:
        facts = self.facts()
        parts = facts.model, facts.dataset, facts.masks, facts.completions, self.images.sha256
        print_of: list[Any] = list(parts)
        print_of += [list(self.contestant.identity)] if self.contestant.identity else []
        labels = self.images.labels
        # The hash of the pictures does not tell what class somebody gave them.
        print_of += [] if labels is None else [labels[list(self.rows)].tolist()]
        stored = self.masks.stored
        # Kind and seed tell drawn masks, but not what lies in files.
        return print_of if stored is None else [*print_of, stored.sha256]


def quantised(levels: int) -> str:
    """Return in words how the values of both sides came to be bytes."""
    if levels == 256:
        return "uint8"
    return f"level q of {levels} as round(255 q / {levels - 1}), both sides"


def scored(image: Tensor, levels: int) -> Tensor:
    """Return images with each value at the nearest of `levels` levels, as bytes; 256 = as they are.

    >>> scored(torch.tensor([0, 9, 255], dtype=torch.uint8), 32).tolist()
    [0, 8, 255]
    """
    if levels == 256:
        return image
    level = (image.double() * (levels - 1) / 255).round()
    return (level * 255 / (levels - 1)).round().to(torch.uint8)


def takes_temperature(contestant: Contestant) -> bool:
    """Return whether a model draws at a temperature."""
    return contestant.model.stochastic and contestant.model.has_temperature


@dataclass
class ReconstructionTarget(Target):
    """A model that is shown the originals as a whole, and gives them back.

    The masks are those of the completions beside it, for the figures of hidden pixels alone.
    """

    of: ModelTarget
    k: int = 1
    is_reconstruction = True

    def __post_init__(self) -> None:
        self.name = f"{self.of.name} ({RECONSTRUCTION})"
        self.label = f"{self.of.label} ({RECONSTRUCTION})"
        self.ids, self.setting, self.classes = self.of.ids, self.of.setting, self.of.classes

    def case(self, index: int) -> Case:
        image, levels = self.of.picture(index), self.setting.levels
        given = self._in_windows(image) if self.setting.windows else self._given(image)
        return Case(
            scored(image, levels),
            torch.from_numpy(np.array(self.of.masks[index])),
            scored(given, levels),
            label=self.of.label_of(index),
        )

    def _given(self, image: Tensor) -> Tensor:
        contestant = self.of.contestant
        return contestant.model.reconstruct(image[None].to(contestant.device)).cpu()

    def _in_windows(self, image: Tensor) -> Tensor:
        """Return the picture as the model sees it, at its own size, at that of the original."""
        photo = of_array(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
        hidden = np.zeros((photo.height, photo.width), np.bool_)
        request = CompletionRequest(reconstruct=True)
        completed = complete_photo(photo, hidden, self.of.contestant.model, request)
        return torch.from_numpy(np.ascontiguousarray(completed.samples(0).transpose(2, 0, 1)))[None]

    def facts(self) -> TargetFacts:
        facts = self.of.facts()
        at = facts.model["sampler"]["at"].replace("windows of ", "")
        return replace(
            facts,
            model={**facts.model, "sampler": {"at": at}},
            completions={
                **facts.completions,
                "k": 1,
                "seed": None,
                "composited": False,
                "source": RECONSTRUCTION,
            },
        )

    def fingerprint(self) -> Any:
        return [RECONSTRUCTION, self.facts().completions, self.of.fingerprint()]
