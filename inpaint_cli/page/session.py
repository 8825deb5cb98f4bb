"""What can be done at the page: open, mask, draw rounds, save. It knows nothing of HTTP."""

from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inpaint_cli import masks
from inpaint_cli.endings import in_background
from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import apply_grow, write_mask
from inpaint_cli.page.choices import ModelChoice
from inpaint_cli.page.drawing import KeptRounds, NoSuchRound, Round
from inpaint_cli.page.opened import OpenedPhoto, open_photo, plain_text, safe_name
from inpaint_cli.page.order import RoundOrder
from inpaint_cli.page.saving import (
    SaveOrder,
    free_folder,
    is_same,
    mask_file,
    place_of_upload,
    save_round,
    write_alone,
)
from inpaint_cli.photos.arguments import whole
from inpaint_cli.photos.windows import Mask
from inpaint_cli.pictures.reading import read
from inpaint_cli.reporting import Reporter, Told

if TYPE_CHECKING:
    from inpaint_cli.loaded_model import LoadedModel

LARGEST_GROW = 1000


class Busy(UserError):
    """It cannot be done now, since a round is running or another tab has the session."""


@dataclass(frozen=True)
class SessionSettings:
    """What the command line said."""

    folder: Path
    model: str
    n: int | None = None
    seed: int = 0
    device: str = "auto"
    overwrite: bool = False


