"""Claims of a paper as rows of docs/results.md: what was measured here, or "not tested".

`claims_PAPER.py` lists a paper's claims, each with how it is measured where a small CPU can. Run as
a program, such a file writes its table into docs/results.md, between two comments that name it;
with `--measure DIRECTORY` it first trains and scores there, which takes an hour or so of one core a
paper and goes on where it was stopped. What was found lies in claims.json, also of claims that were
measured by the commands that their figures name. A claim of which nobody measured anything stays in
the table, so that nobody takes silence for a yes.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.lab import Answer, Lab, Measure
from inpaint_cli.errors import UserError
from inpaint_cli.files import write_text

PAGE = Path(__file__).parent.parent / "docs" / "results.md"
FOUND = Path(__file__).with_suffix(".json")
NOT_TESTED = "not tested"
WANTED_TRAININGS = 3
"""Trainings, each with a seed of its own, from which an answer does not hang on one of them."""


@dataclass(frozen=True)
class Claim:
    """One statement of a paper."""

    text: str
    where: str
    """In the paper: "table 2"."""
    measure: Measure | None = None
    """How it is tried in a `Lab`; None where that takes what does not fit here."""

    def row(self, answer: Answer | None) -> str:
        """Return the row of the table."""
        if answer is None:
            return f"| {self.text} | {self.where} | {NOT_TESTED} | - |"
        few = 0 < answer.trainings < WANTED_TRAININGS
        note = f" (trainings of each side: {answer.trainings})" if few else ""
        return f"| {self.text} | {self.where} | **{answer.answer}** | {answer.figures}{note} |"


def read_found(paper: str, path: Path = FOUND) -> dict[str, Answer]:
    """Return what was found of a paper's claims, by their text."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {text: Answer(**fields) for text, fields in stored.get(paper, {}).items()}


def table(claims: Sequence[Claim], found: Mapping[str, Answer]) -> str:
    """Return the table of a paper's claims."""
    head = "| claim | there | here | figures |\n| --- | --- | --- | --- |"
    return "\n".join([head, *(claim.row(found.get(claim.text)) for claim in claims)])


def with_table(page: str, paper: str, claims: Sequence[Claim], found: Mapping[str, Answer]) -> str:
    """Return the text of a page with a paper's table between its two comments."""
    begin, end = (f"<!-- {word} of claims: {paper} -->" for word in ("begin", "end"))
    pattern = re.compile(rf"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise UserError(f"the page needs '{begin}' and '{end}' once, one after the other.")
    return pattern.sub(lambda _: f"{begin}\n{table(claims, found)}\n{end}", page)


def write(
    paper: str, claims: Sequence[Claim], found: Mapping[str, Answer], path: Path = PAGE
) -> None:
    """Write a paper's table into the page and print how many of its claims were tested."""
    write_text(path, with_table(path.read_text(encoding="utf-8"), paper, claims, found))
    tested = sum(claim.text in found for claim in claims)
    print(f"{path}: {paper}, {tested} of {len(claims)} claims tested")


def measure(paper: str, claims: Sequence[Claim], lab: Lab, path: Path = FOUND) -> None:
    """Measure the claims that can be, and store each answer as soon as it is known."""
    for claim in claims:
        if claim.measure is None:
            continue
        answer = claim.measure(lab)
        print(f"{claim.text}: {answer.answer}; {answer.figures}", flush=True)
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored.setdefault(paper, {})[claim.text] = asdict(answer)
        write_text(path, json.dumps(stored, indent=2, ensure_ascii=False) + "\n")


def main(paper: str, claims: Sequence[Claim]) -> None:
    """Run a file of claims as a program."""
    parser = argparse.ArgumentParser(description=f"Claims of {paper} in docs/results.md.")
    parser.add_argument("--measure", type=Path, metavar="DIRECTORY", help="train and score there")
    parser.add_argument("--data", default="mnist", help="the digits: a name or a file")
    given = parser.parse_args()
    if given.measure:
        measure(paper, claims, Lab(given.measure, given.data))
    write(paper, claims, read_found(paper))
