"""What tests of data share."""

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of caches, which is not there yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("INPAINT_HOME", str(folder))
    return folder