@dataclass
class Session:
    """One photo at a time, its mask, and the rounds drawn so far."""

    settings: SessionSettings
    choices: list[ModelChoice]
    reporter: Reporter
    photo: OpenedPhoto | None = None
    visible: Mask | None = None
    rounds: KeptRounds = field(default_factory=KeptRounds)
    page: int = 0
    """The number of the page that was opened last; older ones are refused."""
    pixels: threading.Lock = field(default_factory=threading.Lock)
    """Held during all work on whole photos."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Of files and folders in the scratch folder."""
    _drawn: int = 0
    """The number of the last round; none is given twice, since a page may still ask for it."""
    _version: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _loading: threading.Lock = field(default_factory=threading.Lock)
    _loaded: dict[str, LoadedModel] = field(default_factory=dict)
    _shown: tuple[bytes, str] | None = None
    _scratch: Path | None = None

    # Photo

    def open(self, path: Path) -> None:
        """Open a photo of the user's."""
        with self.pixels:
            self._take(open_photo(path))

    def upload(self, content: bytes, name: str) -> None:
        """Open a photo that the page sent; errors name it as the user does."""
        self._check_idle()
        safe, shown = safe_name(name), plain_text(name)
        with self.pixels:
            picture = read(content, name=shown)
            source = self._new_scratch(safe)
            source.write_bytes(content)
            self._take(OpenedPhoto(shown, self.settings.folder / safe, source, picture))

    def continue_from(self, number: int, index: int) -> None:
        """Open a completion as the next photo."""
        self._check_idle()
        done = self.done(number, index)
        with self.pixels:
            source = write_alone(done, index, self._new_scratch())
            path = self.settings.folder / source.name
            self._take(OpenedPhoto(source.name, path, source, read(source), (number, index)))

    def _take(self, photo: OpenedPhoto) -> None:
        shown = photo.shown()
        with self._lock:
            self.photo, self._shown = photo, shown
            self.visible = np.ones(photo.size, np.bool_)
            self._version += 1

    def shown(self) -> tuple[bytes, str]:
        """Return the photo for a screen, and its media type."""
        self.opened()
        assert self._shown is not None
        return self._shown

    def version(self, seen: int | None = None) -> int:
        """Return which photo is open: each that was opened counts. Busy where it is not `seen`."""
        if seen not in (None, self._version):
            raise Busy("another photo was opened meanwhile. Draw its mask anew.")
        return self._version

    def opened(self) -> OpenedPhoto:
        """Return the photo; UserError where none is open."""
        if self.photo is None:
            raise UserError("no photo is open.")
        return self.photo

    # Mask

    def packed(self) -> bytes:
        """Return the mask, a bit a pixel, row after row without padding; 1 = hidden."""
        self.opened()
        assert self.visible is not None
        return np.packbits(~self.visible).tobytes()

    # seen: the version of the photo that the page asks about.

    def put_mask(self, packed: bytes, seen: int | None = None) -> None:
        """Take the page's mask, as `packed` gives it; UserError where its length is wrong."""
        version = self.version(seen)
        height, width = self.opened().size
        if len(packed) != -(-height * width // 8):
            raise UserError(f"expected {-(-height * width // 8)} bytes, got {len(packed)}.")
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=height * width)
        self._put(np.asarray(bits.reshape(height, width) == 0), version)

    def _put(self, visible: Mask, version: int) -> None:
        """Take a mask; Busy where it is of a photo that another one has followed."""
        with self._lock:
            self.version(version)
            self.visible = visible

    def read_mask_file(
        self, content: bytes | Path, name: str, seen: int | None = None, **how: Any
    ) -> list[str]:
        """Take a mask file and return remarks on it; how: see `OpenedPhoto.read_mask`."""
        version, photo = self.version(seen), self.opened()
        source = content
        if isinstance(content, bytes):
            source = self._new_scratch(f"mask{Path(safe_name(name)).suffix}")
            source.write_bytes(content)
        assert isinstance(source, Path)
        try:
            visible, remarks = photo.read_mask(source, name, **how)
        finally:
            if source is not content:
                source.unlink(missing_ok=True)
        self._put(visible, version)
        for line in remarks:
            self.reporter.note(line)
        return remarks

    def grow(self, px: Any, seen: int | None) -> None:
        """Enlarge the hole by a disc, as --grow does."""
        with self._lock:
            version, visible = self.version(seen), self.visible
            self.opened()
        assert visible is not None
        self._put(apply_grow(visible, whole(px, "grow", 0, LARGEST_GROW)), version)

    def draw_mask(self, kind: Any, seed: Any, model: Any, seen: int | None = None) -> None:
        """Draw a mask of a kind at the size that a model needs; UserError where it has no hole."""
        version = self.version(seen)
        height, width = self.opened().size
        if not isinstance(kind, str) or not masks.is_kind(kind):
            raise UserError(f"no kind of mask called {repr(kind)[:60]}.", setting="mask")
        size = self.choice(model).size
        number = whole(seed, "seed", 0)
        visible = masks.draw_at_scale(kind, height, width, model_size=size, seed=number)
        if visible.all():
            raise UserError(f"'{kind}' has no hole in this photo. Take another.", setting="mask")
        self._put(visible, version)

    def mask_png(self) -> tuple[bytes, str]:
        """Return the mask as a file, and its name."""
        photo = self.opened()
        assert self.visible is not None
        path = self._new_scratch("mask.png")
        write_mask(path, self.visible)
        content = path.read_bytes()
        path.unlink()
        return content, f"{photo.path.stem}-mask.png"

    # Rounds

    def choice(self, model: Any) -> ModelChoice:
        """Return the model of a name; UserError where there is none."""
        for choice in self.choices:
            if choice.name == model:
                return choice
        raise UserError(f"no model called {repr(model)[:60]}.", setting="model")

    def load(self, name: str) -> LoadedModel:
        """Return a loaded model; the last one is kept."""
        from inpaint_cli import api

        with self._loading:
            if name not in self._loaded:
                self._loaded.clear()
                self._loaded[name] = api.load_model(name, self.settings.device)
            return self._loaded[name]

    def warm_up(self) -> None:
        """Load torch and the first model before they are asked for."""
        try:
            self.load(self.settings.model)
        except Exception as error:  # it will be told when a round needs it
            self.reporter.detail(f"{self.settings.model}: {error}")

    def start(self, given: Any, seen: int | None = None) -> Round:
        """Start a round in a thread of its own. Busy while one runs."""
        from inpaint_cli.api import checked_options

        with self._lock:
            self._check_idle()
            photo, version = self.opened(), self.version(seen)
            assert self.visible is not None
            known = [choice.name for choice in self.choices]
            order = RoundOrder.of(
                given,
                known,
                lambda name: lambda chosen: checked_options(self.choice(name).family, chosen),
            )
            if self.visible.all():
                raise UserError("no hole yet: paint what is to be filled in.")
            remarks = self.rounds.make_room(photo)
            self._drawn += 1
            for earlier in self.rounds.values():
                if earlier.completed is not None:
                    earlier.completed.kept.clear()
            drawn = Round(
                self._drawn,
                photo,
                self.visible,
                order,
                self.pixels,
                self.reporter,
                version=version,
                remarks=remarks,
            )
            self.rounds[drawn.number] = drawn
        in_background(drawn.run, self.load)
        return drawn

    def _check_idle(self) -> None:
        if self.rounds.running is not None:
            raise Busy("a round is being drawn. Wait for it, or cancel it.")

    def done(self, number: int, index: int = 0) -> Round:
        """Return a round that has a completion; NoSuchRound where it is not there."""
        drawn = self.rounds.find(number)
        if drawn.completed is None or not 0 <= index < drawn.completed.drawn:
            raise NoSuchRound(f"round {number} has no completion {index}.")
        return drawn

    def stop(self, number: int) -> None:
        """Stop a round."""
        self.rounds.find(number).stop()

    # Saving

    def save(self, number: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """Save a round, and before it those that it stands on; return what was written."""
        done = self.done(number)
        if done.state != "done":
            raise Busy("this round is still being drawn.")
        chosen = given.get("chosen")
        if chosen is not None:
            whole(chosen, "chosen", 0, done.order.n - 1)
        folder = self.settings.folder
        if given.get("elsewhere") is True:
            folder = free_folder(folder)
        told = Told(self.reporter.quiet, self.reporter.verbose)
        order = SaveOrder(
            folder,
            told,
            chosen,
            given.get("replace") is True,
            self.settings.overwrite,
            self.settings.device,
            self.rounds.inputs,
        )
        with self.pixels:
            done.saved = save_round(done, self._place(done.photo, order), order)
        return {**done.saved, "notes": told.lines}

    def _place(self, photo: OpenedPhoto, order: SaveOrder) -> Path:
        """Return the path of a photo for a record; earlier rounds are written first."""
        if photo.origin is not None:
            number, index = photo.origin
            below = self.rounds[number]
            # What was saved may be gone since, or be another round's by now.
            if below.saved is None or not is_same(Path(below.saved["files"][index]), photo.source):
                step = replace(order, chosen=index)
                below.saved = save_round(below, self._place(below.photo, step), step)
            return Path(below.saved["files"][index])
        return place_of_upload(photo, order.folder) if photo.uploaded else photo.path

    def one(self, number: int, index: int) -> tuple[bytes, str]:
        """Return one completion as a file, and its name."""
        done = self.done(number, index)
        with self.pixels:
            path = write_alone(done, index, self._new_scratch())
        content = path.read_bytes()
        shutil.rmtree(path.parent, ignore_errors=True)
        return content, path.name

    def command(self, done: Round) -> str:
        """Return the command that writes a round's files once its mask is saved."""
        if done.saved:
            return str(done.saved["command"])
        folder = self.settings.folder
        mask = mask_file(folder, done.photo.path.stem, done.visible)
        return done.order.command(done.photo.path, mask, folder, self.settings.device)

    # State

    def state(self) -> dict[str, Any]:
        """Return all that a page needs to show the session."""
        running = self.rounds.running
        rounds = [r for r in self.rounds.all if r.completed is not None or r is running]
        return {
            "page": self.page,
            "photo": None
            if self.photo is None
            else {**self.photo.facts(), "version": self._version},
            "models": [choice.facts() for choice in self.choices],
            "kinds": list(masks.KINDS),
            "defaults": {
                "model": self.settings.model,
                "n": self.settings.n,
                "seed": self.settings.seed,
            },
            "folder": str(self.settings.folder),
            "rounds": [self._summary(drawn) for drawn in rounds],
            "running": None if running is None else running.number,
        }

    def _summary(self, drawn: Round) -> dict[str, Any]:
        """Return what the page shows of a round; painted: its mask is the one that is painted."""
        same = self.visible is not None and np.array_equal(drawn.visible, self.visible)
        painted = same and drawn.version == self._version
        return {**drawn.summary(), "command": self.command(drawn), "painted": painted}

    def scratch(self) -> Path:
        """Return the folder for uploads, which only this user can read; removed at the end."""
        if self._scratch is None or not self._scratch.is_dir():  # systems tidy up after days
            self._scratch = Path(tempfile.mkdtemp(prefix="inpaint-"))
            atexit.register(self.close)
        return self._scratch

    def _new_scratch(self, name: str = "") -> Path:
        """Return a new path in the scratch folder: of a file `name`, or of a folder."""
        return self.scratch() / f"{next(self._numbers)}{name and '-'}{name}"

    def close(self) -> None:
        """Stop what runs and remove the scratch folder."""
        for drawn in self.rounds.values():
            drawn.stop()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
