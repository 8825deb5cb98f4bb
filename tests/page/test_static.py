"""The files of the page, read as text: they are all there, and name nobody else."""

import re
from importlib import resources
from pathlib import Path

import pytest

from inpaint_cli.page.server import STATIC

FOLDER = Path(str(resources.files("inpaint_cli.page"))) / "static"
FILES = sorted(path for path in FOLDER.iterdir())


def test_exactly_the_files_that_exist_are_served() -> None:
    served = {file for file, _ in STATIC.values()}
    assert served | {"widget.js", "widget.css"} == {path.name for path in FILES}


def test_the_page_asks_only_for_files_that_exist() -> None:
    asked = set()
    for path in FILES:
        if path.stem == "widget":  # of the notebook, where all is one file
            continue
        text = path.read_text(encoding="utf-8")
        asked |= set(re.findall(r'(?:src|href)="([^"#]+)"', text))
        asked |= {name.removeprefix("./") for name in re.findall(r'from "([^"]+)"', text)}
    assert asked <= set(STATIC)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_of_the_page_names_another_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z0-9-]+\.[a-z]", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_that_the_policy_forbids_is_used(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
    if path.suffix == ".html":
        assert not re.search(r"\son[a-z]+=|\sstyle=|<style|<script(?! type=\"module\" src)", text)


@pytest.mark.parametrize("name", ["mask.js", "view.js", "hud.js", "input.js", "editor.js"])
def test_the_editor_knows_no_server_and_no_page(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search(r"fetch\(|getElementById|querySelector|\blocation\b|sessionStorage", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_of_the_page_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 500
