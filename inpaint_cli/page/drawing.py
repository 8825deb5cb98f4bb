"""Rounds: completions of a photo and mask, drawn one after the other while the page watches."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.files import resolved
from inpaint_cli.page.opened import OpenedPhoto, ScreenPixels, png, profile_of, screen
from inpaint_cli.page.order import RoundOrder
from inpaint_cli.photos.completing import CompletedPhoto, check_n, completing
from inpaint_cli.photos.details import captions
from inpaint_cli.photos.memory import is_out_of_memory
from inpaint_cli.photos.overview import MAP_TOP, coloured, scaled, view_of
from inpaint_cli.photos.windows import Box, Mask, bounds
from inpaint_cli.pictures.picture import Picture, Samples
from inpaint_cli.reporting import Reporter, percent

if TYPE_CHECKING:
    from inpaint_cli.loaded_model import LoadedModel

PREVIEW_PX = 512
"""The longer side of a preview, at most."""
MAP_PX = 1024
"""Where completions differ is computed at this many pixels across, at most."""
KEPT_BYTES = 96 << 20
"""Fills are kept for a second look up to so many bytes together."""


class Stopped(Exception):
    """The round was cancelled."""


@dataclass(frozen=True)
class KeptPhoto(CompletedPhoto):
    """A completed photo that keeps the fills that were asked for, while there is room."""

    kept: dict[int, tuple[Box, Samples]] = field(default_factory=dict)

    @classmethod
    def of(cls, completed: CompletedPhoto, kept: dict[int, tuple[Box, Samples]]) -> KeptPhoto:
        """Return a completed photo that shares what is kept with earlier parts of it."""
        return cls(**{**vars(completed), "kept": kept})

    def patch(self, index: int) -> tuple[Box, Samples]:
        """Return what `CompletedPhoto.patch` does."""
        if index not in self.kept:
            box, samples = super().patch(index)
            held = sum(other.nbytes for _, other in self.kept.values())
            if held + samples.nbytes > KEPT_BYTES:
                return box, samples
            self.kept[index] = box, np.ascontiguousarray(samples)
        return self.kept[index]


@dataclass
class Round:
    """One round of drawing; `run` is called once, in a thread of its own."""

    number: int
    photo: OpenedPhoto
    visible: Mask
    order: RoundOrder
    pixels: threading.Lock
    """Held during all work on whole photos."""
    reporter: Reporter
    version: int = 0
    """Which of the photos of the session it is of: each that was opened counts."""
    remarks: list[str] = field(default_factory=list)
    """What is told beside the notes on the completions."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """What the page is told, in order; only ever appended to."""
    loaded: LoadedModel | None = None
    completed: KeptPhoto | None = None
    previews: list[bytes] = field(default_factory=list)
    saved: dict[str, Any] | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _map: bytes | None = None

    @property
    def state(self) -> str:
        """One of running, done, cancelled, failed."""
        last = self.events[-1]["event"] if self.events else ""
        return last if last in ("done", "cancelled", "failed") else "running"

    def stop(self) -> None:
        """Ask the round to end; nothing of it is kept."""
        self._stop.set()

    def tell(self, event: str, **more: Any) -> None:
        """Append an event for the page."""
        self.events.append({"event": event, **more})

    def run(self, load: Callable[[str], LoadedModel]) -> None:
        """Draw all completions, each seen as soon as it is drawn."""
        start = time.monotonic()
        try:
            self.tell("loading", model=self.order.model)
            self.loaded = load(self.order.model)
            self._draw(self.loaded)
            assert self.completed is not None
            seconds = round(time.monotonic() - start, 1)
            self.tell("done", seconds=seconds, notes=self._notes(), differ=self.completed.drawn > 1)
        except Stopped:
            self._forget()
            self.tell("cancelled")
        except Exception as error:  # the page must hear of it, whatever it is
            self._forget()
            if not isinstance(error, PlainError):
                self.reporter.detail(f"{type(error).__name__}: {error}")
            self.tell("failed", message=in_words(error))

    def _draw(self, loaded: LoadedModel) -> None:
        request = self.order.request(loaded.family)
        check_n(request.n, loaded.model, loaded.name)
        kept: dict[int, tuple[Box, Samples]] = {}
        self._remark(loaded)
        for completed in completing(
            self.photo.picture,
            self.visible,
            loaded.model,
            request,
            doubling(request.n),
            self._check,
            lambda: self.tell("compiling"),
        ):
            self.completed = KeptPhoto.of(completed, kept)
            self.tell("drawn", done=completed.drawn, of=request.n)
            for index in range(len(self.previews), completed.drawn):
                self._check()
                with self.pixels:
                    self.previews.append(self._preview(index))
                self.tell("previewed", **self.facts(index))

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def kept(self) -> KeptPhoto:
        """Return what was drawn; NoSuchRound where it was cancelled since somebody asked for it."""
        completed = self.completed
        if completed is None:
            raise NoSuchRound(f"round {self.number} is no more: it was cancelled, or failed.")
        return completed

    def _forget(self) -> None:
        # The previews stay until the next round: the page may be asking for one just now.
        self.completed = None

    def _remark(self, loaded: LoadedModel) -> None:
        """Tell on stderr what `inpaint complete` tells of a photo."""
        share = f"{percent(1 - float(np.mean(self.visible)))} hidden"
        n = self.order.n
        self.reporter.note(
            f"{self.photo.path}: {share}; {loaded.name}, seed {self.order.seed}, {n} "
            f"completion{'s' * (n > 1)}"
        )

    def _notes(self) -> list[str]:
        assert self.completed is not None
        assert self.loaded is not None
        unfinished = [f"{self.loaded.name}: {self.loaded.note}"] if self.loaded.note else []
        notes = [*self.remarks, *unfinished, *self.completed.notes()]
        for note in notes:
            self.reporter.note(f"{self.photo.path}: {note}.")
        return notes

    def facts(self, index: int) -> dict[str, Any]:
        """Return what is told of one completion beside its picture."""
        completed = self.completed
        assert completed is not None
        log_prob = None if completed.log_prob is None else float(completed.log_prob[index])
        if log_prob is not None and not math.isfinite(log_prob):
            log_prob = None  # which JSON has no number for
        values = completed.hidden_values
        return {
            "index": index,
            "log_prob": None if log_prob is None else round(log_prob, 6),
            "per_value": round(log_prob / values, 4) if log_prob is not None and values else None,
            "bound": completed.log_prob_kind == "lower bound",
            "words": captions(completed.details, index, completed.request.details),
        }

    def summary(self) -> dict[str, Any]:
        """Return what the page shows of the round after it was loaded anew."""
        box = bounds(~self.visible)
        return {
            "round": self.number,
            "state": self.state,
            "model": self.order.model,
            "n": self.order.n,
            "seed": self.order.seed,
            "photo": self.photo.name,
            "version": self.version,
            "notes": self.events[-1].get("notes", []) if self.events else [],
            "box": [box.left, box.top, box.width, box.height],
            "hidden": int((~self.visible).sum()),
            "saved": self.saved,
            "top": MAP_TOP,
        }

    def _preview(self, index: int) -> bytes:
        """Return the surroundings of the hole, reduced, as PNG."""
        view = view_of(self.visible)
        pixels = self._pixels(index, view)
        scale = min(1.0, PREVIEW_PX / max(view.height, view.width))
        return png(scaled(pixels, scale), profile_of(self.photo.picture))

    def patch(self, index: int) -> bytes:
        """Return the tight box round the hole as PNG, transparent outside the hole."""
        with self.pixels:
            box = bounds(~self.visible)
            pixels = self._pixels(index, box)
            alpha = np.where(self.visible[box.slices], 0, 255).astype(np.uint8)
            return png(np.dstack([pixels, alpha]), profile_of(self.photo.picture))

    def _pixels(self, index: int, view: Box) -> ScreenPixels:
        """Return completion `index` in a box that holds the hole, for a screen."""
        completed = self.kept()
        photo: Picture = completed.photo
        box, patch = completed.patch(index)
        samples = photo.samples[view.slices].copy()
        samples[box.moved(-view.top, -view.left).slices] = patch
        shown = replace(photo, samples=samples, indices=None)
        return screen(shown, Box(0, 0, view.height, view.width))

    def uncertainty(self) -> bytes:
        """Return where completions differ: the box round the hole, RGBA, as PNG.

        Its colours are those of the map on the sheet: dark = 0, brightest = `MAP_TOP` of 255.
        """
        with self.pixels:
            if self._map is None:
                self._map = self._uncertainty()
            return self._map

    def _uncertainty(self) -> bytes:
        box = bounds(~self.visible)
        scale = min(1.0, MAP_PX / max(box.height, box.width))
        total: npt.NDArray[np.float32] | float = 0.0
        squares: npt.NDArray[np.float32] | float = 0.0
        n = self.kept().drawn
        for index in range(n):
            values = scaled(self._pixels(index, box), scale).astype(np.float32)
            total, squares = total + values, squares + values**2
        variance = np.maximum(np.asarray(squares / n - (total / n) ** 2), 0).mean(axis=2)
        deviation = np.sqrt(variance.astype(np.float64) * n / max(n - 1, 1))
        hidden = (~self.visible[box.slices]).astype(np.float32)
        if scale < 1:
            size = deviation.shape[::-1]
            hidden = np.asarray(cv2.resize(hidden, size, interpolation=cv2.INTER_AREA))
        alpha = np.where(hidden > 0, 217, 0).astype(np.uint8)
        return png(np.dstack([coloured(deviation / MAP_TOP), alpha]))


def in_words(error: Exception) -> str:
    """Return what the page says of an error, whatever it is."""
    if isinstance(error, PlainError):
        return str(error)
    if is_out_of_memory(error):
        return "out of memory. Take a smaller photo or model."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return f"internal error: {error!r}"


def doubling(n: int) -> Iterator[range]:
    """Yield consecutive ranges from 0 to n: short ones first, so that the first is seen soon.

    >>> list(doubling(6))
    [range(0, 1), range(1, 2), range(2, 4), range(4, 6)]
    """
    start = 0
    while start < n:
        stop = min(n, max(1, 2 * start))
        yield range(start, stop)
        start = stop


MOST_ROUNDS = 20
"""The oldest are forgotten, those that were saved first."""


class NoSuchRound(UserError):
    """A round, or a completion of it, is not there."""


class KeptRounds(dict[int, Round]):
    """Rounds by their number."""

    lost: int = 0
    """Rounds that were forgotten and had not been saved."""

    @property
    def all(self) -> list[Round]:
        """The rounds of this moment; others may start while one goes through them."""
        return list(self.values())

    @property
    def running(self) -> Round | None:
        """The round that is being drawn."""
        return next((one for one in self.all if one.state == "running"), None)

    @property
    def unsaved(self) -> int:
        """How many rounds were drawn and not saved."""
        return self.lost + sum(r.completed is not None and r.saved is None for r in self.all)

    @property
    def inputs(self) -> frozenset[Path]:
        """The photos that saved results were made of, but for those that are results themselves."""
        saved = [one.saved for one in self.all if one.saved and one.photo.origin is None]
        return frozenset(resolved(Path(one["photo"])) for one in saved)

    def find(self, number: int) -> Round:
        """Return a round; NoSuchRound where there is none."""
        if number not in self:
            raise NoSuchRound(f"there is no round {number}.")
        return self[number]

    def make_room(self, photo: OpenedPhoto) -> list[str]:
        """Forget rounds before the next one; return what is to be told of it.

        photo: the open one. What it, or the photo of another round, was continued from stays.
        """
        used = {one.origin[0] for one in (photo, *(r.photo for r in self.all)) if one.origin}
        empty = [number for number, drawn in self.items() if drawn.completed is None]
        free = [number for number in self if number not in used and number not in empty]
        free.sort(key=lambda number: self[number].saved is None)
        old = free[: max(0, len(free) - MOST_ROUNDS + 1)]
        unsaved = [number for number in old if self[number].saved is None]
        self.lost += len(unsaved)
        for number in empty + old:
            del self[number]
        return [
            f"round {number} was not saved and is forgotten: {MOST_ROUNDS} are kept"
            for number in unsaved
        ]
