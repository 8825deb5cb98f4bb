"""The page in a browser: painting, rounds, saving, and that nothing leaves the machine."""

import io
import json
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from inpaint_cli import api, models
from inpaint_cli.cli import main
from tests.page.browsing import At, browser, disc_stroke
from tests.page.served import Served, hole_in, packed, photo_at, serving, session_in, wait_for
from tests.pretend_model import PretendModel, pretend

__all__ = ["pretend"]
pytestmark = pytest.mark.browser
OUT = Path("out")


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


def paint(at: At) -> None:
    at.drag([at.spot(50, 40), at.spot(80, 60)])


def completed(at: At, n: int = 3) -> None:
    paint(at)
    at.page.fill("#n", str(n))
    at.page.select_option("#detail", "none")
    at.page.click("#complete")
    at.open_tile(n)
    at.wait(at.page.locator("[name=view][value=completion]").is_checked)


@pytest.fixture
def plain(at: At) -> At:
    """The page, whose rounds are the model's picture alone: quick."""
    at.page.click("#more summary")
    return at


# Painting


@pytest.mark.parametrize("radius", [0, 1, 14])
def test_a_stroke_is_all_pixels_near_the_line(at: At, radius: int) -> None:
    assert at.radius(radius) == radius
    spots = [at.spot(*p) for p in [(20, 30), (61, 44), (60, 90), (150, 20), (-5, 60)]]
    points = at.drag(spots)
    expected = disc_stroke((120, 160), points, radius)
    at.wait_mask(expected)
    at.page.keyboard.press("e")
    erased = at.drag([at.spot(30, 30), at.spot(100, 50)])
    at.wait_mask(expected & ~disc_stroke((120, 160), erased, radius))


def test_the_right_button_and_alt_do_the_opposite(at: At) -> None:
    paint(at)
    at.drag([at.spot(50, 40), at.spot(80, 60)], button="right")
    at.wait_mask(np.zeros((120, 160), np.bool_))
    at.page.keyboard.press("e")
    at.page.keyboard.down("Alt")
    points = at.drag([at.spot(50, 40), at.spot(80, 60)])
    at.page.keyboard.up("Alt")
    at.wait_mask(disc_stroke((120, 160), points, 14))


def test_shift_draws_a_straight_line_from_the_last_point(at: At) -> None:
    first = at.drag([at.spot(20, 20)])
    at.page.keyboard.down("Shift")
    last = at.drag([at.spot(120, 90)])
    at.page.keyboard.up("Shift")
    at.wait_mask(disc_stroke((120, 160), first + last, 14))


def test_a_box_has_both_its_corners_and_numbers_mean_what_the_command_means(at: At) -> None:
    at.page.keyboard.press("r")
    (x0, y0), (x1, y1) = at.drag([at.spot(70, 50), at.spot(30, 80)])
    expected = np.zeros((120, 160), np.bool_)
    expected[y0 : y1 + 1, x1 : x0 + 1] = True
    at.wait_mask(expected)
    at.page.click("#tools summary")
    for name, value in zip("xywh", (5, 6, 7, 8), strict=True):
        at.page.fill(f"#box-form [name={name}]", str(value))
    at.page.click("#box-form button")
    expected[6:14, 5:12] = True
    at.wait_mask(expected)


def test_a_lasso_fills_by_the_even_odd_rule_at_the_centres(at: At) -> None:
    at.page.keyboard.press("l")
    star = [(80, 10), (110, 110), (20, 45), (140, 45), (50, 110)]
    points = at.drag([at.spot(*p) for p in star])
    rows, columns = np.mgrid[:120, :160]
    inside = np.zeros((120, 160), np.bool_)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        crosses = (ay + 0.5 <= rows + 0.5) != (by + 0.5 <= rows + 0.5)
        if ay == by:
            continue
        meets = ax + 0.5 + (rows + 0.5 - (ay + 0.5)) / (by - ay) * (bx - ax)
        inside ^= crosses & (meets <= columns + 0.5)
    at.wait_mask(inside)


