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


def test_a_plot_says_of_what_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    titles = list[str]()
    monkeypatch.setattr(plots, "_save", lambda figure, _: titles.append(figure.axes[0].get_title()))
    one = target(5, who=contestant("a$b"))
    plots.write_all(scoring(("coverage", "mae"), by_visible=True).run([one]), tmp_path)
    assert all("5 images of " in title and "masks " in title for title in titles)
    aims = sum(title.endswith("errors; dashed: the aim") for title in titles)
    assert 0 < aims < len(titles)
