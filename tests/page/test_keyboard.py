"""The page by keys alone, and for who does not see it: names, order, contrast."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.page.browsing import At, at, chromium, disc_stroke, folder, served
from tests.page.served import Served
from tests.pretend_model import pretend

__all__ = ["at", "chromium", "folder", "pretend", "served"]
pytestmark = pytest.mark.browser

CONTRAST = """() => {
  const luminance = (c) => {
    const [r, g, b] = c.map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const rgba = (text) => text.match(/[\\d.]+/g).map(Number)
    .map((v) => (text.startsWith("color(") ? 255 * v : v));
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const c = rgba(getComputedStyle(at).backgroundColor);
      if (c.length === 3 || c[3] > 0.99) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.matches(":disabled, option, .skip")) continue;
    const [a, b] = [rgba(getComputedStyle(element).color), ground(element)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${element.tagName} ${element.id} ${element.textContent} ${ratio}`);
  }
  return low;
}"""
NAMES = """() => [...document.querySelectorAll("button, input, select, textarea, canvas[tabindex]")]
  .filter((e) => e.checkVisibility() && !(e.ariaLabel || e.labels?.length || e.textContent.trim()))
  .map((e) => e.outerHTML)"""
SMALL = """() => [...document.querySelectorAll("button, select, input:not([type=checkbox], "
  + "[type=radio]), summary")].filter((e) => e.checkVisibility())
  .filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.outerHTML)"""


def focus(at: At) -> str:
    """Return what has the focus: its id, else its text."""
    return str(
        at.page.evaluate(
            "() => document.activeElement.id || document.activeElement.textContent.trim()"
        )
    )


def tab_to(at: At, wanted: str) -> None:
    for _ in range(80):
        if focus(at) == wanted:
            return
        at.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {wanted}")


def test_a_whole_session_by_keys_from_the_photo_to_saved_files(at: At) -> None:
    keys = at.page.keyboard
    tab_to(at, "photo-canvas")
    keys.press("ArrowRight")  # shows the crosshair in the middle
    for _ in range(3):
        keys.press("Shift+ArrowLeft")
    keys.press("Enter")
    keys.press("Shift+ArrowDown")
    keys.press("ArrowUp")
    keys.press("Shift+Enter")
    at.wait_mask(disc_stroke((120, 160), [(38, 60), (38, 73)], 14))
    assert at.text("#hint") == "38, 73: hidden"
    tab_to(at, "n")
    keys.press("Control+a")
    keys.type("3")
    tab_to(at, "More settings")
    keys.press("Enter")
    tab_to(at, "detail")
    keys.press("ArrowDown")
    keys.press("Control+Enter")
    at.open_tile(3)
    at.page.evaluate("() => document.activeElement.blur()")
    for _ in range(80):
        keys.press("Tab")
        if at.page.evaluate("() => document.activeElement.getAttribute('role')") == "radio":
            break
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    at.wait(lambda: at.text("#chosen-title") == "Completion 2")
    assert "✓ chosen" in at.text("[aria-checked=true]")
    tab_to(at, "save")
    keys.press("Enter")
    at.wait(lambda: at.page.locator("#saved").is_visible())
    names = sorted(path.name for path in Path("out").iterdir())
    assert [name for name in names if "mask" not in name] == [
        *("completions.json", "photo-0.png", "photo-1.png", "photo-2.png", "photo-sheet.png"),
    ]
    assert len(names) == 6


def test_tab_passes_through_every_control_and_is_never_taken(at: At) -> None:
    visible = at.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, summary, canvas")]
            .filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0)
            .filter((e) => e.type !== "radio" || e.checked)
            .map((e) => e.id || e.textContent.trim() || e.name)"""
    )
    at.page.evaluate("() => document.activeElement.blur()")
    met = []
    for _ in range(len(visible) + 10):
        at.page.keyboard.press("Tab")
        met.append(
            at.page.evaluate(
                "() => { const e = document.activeElement;"
                " return e.id || e.textContent.trim() || e.name }"
            )
        )
    assert set(visible) <= set(met)


def test_every_shortcut_does_what_its_list_says(at: At) -> None:
    keys, text = at.page.keyboard, at.text
    at.page.locator("#photo-canvas").focus()
    for key, tool in {"b": "Brush", "e": "Eraser", "r": "Box", "l": "Lasso"}.items():
        keys.press(key)
        assert text("[data-tool][aria-pressed=true]") == tool
    keys.press("b")
    keys.press("]")
    assert text("#size-shown") == "31 px"
    keys.press("[")
    assert text("#size-shown") == "29 px"
    fitted = text("#zoom")
    keys.press("+")
    assert text("#zoom") != fitted
    keys.press("z")
    assert text("#zoom") == "100 %"
    keys.press("0")
    assert text("#zoom") == fitted
    at.drag([at.spot(50, 40)])
    assert "hidden" in text("#share")
    keys.press("Control+z")
    assert "No hole" in text("#share")
    keys.press("Control+y")
    assert "hidden" in text("#share")
    for key in ("?", "h"):
        keys.press(key)
        assert at.page.locator("#keys-dialog").is_visible()
        keys.press("Escape")
        assert not at.page.locator("#keys-dialog").is_visible()
    at.page.click("#more summary")
    at.page.select_option("#detail", "none")
    at.page.fill("#n", "2")
    at.page.locator("#photo-canvas").focus()
    keys.press("Shift+R")
    at.open_tile(2)
    at.wait(at.page.locator("[name=view][value=completion]").is_checked)
    for key, view in {"m": "mask", "v": "completion", "c": "compare", "u": "uncertainty"}.items():
        keys.press(key)
        assert at.page.locator(f"[name=view][value={view}]").is_checked()
    keys.press("1")
    at.wait(lambda: text("#chosen-title") == "Completion 1")


def test_single_keys_can_be_switched_off_and_do_nothing_in_fields(at: At) -> None:
    at.page.focus("#seed")
    at.page.keyboard.press("e")
    assert at.text("[data-tool][aria-pressed=true]") == "Brush"
    at.page.click("#keys")
    at.page.uncheck("#keys-on")
    at.page.keyboard.press("Escape")
    at.page.locator("#photo-canvas").focus()
    at.page.keyboard.press("e")
    assert at.text("[data-tool][aria-pressed=true]") == "Brush"
    at.drag([at.spot(50, 40)])
    at.page.keyboard.press("Control+z")  # those with Ctrl stay
    assert "No hole" in at.text("#share")


def test_escape_ends_a_box_that_is_not_finished(at: At) -> None:
    at.page.locator("#photo-canvas").focus()
    for key in ("r", "ArrowRight", "Enter", "Shift+ArrowDown", "Escape", "Enter"):
        at.page.keyboard.press(key)
    assert "No hole" in at.text("#share")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        at.page.keyboard.press(key)
    assert "(4 pixels)" in at.text("#share")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_text_can_be_read_controls_have_names_and_are_large_enough(
    chromium: Any, served: Served, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 800}
    at = At.of(chromium, served, color_scheme=scheme, viewport=size)
    at.page.click("#more summary")
    at.page.click("#tools summary")
    at.page.fill("#n", "2")
    at.page.select_option("#detail", "none")
    at.page.fill("#box-form [name=x]", "20")
    at.page.click("#box-form button")
    at.page.click("#complete")
    at.open_tile(2)
    assert at.page.evaluate(CONTRAST) == []
    assert at.page.evaluate(NAMES) == []
    assert at.page.evaluate(SMALL) == []
    overflow = at.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    ids = at.page.evaluate("() => [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    at.page.context.close()


def test_progress_is_told_politely_and_errors_at_once(at: At) -> None:
    assert at.page.get_attribute("#said", "aria-live") == "polite"
    assert at.page.get_attribute("#error", "role") == "alert"
    label = at.page.get_attribute("#photo-canvas", "aria-label")
    assert re.search("Arrow keys move the crosshair", label)
    assert at.page.get_attribute("#photo-canvas", "aria-describedby") == "share"
