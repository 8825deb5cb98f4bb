"""Remarks go to stderr; progress is a bar on a terminal only, else a line now and then."""

import sys

import pytest

from inpaint_cli.reporting import Reporter


def report(reporter: Reporter) -> None:
    reporter.note("note")
    reporter.detail("detail")
    reporter.warn("danger")


@pytest.mark.parametrize(
    ("reporter", "lines"),
    [
        (Reporter(), ["note", "warning: danger"]),
        (Reporter(verbose=True), ["note", "detail", "warning: danger"]),
        (Reporter(quiet=True, verbose=True), ["warning: danger"]),
    ],
    ids=["usual", "verbose", "quiet"],
)
def test_remarks_go_to_stderr_as_asked(
    reporter: Reporter, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    report(reporter)
    captured = capsys.readouterr()
    assert (captured.out, captured.err.splitlines()) == ("", lines)


def test_remarks_spell_the_settings_that_they_advise_as_flags(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Reporter().note("leave out the setting mask_alpha.")
    Reporter().warn("the setting n is 1")
    assert capsys.readouterr().err == "leave out --mask-alpha.\nwarning: -n is 1\n"


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(line_seconds=0).progress("photos", 4, done=1) as advance:
        advance(2, text="b.png")
        advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["photos: 3/4, 0 min left b.png", "photos: 4/4, 0 min left"]


def test_a_log_is_not_flooded(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter().progress("photos", 1000) as advance:
        for _ in range(1000):
            advance()
    assert capsys.readouterr().err == ""


def test_quiet_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=True, line_seconds=0).progress("photos", 2) as advance:
        advance()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Reporter().progress("photos", 2) as advance:
        advance(1, text="a.png")
        advance()
    text = capsys.readouterr().err
    assert "photos" in text
    assert "2/2" in text
    assert "a.png" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_passes_through_the_progress(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with pytest.raises(KeyError), Reporter().progress("photos", 2):
        raise KeyError
