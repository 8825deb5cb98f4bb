"""The way from a photo and its hole to completed samples: plan windows, cut, draw, paste."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions, Detail, Family, Model, drawing_option
from inpaint_cli.photos.cutting import model_input, paste
from inpaint_cli.photos.details import joined
from inpaint_cli.photos.memory import Batches
from inpaint_cli.photos.photo import Photo, Samples
from inpaint_cli.photos.reading import ranged
from inpaint_cli.photos.windows import Box, Mask, plan
from inpaint_cli.randomness import Noise, content_key

if TYPE_CHECKING:
    import torch

CONTEXT = 0.5
ENLARGED_TOO_MUCH = 2.0
"""A note is due when the model's pixels become larger than this many of the photo's."""


@dataclass(frozen=True)
class CompletionRequest:
    """What is asked of a model, apart from the photo and its hole."""

    n: int = 1
    seed: int = 0
    temperature: float | None = None
    context: float = CONTEXT
    """Share of a hole's longer side that is added on each side of it."""
    feather: float | None = None
    """Pixels over which the correction at the edge fades inside the hole; None = by scale."""
    opaque: bool = False
    """Make the hole opaque: it was given by the photo's own transparency."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the family, by name."""
    of_drawing: bool = False
    """The photo is a drawing: shown to the model as a whole, and nothing of it kept."""
    details: tuple[Detail, ...] = ()
    """What the family declares that its models tell beside completions."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UserError(f"must be at least 1, got {self.n}.", setting="n")
        if self.seed < 0:
            raise UserError(f"must not be negative, got {self.seed}.", setting="seed")
        if self.temperature is not None and not 0 < self.temperature < float("inf"):
            raise UserError(f"must be above 0, got {self.temperature}.", setting="temperature")
        if not 0 <= self.context < float("inf"):
            raise UserError(f"must not be negative, got {self.context}.", setting="context")
        if self.feather is not None and not 0 <= self.feather < float("inf"):
            raise UserError(f"must not be negative, got {self.feather}.", setting="feather")

    @classmethod
    def of_family(cls, family: Family, options: Mapping[str, Any], **common: Any) -> Self:
        """Return a request to a model of `family`; options: the family's own."""
        drawing = drawing_option(family.options, options) is not None
        return cls(options=options, of_drawing=drawing, details=family.details, **common)

    def sampling_options(self) -> dict[str, Any]:
        """Return the options that decide a result, beside seed, model and mask."""
        return {
            "temperature": self.temperature,
            "context": self.context,
            "feather": self.feather,
            **self.options,
        }


@dataclass(frozen=True)
class CompletedWindow:
    """A window, and what the model drew in it."""

    window: Box
    pictures: npt.NDArray[np.uint8]
    """[n, size, size, C], at the model's size."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the family tells beside them."""
    lower_bound: bool = False
    """Whether likelihoods of the model are lower bounds."""


@dataclass(frozen=True)
class CompletedPhoto:
    """A photo with n completions, of which each is made when it is asked for."""

    photo: Photo
    visible: Mask
    request: CompletionRequest
    windows: tuple[CompletedWindow, ...]
    log_prob: npt.NDArray[np.float64] | None
    """[n], nats at the model's resolution, summed over the windows."""
    hidden_values: int
    """How many values the model drew in all windows together: hidden pixels times channels."""

    @property
    def details(self) -> Sequence[Mapping[str, Any]]:
        """What the family tells of each window."""
        return [completed.details for completed in self.windows]

    @property
    def log_prob_kind(self) -> str | None:
        """What `log_prob` is: "exact", "lower bound", or None where there is none."""
        if self.log_prob is None:
            return None
        return "lower bound" if self.windows[0].lower_bound else "exact"

    @property
    def hole_fraction(self) -> float:
        """The hidden share of the photo."""
        return 1 - float(np.mean(self.visible))

    def samples(self, index: int) -> Samples:
        """Return completion `index`, [H, W, bands]: the photo's samples but for the hole's."""
        samples = self.photo.samples.copy()
        for completed in self.windows:
            paste(
                samples,
                self.photo,
                self.visible,
                completed.window,
                completed.pictures[index],
                self.request.feather,
                self.request.opaque,
            )
        return samples

    def in_order(self, rank: bool) -> Iterator[int]:
        """Yield the indices in the order of the files: the likeliest first if they are ranked."""
        if rank and self.log_prob is not None:
            yield from (int(i) for i in np.argsort(-self.log_prob, kind="stable"))
        else:
            yield from range(self.request.n)

    def notes(self) -> list[str]:
        """Return what a user should know about the way these were made."""
        scale = max(w.window.height / w.pictures.shape[1] for w in self.windows)
        notes = list(self.photo.notes)
        if scale > ENLARGED_TOO_MUCH:
            notes.append(
                f"the model completes {self.windows[0].pictures.shape[1]} pixels across; its "
                f"picture is enlarged {scale:.1f} times for the largest hole, so the fill is "
                "blurred"
            )
        return notes


