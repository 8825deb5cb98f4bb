"""A family owns its words: nothing outside its folder names what it alone tells or takes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from inpaint_cli import models
from inpaint_cli.declarations import Detail
from inpaint_cli.photos import details
from tests.models.test_registry import COMPLETING, noise, small, task

PACKAGE = Path(__file__).parent.parent.parent / "inpaint_cli"
FILES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.relative_to(PACKAGE).parts[0] not in ("models", "masks")
]
OPTIONS = {"bound", "condition", "edges"}
"""Words of options that were once known outside; all names of details are looked for as well."""
EVERYWHERE = {"weights"}
"""Also the files of every model."""
OTHER_MEANINGS = {
    "archives.py": {"raw"},  # bytes
    "commands/options.py": {"bound"},  # of a type variable
    "data/": {"edges", "raw", "trace"},  # of a data set; as stored; an argument of __exit__
    "family.py": {"bound"},
    "pictures/": {
        "bound",
        "latents",
        "raw",
        "tokens",
        "trace",
        "weight",
    },  # bytes and words of files
    "metrics/": {"bound", "edges", "trace", "weight"},  # of likelihoods, cells, matrices, layers
    "page/": {"bound"},  # whether a likelihood is one
    "photos/blending.py": {"weight"},  # of pixels
    "photos/holes.py": {"edges"},  # of boxes
    "photos/parts.py": {"edges"},  # of boxes
    "posterior/": {"bound", "separation", "trace"},  # of likelihoods; of two sets; of matrices
    "randomness.py": {"raw"},  # bytes
    "streams.py": {"raw"},  # ends of streams
    "torch_compiler.py": {"bound"},  # of a type variable
    "texture/": {"edges", "weight"},  # of blocks; of votes, waves and guides
    "training/presets.py": {"raw"},
    "zoo/": {"bound"},
}
"""Beginning of a path -> words that mean something else there."""


def words() -> set[str]:
    """Return the names of all details, and the words of some options."""
    every = (detail for name in models.FAMILIES for detail in models.get(name).details)
    return ({detail.name for detail in every} | OPTIONS) - EVERYWHERE


def named_in(text: str) -> Iterator[str]:
    """Yield the identifiers of a file, and the words of its string literals but for docstrings."""
    tree = ast.parse(text)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield from code_words(node.value)
        for field in ("id", "attr", "arg", "name"):
            if isinstance(value := getattr(node, field, None), str):
                yield value


def code_words(literal: str) -> Iterator[str]:
    """Yield the words of a literal that is no sentence: a key, a name, an ending."""
    if " " not in literal.strip():
        joined = literal.replace("-", "_")
        yield from (word.strip("_") for word in re.findall(r"[a-z_]+", joined))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_outside_a_family_names_what_it_alone_tells(path: Path) -> None:
    place, text = path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")
    excused = [words for start, words in OTHER_MEANINGS.items() if place.startswith(start)]
    assert not words() & set(named_in(text)) - set().union(*excused)
    assert not re.search(r"""details(\.get\(|\[)["']""", text), "a detail that is named"


@pytest.mark.parametrize(
    "line", ['details["latents"]', 'x.get("by_primitive")', "trace = 1", 'f("-trace.gif")']
)
def test_a_foreign_word_would_be_seen(line: str) -> None:
    assert words() & set(named_in(line))


def test_what_families_declare_fits_together() -> None:
    for name in models.FAMILIES:
        declared = models.get(name).details
        names = [detail.name for detail in declared]
        assert len(names) == len(set(names))
        for detail in declared:
            assert bool(detail.drawn) == bool(detail.ending)
            assert not detail.captioned or (detail.recorded and detail.per == "completion")
            assert not detail.shares or detail.shares in names


def test_a_new_familys_picture_is_known_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from inpaint_cli.photos.record import files_of

    class Toy:
        details = (Detail("film", drawn="frames", ending="-film.gif"),)

    real = models.get
    monkeypatch.setitem(models.FAMILIES, "toy", "tests.toy")
    monkeypatch.setattr(models, "get", lambda name: Toy if name == "toy" else real(name))
    details._endings_of.cache_clear()
    assert details.drawn_endings()["film"] == "-film.gif"
    assert files_of({"completions": [], "film": "a-film.gif"}) == {"a-film.gif"}


@pytest.mark.parametrize("name", COMPLETING)
def test_a_model_tells_what_its_family_declares_and_no_more(name: str) -> None:
    model, declared = small(name), {detail.name: detail for detail in models.get(name).details}
    image, visible = task(model)
    n = 3 if model.stochastic else 1
    told = model.complete(image, visible, noise(n)).details
    assert told.keys() <= declared.keys()
    for key, value in told.items():
        assert declared[key].per != "completion" or len(value) == n
