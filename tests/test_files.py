"""Writing: whole or not at all, with a line that says why not."""

import errno
import os
import stat
import tempfile
from pathlib import Path

import pytest

from inpaint_cli import files
from inpaint_cli.errors import ResourceError, UserError


def test_a_file_takes_its_place_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ä b.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".txt")
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["ä b.txt"]


@pytest.mark.parametrize("error", [KeyError("x"), UserError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert (os.listdir(tmp_path), path.read_text()) == (["a.txt"], "old")


def test_a_result_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_full_disk_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="no space left"), files.replacing(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_an_error_about_another_file_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "a"):
        (tmp_path / "input").read_bytes()


def test_a_reader_that_left_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), files.replacing(tmp_path / "a"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ResourceError, match="not an ordinary file"):
        files.write_text(tmp_path / "a", "x")


def test_a_pipe_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ResourceError, match="not an ordinary file"):
        files.write_text(tmp_path / "pipe", "x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        files.write_text(tmp_path / "a" / "b", "x")
    with pytest.raises(ResourceError, match="cannot be written"):
        files.make_folder(tmp_path / "a" / "b")


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="File name too long"):
        files.write_text(tmp_path / ("x" * 300), "x")
    assert os.listdir(tmp_path) == []


def test_a_link_is_replaced_and_its_target_is_kept(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    files.write_text(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "old"
    assert (tmp_path / "link").read_text() == "new"


def test_the_home_of_caches_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("INPAINT_HOME", "~/caches")
    assert files.home() == tmp_path / "caches"
    monkeypatch.delenv("INPAINT_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert files.home() == Path("/xdg/inpaint")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert files.home() == tmp_path / ".cache" / "inpaint"


@pytest.mark.parametrize("home", ["", "~", "/nonexistent/home", "relative"])
def test_without_a_home_caches_lie_in_a_temporary_folder_of_their_owner(
    home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INPAINT_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / f"inpaint-{os.getuid()}"
    assert files.home() == folder
    folder.mkdir()
    assert files.home() == folder
    folder.chmod(0o777)
    with pytest.raises(UserError, match="Set INPAINT_HOME"):
        files.home()
    folder.rmdir()
    folder.symlink_to("elsewhere")
    with pytest.raises(UserError, match="Set INPAINT_HOME"):
        files.home()


def test_a_loop_of_links_can_be_resolved(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert files.resolved(tmp_path / "loop").name == "loop"
    assert files.resolved(Path("zero\0byte")) == Path("zero\0byte")


def test_names_that_no_file_system_holds_are_refused(tmp_path: Path) -> None:
    files.check_length(tmp_path, ["é" * 125 + ".png", "a/" * 100 + "b.png"])
    with pytest.raises(UserError, match="of 256 bytes"):
        files.check_length(tmp_path, ["é" * 126 + ".png"])
    with pytest.raises(UserError, match="paths of more than"):
        files.check_length(tmp_path, ["folder/" * 600 + "b.png"])
