"""Painting in a notebook: the same editor as one module, and the mask as an array."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import inpaint_cli
from inpaint_cli.errors import ResourceError
from inpaint_cli.page import widget
from tests.page.browsing import browser, disc_stroke
from tests.page.served import hole_in, packed, photo_at


def test_the_editor_is_one_module_that_imports_nothing() -> None:
    text = widget.script()
    assert not re.search(r"^import\b", text, re.MULTILINE)
    assert re.findall(r"^export .*$", text, re.MULTILINE) == ["export default { render };"]
    names = re.findall(r"^(?:const|let|function|async function|class) (\w+)", text, re.MULTILINE)
    assert len(names) == len(set(names))


def test_without_anywidget_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ResourceError, match=r"pip install 'inpaint\[notebook\]'"):
        inpaint_cli.paint(np.zeros((4, 5, 3), np.uint8))


def test_what_is_painted_comes_back_as_an_array(tmp_path: Path) -> None:
    pytest.importorskip("anywidget")
    shown = inpaint_cli.paint(photo_at(tmp_path / "p.png"))
    assert (shown.width, shown.height, shown.kind) == (60, 40, "image/png")
    assert not shown.mask.any()
    shown.packed = packed(hole_in())
    assert np.array_equal(shown.mask, ~hole_in())
    result = inpaint_cli.complete(tmp_path / "p.png", shown.mask, model="telea")
    assert np.array_equal(result.completed.visible, hole_in())


@pytest.mark.browser
def test_the_module_paints_exactly_in_a_page_of_its_own(tmp_path: Path) -> None:
    photo = photo_at(tmp_path / "p.png", 60, 80).read_bytes()
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 800, "height": 600})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.set_content("<div id=here style='position:relative; width:700px; height:528px'></div>")
        page.add_style_tag(path=str(Path(widget.__file__).parent / "static" / "widget.css"))
        page.evaluate(
            """async ([source, photo]) => {
                const values = {
                    photo: new DataView(new Uint8Array(photo).buffer), kind: "image/png",
                    width: 80, height: 60, packed: new DataView(new ArrayBuffer(0)),
                };
                window.model = {
                    get: (name) => values[name],
                    set: (name, value) => (values[name] = value),
                    save_changes: () => (window.kept = [...new Uint8Array(values.packed.buffer)]),
                };
                const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
                const {default: widget} = await import(url);
                widget.render({model: window.model, el: document.getElementById("here")});
            }""",
            [widget.script(), list(photo)],
        )
        page.wait_for_timeout(500)
        box = page.locator("canvas.editor-hud").bounding_box()
        scale = int(min((box["width"] - 48) / 80, (box["height"] - 48) / 60))
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] + 10 * scale, middle[1] + 5 * scale)
        page.mouse.up()
        page.wait_for_timeout(800)
        bits = np.unpackbits(np.array(page.evaluate("window.kept"), np.uint8), count=4800)
    assert complaints == []
    expected = disc_stroke((60, 80), [(40, 30), (50, 35)], 14)
    assert np.array_equal(bits.reshape(60, 80) == 1, expected)
