"""Writing: whole or not at all, with a line that says why not."""

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

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
    with pytest.raises(UserError, match="no file can have so long a name"):
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


def test_a_home_of_somebody_else_is_no_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looked, theirs = os.stat, tmp_path / "theirs"
    theirs.mkdir()

    def stat(path: Any, *more: Any, **others: Any) -> os.stat_result:
        if str(path).startswith(f"{theirs}/"):
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path, *more, **others)

    monkeypatch.delenv("INPAINT_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(theirs))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(theirs))
    assert files.home() == tmp_path / f"inpaint-{os.getuid()}"


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


def leftover(folder: Path, name: str = ".0123456789abcdef.png", old: bool = True) -> Path:
    path = folder / name
    path.write_bytes(b"half")
    if old:
        os.utime(path, (1, 1))
    return path


def test_what_a_killed_process_left_goes_with_the_next_file(tmp_path: Path) -> None:
    kept = [leftover(tmp_path, name) for name in (".0123.png", ".notes", "0123456789abcdef.png")]
    gone = [leftover(tmp_path), leftover(tmp_path, ".0123456789abcdef")]
    (tmp_path / ".fedcba9876543210.png").symlink_to(tmp_path / ".notes")
    files.write_text(tmp_path / "a", "x")
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert (tmp_path / ".fedcba9876543210.png").is_symlink()


def test_a_temporary_file_that_may_be_in_use_stays(tmp_path: Path) -> None:
    young = leftover(tmp_path, old=False)
    with files.replacing(tmp_path / "a") as temporary:
        os.utime(temporary, (1, 1))
        files.remove_leftovers(tmp_path)
        assert temporary.exists()
    assert young.exists()
    files.remove_leftovers(tmp_path, alone=True)
    assert not young.exists()


def test_a_file_is_ours_inside_the_folder_without_links_and_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "o"
    (folder / "sub").mkdir(parents=True)
    for path in (folder / "a", folder / "sub" / "a", tmp_path / "a"):
        path.write_text("ours")
    (folder / "b").write_text("theirs")
    (folder / "link").symlink_to("a")
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")

    def ours(name: str) -> bool:
        return files.is_ours(folder, name, lambda path: path.read_text() == "ours")

    assert ours("a")
    assert ours("sub/a")
    others = ("b", "none", "sub", "link", "out/a", "../a", str(tmp_path / "a"), "loop", "loop/a")
    assert [name for name in (*others, "a\0", "x" * 300) if ours(name)] == []


def test_a_file_is_written_once_more_only_if_it_is_the_same(tmp_path: Path) -> None:
    path, notes = tmp_path / "a", list[str]()
    for content in ("one", "one", "two"):
        with suppress(UserError), files.writing_once(path, UserError("there"), notes.append) as new:
            new.write_text(content)
    assert path.read_text() == "one"
    assert notes == [f"{path}: exists, and is the same"]
    assert os.listdir(tmp_path) == ["a"]
