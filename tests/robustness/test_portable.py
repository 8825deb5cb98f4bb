"""What the package must not do, since some machine, system or folder has it otherwise."""

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
FILES = sorted(
    path for room in ("inpaint_cli", "models", "masks") for path in (TOP / room).rglob("*.py")
)
ONLY_POSIX = {"fcntl", "grp", "pwd", "pty", "resource", "syslog", "termios", "tty"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TOP)))
def test_modules_that_windows_lacks_are_imported_where_that_may_fail(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        id(node)
        for attempt in ast.walk(tree)
        if isinstance(attempt, ast.Try)
        for part in attempt.body
        for node in ast.walk(part)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and id(node) not in guarded:
            assert not ONLY_POSIX & {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and id(node) not in guarded:
            assert node.module not in ONLY_POSIX


def test_paths_are_resolved_where_loops_of_links_are_no_error() -> None:
    # Path.resolve raises RuntimeError for a loop, Path.expanduser where no home is known.
    offenders = {
        str(path.relative_to(TOP))
        for path in FILES
        if re.search(r"\.resolve\(\)|\.expanduser\(\)", path.read_text(encoding="utf-8"))
    }
    assert not offenders


def test_commands_of_the_makefile_stand_a_space_in_the_path() -> None:
    # The first line of a script cannot name an interpreter below such a path; python -m can.
    text = (TOP / "Makefile").read_text(encoding="utf-8")
    assert not re.findall(r"\$\(BIN\)/inpaint\b", text)
