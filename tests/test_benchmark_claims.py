"""docs/results.md says of every claim what benchmarks/claims_PAPER.py says of it."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import claims
from benchmarks.claims import Claim
from inpaint_cli.errors import UserError

FILES = sorted(claims.PAGE.parent.parent.glob("benchmarks/claims_*.py"))
PAPERS: list[ModuleType] = [importlib.import_module(f"benchmarks.{path.stem}") for path in FILES]
each_paper = pytest.mark.parametrize("paper", PAPERS, ids=[path.stem for path in FILES])
PAGE = "before\n<!-- begin of claims: x -->\nold\n<!-- end of claims: x -->\nafter\n"


@each_paper
def test_the_page_holds_what_the_benchmark_says(paper: ModuleType) -> None:
    page = claims.PAGE.read_text(encoding="utf-8")
    command = f"python -m {paper.__name__}"
    assert claims.with_table(page, paper.PAPER, paper.CLAIMS) == page, f"run '{command}'"
    assert command in (paper.__doc__ or "")


def test_every_paper_has_its_claims() -> None:
    papers = {paper.PAPER for paper in PAPERS}
    assert papers == {"pcnn", "aipo", "ipa", "picme", "latent-codes"}


def test_a_claim_that_nobody_measured_says_so_in_the_table() -> None:
    text = claims.with_table(PAGE, "x", [Claim("a beats b", "table 1")])
    assert "| a beats b | table 1 | not tested | - |" in text
    assert text.startswith("before\n")
    assert text.endswith("-->\nafter\n")
    assert "old" not in text


@pytest.mark.parametrize(("trainings", "told"), [(0, False), (1, True), (3, False)])
def test_too_few_trainings_are_told(trainings: int, told: bool) -> None:
    row = Claim("a", "b", "yes", "0.1 ± 0.0", trainings).row()
    assert ("trainings of each side" in row) == told


def test_an_answer_without_figures_is_no_answer() -> None:
    with pytest.raises(ValueError, match="needs figures"):
        Claim("a", "b", "yes")
    with pytest.raises(ValueError, match="needs figures"):
        Claim("a", "b", figures="0.1")


def test_a_page_without_its_place_is_refused_and_left(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(UserError, match="begin of claims: x"):
        claims.write("x", [Claim("a", "b")], page)
    assert page.read_text() == "nothing\n"


def test_writing_twice_changes_nothing_more(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    claims.write("x", [Claim("a", "b")], page)
    once = page.read_text()
    claims.write("x", [Claim("a", "b")], page)
    assert page.read_text() == once != PAGE
