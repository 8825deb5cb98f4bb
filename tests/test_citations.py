"""Every citation of docs and code is one of docs/references.md: authors, their number, year."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

TOP = Path(__file__).parent.parent
REFERENCES = TOP / "docs" / "references.md"
FOLDERS = ("inpaint_cli", "models", "masks", "benchmarks")
FILES = sorted(
    [
        *(path for path in (*TOP.glob("*.md"), *TOP.glob("docs/*.md")) if path != REFERENCES),
        *(path for folder in FOLDERS for path in (TOP / folder).rglob("*.py")),
        *TOP.glob("inpaint_cli/zoo/*.toml"),
    ]
)
_NAME = r"[A-ZÀ-Ž][\w'-]+"
CITATION = re.compile(
    rf"(?P<first>{_NAME})(?P<rest>(?:,\s+{_NAME})*,?\s+(?:&|and)\s+{_NAME}|\s+et\s+al\.)?,?"
    r"\s+\(?(?P<year>(?:19|20)\d\d)(?![\w-]|\.\d)"
)
NO_AUTHORS = {"JPEG", "After", "Sample", "CVPR", "ICLR", "NeurIPS"}
"""Words that stand before a year, or before a number like one."""


class Reference(NamedTuple):
    """A row of the file of references."""

    authors: tuple[str, ...]
    year: str
    title: str
    where: str

    def spellings(self) -> set[str]:
        """Return how the text may cite it."""
        whole = " & ".join([", ".join(self.authors[:-1]), self.authors[-1]]).removeprefix(" & ")
        short = f"{self.authors[0]} et al."
        return {f"{whole} {self.year}"} | (
            {f"{short} {self.year}"} if len(self.authors) > 2 else set()
        )


def references() -> list[Reference]:
    rows = re.findall(r"^\| (.+?) \|$", REFERENCES.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [row.split(" | ") for row in rows]
    return [
        Reference(tuple(authors.split(", ")), year, title, where)
        for authors, year, title, where, _ in cells
        if year.isdigit()
    ]


def citations(text: str) -> Iterator[str]:
    """Yield the citations of a text, each in the spelling of `Reference.spellings`."""
    for match in CITATION.finditer(text):
        if match["first"] not in NO_AUTHORS:
            rest = re.sub(r",?\s+(?:&|and)\s+", " & ", match["rest"] or "")
            yield re.sub(r"\s+", " ", f"{match['first']}{rest} {match['year']}")


def test_every_citation_is_in_the_file_of_references() -> None:
    known = {spelling for reference in references() for spelling in reference.spellings()}
    unknown = [
        f"{path.relative_to(TOP)}: {citation}"
        for path in FILES
        for citation in citations(path.read_text(encoding="utf-8"))
        if citation not in known
    ]
    assert unknown == []


def test_every_reference_is_cited() -> None:
    cited = {citation for path in FILES for citation in citations(path.read_text(encoding="utf-8"))}
    assert [r for r in references() if not r.spellings() & cited] == []


def test_references_are_whole_and_told_apart_by_their_citation() -> None:
    rows = references()
    assert all(r.title and r.where and all(r.authors) for r in rows)
    spellings = [spelling for r in rows for spelling in r.spellings()]
    assert len(rows) > 30
    assert len(set(spellings)) == len(spellings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(Harvey et al. 2022)", ["Harvey et al. 2022"]),
        ("after Child (2021) and Child 2021.", ["Child 2021", "Child 2021"]),
        ("Chen and Zhao 2024, eq. 3", ["Chen & Zhao 2024"]),
        ("Chan, Golub & LeVeque 1979", ["Chan, Golub & LeVeque 1979"]),
        ("(least squares, Mao et\n    al. 2017)", ["Mao et al. 2017"]),
        ("PICME, Xia et al., 2022", ["Xia et al. 2022"]),
        ("JPEG 2000 of 2022, and Size 2048x2048", []),
    ],
)
def test_citations_are_found_in_each_form(text: str, expected: list[str]) -> None:
    assert list(citations(text)) == expected


@pytest.mark.parametrize(
    "wrong", ["Naderiparizi et al. 2021", "Harvey et al. 2020", "Chen et al. 2024", "Dupont 2018"]
)
def test_a_wrong_author_year_or_number_of_authors_would_be_noticed(wrong: str) -> None:
    known = {spelling for reference in references() for spelling in reference.spellings()}
    assert list(citations(wrong)) == [wrong]
    assert wrong not in known
