"""Help pages: quick, without torch, with an example for every command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inpaint_cli.cli import COMMANDS

PAGES = [["--help"], *([name, "--help"] for name in COMMANDS)]
HEAVY = ("torch", "cv2", "numba", "sklearn", "scipy", "rich")

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
