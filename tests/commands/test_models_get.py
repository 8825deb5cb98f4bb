"""`inpaint models get`: what it prints where, and what it answers instead of a file."""

import hashlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inpaint_cli import models, zoo
from inpaint_cli.cli import main
from inpaint_cli.zoo.published import PUBLISHED, TRUNKS, Published, folder
from tests.file_server import CONTENT, Server, serving

SHA256 = hashlib.sha256(CONTENT).hexdigest()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["models", *map(str, arguments)])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server that holds the published file "tried"."""
    with serving() as state:
        entry = Published("tried", "vdvae", "cifar10/model.th", state.address)
        monkeypatch.setitem(PUBLISHED, "tried", entry)
        yield state


def test_the_path_alone_is_on_stdout(server: Server, tmp_path: Path) -> None:
    result = run("get", "tried", "-o", tmp_path)
    path = tmp_path / "cifar10" / "model.th"
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    assert path.read_bytes() == CONTENT


def test_size_hash_and_the_next_command_are_on_stderr(server: Server, tmp_path: Path) -> None:
    result = run("get", "tried", "-o", tmp_path / "a b")
    assert f"({len(CONTENT)} bytes), SHA-256 {SHA256}\n" in result.stderr
    path = tmp_path / "a b" / "cifar10" / "model.th"
    words = shlex.split(result.stderr.splitlines()[-1])
    expected = ["Next:", "inpaint", "convert", "--from", "vdvae", str(path)]
    assert words == [*expected, "-o", "tried.safetensors"]
    assert run("-q", "get", "tried", "-o", tmp_path / "a b").stderr == ""


def test_a_name_that_is_none_is_not_told_as_an_option_that_was_not_given() -> None:
    assert run("pcnn-digit").stderr.startswith("error: no model called 'pcnn-digit'. Did you mean")


def test_json_says_what_was_fetched(server: Server, tmp_path: Path) -> None:
    result = run("get", "tried", "--output", tmp_path, "--json")
    assert json.loads(result.stdout) == {
        "schema": 1,
        "name": "tried",
        "path": str(tmp_path / "cifar10" / "model.th"),
        "address": server.address,
        "size": len(CONTENT),
        "sha256": SHA256,
        "layout": "vdvae",
    }


def test_without_a_folder_it_lies_with_the_caches(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path))
    assert json.loads(run("tried", "--json").stdout)["here"] is False
    assert run("get", "tried").stdout == f"{folder() / 'cifar10' / 'model.th'}\n"
    assert folder().parent == tmp_path
    assert json.loads(run("tried", "--json").stdout)["here"] is True


def test_a_broken_download_fails_and_the_next_call_goes_on(server: Server, tmp_path: Path) -> None:
    server.cut = 100_000
    broken = run("get", "tried", "-o", tmp_path)
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "goes on where it stopped" in broken.stderr
    server.cut = 0
    assert run("get", "tried", "-o", tmp_path).exit_code == 0
    assert server.asked == [None, "bytes=100000-"]


def test_a_file_to_fetch_by_hand_is_answered_with_address_place_and_next_command(
    tmp_path: Path,
) -> None:
    result = run("get", "ipa-ffhq256", "-o", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    path = tmp_path / "ffhq256-ipa" / "model-ema.th"
    for part in (
        PUBLISHED["ipa-ffhq256"].address,
        f"put it at {path};",
        f"Next: inpaint convert --from ipa {path} -o ipa-ffhq256.safetensors",
    ):
        assert part in line
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    assert run("get", "ipa-ffhq256", "-o", tmp_path).stdout == f"{path}\n"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["get"], "which file? Published: vdvae-cifar10, "),
        (["get", "vdvae-cifar"], "Did you mean 'vdvae-cifar10'? Published: vdvae-cifar10, "),
        (["get", "xyzzy"], "called 'xyzzy'. Published: vdvae-cifar10, "),
        (["telea", "pcnn"], "'pcnn' is too many"),
        (["telea", "-o", "folder"], "goes with 'inpaint models get NAME' only"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_fetched_is_answered_with_advice(typed: list[str], words: str) -> None:
    result = run(*typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_the_list_names_what_is_published() -> None:
    shown = run().stdout
    assert "Published by the authors" in shown
    assert all(name in shown for name in PUBLISHED)
    listed = json.loads(run("--json").stdout)["published"]
    assert [entry["name"] for entry in listed] == [*PUBLISHED, *TRUNKS]


def test_a_published_name_is_shown_with_its_address_and_command() -> None:
    shown = run("ipa-xray").stdout
    assert f"address: {PUBLISHED['ipa-xray'].address}\n" in shown
    assert "by_hand: yes\n" in shown
    assert "get: inpaint models get ipa-xray\n" in shown


def test_no_model_hides_get_or_a_published_name() -> None:
    taken = {entry.name for entry in zoo.entries()} | set(models.FAMILIES)
    assert taken & {"get", *PUBLISHED} == set()


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("inpaint models ge", ["get"]),
        ("inpaint models tel", ["telea"]),
        ("inpaint models get ipa-i", ["ipa-imagenet64"]),
        ("inpaint models telea ipa-i", []),
    ],
)
def test_the_shell_completes_published_names(typed: str, names: list[str]) -> None:
    variables = {
        "_INPAINT_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    result = CliRunner().invoke(main, [], prog_name="inpaint", env=variables)
    words = [line.partition(",")[2] for line in result.output.splitlines()]
    assert list(filter(None, words)) == names
