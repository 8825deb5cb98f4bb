"""Customs of wording and of layout that hold in every Python file."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
FOLDERS = ("inpaint_cli", "models", "masks", "benchmarks", "tests")
FILES = sorted(path for folder in FOLDERS for path in (TOP / folder).rglob("*.py"))
SWITCH = re.compile(r"#\s*fmt:\s*(?:skip|off)")
MOST_SWITCHES = 20
"""Times that the formatter may be off: a table that would really become unreadable."""


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module, its classes and its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_begins_with_gives_or_says(folder: str) -> None:
    paths = [path for path in FILES if path.is_relative_to(TOP / folder)]
    assert paths
    beginnings = [(path.name, text[:60]) for path in paths for text in docstrings(path)]
    assert [(name, text) for name, text in beginnings if re.match(r"(Gives|Says)\b", text)] == []


def test_the_formatter_is_hardly_ever_switched_off() -> None:
    switches = [path for path in FILES for _ in SWITCH.findall(path.read_text(encoding="utf-8"))]
    assert len(switches) <= MOST_SWITCHES