def test_undo_and_redo_are_a_replay(at: At) -> None:
    random = np.random.default_rng(0)
    states, place = [np.zeros((120, 160), np.bool_)], 0
    for _ in range(50):
        if random.random() < 0.5:
            value = random.random() < 0.7
            at.page.keyboard.press("b" if value else "e")
            ends = [at.spot(int(random.integers(160)), int(random.integers(120))) for _ in "ab"]
            stroke = disc_stroke((120, 160), at.drag(ends), 14)
            state = states[place] | stroke if value else states[place] & ~stroke
            if not np.array_equal(state, states[place]):
                states, place = [*states[: place + 1], state], place + 1
        elif random.random() < 0.6:
            at.page.keyboard.press("Control+z")
            place = max(0, place - 1)
        else:
            at.page.keyboard.press("Control+Shift+z")
            place = min(len(states) - 1, place + 1)
    at.wait_mask(states[place])


def test_invert_clear_and_grow_are_steps_that_can_be_undone(at: At) -> None:
    points = at.drag([at.spot(50, 40), at.spot(80, 60)])
    stroke = disc_stroke((120, 160), points, 14)
    at.page.click("#invert")
    at.wait_mask(~stroke)
    at.page.click("#clear")
    at.wait_mask(np.zeros((120, 160), np.bool_))
    at.page.click("#undo")
    at.page.click("#undo")
    at.wait_mask(stroke)
    at.page.click("#grow-form button")
    at.wait(lambda: not at.page.locator("#undo").is_disabled())
    at.wait(lambda: at.hidden().sum() > stroke.sum())
    at.page.click("#undo")
    at.wait_mask(stroke)


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (3, 2000)])
def test_photos_of_odd_sizes_are_painted(
    chromium: Any, folder: Path, size: tuple[int, int]
) -> None:
    session = session_in(Path())
    session.open(photo_at(Path("odd.png"), *size))
    with serving(session) as page:
        at = At.of(chromium, page)
        at.radius(0)
        middle = at.spot(size[1] // 2, size[0] // 2)
        points = at.drag([middle])
        if size[1] < 100:  # else a place on the screen is several pixels
            assert points == [(size[1] // 2, size[0] // 2)]
        at.wait_mask(disc_stroke(size, points, 0))
        assert at.complaints == []
        at.page.context.close()


def test_a_mask_file_is_loaded_scaled_if_asked_and_saved(at: At, tmp_path: Path) -> None:
    from inpaint_cli.masks.files import read_mask, write_mask

    write_mask(Path("m.png"), hole_in(60, 80))
    at.page.set_input_files("#mask-file", "m.png")
    at.wait(lambda: "the mask has 80x60 pixels" in at.text("#error"))
    at.complaints.clear()  # the browser's own note of the refused request
    at.page.click("#error button")
    at.wait(lambda: "hidden" in at.text("#share"))
    shown = at.hidden()
    with at.page.expect_download() as saved:
        at.page.click("#save-mask")
    assert saved.value.suggested_filename == "photo-mask.png"
    saved.value.save_as(tmp_path / "saved.png")
    assert np.array_equal(~read_mask(tmp_path / "saved.png"), shown)


# Opening


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


# Rounds


def test_a_round_is_seen_compared_and_saved_as_the_command_saves_it(plain: At) -> None:
    at = plain
    completed(at)
    at.page.keyboard.press("2")
    at.wait(lambda: at.text("#chosen-title") == "Completion 2")
    at.page.keyboard.press("Control+s")
    at.wait(lambda: at.page.locator("#saved").is_visible())
    ours = {p.name: p.read_bytes() for p in OUT.iterdir()}
    record = json.loads(ours.pop("completions.json"))
    assert record["items"][0].pop("chosen") == 2
    words = shlex.split(at.page.input_value("#command"))[1:]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    theirs = {p.name: p.read_bytes() for p in OUT.iterdir()}
    assert json.loads(theirs.pop("completions.json")) == record
    assert theirs == ours


def pixels(at: At) -> Any:
    """Return the canvas as it is seen, without what is drawn over it."""
    at.page.mouse.move(2, 2)
    at.page.wait_for_timeout(300)
    shot = at.page.locator("#canvases").screenshot()
    with Image.open(io.BytesIO(shot)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_compare_shows_the_photo_on_one_side_and_the_completion_on_the_other(plain: At) -> None:
    at = plain
    completed(at)
    completion = pixels(at)
    at.page.keyboard.down("\\")
    photo = pixels(at)
    at.page.keyboard.up("\\")
    assert np.abs(completion - photo).max() > 20
    at.page.keyboard.press("c")
    for value, expected in ((0, completion), (100, photo)):
        at.page.fill("#compare", str(value))
        seen = pixels(at)
        # The line of the border lies at the edge of the photo then, and covers a few columns.
        differ = (np.abs(seen - expected).max(axis=2) > 3).any(axis=0)
        assert differ.sum() <= 8
    at.page.fill("#compare", "50")
    half = pixels(at)
    middle = half.shape[1] // 2
    assert np.abs(half[:, : middle - 6] - photo[:, : middle - 6]).max() <= 3
    assert np.abs(half[:, middle + 6 :] - completion[:, middle + 6 :]).max() <= 3


def test_uncertainty_is_seen_in_the_hole_with_a_legend(plain: At) -> None:
    at = plain
    completed(at)
    before = pixels(at)
    at.page.keyboard.press("u")
    at.wait(lambda: "64 of 255" in at.text("#legend-text"))
    at.wait(lambda: np.abs(pixels(at)[:100] - before[:100]).max() == 0)
    at.page.keyboard.press("v")
    at.page.wait_for_timeout(200)
    assert np.abs(pixels(at)[:100] - before[:100]).max() <= 3


def test_the_likeliest_come_first_and_keep_their_numbers(plain: At) -> None:
    at = plain
    completed(at, 5)
    at.page.check("#likeliest")
    labels = at.page.locator(".tile").evaluate_all("all => all.map(t => t.ariaLabel)")
    values = [float(label.split("log-likelihood ")[1].split()[0]) for label in labels]
    assert values == sorted(values, reverse=True)
    assert sorted(label.split(" of ")[0] for label in labels) == [
        f"Completion {i}" for i in range(5)
    ]


class Held(PretendModel):
    """A model that waits before every batch but the first."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def complete(self, image: Any, visible: Any, noise: Any, **options: Any) -> Any:
        if self.batches:
            assert self.go.wait(20)
        return super().complete(image, visible, noise, **options)


@pytest.fixture
def held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    model = Held()
    loaded = api.LoadedModel("pretend", models.get("pcnn"), model, torch.device("cpu"), "0" * 64)
    monkeypatch.setattr(api, "load_model", lambda name, device, **more: loaded)
    yield model
    model.go.set()


def start(at: At, n: int) -> None:
    paint(at)
    at.page.fill("#n", str(n))
    at.page.click("#more summary")
    at.page.select_option("#detail", "none")
    at.page.click("#complete")


def test_the_first_completion_is_seen_before_all_are_drawn_and_can_be_cancelled(
    at: At, held: Held
) -> None:
    start(at, 4)
    at.wait(lambda: at.page.locator(".tile img").count() == 1)
    at.wait(lambda: "1 of 4 drawn" in at.text("#said"))
    assert at.page.locator(".tile.waiting").count() == 3
    before = at.text("#share")
    at.drag([at.spot(10, 10), at.spot(20, 20)])  # the mask is locked
    assert at.text("#share") == before
    at.page.click("#cancel")
    held.go.set()
    at.wait(lambda: "cancelled" in at.text("#said"))
    assert at.page.locator(".tile").count() == 0 or not at.page.locator("#gallery").is_visible()
    assert at.text("#share") == before
    assert at.page.locator("#complete").is_enabled()


def test_a_reload_follows_the_round_and_brings_all_back(at: At, held: Held) -> None:
    start(at, 4)
    at.wait(lambda: at.page.locator(".tile img").count() == 1)
    share = at.text("#share")
    at.page.reload()
    at.wait(lambda: at.page.locator(".tile img").count() == 1)
    held.go.set()
    at.open_tile(4)
    assert at.text("#share") == share
    at.page.on("dialog", lambda dialog: dialog.accept())
    at.page.reload()
    at.open_tile(4)
    assert "#" not in at.page.url


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


def test_a_changed_mask_leaves_the_round_and_says_so(plain: At) -> None:
    at = plain
    completed(at)
    assert not at.page.locator("#other-mask").is_visible()
    at.drag([at.spot(10, 10), at.spot(20, 20)])  # goes back to the mask and paints
    assert at.page.locator("[name=view][value=mask]").is_checked()
    at.wait(lambda: at.page.locator("#other-mask").is_visible())
    at.page.keyboard.press("Control+z")
    at.wait(lambda: not at.page.locator("#other-mask").is_visible())


def test_what_is_in_the_way_of_a_save_can_be_answered(plain: At) -> None:
    at = plain
    completed(at)
    at.page.click("#save")
    at.wait(lambda: at.page.locator("#saved").is_visible())
    at.drag([at.spot(10, 10), at.spot(20, 20)])
    at.page.click("#complete")
    at.wait(lambda: at.text("#round-title").startswith("Round 2"))
    at.open_tile(3)
    at.page.click("#save")
    at.wait(lambda: "another round" in at.text("#error"))
    at.page.click("#error button:has-text('out/2')")
    at.wait(lambda: "out/2" in at.text("#saved"))
    assert (OUT / "2" / "photo-0.png").is_file()
    at.complaints.clear()  # the browser's own note of the refused request


def test_a_completion_is_continued_from(plain: At) -> None:
    at = plain
    completed(at)
    at.page.keyboard.press("1")
    at.wait(lambda: at.text("#chosen-title") == "Completion 1")
    at.page.click("#continue")
    at.wait(lambda: at.text("#photo-name").startswith("photo-1.png"))
    at.wait(lambda: "No hole yet" in at.text("#share"))
    assert "made of another photo: photo.png" in at.text("#other-mask")


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


def test_a_second_tab_wins_and_the_first_says_so(chromium: Any, served: Served) -> None:
    first = At.of(chromium, served)
    second = At.of(chromium, served)
    paint(first)
    # Painting sends the mask soon, and then the button is out of use: not to be waited for.
    first.page.evaluate("() => document.querySelector('#complete').click()")
    first.wait(lambda: "another tab" in first.text("#error"))
    paint(second)
    second.wait(lambda: not second.page.locator("#complete").is_disabled())
    for at in (first, second):
        at.page.context.close()


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


def test_a_large_photo_is_painted_exactly_and_quickly(chromium: Any, folder: Path) -> None:
    session = session_in(Path())
    photo_at(Path("large.jpg"), 3000, 4000, quality=80)
    session.open(Path("large.jpg"))
    with serving(session) as page:
        at = At.of(chromium, page)
        radius = at.radius(60)
        at.page.evaluate(
            """() => {
                window.frames_ms = [];
                let last = performance.now();
                const next = () => {
                    const now = performance.now();
                    window.frames_ms.push(now - last);
                    last = now;
                    requestAnimationFrame(next);
                };
                requestAnimationFrame(next);
            }"""
        )
        spots = [at.spot(1000 + 40 * i, int(1500 + 600 * np.sin(i / 5))) for i in range(50)]
        points = at.drag(spots)
        spent = sorted(at.page.evaluate("() => window.frames_ms"))
        at.wait_mask(disc_stroke((3000, 4000), points, radius))
        assert spent[len(spent) // 2] < 50
        at.page.context.close()


def test_the_mask_that_is_sent_is_the_one_of_the_round(plain: At) -> None:
    at = plain
    at.page.select_option("#model", "telea")
    paint(at)
    at.page.click("#complete")  # before the mask was sent by itself
    at.open_tile(1)
    (done,) = at.served.page.session.rounds.values()
    assert packed(done.visible) == packed(~at.hidden())
