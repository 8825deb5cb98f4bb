"""Pictures of reports: whatever folders are called."""

import warnings
from pathlib import Path

import pytest

from inpaint_cli.metrics import plots
from tests.metrics.score_kit import contestant, scoring, target


def test_any_name_is_drawn_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A $ is no formula, a leading _ hides no line, and no picture replaces another's."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(plots, "DPI", 20)
    names = ("_c/$_{d$\u6f22", "_c-_-d-\u6f22")  # alike as names of files
    targets = [target(5, who=contestant(name)) for name in names]
    documents = scoring(("rank-histogram",), by_visible=True).run(targets)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = plots.write_all(documents, tmp_path)
    assert len(set(paths)) == len(paths) == 3
    assert all(path.is_file() for path in paths)
