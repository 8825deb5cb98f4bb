"""The page in a browser: opening, other tabs, tokens, and that nothing leaves the machine."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.page.browsing import (
    At,
    at,
    chromium,
    completed,
    disc_stroke,
    folder,
    paint,
    plain,
    served,
)
from tests.page.served import Served, packed, photo_at, serving, session_in, wait_for
from tests.pretend_model import pretend

__all__ = ["at", "chromium", "folder", "plain", "pretend", "served"]
pytestmark = pytest.mark.browser


def test_a_photo_is_dropped_and_pasted_and_named_as_text(at: At, folder: Path) -> None:
    at.page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(30, 20);
            canvas.getContext("2d").fillRect(0, 0, 30, 20);
            const blob = await canvas.convertToBlob();
            const data = new DataTransfer();
            data.items.add(new File([blob], "<img src=x onerror=alert(1)>.png"));
            dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
        }"""
    )
    at.wait(
        lambda: at.text("#photo-name").startswith("<img src=x onerror=alert(1)>.png, 30 \u00d7 20")
    )
    at.page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(31, 20);
            canvas.getContext("2d").fillRect(0, 0, 31, 20);
            const data = new DataTransfer();
            data.items.add(new File([await canvas.convertToBlob()], "p.png"));
            dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
        }"""
    )
    at.wait(lambda: at.text("#photo-name") == "p.png, 31 \u00d7 20")


def test_a_wrong_file_is_refused_in_words_and_the_photo_stays(at: At) -> None:
    Path("notes.txt").write_text("no picture")
    at.page.set_input_files("#open-file", "notes.txt")
    at.wait(lambda: at.text("#error").startswith("notes.txt: "))
    assert at.page.evaluate("document.activeElement.id") == "error"
    assert at.text("#photo-name") == "photo.png, 160 \u00d7 120"
    at.complaints.clear()  # the browser's own note of the refused request


def test_without_a_photo_the_page_asks_for_one(chromium: Any, folder: Path) -> None:
    with serving(session_in(Path())) as page:
        at = At.of(chromium, page)
        at.wait(lambda: at.page.locator("#empty").is_visible())
        photo_at(Path("p.png"), 20, 30)
        at.page.set_input_files("#open-file", "p.png")
        at.wait(lambda: at.text("#photo-name") == "p.png, 30 \u00d7 20")
        assert not at.page.locator("#empty").is_visible()
        at.page.context.close()


def test_what_is_painted_while_the_page_loads_is_not_lost(
    chromium: Any, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, let_on = served.page.session, threading.Event()
    real = session.packed

    def late() -> bytes:
        assert let_on.wait(20)
        return real()

    monkeypatch.setattr(session, "packed", late)
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{served.address}#{served.page.token}")
    wait_for(lambda: page.locator("#photo-name").text_content() != "")
    page.wait_for_timeout(500)
    at = At(page, served)
    early = at.drag([at.spot(50, 40), at.spot(80, 60)])
    painted_early = "(" in at.text("#share")
    let_on.set()
    at.wait(lambda: "hole" in at.text("#share") or "hidden" in at.text("#share"))
    page.wait_for_timeout(500)
    # What was seen to be painted stays; a photo that is not there yet takes no strokes.
    expected = disc_stroke((120, 160), early, 14) if painted_early else np.zeros((120, 160), bool)
    at.wait(lambda: real() == packed(~expected))
    assert ("hidden" in at.text("#share")) == painted_early
    page.context.close()


def test_a_second_tab_wins_and_the_first_says_so(chromium: Any, served: Served) -> None:
    first = At.of(chromium, served)
    second = At.of(chromium, served)
    paint(first)
    # Painting sends the mask soon, and then the button is out of use: not to be waited for.
    first.page.evaluate("() => document.querySelector('#complete').click()")
    first.wait(lambda: "another tab" in first.text("#error"))
    paint(second)
    second.wait(lambda: not second.page.locator("#complete").is_disabled())
    for tab in (first, second):
        tab.page.context.close()


def test_a_server_that_is_gone_is_told_and_the_mask_stays(chromium: Any, folder: Path) -> None:
    session = session_in(Path())
    session.open(photo_at(Path("photo.png"), 120, 160))
    with serving(session) as page:
        at = At.of(chromium, page)
        paint(at)
    at.page.click("#complete")
    at.wait(lambda: "does not answer" in at.text("#error"))
    assert "hidden" in at.text("#share")
    at.page.context.close()


def test_an_unsaved_round_asks_before_the_page_is_left(plain: At) -> None:
    at = plain
    completed(at, 1)
    asked: list[str] = []

    def answer(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.accept()

    at.page.on("dialog", answer)
    at.page.reload()
    assert asked == ["beforeunload"]


def test_a_reload_right_after_a_stroke_keeps_it(plain: At) -> None:
    at = plain
    paint(at)
    painted = at.text("#share")
    assert "hidden" in painted
    at.page.reload()
    at.wait(lambda: at.text("#share") == painted)


def test_a_stroke_too_large_to_go_along_asks_before_the_page_is_left(
    chromium: Any, folder: Path
) -> None:
    session = session_in(Path())
    session.open(photo_at(Path("large.png"), 720, 800))  # 72,000 bytes of mask
    asked: list[str] = []
    with serving(session) as page:
        at = At.of(chromium, page)
        paint(at)
        painted = at.text("#share")

        def answer(dialog: Any) -> None:
            asked.append(dialog.type)
            dialog.accept()

        at.page.on("dialog", answer)
        at.page.reload()
        at.wait(lambda: at.text("#share") == painted)
        at.page.context.close()
    assert asked == ["beforeunload"]


def test_the_address_of_the_browser_is_of_use_once(chromium: Any, served: Served) -> None:
    page = chromium.new_context().new_page()
    page.goto(f"{served.address}#once={served.page.once}")
    wait_for(lambda: page.locator("#photo-name").text_content() == "photo.png, 160 \u00d7 120")
    assert page.url == served.address
    page.context.close()


def test_without_the_token_nothing_is_seen(chromium: Any, served: Served) -> None:
    page = chromium.new_context().new_page()
    page.goto(served.address)
    wait_for(lambda: "inpaint paint" in str(page.locator("#error").text_content()))
    assert page.locator("#photo-name").text_content() == ""
    page.context.close()
