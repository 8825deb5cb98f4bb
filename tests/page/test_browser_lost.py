"""The page in a browser: connections that are lost, and what is given to it at a bad moment."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpaint_cli.page.serving import listening
from tests.page.browsing import At, at, chromium, disc_stroke, folder, paint, served
from tests.page.served import packed, photo_at, serving, session_in
from tests.page.test_browser_rounds import Held, held, start
from tests.pretend_model import pretend

__all__ = ["at", "chromium", "folder", "held", "pretend", "served"]
pytestmark = pytest.mark.browser
DROPPED = """async (names) => {
    const data = new DataTransfer();
    const canvas = new OffscreenCanvas(30, 20);
    canvas.getContext("2d").fillRect(0, 0, 30, 20);
    for (const name of names) data.items.add(new File([await canvas.convertToBlob()], name));
    if (!names.length) data.setData("text/uri-list", "http://127.0.0.1/picture.png");
    dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
}"""


def lose(at: At, lost: bool) -> None:
    at.page.context.set_offline(lost)


def test_a_round_goes_on_where_it_was_when_the_connection_was_lost(at: At, held: Held) -> None:
    start(at, 4)
    at.wait(lambda: "1 of 4 drawn" in at.text("#said"))
    lose(at, True)
    held.go.set()
    at.wait(lambda: "does not answer" in at.text("#error"))
    assert at.page.locator("#cancel").is_visible()
    lose(at, False)
    at.open_tile(4)
    assert "done in" in at.text("#said")
    assert not at.page.locator("#error").is_visible()
    at.complaints.clear()  # of the browser, that it was cut off


def test_nothing_can_be_completed_while_nobody_answers_and_what_was_painted_is_sent(
    at: At,
) -> None:
    paint(at)
    at.hidden()
    lose(at, True)
    drawn = at.drag([at.spot(20, 20), at.spot(40, 20)])
    at.wait(lambda: "does not answer" in at.text("#error"))
    assert at.page.locator("#complete").is_disabled()
    lose(at, False)
    at.wait(lambda: "answers again" in at.text("#said"))
    hidden = at.hidden()
    assert hidden[disc_stroke((120, 160), drawn, 14)].all()
    assert at.page.locator("#complete").is_enabled()
    at.complaints.clear()


def test_a_server_that_was_started_anew_is_not_taken_for_the_one_that_was_lost(
    chromium: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = photo_at(Path("photo.png"), 120, 160)
    session = session_in(Path())
    session.open(photo)
    with serving(session) as first:
        at = At.of(chromium, first)
        paint(at)
    at.page.click("#complete")
    at.wait(lambda: "does not answer" in at.text("#error"))
    session = session_in(Path())
    session.open(photo)
    same_port = listening(first.port)
    monkeypatch.setattr("tests.page.served.listening", lambda port: same_port)
    with serving(session):
        at.wait(lambda: "open the address" in at.text("#error"))
        assert "answers again" not in at.text("#said")
        at.page.context.close()


def test_a_photo_that_comes_during_a_round_is_refused_in_a_sentence(at: At, held: Held) -> None:
    start(at, 4)
    at.wait(lambda: "1 of 4 drawn" in at.text("#said"))
    at.page.evaluate(DROPPED, ["other.png"])
    assert "a round is being drawn" in at.text("#error")
    assert at.text("#photo-name").startswith("photo.png")
    held.go.set()
    at.open_tile(4)


def test_of_several_files_the_first_is_opened_and_that_is_said(at: At) -> None:
    at.page.evaluate(DROPPED, ["one.png", "two.png"])
    at.wait(lambda: "the first of 2 files" in at.text("#said"))
    assert at.text("#photo-name").startswith("one.png")


def test_what_is_dropped_and_is_no_file_is_told(at: At) -> None:
    at.page.evaluate(DROPPED, [])
    assert "is no file" in at.text("#error")


def test_without_a_photo_nothing_that_needs_one_is_offered(chromium: Any, folder: Path) -> None:
    with serving(session_in(Path())) as page:
        at = At.of(chromium, page)
        at.wait(lambda: at.page.locator("#empty").is_visible())
        at.page.click("#tools summary")
        for name in ("Grow", "Add box", "Draw", "Invert", "Load…"):
            assert at.page.get_by_role("button", name=name, exact=True).is_disabled(), name
        at.page.context.close()


def test_a_box_beyond_the_photo_is_told_as_the_command_tells_it(at: At) -> None:
    at.page.click("#tools summary")
    at.page.fill("#box-form [name=x]", "160")
    at.page.click("#box-form button")
    assert "holds no pixel of the photo, which has 160 \u00d7 120" in at.text("#error")
    at.page.fill("#box-form [name=x]", "159")
    at.page.click("#box-form button")
    assert not at.page.locator("#error").is_visible()
    expected = np.zeros((120, 160), np.bool_)
    expected[:64, 159] = True
    at.wait_mask(expected)


def test_a_round_that_fails_is_no_more_said_to_be_loading(at: At) -> None:
    at.page.select_option("#model", "telea")
    at.page.click("#tools summary")
    at.page.select_option("#kind", "nothing")
    at.page.click("#draw-form button")
    at.wait(lambda: "100.0 %" in at.text("#share"))
    at.page.click("#complete")
    at.wait(lambda: "nothing is visible" in at.text("#error"))
    at.wait(lambda: at.page.locator("#complete").is_visible())
    assert at.text("#said") == ""


def touch(fingers: Any, kind: str, *points: tuple[int, int]) -> None:
    """Tells the browser which fingers are down, by their number."""
    down = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": down})


def test_three_fingers_paint_nothing(at: At) -> None:
    fingers = at.page.context.new_cdp_session(at.page)
    one, two, three = at.spot(60, 60), at.spot(100, 60), at.spot(80, 80)
    for count in (1, 2, 3):
        touch(fingers, "touchStart", *(one, two, three)[:count])
    touch(fingers, "touchMove", one, two, (three[0], three[1] + 20))
    touch(fingers, "touchEnd", one, two)
    touch(fingers, "touchEnd")
    touch(fingers, "touchStart", at.spot(10, 10))
    at.wait(lambda: "No hole" in at.text("#share"))
    touch(fingers, "touchEnd")
    at.wait(lambda: "hidden" in at.text("#share"))
    at.page.click("#undo")
    assert "No hole" in at.text("#share")


def test_undo_in_the_middle_of_a_box_takes_back_that_alone(at: At) -> None:
    paint(at)
    before = at.hidden().copy()
    at.page.keyboard.press("r")
    for key in ("ArrowRight", "Enter", "ArrowRight", "Control+z", "ArrowRight"):
        at.page.keyboard.press(key)
    at.page.wait_for_timeout(100)
    assert at.served.page.session.packed() == packed(~before)
    assert "hidden" in at.text("#share")
    at.page.keyboard.press("Control+z")
    assert "No hole" in at.text("#share")
