"""Claims of a paper as rows of docs/results.md: what was measured here, or "not tested".

`claims_PAPER.py` lists a paper's claims, each with what this project measured of it. Run as a
program, such a file writes its table into docs/results.md, between two comments that name it. A
claim that nothing was measured of stays in the table, so that nobody takes silence for a yes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inpaint_cli.errors import UserError
from inpaint_cli.files import write_text

PAGE = Path(__file__).parent.parent / "docs" / "results.md"
NOT_TESTED = "not tested"
WANTED_TRAININGS = 3
"""Trainings, each with a seed of its own, from which an answer does not hang on one of them."""


@dataclass(frozen=True)
class Claim:
    """One statement of a paper, and the answer at the size of this project."""

    text: str
    where: str
    """In the paper: "table 2"."""
    answer: str = NOT_TESTED
    figures: str = ""
    """What was measured, with n, errors and a link to how; nothing where it was not tested."""
    trainings: int = 0
    """Of each side of the comparison; 0 = no training was needed, or nothing was tested."""

    def __post_init__(self) -> None:
        if (self.answer == NOT_TESTED) != (not self.figures):
            raise ValueError(f"{self.text}: an answer needs figures, and figures an answer")

    def row(self) -> str:
        """Return the row of the table."""
        tested = self.answer != NOT_TESTED
        answer = f"**{self.answer}**" if tested else NOT_TESTED
        few = 0 < self.trainings < WANTED_TRAININGS
        note = f" (trainings of each side: {self.trainings})" if few else ""
        return f"| {self.text} | {self.where} | {answer} | {self.figures or '-'}{note} |"


def table(claims: Sequence[Claim]) -> str:
    """Return the table of a paper's claims."""
    head = "| claim | there | here | figures |\n| --- | --- | --- | --- |"
    return "\n".join([head, *(claim.row() for claim in claims)])


def with_table(page: str, paper: str, claims: Sequence[Claim]) -> str:
    """Return the text of a page with a paper's table between its two comments."""
    begin, end = (f"<!-- {word} of claims: {paper} -->" for word in ("begin", "end"))
    pattern = re.compile(rf"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise UserError(f"the page needs '{begin}' and '{end}' once, one after the other.")
    return pattern.sub(lambda _: f"{begin}\n{table(claims)}\n{end}", page)


def write(paper: str, claims: Sequence[Claim], path: Path = PAGE) -> None:
    """Write a paper's table into the page and print how many of its claims were tested."""
    write_text(path, with_table(path.read_text(encoding="utf-8"), paper, claims))
    tested = sum(claim.answer != NOT_TESTED for claim in claims)
    print(f"{path}: {paper}, {tested} of {len(claims)} claims tested")
