"""docs/results.md says of every claim what was found of it, and the lab decides by trainings."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import claims
from benchmarks.claims import Claim
from benchmarks.lab import Answer, Contrast, Lab, verdict
from inpaint_cli.errors import UserError

FILES = sorted(claims.PAGE.parent.parent.glob("benchmarks/claims_*.py"))
PAPERS: list[ModuleType] = [importlib.import_module(f"benchmarks.{path.stem}") for path in FILES]
each_paper = pytest.mark.parametrize("paper", PAPERS, ids=[path.stem for path in FILES])
PAGE = "before\n<!-- begin of claims: x -->\nold\n<!-- end of claims: x -->\nafter\n"
CLAIM = Claim("a beats b", "table 1")


@each_paper
def test_the_page_holds_what_was_found(paper: ModuleType) -> None:
    page = claims.PAGE.read_text(encoding="utf-8")
    command = f"python -m {paper.__name__}"
    found = claims.read_found(paper.PAPER)
    assert claims.with_table(page, paper.PAPER, paper.CLAIMS, found) == page, f"run '{command}'"
    assert command in (paper.__doc__ or "")
    assert set(found) <= {claim.text for claim in paper.CLAIMS}


def test_every_paper_has_its_claims() -> None:
    papers = {paper.PAPER for paper in PAPERS}
    assert papers == {"pcnn", "aipo", "ipa", "picme", "latent-codes"}


def test_a_claim_that_nobody_measured_says_so_in_the_table() -> None:
    text = claims.with_table(PAGE, "x", [CLAIM], {})
    assert "| a beats b | table 1 | not tested | - |" in text
    assert text.startswith("before\n")
    assert text.endswith("-->\nafter\n")
    assert "old" not in text


@pytest.mark.parametrize(("trainings", "told"), [(0, False), (1, True), (3, False)])
def test_too_few_trainings_are_told(trainings: int, told: bool) -> None:
    row = CLAIM.row(Answer("yes", "0.1 ± 0.0", trainings))
    assert row.startswith("| a beats b | table 1 | **yes** | 0.1 ± 0.0")
    assert ("trainings of each side" in row) == told


def test_a_page_without_its_place_is_refused_and_left(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(UserError, match="begin of claims: x"):
        claims.write("x", [CLAIM], {}, page)
    assert page.read_text() == "nothing\n"


def test_writing_twice_changes_nothing_more(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    claims.write("x", [CLAIM], {}, page)
    once = page.read_text()
    claims.write("x", [CLAIM], {}, page)
    assert page.read_text() == once != PAGE


def test_each_answer_is_kept_before_the_next_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    path.write_text(json.dumps({"x": {"old": {"answer": "no", "figures": "1"}}}))

    def fails(_: Lab) -> Answer:
        raise RuntimeError("stopped")

    stated = [Claim("a", "1", lambda lab: Answer("yes", "2", 3)), CLAIM, Claim("c", "3", fails)]
    with pytest.raises(RuntimeError, match="stopped"):
        claims.measure("x", stated, Lab(tmp_path), path)
    assert claims.read_found("x", path) == {"old": Answer("no", "1"), "a": Answer("yes", "2", 3)}


@pytest.mark.parametrize(
    ("more", "sign"),
    [([1.0, 1.1, 0.9], 1), ([-1.0, -1.1, -0.9], -1), ([1.0, 0.1, -0.5], 0), ([0.0, 0.0, 0.0], 0)],
)
def test_a_difference_counts_where_three_trainings_agree(more: list[float], sign: int) -> None:
    assert Contrast([0.0, 0.0, 0.0], more).sign == sign


def test_a_verdict_needs_all_contrasts() -> None:
    good = Contrast([0, 0, 0], [1.0, 1.1, 0.9])
    bad, unclear = Contrast(good.more, good.less), Contrast([0, 0, 0], [1, 0, -1])
    assert verdict(good, good) == "yes"
    assert verdict(bad, bad) == verdict(bad, unclear) == "no"
    assert verdict(unclear) == "not seen"
    assert verdict(good, unclear) == verdict(good, bad) == "in part"


def test_the_difference_is_told_with_its_error_over_trainings() -> None:
    text = Contrast([1.0, 1.0, 1.0], [2.0, 2.1, 1.9]).text(2)
    assert text == "1.00 against 2.00, difference 1.00 ± 0.06"


def test_a_lab_trains_and_scores_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    short = [f"pixels.{name}" for name in ("steps=3", "validate_images=4", "sheet_images=0")]
    settings = [word for one in short for word in ("--set", one)]
    lab = Lab(tmp_path, data="digits", limit=6)
    first = lab.model("short", "pcnn", *settings, seed=1)
    figure = lab.figure(first, "mae")
    assert capfd.readouterr().out.startswith("training short-1")
    again = Lab(tmp_path, data="digits", limit=6)
    assert again.model("short", "pcnn", *settings, seed=1) == first
    (stored,) = (tmp_path / "scores").iterdir()
    stored.write_text(stored.read_text().replace(str(figure), "0.125"))
    assert again.figure(first, "mae") == 0.125
    assert not capfd.readouterr().out
    with pytest.raises(KeyError, match="no such line"):
        again.figure(first, "mae", "no such line")
