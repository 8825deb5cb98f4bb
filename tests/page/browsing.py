"""A browser for tests: chromium without a window, and what a test does at the page."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.page.served import Served, packed, photo_at, serving, session_in, wait_for
from tests.pretend_model import PretendModel

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
NEEDED = "INPAINT_NEEDS_BROWSER"
"""Set where a missing browser is a failure."""
MARGIN = 48
"""Screen pixels that the page leaves free round a photo that is fitted."""


def missing(what: str) -> Any:
    """Skips, or fails where a browser has to be there."""
    if os.environ.get(NEEDED):
        pytest.fail(f"no {what}, which {NEEDED} asks for")
    pytest.skip(f"no {what}: apt-get install chromium, pip install 'inpaint[browser]'")


@contextmanager
def browser() -> Iterator[Any]:
    """Starts chromium."""
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    with a_home(), sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


@contextmanager
def a_home() -> Iterator[None]:
    """Lends a home to a user who has none: neither playwright nor chromium starts without one."""
    if os.path.expanduser("~") != "~":
        yield
        return
    with tempfile.TemporaryDirectory() as lent, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", lent)
        yield


@dataclass
class At:
    """A page that is open, and what it complained of."""

    page: Any
    served: Served
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, chromium: Any, served: Served, **context: Any) -> At:
        given = {"viewport": {"width": 1280, "height": 800}, "accept_downloads": True, **context}
        page = chromium.new_context(**given).new_page()
        at = cls(page, served)
        page.on("pageerror", lambda error: at.complaints.append(str(error)))
        page.on("console", lambda m: at.complaints.append(m.text) if m.type == "error" else None)
        page.on("request", lambda request: at.requests.append(request.url))
        page.set_default_timeout(20000)
        page.goto(f"{served.address}#{served.page.token}")
        if served.page.session.photo is not None:
            at.wait_text("#share", "idden")
        return at

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).text_content())

    def wait_text(self, selector: str, part: str) -> None:
        """Waits until an element says something; polls, as the page forbids evaluating strings."""
        wait_for(lambda: part in self.text(selector) or (part == "idden" and self._any_share()))

    def _any_share(self) -> bool:
        return "hole" in self.text("#share") or "hidden" in self.text("#share")

    def wait(self, what: Any) -> None:
        """Waits for something that the browser has to be let on for."""
        end = time.monotonic() + 60
        while not what():
            assert time.monotonic() < end, "it did not come true in time"
            self.page.wait_for_timeout(20)

    def view(self) -> tuple[float, float, float, float, float]:
        """Return left and top of the canvas, its scale, and the photo's column and row there."""
        box = self.page.locator("#photo-canvas").bounding_box()
        height, width = self.served.page.session.opened().size
        room = min((box["width"] - MARGIN) / width, (box["height"] - MARGIN) / height)
        scale = float(int(room)) if room > 2 else room
        scale = min(max(scale, 0.02), 64)
        left = width / 2 - box["width"] / 2 / scale
        top = height / 2 - box["height"] / 2 / scale
        return box["x"], box["y"], scale, left, top

    def spot(self, x: int, y: int) -> tuple[int, int]:
        """Return where on the screen a pixel of a fitted photo is seen."""
        at_x, at_y, scale, left, top = self.view()
        return round(at_x + (x + 0.5 - left) * scale), round(at_y + (y + 0.5 - top) * scale)

    def pixel(self, x: int, y: int) -> tuple[int, int]:
        """Return the pixel that is seen at a place of the screen."""
        at_x, at_y, scale, left, top = self.view()
        return int(np.floor(left + (x - at_x) / scale)), int(np.floor(top + (y - at_y) / scale))

    def drag(self, spots: list[tuple[int, int]], button: str = "left") -> list[tuple[int, int]]:
        """Drags over places of the screen; returns the pixels that were met."""
        self.page.mouse.move(*spots[0])
        self.page.mouse.down(button=button)
        for spot in spots[1:]:
            self.page.mouse.move(*spot)
        self.page.mouse.up(button=button)
        return [self.pixel(*spot) for spot in spots]

    def radius(self, least: int) -> int:
        """Sets the brush by its keys to the first size from `least` on, and returns it."""
        self.page.locator("#photo-canvas").focus()
        for key in ("[" * 200, "]" * 200):
            for press in key:
                size = (int(self.text("#size-shown").split()[0]) - 1) // 2
                if size <= least if press == "[" else size >= least:
                    break
                self.page.keyboard.press(press)
        return size

    def hidden(self) -> npt.NDArray[np.bool_]:
        """Return the mask once the page has sent what it shows."""
        session = self.served.page.session

        def same() -> bool:
            shown = self.text("#share").partition("(")[2].split(" ")[0].replace(",", "")
            return session.visible is not None and str((~session.visible).sum()) == shown

        self.wait(same)
        assert session.visible is not None
        return ~session.visible

    def wait_mask(self, expected: npt.NDArray[np.bool_]) -> None:
        """Waits until the server has exactly this mask."""
        session = self.served.page.session
        try:
            self.wait(lambda: session.packed() == packed(~expected))
        except AssertionError:
            assert session.visible is not None
            differ = (~session.visible) != expected
            raise AssertionError(f"{differ.sum()} of {differ.size} pixels differ") from None

    def open_tile(self, count: int) -> None:
        """Waits until a round is done, with so many completions."""
        self.wait(lambda: self.page.locator(".tile img").count() == count)
        self.wait(lambda: self.page.locator("[aria-checked=true]").count() == 1)


def disc_stroke(
    shape: tuple[int, int], points: list[tuple[int, int]], radius: int
) -> npt.NDArray[np.bool_]:
    """Return all pixels whose centre is at most `radius` from a polyline, by the definition."""
    reach = max(radius, 0.5)
    hit = np.zeros(shape, np.bool_)
    for (x0, y0), (x1, y1) in zip(points, points[1:] or points, strict=False):
        top, bottom = max(0, min(y0, y1) - radius - 1), min(shape[0], max(y0, y1) + radius + 2)
        left, right = max(0, min(x0, x1) - radius - 1), min(shape[1], max(x0, x1) + radius + 2)
        if top >= bottom or left >= right:
            continue
        rows, columns = np.mgrid[top:bottom, left:right]
        px, py = columns - x0, rows - y0
        dx, dy = x1 - x0, y1 - y0
        length = dx * dx + dy * dy
        along = np.clip(px * dx + py * dy, 0, length)
        # Times the length squared, so that all is whole and exact.
        far = (px * max(length, 1) - along * dx) ** 2 + (py * max(length, 1) - along * dy) ** 2
        hit[top:bottom, left:right] |= far <= reach**2 * max(length, 1) ** 2
    return hit


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretend: PretendModel) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    session = session_in(Path())
    session.open(photo_at(Path("photo.png"), 120, 160))
    with serving(session) as page:
        yield page


@pytest.fixture
def at(chromium: Any, served: Served) -> Iterator[At]:
    opened = At.of(chromium, served)
    yield opened
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith((served.address, "blob:"))] == []
    opened.page.context.close()


@pytest.fixture
def plain(at: At) -> At:
    """The page, whose rounds are the model's picture alone: quick."""
    at.page.click("#more summary")
    return at


def paint(at: At) -> None:
    at.drag([at.spot(50, 40), at.spot(80, 60)])


def completed(at: At, n: int = 3) -> None:
    paint(at)
    at.page.fill("#n", str(n))
    at.page.select_option("#detail", "none")
    at.page.click("#complete")
    at.open_tile(n)
    at.wait(at.page.locator("[name=view][value=completion]").is_checked)