def complete_photo(
    photo: Photo, visible: Mask, model: Model, request: CompletionRequest
) -> CompletedPhoto:
    """Complete the hidden part of a photo; what lies under it has no influence.

    visible: bool [H, W], True = known, with something to fill. UserError where the model cannot:
    several completions of a deterministic one, colour for a grey one.
    """
    check_n(request.n, model)
    shown = np.ones_like(visible) if request.of_drawing else visible
    photo = ranged(photo, shown)
    if request.of_drawing and model.channels == 3:
        photo = photo.in_colour()
    windows, log_probs, hidden_values = [], [], 0
    for number, window in enumerate(plan(~visible, model.size, request.context)):
        image, small = model_input(photo, shown, window, model)
        hidden_values += int((~small | request.of_drawing).sum()) * model.channels
        if request.of_drawing:  # paper beyond it is white, and seen
            image, small = image.masked_fill(~small, 255), small | True
        drawn = _draw(model, image, small, request, number)
        pictures = np.ascontiguousarray(drawn.images.permute(0, 2, 3, 1).cpu().numpy())
        windows.append(CompletedWindow(window, pictures, drawn.details, drawn.lower_bound))
        if drawn.log_prob is not None:
            log_probs.append(drawn.log_prob.double().cpu().numpy())
    total = np.sum(log_probs, axis=0) if len(log_probs) == len(windows) else None
    return CompletedPhoto(photo, visible, request, tuple(windows), total, hidden_values)


def check_n(n: int, model: Model, name: str = "this model") -> None:
    """Raise UserError if several completions are asked of a model whose would all be equal."""
    if n > 1 and not model.stochastic:
        raise UserError(
            f"must be 1, got {n}: {name} is deterministic: the same input has one completion. "
            "Leave it out, or take a model that draws.",
            setting="n",
        )


def _draw(
    model: Model,
    image: torch.Tensor,
    visible: torch.Tensor,
    request: CompletionRequest,
    window: int,
) -> Completions:
    """Draw all completions of one window."""
    key = content_key(image, visible)
    if window:  # two windows that look the same are still different places
        key = hashlib.sha256(key + window.to_bytes(4, "big")).digest()
    noise = Noise.of_completions(request.seed, key, range(request.n))
    parameters = getattr(model, "parameters", list)
    device = next((p.device for p in parameters()), image.device)
    image, visible = image.to(device), visible.to(device)
    options = {"temperature": request.temperature, **request.options}
    batches = Batches(len(noise)).drawn(model, image, visible, noise, **options)
    return _joined(batches, request.details)


def _joined(batches: Sequence[Completions], declared: Sequence[Detail]) -> Completions:
    """Return the batches of one window as one."""
    import torch

    if len(batches) == 1:
        return batches[0]
    log_probs = [batch.log_prob for batch in batches if batch.log_prob is not None]
    return replace(
        batches[0],
        images=torch.cat([batch.images for batch in batches]),
        log_prob=torch.cat(log_probs) if len(log_probs) == len(batches) else None,
        details=joined([batch.details for batch in batches], declared),
    )
