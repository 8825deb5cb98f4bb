"""Customs of wording and of layout that hold in every Python file."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from inpaint_cli.cli import main

TOP = Path(__file__).parent.parent
FOLDERS = ("inpaint_cli", "models", "masks", "benchmarks", "tests")
FILES = sorted(path for folder in FOLDERS for path in (TOP / folder).rglob("*.py"))
SWITCH = re.compile(r"#\s*fmt:\s*(?:skip|off)")
MOST_SWITCHES = 20
"""Times that the formatter may be off: a table that would really become unreadable."""


LONGEST_BODY = 40
"""Lines of a function below its docstring: what fits on a screen."""
LONGEST_FILE = 400
"""Lines of a file of the product."""


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


def option_names() -> Iterator[str]:
    """Yield the names of the options of all commands."""
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        yield from (option.name or "" for option in (command.params if command else ()))


def messages(path: Path) -> Iterator[str]:
    """Yield the prose of a file: texts with spaces that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and " " in text and id(node) not in described:
            yield text


def test_messages_advise_settings_so_that_they_can_be_spelled_as_flags() -> None:
    names = sorted({name for name in option_names() if "_" in name})
    assert "split_map" in names
    bare = re.compile(rf"(?<!the setting )\b(?:{'|'.join(names)})\b(?!=)")
    product = [path for path in FILES if path.is_relative_to(TOP / "inpaint_cli")]
    found = [(p.name, text) for p in product for text in messages(p) if bare.search(text)]
    assert found == []


def test_the_formatter_is_hardly_ever_switched_off() -> None:
    switches = [path for path in FILES for _ in SWITCH.findall(path.read_text(encoding="utf-8"))]
    assert len(switches) <= MOST_SWITCHES


def test_every_function_fits_on_a_screen() -> None:
    longer = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > LONGEST_BODY:
                    longer.append(f"{path.name}: {node.name}: {lines}")
    assert longer == []


def test_no_file_of_the_product_is_longer_than_its_subject() -> None:
    product = [path for path in FILES if not path.is_relative_to(TOP / "tests")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in product}
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE} == {}
