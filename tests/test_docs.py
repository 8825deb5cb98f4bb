"""Documents tell the truth: links lead somewhere, and every command line in them parses."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import click
import pytest
from click.testing import CliRunner

from inpaint_cli.cli import COMMANDS, main

TOP = Path(__file__).parent.parent
PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/*.md"), *TOP.glob("examples/*.md")])
PAGE_OF = {"train": "training.md", "score": "metrics.md", "pick": "complete.md"}
"""Command -> its page in docs/, where that is not NAME.md."""


def command_of(name: str) -> click.Command:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return command


def command_lines(text: str) -> Iterator[str]:
    """Yields every `inpaint ...` of a page: lines of code blocks, and code within sentences."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        if re.match(r"\s*(\$ )?inpaint ", line):
            yield line.strip().removeprefix("$ ")
    sentences = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`(inpaint [^`\n]+)`", sentences)


def parse(line: str) -> None:
    """Parses a command line as far as its names; click's error tells what is unknown."""
    words = shlex.split(re.split(r"\s[|>;&]|2>", line)[0].replace("...", ""), comments=True)[1:]
    if not words or words[0].isupper():
        return
    if words[0].startswith("-"):
        main.make_parser(click.Context(main)).parse_args(words)
        return
    command = command_of(words[0]) if words[0] in COMMANDS else None
    assert command is not None, f"no command {words[0]}"
    command.make_parser(click.Context(command, info_name=words[0])).parse_args(words[1:])


def anchor(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def leads(page: Path, target: str) -> bool:
    """Return whether a relative link leads to a file, and to a heading if it names one."""
    path, _, part = target.partition("#")
    file = page.parent / path if path else page
    if not file.exists() or not part:
        return file.exists()
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return part in map(anchor, headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_of_a_page_parses(page: Path) -> None:
    for line in command_lines(page.read_text(encoding="utf-8")):
        parse(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not leads(page, target)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_are_wrapped_at_100_characters(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    # Rows of tables, pictures and lines of code stay whole.
    lines = [line for line in text.splitlines() if not line.startswith(("|", "![", "    "))]
    assert [line for line in lines if len(line) > 100] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = set(), [TOP / "README.md"]
    while todo:
        page = todo.pop().resolve()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
        todo += [page.parent / link for link in links if "://" not in link]
    assert set(map(Path.resolve, TOP.glob("docs/*.md"))) <= reached


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_summary_options_with_help_and_an_example(name: str) -> None:
    command = command_of(name)
    assert command.help
    summary, *_ = command.help.split("\n\n")
    assert summary.endswith(".")
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert silent == []
    assert "Example" in command.help


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_parse(name: str) -> None:
    text = command_of(name).help or ""
    examples = re.findall(r"^\s*(inpaint .*)$", text[text.index("Example") :], re.MULTILINE)
    assert examples
    for line in examples:
        parse(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page(name: str) -> None:
    page = PAGE_OF.get(name, f"{name}.md")
    assert f"inpaint {name}" in (TOP / "docs" / page).read_text(encoding="utf-8")
    assert f"| `inpaint {name}` |" in (TOP / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", ["inpaint models --jsom", "inpaint modles", "inpaint --verson"])
def test_a_wrong_command_line_would_be_seen(line: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        parse(line)


def test_command_lines_are_found_in_blocks_and_sentences() -> None:
    text = "Use `inpaint a` or\n```sh\n$ inpaint b \\\n  --c\nother\n```\nand inpaint d."
    assert list(command_lines(text)) == ["inpaint b    --c", "inpaint a"]


def test_every_field_of_a_score_is_on_its_page() -> None:
    schema = json.loads((TOP / "docs" / "score.schema.json").read_text("utf-8"))
    page = (TOP / "docs" / "score-json.md").read_text("utf-8")
    paired = schema["$defs"]["params"]["properties"]["paired"]["properties"]
    fields = {*schema["properties"], *schema["$defs"]["metric"]["properties"], *paired}
    assert sorted(name for name in fields if f"`{name}`" not in page) == []


def test_every_key_of_the_listing_of_models_is_on_its_page() -> None:
    listing = json.loads(CliRunner().invoke(main, ["models", "--json"]).stdout)
    page = (TOP / "docs" / "models.md").read_text("utf-8")
    tables = [listing, listing["folders"], *listing["families"], *listing["published"]]
    keys = {key for table in tables for key in table}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_counts_by_the_letter_that_its_option_shows(name: str) -> None:
    """Where an option takes N its help speaks of N things, not of K or L."""
    counted = {p.opts[0]: p.help or "" for p in command_of(name).params if shows_n(p)}
    assert [o for o, text in counted.items() if re.search(r"\b[B-MO-Z] [a-z]", text)] == []


def shows_n(parameter: click.Parameter) -> TypeGuard[click.Option]:
    """Return whether the help page writes N for what an option takes."""
    return isinstance(parameter, click.Option) and parameter.metavar == "N"
