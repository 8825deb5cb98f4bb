"""The README: short, and what it shows is what the commands print."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from inpaint_cli import models, zoo
from inpaint_cli.cli import main

TOP = Path(__file__).parent.parent
TEXT = (TOP / "README.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```\n(.*?)^```", re.DOTALL | re.MULTILINE)


def shown() -> list[tuple[str, list[str]]]:
    """Yield every command after a `$`, with the lines of output shown below it."""
    blocks = FENCED.findall(TEXT)
    commands: list[tuple[str, list[str]]] = []
    for line in "".join(block for block in blocks if block.startswith("$ ")).splitlines():
        if line.startswith("$ "):
            commands.append((line.removeprefix("$ "), []))
        elif line:
            commands[-1][1].append(line)
    return commands


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that holds the examples, as a clone does."""
    shutil.copytree(TOP / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) < 150


def test_it_shows_three_commands_with_their_output() -> None:
    assert len(shown()) == 3
    assert all(output for _, output in shown())


# The last one trains for minutes.
@pytest.mark.parametrize("number", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_command_prints_what_is_shown(number: int, clone: Path) -> None:
    command, output = shown()[number]
    result = CliRunner().invoke(main, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.output.replace(os.fspath(clone), ".").splitlines()]
    assert [line for line in output if line not in lines] == []


MENTIONED = {
    "inpaint models": ["inpaint", "models"],
    "inpaint models NAME": ["inpaint", "models", zoo.DEFAULT],
    "inpaint complete photo.png --box 40,60,120,80": shlex.split(
        "inpaint complete examples/photo.png --box 40,60,120,80"
    ),
}
"""Commands in the text, run here with the names of what is there."""
ELSEWHERE = {
    "inpaint score --metrics kid,lpips-gt": "commands/test_score.py: the bare command",
    "inpaint score": "the same file",
    "python -m benchmarks.fills": "test_benchmark_fills.py",
    "inpaint pick completions/photo-3.png -o final.png": "commands/test_pick.py",
    "inpaint paint photo.jpg": "commands/test_paint.py and page/test_browser*.py",
    "pip install .": "test_packaging.py: the wheel, which it builds and installs",
    "make test": "what runs this",
}


def test_every_command_in_the_text_is_run_by_a_test() -> None:
    plain = FENCED.sub("", TEXT)
    commands = re.findall(r"`((?:inpaint|make|pip|python -m) [^`]+)`", plain)
    blocks = [block.strip() for block in FENCED.findall(TEXT) if not block.startswith("$ ")]
    assert blocks == ["make demo", "pip install ."]
    assert {*commands, *blocks} == {*MENTIONED, *ELSEWHERE, "make demo"}


@pytest.mark.parametrize("words", MENTIONED.values(), ids=MENTIONED)
def test_a_command_in_the_text_works(words: list[str], clone: Path) -> None:
    result = CliRunner().invoke(main, words[1:])
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_what_make_demo_runs_draws_a_sheet_where_it_says(clone: Path) -> None:
    commands = subprocess.run(
        ["make", "-n", "-C", TOP, "demo"], capture_output=True, text=True, check=True
    ).stdout
    (command,) = re.findall(r"-m inpaint_cli (complete .*)$", commands, re.MULTILINE)
    (sheet,) = re.findall(r"The contact sheet: (.*?)\"", commands)
    result = CliRunner().invoke(main, shlex.split(command))
    assert result.exit_code == 0, result.output
    assert (clone / sheet).is_file()


def test_exactly_the_families_that_exist_are_listed() -> None:
    section = TEXT.split("## Families")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z0-9-]+)`", section, re.MULTILINE) == list(models.FAMILIES)


def test_the_families_that_need_weights_have_some_or_say_so() -> None:
    families = {entry.card["family"] for entry in zoo.entries()}
    for name in models.FAMILIES:
        (row,) = re.findall(rf"^\| `{name}` .*$", TEXT, re.MULTILINE)
        assert ("some ship" in row) == (name in families)


def test_no_path_of_a_single_machine_is_named() -> None:
    pattern = r"(?<![\w.~])/(home|root|work|tmp|Users)/"
    pages = [*TOP.glob("*.md"), *TOP.glob("docs/*.md"), TOP / "Makefile", TOP / "setup.cfg"]
    assert [p.name for p in pages if re.search(pattern, p.read_text(encoding="utf-8"))] == []
