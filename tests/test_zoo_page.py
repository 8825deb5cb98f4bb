"""docs/zoo.md says of each model that ships what its card says."""

import re
from pathlib import Path

import pytest

from inpaint_cli import zoo

TEXT = (Path(__file__).parent.parent / "docs" / "zoo.md").read_text(encoding="utf-8")
ENTRIES = zoo.entries()


def row(entry: zoo.Entry) -> str:
    """Return the line of the table that a card asks for."""
    card = entry.card
    training, megabytes = card["training"], card["size"] / 1e6
    cells = [f"`{card['name']}`", card["family"], f"`{card['preset']}`"]
    cells += [str(training["steps"]), f"{training['hours']:.2f}", f"{megabytes:.1f} MB"]
    return f"| {' | '.join(cells)} |"


def sections() -> dict[str, tuple[str, str]]:
    """Return, by name, the data that the page states, unwrapped, and the command in its block."""
    pattern = r"^\*\*([\w-]+)\*\*: (.*?)\.\n```\n(.*?)\n```\n"
    parts = re.findall(pattern, TEXT, re.DOTALL | re.MULTILINE)
    return {name: (" ".join(data.split()), command) for name, data, command in parts}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_table_says_what_the_card_says(entry: zoo.Entry) -> None:
    assert row(entry) in TEXT.splitlines()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_data_and_command_are_those_of_the_card(entry: zoo.Entry) -> None:
    card = entry.card
    assert sections()[entry.name] == (card["data"], card["training"]["command"])


def test_the_table_names_no_other_models() -> None:
    named = re.findall(r"^\| `([^`]+)` \| [^|]+ \| `[^`]+` \| \d+ \|", TEXT, re.MULTILINE)
    assert sorted(named) == sorted(entry.name for entry in ENTRIES)


def test_every_archive_that_a_command_names_is_explained() -> None:
    commands = " ".join(entry.card["training"]["command"] for entry in ENTRIES)
    files = set(re.findall(r"[\w-]+\.(?:zip|tar\.gz|safetensors|npz)", commands))
    assert [name for name in sorted(files) if f"| `{name}` |" not in TEXT] == []
