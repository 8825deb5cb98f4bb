"""Settings of every test: one thread, folders of its own, no colour, repeatable examples."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Before torch is imported anywhere: the networks of tests are too small to share among threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every process
# that they start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the caches of the person who runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INPAINT_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("NO_COLOR", "1")
        patch.delenv("FORCE_COLOR", raising=False)
        patch.setenv("COLUMNS", "100")
        yield


@pytest.fixture
def top() -> Path:
    """The top folder of the repository."""
    return Path(__file__).parent.parent
