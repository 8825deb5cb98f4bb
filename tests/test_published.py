"""Downloads from a server on this machine: progress, going on, and knowing a file again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.models.ipa.presets import PUBLISHED as PRESETS
from inpaint_cli.reporting import Reporter
from inpaint_cli.zoo import published
from inpaint_cli.zoo.downloading import download
from tests.file_server import CONTENT, Server, serving, weights

QUIET = Reporter(quiet=True)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def entry(server: Server, monkeypatch: pytest.MonkeyPatch) -> published.Published:
    """Return a published file that lies on the server, under the name "tried"."""
    entry = published.Published("tried", "vdvae", "cifar10/model.th", server.address)
    monkeypatch.setitem(published.PUBLISHED, "tried", entry)
    return entry


def test_a_file_arrives_whole_with_its_size_and_hash_kept_beside_it(
    entry: published.Published, tmp_path: Path
) -> None:
    fetched = published.fetch("tried", QUIET, tmp_path)
    assert fetched.path.read_bytes() == CONTENT
    assert fetched.size == len(CONTENT)
    kept = json.loads((tmp_path / "cifar10" / "model.th.json").read_text())
    assert (kept["sha256"], kept["address"]) == (fetched.sha256, entry.address)
    assert sorted(p.name for p in fetched.path.parent.iterdir()) == ["model.th", "model.th.json"]


def test_a_file_that_is_there_is_not_fetched_again(
    entry: published.Published, server: Server, tmp_path: Path
) -> None:
    first = published.fetch("tried", QUIET, tmp_path)
    assert published.fetch("tried", QUIET, tmp_path) == first
    assert len(server.asked) == 1


def test_a_file_that_changed_on_the_disk_is_refused(
    entry: published.Published, tmp_path: Path
) -> None:
    fetched = published.fetch("tried", QUIET, tmp_path)
    fetched.path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(UserError, match=f"it was {fetched.sha256} before"):
        published.fetch("tried", QUIET, tmp_path)


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    path, server.cut = tmp_path / "model.th", 100_000
    with pytest.raises(ResourceError, match="goes on where it stopped"):
        download(server.address, path, QUIET)
    assert not path.exists()
    assert (tmp_path / "model.th.part").stat().st_size == 100_000
    server.cut = 0
    download(server.address, path, QUIET)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]
    assert [p.name for p in tmp_path.iterdir()] == ["model.th"]


def test_a_link_in_the_place_of_a_part_is_not_written_through(
    server: Server, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"PK theirs")
    (tmp_path / "model.th.part").symlink_to(theirs)
    download(server.address, tmp_path / "model.th", QUIET)
    assert theirs.read_bytes() == b"PK theirs"
    assert not (tmp_path / "model.th").is_symlink()


@pytest.mark.parametrize("change", ["another version", "no ranges", "no mark"])
def test_what_cannot_be_continued_begins_anew(change: str, server: Server, tmp_path: Path) -> None:
    path, server.cut = tmp_path / "model.th", 100_000
    server.mark = "" if change == "no mark" else server.mark
    with pytest.raises(ResourceError):
        download(server.address, path, QUIET)
    server.cut = 0
    if change == "another version":
        server.content, server.mark = weights(1.0), '"two"'
    server.ranges = change != "no ranges"
    download(server.address, path, QUIET)
    assert path.read_bytes() == server.content


def test_a_part_as_long_as_the_file_begins_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "model.th.part").write_bytes(b"x" * len(CONTENT))
    (tmp_path / "model.th.part.stamp").write_text('"one"')
    download(server.address, tmp_path / "model.th", QUIET)
    assert (tmp_path / "model.th").read_bytes() == CONTENT


def test_progress_is_told(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.content = b"PK" + bytes((3 << 20) - 2)
    reporter = Reporter(line_seconds=0)
    download(server.address, tmp_path / "model.th", reporter)
    assert "model.th (MiB): 3/3" in capsys.readouterr().err


def test_a_missing_file_and_a_dead_server_are_one_sentence(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"could not be downloaded \(404"):
        download(server.address.replace("model.th", "missing"), tmp_path / "a", QUIET)
    with pytest.raises(ResourceError, match="could not be downloaded"):
        download("http://127.0.0.1:9/model.th", tmp_path / "a", QUIET)


def test_an_unknown_name_gets_the_nearest_one_and_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Did you mean 'vdvae-ffhq256'.* ipa-xray,"):
        published.fetch("vdvae-ffhq", QUIET, tmp_path)


def test_a_file_in_a_shared_folder_says_where_to_get_and_put_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        published.fetch("ipa-ffhq256", QUIET, tmp_path)
    for part in ("drive.google.com", "ffhq256-ipa/model-ema.th", str(tmp_path)):
        assert part in str(caught.value)
    path = tmp_path / "ffhq256-ipa" / "model-ema.th"
    path.parent.mkdir()
    path.write_bytes(b"<html>")
    with pytest.raises(UserError, match="nothing is kept of it"):
        published.fetch("ipa-ffhq256", QUIET, tmp_path)
    path.write_bytes(CONTENT)
    assert published.fetch("ipa-ffhq256", QUIET, tmp_path).path == path


@pytest.mark.parametrize("entry", published.PUBLISHED.values(), ids=lambda entry: entry.name)
def test_every_published_file_is_of_a_preset_and_is_told_how_to_convert(
    entry: published.Published,
) -> None:
    assert entry.name.partition("-")[2] in PRESETS
    assert entry.address.startswith("https://")
    if not entry.by_hand:
        assert entry.address.endswith(entry.file.rpartition("/")[2])
    assert f"--from {entry.layout} " in published.how_to_convert(entry.name, Path("x.th"))


REFUSED: list[tuple[bytes, dict[str, str], str]] = [
    (b"<html>log in</html>", {"Content-Type": "text/html; charset=utf-8"}, "a web page came"),
    (b"<html>log in</html>", {}, "no file of PyTorch"),
    (b"", {"Content-Length": "", "Content-Type": "text/html"}, "a web page came"),
    (CONTENT, {"Content-Encoding": "gzip"}, "comes packed"),
    (CONTENT, {"Content-Length": ""}, "does not say how long"),
    (CONTENT, {"Content-Length": str(1 << 50)}, "more than any file of weights"),
    (CONTENT[:5000], {}, "damaged, or not a PyTorch file"),
]


@pytest.mark.parametrize(
    ("content", "headers", "message"), REFUSED, ids=lambda value: str(value)[:30]
)
def test_what_is_no_whole_file_of_weights_is_refused_and_nothing_is_kept(
    content: bytes,
    headers: dict[str, str],
    message: str,
    entry: published.Published,
    server: Server,
    tmp_path: Path,
) -> None:
    server.content, server.headers = content or b"x", headers
    with pytest.raises((ResourceError, UserError), match=message):
        published.fetch("tried", QUIET, tmp_path)
    kept = {path.name for path in (tmp_path / "cifar10").iterdir()}
    assert kept <= {"model.th.part", "model.th.part.stamp"}
    server.content, server.headers, server.mark = CONTENT, {}, '"two"'
    assert published.fetch("tried", QUIET, tmp_path).path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/model.th", "http://localhost:9/model.th", "file:///etc/passwd"]
)
def test_a_redirect_to_where_anybody_could_answer_is_not_followed(
    target: str, server: Server, tmp_path: Path
) -> None:
    server.status, server.headers = 302, {"Location": target}
    with pytest.raises(ResourceError, match=r"not followed|not allowed"):
        download(server.address, tmp_path / "model.th", QUIET)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", ["bytes 0-9/10", "", "bytes 5-6/7", "nonsense"])
def test_another_part_than_was_asked_for_is_refused(
    answer: str, server: Server, tmp_path: Path
) -> None:
    path, server.cut = tmp_path / "model.th", 100_000
    with pytest.raises(ResourceError):
        download(server.address, path, QUIET)
    server.cut, server.headers = 0, {"Content-Range": answer}
    with pytest.raises(ResourceError, match="another part of the file"):
        download(server.address, path, QUIET)
    server.headers = {}
    download(server.address, path, QUIET)
    assert path.read_bytes() == CONTENT


def test_a_second_call_waits_outside_and_dead_ones_leave_nothing(
    entry: published.Published, tmp_path: Path
) -> None:
    folder = tmp_path / "cifar10"
    folder.mkdir()
    (folder / f".{'0a' * 8}.stamp").write_text("x")
    program = (
        "import sys, pathlib, time\n"
        "from inpaint_cli.locking import alone_in\n"
        "with alone_in(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="another call is downloading it"):
            published.fetch("tried", QUIET, tmp_path)
        other.communicate()
    published.fetch("tried", QUIET, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["model.th", "model.th.json"]
