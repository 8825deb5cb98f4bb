"""Painting in a browser: what a stroke, a box, a lasso and a file hide, to the pixel."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.page.browsing import At, at, chromium, disc_stroke, folder, paint, served
from tests.page.served import hole_in, photo_at, serving, session_in
from tests.pretend_model import pretend

__all__ = ["at", "chromium", "folder", "pretend", "served"]
pytestmark = pytest.mark.browser


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


def test_what_is_told_of_a_mask_file_is_told_at_the_page(at: At) -> None:
    soft = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (120, 1))
    Image.fromarray(soft).save("soft.png")
    at.page.set_input_files("#mask-file", "soft.png")
    at.wait(lambda: "hidden" in at.text("#share"))
    assert at.text("#said").startswith("soft.png: a grey or soft mask; values of 128 and above")


def test_what_is_painted_while_a_mask_is_loaded_does_not_come_after_it(at: At) -> None:
    from inpaint_cli.masks.files import write_mask

    visible = hole_in(120, 160)
    write_mask(Path("m.png"), visible)
    held = list[Any]()
    at.page.route("**/api/mask/file*", lambda route: held.append(route))
    at.page.set_input_files("#mask-file", "m.png")
    at.wait(lambda: bool(held))
    answer = held[0].fetch()  # the server has the mask, and the page has not heard of it
    paint(at)
    at.page.wait_for_timeout(1600)  # the page sends what is painted a while after the stroke
    held[0].fulfill(response=answer)
    at.wait(lambda: f"({(~visible).sum():,} pixels)" in at.text("#share"))
    at.page.wait_for_timeout(1600)
    at.wait_mask(~visible)


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
