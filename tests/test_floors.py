"""Imports run downwards only, over the floors that docs/architecture.md draws."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from inpaint_cli.models import FAMILIES

TOP = Path(__file__).parent.parent
PACKAGE = TOP / "inpaint_cli"
DOORS = (PACKAGE / "__init__.py", PACKAGE / "__main__.py")
"""They open onto the top floor, lazily, and stand on none."""
FILES = sorted(
    path
    for folder in (PACKAGE, TOP / "models", TOP / "masks")
    for path in folder.rglob("*.py")
    if path not in DOORS and path.parts[: len(PACKAGE.parts) + 1][-1] not in ("models", "masks")
)


def floors() -> dict[str, int]:
    """Reads the block under "## Floors": one line a floor, the highest first."""
    text = (TOP / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = re.search(r"## Floors\n.*?```text\n(.*?)```", text, re.DOTALL)
    assert block, "docs/architecture.md has no block of floors"
    lines = block[1].strip().splitlines()
    return {unit: -number for number, line in enumerate(lines) for unit in line.split()}


def module_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else TOP)
    return ".".join(relative.with_suffix("").parts)


def imports_of(path: Path) -> Iterator[str]:
    """Yields every module that a file imports, wherever in the file, as a dotted name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports_of(path: Path) -> Iterator[str]:
    """Yields what a file imports of this project, without the leading `inpaint_cli.`."""
    names = (name for name in imports_of(path) if name.startswith("inpaint_cli."))
    for name in names:
        if not name.split(".")[1].startswith("__"):
            yield name.removeprefix("inpaint_cli.")


def test_every_module_stands_on_a_floor_and_every_floor_is_there() -> None:
    units = {module_of(path).split(".")[0] for path in FILES}
    assert units == floors().keys()


def test_every_room_but_the_doors_has_a_floor_of_its_own() -> None:
    rooms = {module_of(path).split(".")[0] for path in FILES if path.name == "__init__.py"}
    levels = [level for unit, level in floors().items() if unit in rooms - {"commands"}]
    assert len(set(levels)) == len(levels)
    assert floors()["training"] < floors()["metrics"]


def test_imports_run_downwards_only() -> None:
    level = floors()
    upwards = [
        f"{module_of(path)} imports {name}"
        for path in FILES
        for name in own_imports_of(path)
        if level[name.split(".")[0]] > level[module_of(path).split(".")[0]]
    ]
    assert upwards == []


def test_only_commands_know_of_the_command_line() -> None:
    knowing = {module_of(p) for p in FILES for n in imports_of(p) if n.split(".")[0] == "click"}
    assert {name for name in knowing if name.split(".")[0] not in ("cli", "commands")} == set()


def test_a_family_imports_no_other_family() -> None:
    packages = {module.removeprefix("inpaint_cli.") for module in FAMILIES.values()}
    for path in (TOP / "models").rglob("*.py"):
        package = ".".join(module_of(path).split(".")[:2])
        imported = {".".join(name.split(".")[:2]) for name in own_imports_of(path)}
        assert imported & (packages - {package}) == set(), module_of(path)


def test_a_forbidden_import_would_be_seen(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from inpaint_cli.training import loop\n    import click\n")
    assert list(own_imports_of(file)) == ["training.loop"]
    assert list(imports_of(file)) == ["inpaint_cli.training.loop", "click"]
