"""One process at a time, with the locks of POSIX and of Windows."""

import errno
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.files import make_folder
from inpaint_cli.locking import Shared, alone_in, locked

HOLD = """
import sys
from pathlib import Path
from inpaint_cli.locking import locked
with locked(Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    sys.stdin.read()
"""
TOP = Path(__file__).parent.parent


def holder(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(path)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=TOP)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_that_another_process_holds_is_refused_until_that_one_is_gone(
    tmp_path: Path,
) -> None:
    process = holder(tmp_path / ".lock")
    with pytest.raises(UserError, match=r"^in use$"), locked(tmp_path / ".lock", "in use"):
        pass
    process.kill()
    process.communicate()
    with locked(tmp_path / ".lock", "in use"):
        pass


def test_an_error_inside_the_block_lifts_the_lock_and_passes(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="mine"), locked(tmp_path / ".lock", "in use"):
        raise PermissionError("mine")
    holder(tmp_path / ".lock").communicate()


class FakeWindows(types.ModuleType):
    """The part of msvcrt that locks; `outcome` is what its call raises."""

    LK_NBLCK = 2

    def __init__(self, outcome: OSError | None) -> None:
        super().__init__("msvcrt")
        self.outcome, self.calls = outcome, list[tuple[int, int]]()

    def locking(self, handle: int, mode: int, size: int) -> None:
        self.calls.append((mode, size))
        if self.outcome:
            raise self.outcome


def windows(monkeypatch: pytest.MonkeyPatch, outcome: OSError | None) -> FakeWindows:
    module = FakeWindows(outcome)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    return module


def test_where_fcntl_is_missing_msvcrt_locks_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = windows(monkeypatch, None)
    with locked(tmp_path / ".lock", "in use"):
        assert module.calls == [(FakeWindows.LK_NBLCK, 1)]


def test_where_fcntl_is_missing_a_lock_that_is_taken_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows(monkeypatch, PermissionError(errno.EACCES, "taken"))
    with pytest.raises(UserError, match="in use"), locked(tmp_path / ".lock", "in use"):
        pass


def test_a_file_system_without_locks_is_worked_on_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows(monkeypatch, OSError(errno.ENOLCK, "no locks"))
    with locked(tmp_path / ".lock", "in use"):
        entered = True
    assert entered


def test_the_trainer_is_imported_where_fcntl_is_missing() -> None:
    script = "import sys; sys.modules['fcntl'] = None; import inpaint_cli.training.run"
    done = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


TURN = """
import sys
from pathlib import Path
from inpaint_cli.locking import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_processes_take_turns_in_a_folder_without_a_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TURN, str(tmp_path)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=TOP)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    waited = []

    def waiting() -> None:
        waited.append(True)
        process.communicate()  # it ends, and so does its turn

    with alone_in(tmp_path, waiting):
        assert waited == [True]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_the_last_to_use_a_folder_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    one, two = Shared(folder, make_folder), Shared(folder, make_folder)
    assert not one.is_last()
    one.release()
    assert two.is_last()


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_a_folder_that_is_removed_while_another_waits_for_it_is_made_again(tmp_path: Path) -> None:
    folder, made = tmp_path / "shared", list[Shared]()
    one = Shared(folder, make_folder)
    assert one.is_last()
    thread = threading.Thread(target=lambda: made.append(Shared(folder, make_folder)))
    thread.start()
    time.sleep(0.05)
    assert not made
    folder.rmdir()
    one.release()
    thread.join()
    assert folder.is_dir()
    assert made[0].is_last()


def test_where_fcntl_is_missing_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows(monkeypatch, None)
    with alone_in(tmp_path), alone_in(tmp_path):
        entered = True
    assert entered


TAKEN = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDONLY)
try:
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_who_was_stopped_inside_a_turn_does_not_wait_for_himself(tmp_path: Path) -> None:
    def refused() -> None:
        raise AssertionError("it waits for itself")

    def is_taken() -> bool:
        return subprocess.run([sys.executable, "-c", TAKEN, str(tmp_path)]).returncode == 3

    # A signal between `__enter__` and the block: nothing ends it while the traceback is kept.
    left = alone_in(tmp_path)
    left.__enter__()
    with alone_in(tmp_path, refused):
        assert is_taken()
        left.__exit__(None, None, None)  # the end that comes late lifts nothing
        assert is_taken()
    assert not is_taken()


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_threads_take_turns_too(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with alone_in(tmp_path, lambda: order.append("waits")):
            order.append("second")

    thread = threading.Thread(target=second)
    with alone_in(tmp_path):
        thread.start()
        while not order:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["waits", "first", "second"]
