"""The way from a photo and its hole to completed samples: windows, model, blending."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions, Model
from inpaint_cli.photos.blending import fill_of, reduce
from inpaint_cli.photos.details import joined
from inpaint_cli.photos.memory import Batches
from inpaint_cli.photos.photo import Photo, Samples, Values, of_array
from inpaint_cli.photos.reading import ranged
from inpaint_cli.photos.windows import Box, Mask, cut, plan, shifted
from inpaint_cli.randomness import Noise, content_key

if TYPE_CHECKING:
    import torch

CONTEXT = 0.5
ENLARGED_TOO_MUCH = 2.0
"""A note is due when the model's pixels become larger than this many of the photo's."""


@dataclass(frozen=True)
class Request:
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

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UserError(f"-n: must be at least 1, got {self.n}.")
        if self.seed < 0:
            raise UserError(f"--seed: must not be negative, got {self.seed}.")
        if self.temperature is not None and not 0 < self.temperature < float("inf"):
            raise UserError(f"--temperature: must be above 0, got {self.temperature}.")
        if not 0 <= self.context < float("inf"):
            raise UserError(f"--context: must not be negative, got {self.context}.")
        if self.feather is not None and not 0 <= self.feather < float("inf"):
            raise UserError(f"--feather: must not be negative, got {self.feather}.")

    @property
    def of_drawing(self) -> bool:
        """Whether the photo is a drawing (see `is_drawing`)."""
        return is_drawing(self.options)


def is_drawing(options: Mapping[str, Any]) -> bool:
    """Says whether a photo is a drawing: shown to the model as a whole, and nothing of it kept."""
    return bool(options.get("condition") == "edges")


@dataclass(frozen=True)
class Drawn:
    """A window, and what the model drew in it."""

    window: Box
    pictures: npt.NDArray[np.uint8]
    """[n, size, size, C], at the model's size."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the family tells beside them."""


@dataclass(frozen=True)
class Completed:
    """A photo with n completions, of which each is made when it is asked for."""

    photo: Photo
    visible: Mask
    request: Request
    drawn: tuple[Drawn, ...]
    log_prob: npt.NDArray[np.float64] | None
    """[n], nats at the model's resolution, summed over the windows."""
    hidden_values: int
    """How many values the model drew in all windows together: hidden pixels times channels."""

    @property
    def details(self) -> Mapping[str, Any]:
        """Gives what the family tells of the first window."""
        return self.drawn[0].details

    @property
    def log_prob_kind(self) -> str | None:
        """Says what `log_prob` is: "exact", "lower bound", or None where there is none."""
        if self.log_prob is None:
            return None
        return "lower bound" if self.details.get("bound") else "exact"

    @property
    def hole_fraction(self) -> float:
        return 1 - float(np.mean(self.visible))

    def samples(self, index: int) -> Samples:
        """Gives completion `index`, [H, W, bands]: the photo's samples but for the hole's."""
        samples = self.photo.samples.copy()
        for drawn in self.drawn:
            inside = drawn.window.clipped(self.photo.height, self.photo.width)
            values = _filled(self.photo, self.visible, drawn, index, self.request.feather)
            region, hidden = samples[inside.slices], ~self.visible[inside.slices]
            stored = self.photo.stored(values)
            region[..., : stored.shape[2]][hidden] = stored[hidden]
            if self.request.opaque and self.photo.has_alpha:
                region[..., -1][hidden] = self.photo.high
        return samples

    def notes(self) -> list[str]:
        """Says what a user should know about the way these were made."""
        scale = max(d.window.height / d.pictures.shape[1] for d in self.drawn)
        notes = list(self.photo.notes)
        if scale > ENLARGED_TOO_MUCH:
            notes.append(
                f"the model completes {self.drawn[0].pictures.shape[1]} pixels across; its picture "
                f"is enlarged {scale:.1f} times for the largest hole, so the fill is blurred"
            )
        return notes


def complete_photo(photo: Photo, visible: Mask, model: Model, request: Request) -> Completed:
    """Completes the hidden part of a photo; what lies under it has no influence.

    visible: bool [H, W], True = known, with something to fill. UserError where the model cannot:
    several completions of a deterministic one, colour for a grey one.
    """
    check_n(request.n, model)
    shown = np.ones_like(visible) if request.of_drawing else visible
    photo = ranged(photo, shown)
    if request.of_drawing and model.channels == 3:
        photo = _coloured(photo)
    windows = plan(~visible, model.size, request.context)
    drawn, log_probs, hidden_values = [], [], 0
    for number, window in enumerate(windows):
        image, small = _input(photo, shown, window, model)
        hidden_values += int((~small | request.of_drawing).sum()) * model.channels
        if request.of_drawing:  # paper beyond it is white, and seen
            image, small = image.masked_fill(~small, 255), small | True
        made = _sampled(model, image, small, request, number)
        pictures = made.images.permute(0, 2, 3, 1).cpu().numpy()
        drawn.append(Drawn(window, np.ascontiguousarray(pictures), made.details))
        if made.log_prob is not None:
            log_probs.append(made.log_prob.double().cpu().numpy())
    total = np.sum(log_probs, axis=0) if len(log_probs) == len(windows) else None
    return Completed(photo, visible, request, tuple(drawn), total, hidden_values)


