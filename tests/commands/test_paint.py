"""`inpaint paint`: what is refused before a server starts, and how it starts and ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from inpaint_cli.cli import main
from tests.page.served import photo_at


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["none.png"], 2, "none.png: no such file."),
        (["text.txt"], 2, "text.txt: "),
        (["https://example.com/a.png"], 2, "URLs are not fetched"),
        (["p.png", "--mask", "none.png"], 2, "--mask: none.png: no such file"),
        (["p.png", "--mask", "freefrom"], 2, "Did you mean 'freeform'?"),
        (["p.png", "--mask", "small.png"], 2, "the mask has 3x3 pixels"),
        (["--mask", "freeform"], 2, "--mask: a mask needs its photo"),
        (["p.png", "--model", "latent"], 2, "--model: no model called 'latent'"),
        (["p.png", "--model", "classifier-mnist"], 2, "--model: "),
        (["p.png", "-n", "65"], 2, "-n: must be at most 64 at the page, got 65."),
        (["p.png", "--seed", str(2**53)], 2, f"--seed: must be at most {2**53 - 1} at the page"),
        (["p.png", "--port", "70000"], 2, "'--port': must be at most 65535"),
        (["p.png", "--device", "tpu"], 2, "--device: "),
        (["p.png", "-o", "text.txt"], 2, "text.txt is a file, not a folder."),
    ],
)
def test_what_cannot_be_had_is_refused_before_the_server_starts(
    words: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("inpaint_cli.page.serving.serve", lambda page, at: at.close())
    photo_at(Path("p.png"))
    photo_at(Path("small.png"), 3, 3)
    Path("text.txt").write_text("no picture")
    result = CliRunner().invoke(main, ["paint", *words])
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = CliRunner().invoke(main, ["paint", "--port", str(port), "--no-browser"])
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: --port: {port} is already in use. Leave it out, or take another.\n"
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, "quit"])
def test_it_prints_one_address_and_ends_well(
    how: signal.Signals | str, tmp_path: Path, top: Path
) -> None:
    photo_at(tmp_path / "p.png")
    environment = {**os.environ, "PYTHONPATH": str(top)}
    process = subprocess.Popen(
        [sys.executable, "-m", "inpaint_cli", "paint", "p.png", "--no-browser", "--model", "telea"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Under nohup the tests would hand down that a hang-up is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.fullmatch(r"(http://127\.0\.0\.1:\d+/)#([\w-]{32})\n", line)
    assert match, line
    address, token = match.groups()
    fields = {"X-Inpaint-Token": token}
    with urllib.request.urlopen(
        urllib.request.Request(f"{address}api/state", headers=fields), timeout=20
    ) as answer:
        state = json.load(answer)
    assert state["photo"]["name"] == "p.png"
    assert state["defaults"] == {"model": "telea", "n": None, "seed": 0}
    if isinstance(how, str):
        quit_it = urllib.request.Request(f"{address}api/quit", b"{}", fields)
        urllib.request.urlopen(quit_it, timeout=20).close()
    else:
        process.send_signal(how)
    rest, remarks = process.communicate(timeout=20)
    assert (process.returncode, rest, remarks) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


def test_the_server_is_there_without_torch(tmp_path: Path, top: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from inpaint_cli.commands.paint import session_of\n"
        "from inpaint_cli.page.session import SessionSettings\n"
        "from inpaint_cli.page import server, serving\n"
        "from inpaint_cli.reporting import Reporter\n"
        "settings = SessionSettings(Path('o'), 'latent-codes-photos64')\n"
        "session = session_of(settings, sys.argv[1], None, Reporter())\n"
        "server.PageServer(session).app(); session.state()\n"
        "print('torch' in sys.modules, 'uvicorn' in sys.modules)\n"
    )
    path = photo_at(tmp_path / "p.png")
    words = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(words, cwd=top, capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


def test_the_browser_gets_a_code_of_use_once_and_no_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from inpaint_cli.commands import paint as module
    from inpaint_cli.page import serving

    opened: list[str] = []
    monkeypatch.setattr(module, "open_browser", lambda address, reporter: opened.append(address))
    monkeypatch.setattr(serving, "serve", lambda page, at: at.close())
    monkeypatch.setattr("inpaint_cli.page.session.Session.warm_up", lambda self: None)
    result = CliRunner().invoke(main, ["paint", str(photo_at(tmp_path / "p.png"))])
    assert result.exit_code == 0, result.output
    (address,) = opened
    token = result.stdout.strip().split("#")[1]
    assert token not in address
    assert re.search(r"/#once=[\w-]{32}$", address)
