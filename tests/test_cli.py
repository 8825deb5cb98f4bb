"""The group: exit codes, one-line errors, near misses, broken pipes, signals."""

import errno
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from inpaint_cli import __version__, cli
from inpaint_cli.commands.options import common
from inpaint_cli.errors import Interrupted, PartialFailure, ResourceError, UserError
from inpaint_cli.reporting import Reporter

Run = Callable[..., Result]


@pytest.fixture
def run_action(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `inpaint act` with a command that calls what the test gives."""

    def run(
        action: Callable[[Reporter], Any], *arguments: str, before: tuple[str, ...] = ()
    ) -> Any:
        @click.command()
        @common
        def act(as_json: bool, reporter: Reporter) -> None:
            action(reporter)

        module = ModuleType("inpaint_cli.commands.act")
        module.act = act  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli.COMMANDS, "act", "Act.")
        return CliRunner().invoke(cli.main, [*before, "act", *arguments])

    return run


def failing(error: BaseException) -> Callable[[Reporter], None]:
    def action(reporter: Reporter) -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("no.", setting="mask"), 2, "error: --mask: no."),
        (
            UserError("must be at least 1, got 0.", setting="n"),
            2,
            "error: -n: must be at least 1, got 0.",
        ),
        (ResourceError("no.", setting="mask_alpha"), 1, "error: --mask-alpha: no."),
        (ResourceError("disk full"), 1, "error: disk full"),
        (PartialFailure("2 of 3 failed"), 3, "error: 2 of 3 failed"),
        (Interrupted("saved", signal.SIGTERM), 143, "saved"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            MemoryError(),
            1,
            "error: out of memory. Ask for less at a time, or take a machine with more.",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: No space left on device."),
        (
            PermissionError(errno.EACCES, "Permission denied", "a.png"),
            2,
            "error: a.png: may not be read or written. Check its permissions.",
        ),
        (KeyError("x"), 1, "internal error: KeyError: 'x' (--debug shows where)"),
        (
            RuntimeError("two\nlines"),
            1,
            "internal error: RuntimeError: two lines (--debug shows where)",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_is_one_line_and_its_exit_code(
    run_action: Run, error: BaseException, code: int, line: str
) -> None:
    result = run_action(failing(error))
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line + "\n")


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback_on_either_side_of_the_command(
    run_action: Run, place: str
) -> None:
    first, then = (("--debug",), ()) if place == "before" else ((), ("--debug",))
    result = run_action(failing(KeyError("x")), *then, before=first)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "in action" in result.stderr


@pytest.mark.parametrize("place", ["before", "after"])
def test_quiet_silences_remarks_but_not_warnings(run_action: Run, place: str) -> None:
    def action(reporter: Reporter) -> None:
        reporter.note("a remark")
        reporter.warn("a danger")

    first, then = (("-q",), ()) if place == "before" else ((), ("-q",))
    result = run_action(action, *then, before=first)
    assert result.stderr == "warning: a danger\n"


def test_verbose_adds_explanations(run_action: Run) -> None:
    result = run_action(lambda reporter: reporter.detail("why"), "-v")
    assert result.stderr == "why\n"
    assert run_action(lambda reporter: reporter.detail("why")).stderr == ""


def test_a_pipe_that_breaks_inside_the_work_is_a_failure(run_action: Run) -> None:
    result = run_action(failing(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    assert (result.exit_code, result.output) == (1, "error: Broken pipe.\n")


def test_head_leaves_no_complaint(top: Path) -> None:
    python = shlex.quote(sys.executable)
    command = f"{python} -m inpaint_cli models --json | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=top, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{0\n", "")


def test_the_nearest_command_is_suggested() -> None:
    result = CliRunner().invoke(cli.main, ["compleet"])
    assert result.exit_code == 2
    assert "No command 'compleet'. Did you mean 'complete'?" in result.stderr


def test_a_command_like_nothing_is_answered_with_all() -> None:
    result = CliRunner().invoke(cli.main, ["xyzzy"])
    assert result.exit_code == 2
    assert ", ".join(cli.COMMANDS) in result.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["models", "--jsn"], "--json"),
        (["convert", "--form", "x"], "--from"),
        (["--debgu"], "--debug"),
    ],
)
def test_the_nearest_option_is_suggested(typed: list[str], meant: str) -> None:
    result = CliRunner().invoke(cli.main, typed)
    assert result.exit_code == 2
    assert f"'{meant}'" in result.stderr or f" {meant}" in result.stderr


@pytest.mark.parametrize("typed", [[], *([name] for name in cli.COMMANDS)], ids=str)
def test_version_is_one_line_everywhere(typed: list[str]) -> None:
    result = CliRunner().invoke(cli.main, [*typed, "--version"])
    assert (result.exit_code, result.output) == (0, f"inpaint {__version__}\n")


@pytest.mark.parametrize("typed", [["--version", "-v"], ["-v", "--version"]])
def test_version_with_v_adds_what_a_bug_report_needs(typed: list[str]) -> None:
    lines = CliRunner().invoke(cli.main, typed).output.splitlines()
    assert lines[0] == f"inpaint {__version__}"
    assert [line.split()[0] for line in lines[1:]] == ["Python", "torch"]


@pytest.mark.parametrize("name", cli.COMMANDS)
@pytest.mark.parametrize(
    "option", ["--json", "--quiet", "--verbose", "--debug", "--version", "--help"]
)
def test_every_command_has_the_common_options(name: str, option: str) -> None:
    command = cli.main.get_command(click.Context(cli.main), name)
    assert command is not None
    known = [o for p in command.get_params(click.Context(command)) for o in p.opts]
    # The page prints an address, and no document.
    assert (option in known) == ((name, option) != ("paint", "--json"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_signal_among_the_last_acts_of_python_leaves_no_traceback(number: int) -> None:
    code = (
        "import atexit, os, sys; from inpaint_cli import cli; sys.argv = ['inpaint', '--version']\n"
        f"atexit.register(os.kill, os.getpid(), {int(number)}); cli.run()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (-number, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_signal_leaves_no_unfinished_file(number: int, tmp_path: Path, top: Path) -> None:
    program = (
        "import click, os, signal, sys\n"
        "from types import ModuleType\n"
        "from pathlib import Path\n"
        "from inpaint_cli import cli, files\n"
        "@click.command()\n"
        "def act():\n"
        f"    with files.replacing(Path({str(tmp_path / 'new.txt')!r})) as path:\n"
        "        path.write_text('half')\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "        signal.pause()\n"
        "module = ModuleType('inpaint_cli.commands.act')\n"
        "module.act = act\n"
        "sys.modules[module.__name__] = module\n"
        "cli.COMMANDS['act'] = 'Act.'\n"
        "sys.argv = ['inpaint', 'act']\n"
        "cli.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=top, capture_output=True, text=True, timeout=60
    )
    line = "terminated\n" if number == signal.SIGTERM else "interrupted\n"
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", line)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("inpaint tr", "train"),
        ("inpaint complete --model tel", "telea"),
        ("inpaint train --model pc", "pcnn"),
        ("inpaint masks --kind box-8", "box-80"),
        ("inpaint complete --resize", "--resize-mask"),
    ],
)
def test_the_shell_completes_names(typed: str, name: str) -> None:
    variables = {
        "_INPAINT_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    result = CliRunner().invoke(cli.main, [], prog_name="inpaint", env=variables)
    assert name in [line.partition(",")[2] for line in result.output.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str, top: Path) -> None:
    variables = {"_INPAINT_COMPLETE": f"{shell}_source"}
    program = [sys.executable, "-c", "from inpaint_cli.cli import run; run()"]
    done = subprocess.run(
        program, cwd=top, env={**os.environ, **variables}, capture_output=True, text=True
    )
    # bash older than 4.4 is warned about; the script is printed all the same
    assert "_INPAINT_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    "typed", [["complete", "--maks", "x"], ["masks", "-n", "0"], ["masks", "-n", "eight"]]
)
def test_a_usage_error_is_one_line_that_names_the_help(typed: list[str]) -> None:
    result = CliRunner().invoke(cli.main, typed, prog_name="inpaint")
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert f"inpaint {typed[0]} --help" in line


def test_an_error_on_a_terminal_is_red_and_broken_between_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = "error: --model: no model called 'lama'. Known: pcnn, latent-codes-photos64, telea."
    shown = cli.for_terminal(text)
    assert shown.startswith("\x1b[31m\x1b[1merror:\x1b[0m --model: ")
    plain = click.unstyle(shown)
    assert max(map(len, plain.splitlines())) <= 40
    assert " ".join(plain.split()) == text
    assert "latent-codes-photos64" in plain


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli.for_terminal("error: no.") == "error: no."


def test_a_terminal_without_colours_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert cli.for_terminal("error: no.") == "error: no."


def test_what_is_loaded_is_told_before_torch_is(top: Path, tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    photo.touch()
    program = (
        "import sys\n"
        "from inpaint_cli import cli\n"
        "from inpaint_cli.reporting import Reporter\n"
        "def note(self, text):\n"
        "    print(text, 'torch' in sys.modules, 'numba' in sys.modules)\n"
        "    raise SystemExit\n"
        "Reporter.note = note\n"
        f"cli.main(['complete', {str(photo)!r}, '--box', '1,1,2,2', '--model', 'pcnn'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=top, capture_output=True, text=True)
    assert done.stdout == "loading pcnn ... False False\n"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["complete", "a.png", "-n", "0"], "must be at least 1, got 0."),
        (["complete", "a.png", "--temperature", "-1"], "must be at least 0, got -1.0."),
        (["masks", "-n", "eight"], "must be a whole number, got 'eight'."),
        (["complete", "a.png", "--temperature", "nan"], "must be at least 0, got nan."),
    ],
)
def test_a_number_out_of_bounds_is_told_what_it_must_be(typed: list[str], says: str) -> None:
    result = CliRunner().invoke(cli.main, typed)
    assert result.exit_code == 2
    assert says in result.stderr


def test_only_what_completes_is_proposed_for_completing() -> None:
    asked = ["complete", "examples/photo.png", "--box", "9,9,9,9", "--model", "lama"]
    error = CliRunner().invoke(cli.main, asked).stderr
    assert "latent-codes-photos64" in error
    assert "telea" in error
    assert "classifier" not in error
    assert "aipo" not in error
