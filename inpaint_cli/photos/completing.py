"""The way from a photo and its hole to completed samples: plan windows, cut, draw, paste."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.family import Model
from inpaint_cli.photos.cutting import paste
from inpaint_cli.photos.drawing import Guide
from inpaint_cli.photos.parts import holes_for_model, whole_hole
from inpaint_cli.photos.reconstructing import reconstructed
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.photos.structure import CompletedWindow, draw_windows, joined_windows
from inpaint_cli.photos.windows import Box, Mask, bounds
from inpaint_cli.pictures.colours import display, inks_of
from inpaint_cli.pictures.inks import Inks
from inpaint_cli.pictures.picture import Picture, Samples, invisible, of_array
from inpaint_cli.pictures.ranges import ranged

if TYPE_CHECKING:
    from inpaint_cli.photos.detailing import Texturing

ENLARGED_TOO_MUCH = 2.0
"""A note is due when the model's pixels become larger than this many of the photo's."""
UNSEEN_SHARE = 0.03
"""A note is due when more than this share of a hole is fully transparent."""


@dataclass(frozen=True)
class CompletedPhoto:
    """A photo with n completions, of which each is made when it is asked for."""

    photo: Picture
    visible: Mask
    request: CompletionRequest
    windows: tuple[CompletedWindow, ...]
    """What the model drew; none where only texture was asked for."""
    texturing: Texturing | None
    """What draws the fill from the photo; None = the model's pictures are the fill."""
    inks: Inks | None = None
    """How black ink is used round the holes of a CMYK photo."""
    unseen: float = 0.0
    """The share of the holes that is fully transparent, and stays so."""
    psnr: float | None = None
    """Of a reconstruction, at the model's size, in decibels."""

    @property
    def details(self) -> Sequence[Mapping[str, Any]]:
        """What the family tells of each window."""
        return [completed.details for completed in self.windows]

    @property
    def log_prob(self) -> npt.NDArray[np.float64] | None:
        """[n], nats at the model's resolution, summed over the windows."""
        parts = [window.log_prob for window in self.windows if window.log_prob is not None]
        if not parts or len(parts) != len(self.windows):
            return None
        # One after the other: `np.sum` adds in another order where n is 1.
        return functools.reduce(np.add, parts)

    @property
    def log_prob_kind(self) -> str | None:
        """What `log_prob` is: "exact", "lower bound", or None where there is none."""
        if self.log_prob is None:
            return None
        return "lower bound" if self.windows[0].lower_bound else "exact"

    @property
    def drawn(self) -> int:
        """How many of the n completions can be had by now: see `completing`."""
        return len(self.windows[0].pictures) if self.windows else self.request.n

    @property
    def hidden_values(self) -> int:
        """How many values the model drew in all windows: hidden pixels times channels."""
        return sum(window.hidden_values for window in self.windows)

    @property
    def hole_fraction(self) -> float:
        """The hidden share of the photo."""
        return 1 - float(np.mean(self.visible))

    def samples(self, index: int) -> Samples:
        """Return completion `index`, [H, W, bands]: the photo's samples but for the hole's."""
        samples = self.photo.samples.copy()
        box, patch = self.patch(index)
        samples[box.slices] = patch
        return samples

    def patch(self, index: int) -> tuple[Box, Samples]:
        """Return the tight box round all holes and completion `index` of it; no photo is copied."""
        around, hole = self._around(), bounds(~self.visible)
        samples, corner = self.photo.samples[around.slices].copy(), (around.top, around.left)
        hidden = ~self.visible[around.slices]
        # So that nothing under the hole can have any influence.
        samples[hidden, : self.photo.channels] = 0
        for window in self.windows:
            self._paste(window, samples, index, corner)
        if self.texturing is not None:
            guide = None
            if self.windows:
                guide = Guide(samples.copy(), max(window.scale for window in self.windows))
            self.texturing.fill(samples, index, guide, corner)
        channel = self.photo.likely_alpha
        if self.request.opaque and channel is not None:
            samples[..., channel][hidden] = self.photo.opaque
        return hole, samples[hole.moved(-around.top, -around.left).slices]

    def _paste(
        self, window: CompletedWindow, samples: Samples, index: int, corner: tuple[int, int]
    ) -> None:
        """Paste what the model drew in one window."""
        fill = window.fill(self.photo, self.visible, index, self.request.feather)
        part, opaque = window.part, self.request.opaque
        paste(samples, self.photo, part.box, part.pixels, fill, opaque, self.inks, corner)

    def _around(self) -> Box:
        """Return the box of all that is read or filled of the photo's samples."""
        hole = bounds(~self.visible)
        return hole if self.texturing is None else self.texturing.reach.joined(hole)

    def in_order(self, rank: bool) -> Iterator[int]:
        """Yield the indices in the order of the files: the likeliest first if they are ranked."""
        if rank and self.log_prob is not None:
            yield from (int(i) for i in np.argsort(-self.log_prob, kind="stable"))
        else:
            yield from range(self.request.n)

    def notes(self) -> list[str]:
        """Return what a user should know about the way these were made."""
        notes = list(self.photo.notes)
        made_opaque = self.request.opaque and self.photo.extras == ("unspecified",)
        if "unspecified" in self.photo.extras and not made_opaque:
            notes.append("further channels are not filled in")
        if self.unseen > UNSEEN_SHARE:
            notes.append(
                f"{100 * self.unseen:.0f} % of the hole is fully transparent and stays so: nothing "
                "is to be seen of what is filled in there"
            )
        if self.texturing is not None and self.texturing.starved:
            notes.append(
                "too little is visible to take texture from"
                + ("; the model's picture alone is the fill" if self.windows else "")
            )
        request = self.request
        asked = {"temperature": request.temperature, "feather": request.feather, **request.options}
        left_out = [name for name, value in asked.items() if value is not None]
        if not self.windows and not self.request.texture_only and left_out:
            notes.append(
                "its holes are thin, so texture alone fills them and no model is asked: without "
                f"effect are {', '.join(left_out)}"
            )
        scale = max((window.scale for window in self.windows), default=1.0)
        if self.psnr is not None:
            return [*notes, self._of_reconstruction(scale)]
        if self.texturing is None and scale > ENLARGED_TOO_MUCH:
            notes.append(
                f"the model completes {self.windows[0].pictures.shape[1]} pixels across; its "
                f"picture is enlarged {scale:.1f} times for the largest hole, so the fill is "
                "blurred"
            )
        return notes

    def _of_reconstruction(self, scale: float) -> str:
        height, width = self.windows[0].pictures.shape[1:3]
        enlarged = f", and enlarged {scale:.1f} times" if scale > 1 else ""
        return f"reconstructed at {width} x {height} pixels with {self.psnr:.1f} dB{enlarged}"


