"""Help pages: quick, without torch, with an example for every command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from inpaint_cli import models
from inpaint_cli.cli import COMMANDS, main

PAGES = [["--help"], *([name, "--help"] for name in COMMANDS)]
HEAVY = ("torch", "cv2", "numba", "sklearn", "scipy", "rich", "starlette", "uvicorn")

PROGRAM = """
import json, sys
from click.testing import CliRunner
from inpaint_cli.cli import main
result = CliRunner().invoke(main, sys.argv[1:])
print(json.dumps([result.exit_code, result.stdout, sorted(sys.modules)]))
"""


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_a_help_page_is_quick_and_loads_no_heavy_library(page: list[str], top: Path) -> None:
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *page], cwd=top, capture_output=True, check=True
    )
    after = os.times()
    code, text, modules = json.loads(done.stdout)
    assert code == 0
    assert not set(HEAVY) & set(modules)
    # Time of the processor, not of the clock: that one depends on what else the machine does.
    spent = after.children_user - before.children_user
    assert spent + after.children_system - before.children_system < 0.5
    assert "Example" in text


def test_the_list_of_families_loads_no_torch(top: Path) -> None:
    program = (
        "import sys; from inpaint_cli import models; models.layouts(); models.trainable();"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=top, capture_output=True, text=True)
    assert done.stdout == "False\n"


def page_of(*words: str, width: int = 80) -> str:
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=width)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_no_help_page_speaks_of_ranges(page: list[str]) -> None:
    text = page_of(*page[:-1])
    assert re.findall(r"RANGE|INTEGER|FLOAT|x>=?\d", text) == []


def test_options_of_single_families_come_last_under_their_names() -> None:
    text = page_of("complete", width=200)
    headings = re.findall(r"^(\S.*):$", text, re.MULTILINE)
    first = next(n for n, heading in enumerate(headings) if heading.startswith("Only with"))
    assert headings[1] == "What you need" or headings[0] == "What you need"
    assert all(heading.startswith("Only with --model ") for heading in headings[first:])
    for name in models.FAMILIES:
        for option in models.get(name).options:
            section = text[: text.index(f"\n  --{option.name}")].rpartition("Only with --model ")[2]
            assert name in section.partition(":")[0].split(", ")


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_examples_fit_a_terminal_of_80_columns(page: list[str]) -> None:
    lines = page_of(*page[:-1]).splitlines()
    assert [line for line in lines if "  inpaint " in line and len(line) > 80] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_listed_once(name: str) -> None:
    text = page_of(name, width=200)
    listed = re.findall(r"^  (?:-\w, )?(--?[a-z-]+)", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert {"--help", "--quiet"} <= set(listed)
    assert ("--json" in listed) == (name != "paint")  # which prints an address, no document
    assert "\nMore:" not in text


def test_help_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    widest = {}
    for columns in (60, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        above = main.make_context("inpaint", ["train"])
        command = main.get_command(above, "train")
        assert command is not None
        text = command.get_help(click.Context(command, parent=above, info_name="train"))
        prose = [line for line in text.splitlines() if "    inpaint " not in line]
        widest[columns] = max(map(len, prose))
    assert widest[60] <= 60 < 90 < widest[100] <= 100
