"""Networks of published figures: fetched only when asked, and taken only if they are right."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inpaint_cli.cli import main
from inpaint_cli.zoo import weight_files
from inpaint_cli.zoo.published import TRUNKS
from tests.file_server import CONTENT, Server, serving, weights

SHA256 = hashlib.sha256(CONTENT).hexdigest()


def get(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["models", "get", *map(str, arguments)])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """Return a server of the Inception weights, which here are others."""
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with serving() as state:
        served = replace(
            TRUNKS["inception"], address=state.address, size=len(CONTENT), sha256=SHA256
        )
        monkeypatch.setitem(TRUNKS, "inception", served)
        monkeypatch.setitem(weight_files.FILES, "inception", served)
        yield state


def test_a_fetched_file_lies_where_score_looks_for_it(server: Server, tmp_path: Path) -> None:
    with pytest.raises(weight_files.MissingWeights, match="inpaint models get inception"):
        weight_files.find("inception")
    result = get("inception")
    assert result.exit_code == 0, result.stderr
    assert weight_files.find("inception") == Path(result.stdout.strip())
    assert SHA256 in result.stderr
    assert "Next: inpaint score --features inception\n" in result.stderr
    assert get("inception").exit_code == 0
    assert len(server.asked) == 1  # the second call asks nobody


def test_another_folder_is_named_in_the_next_command(server: Server, tmp_path: Path) -> None:
    result = get("inception", "-o", tmp_path / "a b", "--json")
    assert json.loads(result.stdout)["sha256"] == SHA256
    assert f"--weights-dir '{tmp_path / 'a b'}'" in result.stderr
    assert weight_files.find("inception", tmp_path / "a b").parent == tmp_path / "a b"


@pytest.mark.parametrize("other", [weights(1.0), weights(1.0) + b"more"])
def test_a_file_that_is_another_is_not_kept(server: Server, other: bytes, tmp_path: Path) -> None:
    server.content = other
    result = get("inception", "-o", tmp_path / "o")
    assert result.exit_code == 1
    assert "Nothing is kept" in result.stderr
    assert not list((tmp_path / "o").iterdir())


def test_another_file_in_its_place_is_not_replaced(server: Server, tmp_path: Path) -> None:
    path = tmp_path / weight_files.FILES["inception"].names[0]
    path.write_bytes(b"mine")
    result = get("inception", "-o", tmp_path)
    assert result.exit_code == 2
    assert path.read_bytes() == b"mine"
    assert server.asked == []


@pytest.mark.parametrize("name", TRUNKS)
def test_the_hash_of_each_file_begins_as_its_name_says(name: str) -> None:
    trunk = TRUNKS[name]
    assert len(trunk.sha256) == 64
    assert trunk.address.endswith(f"-{trunk.sha256[:8]}.pth")
    assert trunk in weight_files.FILES.values()
