"""stdout and stderr whose readers leave, and text that is safe on a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inpaint_cli.reporting import Reporter
from inpaint_cli.streams import shown, whole_json

ACT = """
import click, sys
from pathlib import Path
from types import ModuleType
from inpaint_cli import cli
from inpaint_cli.commands.options import common
from inpaint_cli.errors import PartialFailure

@click.command()
@common
def act(as_json, reporter):
    for number in range(3):
        reporter.note("remark " * 10_000)
        click.echo("result " * 10_000)
    Path(sys.argv[2]).touch()
    raise PartialFailure("1 of 3 failed")

module = ModuleType("inpaint_cli.commands.act")
module.act = act.__class__("act", callback=act.callback, params=[click.Argument(["file"])])
module.act.callback = lambda file: act.callback(as_json=False)
sys.modules[module.__name__] = module
cli.COMMANDS["act"] = "Act."
cli.run()
"""
"""A command that talks much, finishes its work, and ends with the code of a partial failure."""


def act(shell: str, tmp_path: Path, top: Path, **variables: str) -> int:
    """Run the command with streams as `shell` has them; return its exit code. The work is done."""
    done = tmp_path / "done"
    subprocess.run(
        [
            *("bash", "-c", f'("$@"; echo $? >"$0") {shell}', tmp_path / "code"),
            *(sys.executable, "-c", ACT, "act", str(done)),
        ],
        cwd=top,
        env={**os.environ, **variables},
        check=False,
    )
    assert done.exists()
    return int((tmp_path / "code").read_text())


@pytest.mark.parametrize(
    "shell",
    [
        "2>&1 | true",
        "2>&1 | head -n 1 >/dev/null",
        "2>/dev/null | true",
        "2>&1 >/dev/null | true",
        "2>&- >/dev/null",
        ">&- 2>/dev/null",
        "<&- >&- 2>&-",
        ">/dev/null 2>/dev/full",
    ],
)
def test_the_work_is_done_to_its_own_exit_code_whoever_reads(
    shell: str, tmp_path: Path, top: Path
) -> None:
    if "/dev/full" in shell and not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    assert act(shell, tmp_path, top) == 3


def test_streams_without_a_buffer_outlive_their_readers_too(tmp_path: Path, top: Path) -> None:
    assert act("2>&1 | true", tmp_path, top, PYTHONUNBUFFERED="1") == 3


def test_results_that_a_full_disk_loses_are_an_error(top: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "inpaint_cli", "--version"],
            cwd=top,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr.splitlines()[-1]


class Broken:
    """A stderr that cannot be written."""

    encoding = "utf-8"

    def write(self, *text: str) -> int:
        raise BrokenPipeError

    flush = isatty = write


@pytest.mark.parametrize("stderr", [None, Broken()])
def test_a_reporter_never_raises(stderr: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    reporter = Reporter(verbose=True, line_seconds=0)
    reporter.note("note")
    reporter.detail("detail")
    reporter.warn("danger")
    with reporter.progress("photos", 2) as advance:
        advance(1, text="a.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a b%d[red]é猫.png", "a b%d[red]é猫.png"),
        ("\x1b]0;title\x07\x1b[31m", r"\x1b]0;title\x07\x1b[31m"),
        ("two\nlines\r\t", r"two\x0alines\x0d\x09"),
        (os.fsdecode(b"\xff"), r"\xff"),
        ("\x9b31m\u202egnp.exe", r"\x9b31m\u202egnp.exe"),
    ],
)
def test_a_name_in_a_message_is_one_harmless_line(name: str, text: str) -> None:
    assert shown(name) == text
    assert shown(Path(name)) == text


def test_a_json_document_holds_every_name_and_is_utf_8() -> None:
    name = os.fsdecode(b"caf\xe9 \xc3\xa9.png")
    document = whole_json(json.dumps({"image": name}, ensure_ascii=False))
    assert json.loads(document.encode("utf-8").decode("utf-8")) == {"image": name}