def check_n(n: int, model: Model, name: str = "this model") -> None:
    """Raises UserError if several completions are asked of a model whose would all be equal."""
    if n > 1 and not model.stochastic:
        raise UserError(
            f"-n {n}: {name} is deterministic: the same input has one completion. Leave -n out, "
            "or take a model that draws, such as pcnn."
        )


def _coloured(photo: Photo) -> Photo:
    """Gives a grey photo as one in colour, of 8 bits, for a fill in colour; others as they are."""
    values = photo.values((slice(None), slice(None)))
    if values.shape[2] == 3:
        return photo
    made = of_array(np.repeat(np.rint(values).astype(np.uint8), 3, axis=2))
    tiff = photo.suffix == ".tiff"
    return replace(made, tiff=tiff, exif=photo.exif, dpi=photo.dpi, notes=photo.notes)


def _input(
    photo: Photo, visible: Mask, window: Box, model: Model
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives a window as the model takes it: image [1, C, H, W] and visible [1, 1, H, W]."""
    import torch

    values, seen = _window_values(photo, visible, window), cut(visible, window)
    values = _channelled(values, seen, model.channels)
    if model.size:
        image, small = reduce(values, seen, model.size)
    else:
        image, small = np.rint(values).astype(np.uint8), seen
    return (
        torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None],
        torch.from_numpy(np.ascontiguousarray(small))[None, None],
    )


def _window_values(photo: Photo, visible: Mask, window: Box) -> Values:
    """Gives the colours under a window, 0 where hidden or beyond the photo."""
    inside = window.clipped(photo.height, photo.width)
    values = photo.values(inside.slices)
    values *= visible[inside.slices][..., None]
    if inside == window:
        return values
    whole = np.zeros((window.height, window.width, values.shape[2]), np.float32)
    whole[shifted(inside, window).slices] = values
    return whole


def _channelled(values: Values, visible: Mask, channels: int) -> Values:
    """Gives colours with as many channels as the model has: grey repeated, RGB if it is grey."""
    if values.shape[2] == channels:
        return values
    if channels == 3:
        return np.repeat(values, 3, axis=2)
    known = values[visible]
    if known.size and float(np.ptp(known, axis=1).max()) > 0:
        raise UserError(
            "a colour photo, but this model completes grey ones only. Take a model for colour, or "
            "turn the photo grey first."
        )
    return np.ascontiguousarray(values[..., :1])


def _sampled(
    model: Model, image: torch.Tensor, visible: torch.Tensor, request: Request, window: int
) -> Completions:
    """Draws all completions of one window."""
    key = content_key(image, visible)
    if window:  # two windows that look the same are still different places
        key = hashlib.sha256(key + window.to_bytes(4, "big")).digest()
    noise = Noise.of_completions(request.seed, key, range(request.n))
    parameters = getattr(model, "parameters", list)
    device = next((p.device for p in parameters()), image.device)
    image, visible = image.to(device), visible.to(device)
    options = {"temperature": request.temperature, **request.options}
    return _joined(Batches(len(noise)).drawn(model, image, visible, noise, **options))


def _joined(parts: list[Completions]) -> Completions:
    """Gives the batches of one window as one."""
    import torch

    if len(parts) == 1:
        return parts[0]
    log_probs = [part.log_prob for part in parts if part.log_prob is not None]
    return replace(
        parts[0],
        images=torch.cat([part.images for part in parts]),
        log_prob=torch.cat(log_probs) if len(log_probs) == len(parts) else None,
        details=joined([part.details for part in parts]),
    )


def _filled(photo: Photo, visible: Mask, drawn: Drawn, index: int, feather: float | None) -> Values:
    """Gives the fill of a window in the photo's channels, cut to the part inside the photo."""
    window, picture = drawn.window, drawn.pictures[index]
    inside = window.clipped(photo.height, photo.width)
    if picture.shape[:2] == (window.height, window.width):
        values = picture.astype(np.float32)
    else:
        seen = cut(visible, window)
        original = _window_values(photo, visible, window)
        original = _channelled(original, seen, picture.shape[2])
        values = fill_of(picture, original, seen, feather)
    values = values[shifted(inside, window).slices]
    return _photo_channels(values, photo)


def _photo_channels(values: Values, photo: Photo) -> Values:
    """Gives a fill with the channels that `Photo.stored` takes: 1 for grey, else 3."""
    grey = photo.values((slice(0, 1), slice(0, 1))).shape[2] == 1
    if grey and values.shape[2] == 3:
        return np.asarray(values.mean(axis=2, keepdims=True), np.float32)
    if not grey and values.shape[2] == 1:
        return np.repeat(values, 3, axis=2)
    return values


def in_order(completed: Completed, rank: bool) -> Iterator[int]:
    """Yields the indices of completions in the order of their files: likeliest first if ranked."""
    if rank and completed.log_prob is not None:
        yield from (int(i) for i in np.argsort(-completed.log_prob, kind="stable"))
    else:
        yield from range(completed.request.n)