def complete_photo(
    photo: Picture,
    visible: Mask,
    model: Model,
    request: CompletionRequest,
    advance: Callable[[], None] = lambda: None,
    compiling: Callable[[], None] | None = None,
) -> CompletedPhoto:
    """Complete the hidden part of a photo; what lies under it has no influence.

    visible: bool [H, W], True = known, with something to fill. advance: called after each window;
    compiling: once before numba makes machine code, which takes half a minute. UserError where the
    model cannot: several completions of a deterministic one, colour for a grey one.
    """
    parts = [range(request.n)]
    (completed,) = completing(photo, visible, model, request, parts, advance, compiling)
    return completed


def completing(
    photo: Picture,
    visible: Mask,
    model: Model,
    request: CompletionRequest,
    parts: Iterable[range],
    advance: Callable[[], None] = lambda: None,
    compiling: Callable[[], None] | None = None,
) -> Iterator[CompletedPhoto]:
    """Yield the photo with ever more of its completions, part after part; see `complete_photo`.

    parts: consecutive ranges from 0 to n; which they are decides nothing but when each is seen.
    """
    check_n(request.n, model)
    clear = invisible(photo)
    shown = np.ones_like(visible) if request.of_whole else _known(visible, clear)
    if request.texture_only and not shown.any():
        raise UserError(
            "nothing is visible, and texture only continues what is. Take a model that draws, such "
            "as pcnn."
        )
    photo = ranged(photo, shown)
    if request.of_drawing and model.channels == 3:
        photo = _in_colour(photo)
    texturing = None
    if _textured(photo, model, request):
        texturing = _texturing(photo, shown, ~visible, request, compiling)
    unseen = 0.0
    if clear is not None and not (request.opaque or request.of_whole):
        unseen = float(clear[~visible].mean())
    inks = inks_of(photo, shown)
    completed = CompletedPhoto(photo, visible, request, (), texturing, inks, unseen)
    if request.reconstruct:
        window, psnr = reconstructed(photo, model)
        advance()
        yield replace(completed, windows=(window,), psnr=psnr)
        return
    if not _asked(model, request, texturing):
        yield completed
        return
    holes, sampling = holes_for_model(~visible, model.size), request
    if model.sees_all:
        holes = [[whole_hole(~visible)]]
        sampling = replace(request, context=float(max(visible.shape)))
    for part in parts:
        more = draw_windows(photo, shown, holes, model, sampling, advance, part)
        windows = joined_windows(completed.windows, more, request.details) if part.start else more
        completed = replace(completed, windows=tuple(windows))
        yield completed


