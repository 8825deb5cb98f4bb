"""A figure that stands on several pages is the same on all of them."""

import re
from pathlib import Path

import pytest

from inpaint_cli import zoo

TOP = Path(__file__).parent.parent
LABELS = {
    "lpips@classifier-cifar10, best of 10": "lpips-gt@10",
    "diversity, lpips@classifier-cifar10": "lpips-diversity",
    "psnr [dB]": "psnr [dB]",
    "crps": "crps",
    "energy": "energy",
    "coverage 81.8 % [%]": "coverage 81.8 % [%]",
    "nats per hidden value (bound)": "nll per value [nats]",
    "nats per hidden value at 32x32 (bound)": "nll per value [nats]",
}
"""Name of a figure on a card -> that of the same in the first table of docs/results.md."""
COLUMNS = {
    "CRPS": "crps",
    "truth in the central 82 %": "coverage 81.8 % [%]",
    "nearest of ten": "lpips-gt@10",
    "diversity": "lpips-diversity",
    "PSNR": "psnr [dB]",
    "s each": "processor seconds per completion",
}
"""Column of the README's table -> row of that table."""
ARROWS = re.compile(r" [↓↑→].*")
CARDS = [entry for entry in zoo.entries() if "docs/results.md" in entry.card["figures"]["protocol"]]


def rows_below(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without the line under its head."""
    text = (TOP / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1]
    table = re.findall(r"^\|.*\n\|[ :|-]+\|\n(?:\|.*\n)+", text, re.MULTILINE)[0]
    lines = [line for line in table.splitlines() if not set(line) <= set("|:- ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def measured() -> dict[tuple[str, str], str]:
    """Return the figures of docs/results.md by model and row, without errors and notes."""
    (_, *names), *rows = rows_below("docs/results.md", "Photos")
    return {
        (name, ARROWS.sub("", label)): cell.split()[0]
        for label, *cells in rows
        for name, cell in zip(names, cells, strict=True)
    }


def agree(figure: str, digits: str) -> bool:
    """Return whether a figure is another one, to as many decimals as the shorter of both has."""
    decimals = min(len(text.partition(".")[2]) for text in (figure, digits))
    return abs(float(figure) - float(digits)) <= 0.5001 * 10.0**-decimals


@pytest.mark.parametrize("entry", CARDS, ids=lambda entry: entry.name)
def test_a_card_has_the_figures_of_the_results(entry: zoo.Entry) -> None:
    results = measured()
    same = {name: row for name, row in LABELS.items() if name in entry.card["figures"]}
    assert len(same) >= 6
    for name, row in same.items():
        assert entry.card["figures"][name] == float(results[entry.name, row]), name


def test_the_readme_has_the_figures_of_the_results() -> None:
    results = measured()
    (_, *heads), *rows = rows_below("README.md", "How good are they?")
    for name, *cells in rows:
        for head, cell in zip(heads, cells, strict=True):
            figure = results[name, COLUMNS[ARROWS.sub("", head)]]
            assert agree(cell.removesuffix(" %"), figure), (name, head, cell, figure)
