"""The quick form of the harness; `make torture` runs the full one."""

from pathlib import Path

import pytest

from tests.robustness.fuzz import KINDS, Tally, content_of, try_one

INPUTS = 16
"""Of each format. The full form has about 770."""


@pytest.mark.parametrize("name", KINDS)
def test_the_files_that_are_changed_are_valid(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    for number, (file, data) in enumerate(kind.files()[:2]):
        out = tmp_path / str(number)
        out.mkdir()
        (tmp_path / file).write_bytes(data)
        kind.use(tmp_path / file, out)
        (tmp_path / file).unlink()


@pytest.mark.parametrize("name", KINDS)
def test_changed_files_are_used_or_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    tally = Tally()
    for number in range(INPUTS):
        try_one(KINDS[name], 0, number, tally)
    assert (tally.internal, tally.half, tally.large) == ([], [], [])
    assert tally.inputs == tally.done + tally.refused


def test_an_input_is_made_of_seed_kind_and_number_alone() -> None:
    kind = KINDS["zip"]
    assert content_of(kind, 3, 7) == content_of(kind, 3, 7)
    assert content_of(kind, 3, 7) != content_of(kind, 4, 7)