def _known(visible: Mask, clear: Mask | None) -> Mask:
    """Return what a model may see: of what is visible, all that is not fully transparent.

    Where that is nothing, the invisible colours are better than none.
    """
    if clear is None:
        return visible
    known = visible & ~clear
    return known if known.any() else visible


def _in_colour(photo: Picture) -> Picture:
    """Return a grey photo as one in colour, of 8 bits, for a fill in colour; others as they are.

    What describes grey samples goes: a profile, and how many of their bits are significant.
    """
    if photo.channels != 1:
        return photo
    chunks = tuple(chunk for chunk in photo.metadata.chunks if chunk[0] != b"sBIT")
    return replace(
        of_array(display(photo)),
        format=photo.format,
        metadata=replace(photo.metadata, icc=b"", chunks=chunks),
        notes=photo.notes,
        lossless=photo.lossless,
    )


def _asked(model: Model, request: CompletionRequest, texturing: Texturing | None) -> bool:
    """Return whether the model draws anything: not where texture alone fills the holes."""
    if request.texture_only:
        return False
    wanted = model.has_log_prob or request.intervals
    return texturing is None or texturing.needs_structure or wanted


def _textured(photo: Picture, model: Model, request: CompletionRequest) -> bool:
    """Return whether the fill is drawn from patches of the photo.

    Not where the photo is no larger than the model: then the model's pixels are the photo's.
    """
    if request.texture_only:
        return True
    larger = max(photo.height, photo.width) > model.size > 0
    if request.detail == "photo" and model.size == 0:
        raise UserError(
            "this method works at the photo's own size, so there is no detail to add. Leave it "
            "out.",
            setting="detail",
        )
    return request.detail != "none" and larger and not request.of_whole


def _texturing(
    photo: Picture,
    shown: Mask,
    hidden: Mask,
    request: CompletionRequest,
    compiling: Callable[[], None] | None,
) -> Texturing:
    """Return what draws the fill from patches of the photo."""
    # Here, because its compiler takes half a second that other fills need not wait for.
    from inpaint_cli.photos.detailing import Texturing

    return Texturing(
        photo,
        shown,
        hidden,
        request.seed,
        request.n > 1,
        opaque=request.opaque,
        compiling=compiling,
    )


def check_n(n: int, model: Model, name: str = "this model") -> None:
    """Raise UserError if several completions are asked of a model whose would all be equal."""
    if n > 1 and not model.stochastic:
        raise UserError(
            f"must be 1, got {n}: {name} is deterministic: the same input has one completion. "
            "Leave it out, or take a model that draws.",
            setting="n",
        )
