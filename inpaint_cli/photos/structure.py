"""What a model draws in a photo: one window for each part of its holes, at the model's own size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.declarations import Detail
from inpaint_cli.family import Model
from inpaint_cli.photos.blending import fill_of
from inpaint_cli.photos.cutting import model_input, window_colours
from inpaint_cli.photos.details import joined
from inpaint_cli.photos.drawing import Drawn, draw, together
from inpaint_cli.photos.parts import Part, pasted
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.photos.windows import Box, Mask, cut, window_round
from inpaint_cli.pictures.colours import Values as ColourValues
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.randomness import Noise, content_key_of


@dataclass(frozen=True)
class CompletedWindow:
    """The window of one part, and what the model drew in it."""

    part: Part
    window: Box
    seen: Mask
    """bool [side, side], where it is known, or completed in an earlier part."""
    pictures: npt.NDArray[np.uint8]
    """[n, size, size, C], at the model's size."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the family tells beside the pictures."""
    log_prob: npt.NDArray[np.float64] | None = None
    """[n], nats; None where the family has none."""
    lower_bound: bool = False
    """Whether likelihoods of the model are lower bounds."""
    hidden_values: int = 0
    """How many values the model drew: hidden pixels at its size, times channels."""
    fills: tuple[ColourValues, ...] = ()
    """Of holes in several parts: the fill of each completion; `fill` makes it otherwise."""

    @property
    def scale(self) -> float:
        """How many pixels of the photo one of the model's is wide."""
        return self.window.height / int(self.pictures.shape[1])

    def fill(self, photo: Picture, known: Mask, index: int, feather: float | None) -> ColourValues:
        """Return completion `index` of the part's box, [height, width, C] in 0..255."""
        if self.fills:
            return self.fills[index]
        channels = self.pictures.shape[3]
        return self.blended(index, window_colours(photo, known, self.window, channels), feather)

    def blended(self, index: int, values: ColourValues, feather: float | None) -> ColourValues:
        """Return completion `index` of the part's box, joined to the `values` of its window."""
        fill = fill_of(self.pictures[index], values, self.seen, feather)
        return fill[self.part.box.moved(-self.window.top, -self.window.left).slices]


def draw_windows(
    photo: Picture,
    visible: Mask,
    holes: Sequence[Sequence[Part]],
    model: Model,
    request: CompletionRequest,
    advance: Callable[[], None],
    indices: range,
) -> list[CompletedWindow]:
    """Draw every part of the holes; a part that adjoins earlier ones sees what they became.

    visible: bool [H, W], what the model may see of the photo. advance: called after each part.
    indices: which completions are drawn.
    """
    drawn: list[CompletedWindow] = []
    for parts in holes:
        of_hole: list[CompletedWindow] = []
        for part in parts:
            earlier = list(of_hole) if part.touches else []
            of_hole.append(
                _window(photo, visible, part, earlier, model, request, len(drawn), indices)
            )
            if len(parts) > 1:
                values = window_colours(photo, visible, of_hole[-1].window, model.channels)
                of_hole[-1] = _with_fills(of_hole[-1], values, earlier, request)
            drawn.append(of_hole[-1])
            advance()
    return drawn


def _window(
    photo: Picture,
    visible: Mask,
    part: Part,
    earlier: Sequence[CompletedWindow],
    model: Model,
    request: CompletionRequest,
    number: int,
    indices: range,
) -> CompletedWindow:
    """Draw all completions of one window: at once, or each by itself if they see unlike colours."""
    box = _seeing(
        window_round(part.box, visible.shape, model.size, request.context), visible, model
    )
    values, seen = window_colours(photo, visible, box, model.channels), cut(visible, box)
    if not any(_meet(other.part.box, box) for other in earlier):
        image, small = model_input(values, seen, model.size)
        hidden = int((~small | request.of_drawing).sum()) * model.channels
        if request.of_drawing:  # paper beyond it is white, and seen; nothing of it is kept
            image, small = np.where(small[..., None], image, np.uint8(255)), small | True
            seen = np.zeros_like(seen)
        drawn = _draw(model, image, small, request, number, indices)
    else:
        for other in earlier:
            seen = seen | pasted(other.part, box)
        completions = []
        for place, index in enumerate(indices):
            image, small = model_input(_over(values, box, earlier, place), seen, model.size)
            completions.append(_draw(model, image, small, request, number, [index]))
        hidden = int((~small).sum()) * model.channels
        drawn = together(completions, request.details)
    return CompletedWindow(
        part,
        box,
        # Nothing of a drawing is kept, so there is nothing that the fill has to meet.
        seen & (not request.of_drawing),
        drawn.pictures,
        drawn.details,
        drawn.log_prob,
        drawn.lower_bound,
        hidden,
    )


def _seeing(box: Box, visible: Mask, model: Model) -> Box:
    """Return the window, of methods of any size so wide that something is known in it.

    Such methods draw nothing by themselves, and all around a hole may be transparent.
    """
    while model.size == 0 and visible.any() and not cut(visible, box).any():
        box = box.grown(max(box.height, box.width)).clipped(*visible.shape)
    return box


def _with_fills(
    window: CompletedWindow,
    values: ColourValues,
    earlier: Sequence[CompletedWindow],
    request: CompletionRequest,
) -> CompletedWindow:
    """Return a window with the fills of its completions, each blended into what it saw."""
    fills = []
    for place in range(len(window.pictures)):
        around = _over(values, window.window, earlier, place)
        fills.append(window.blended(place, around, request.feather).copy())
    return replace(window, fills=tuple(fills))


def _over(
    values: ColourValues, box: Box, earlier: Sequence[CompletedWindow], place: int
) -> ColourValues:
    """Return the colours of a window with what earlier parts became.

    place: of the completion among those that are drawn with it.
    """
    values = values.copy()
    for other in earlier:
        common = other.part.box.common(box)
        inside = common.moved(-other.part.box.top, -other.part.box.left).slices
        pixels = other.part.pixels[inside]
        values[common.moved(-box.top, -box.left).slices][pixels] = other.fills[place][inside][
            pixels
        ]
    return values


def joined_windows(
    first: Sequence[CompletedWindow], more: Sequence[CompletedWindow], declared: Sequence[Detail]
) -> list[CompletedWindow]:
    """Return windows with further completions of each behind the ones that it has."""
    windows = []
    for one, other in zip(first, more, strict=True):
        log_prob = None
        if one.log_prob is not None and other.log_prob is not None:
            log_prob = np.concatenate([one.log_prob, other.log_prob])
        windows.append(
            replace(
                one,
                pictures=np.concatenate([one.pictures, other.pictures]),
                details=joined([one.details, other.details], declared),
                log_prob=log_prob,
                fills=(*one.fills, *other.fills),
            )
        )
    return windows


def _meet(first: Box, second: Box) -> bool:
    common = first.common(second)
    return common.height > 0 and common.width > 0


def _draw(
    model: Model,
    image: npt.NDArray[np.uint8],
    visible: Mask,
    request: CompletionRequest,
    window: int,
    indices: Sequence[int],
) -> Drawn:
    """Draw some completions of one window."""
    key = content_key_of(image.transpose(2, 0, 1)[None], visible[None, None])
    if window:  # two windows that look the same are still different places
        key = hashlib.sha256(key + window.to_bytes(4, "big")).digest()
    noise = Noise.of_completions(request.seed, key, indices)
    options = {"temperature": request.temperature, **request.options}
    return draw(model, image, visible, noise, request.details, options)
