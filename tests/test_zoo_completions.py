"""Nothing in the zoo is older than the code that reads it: what ships still gives what it gave."""

from collections.abc import Mapping
from typing import Any

import pytest

from inpaint_cli import zoo
from inpaint_cli.randomness import Noise
from tests import record_zoo_completions as recording

ENTRIES = zoo.entries()
NAMES = [entry.name for entry in ENTRIES]
QUICK = next(entry for entry in ENTRIES if entry.name == "pcnn-digits")
"""The model that tests of the comparison itself use."""


def changed(**values: Any) -> Mapping[str, Any]:
    """Return the record of the quick model with some values changed."""
    return {QUICK.name: {**recording.records()[QUICK.name], **values}}


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_what_ships_gives_what_was_recorded_of_it(entry: zoo.Entry) -> None:
    assert recording.faults(entry, recording.records()) == []


def test_nothing_is_recorded_of_models_that_do_not_ship() -> None:
    assert sorted(recording.records()) == sorted(NAMES)


def test_a_model_without_a_record_is_answered_with_the_command_that_makes_one() -> None:
    (fault,) = recording.faults(QUICK, {})
    assert "'python -m tests.record_zoo_completions pcnn-digits'" in fault


def test_a_record_of_other_weights_is_noticed() -> None:
    (fault,) = recording.faults(QUICK, changed(weights="0" * 64))
    assert "other weights" in fault
    assert recording.COMMAND in fault


def test_other_bits_are_a_fault_where_it_was_recorded_and_none_elsewhere() -> None:
    (fault,) = recording.faults(QUICK, changed(sha256="0" * 64, **recording.environment()))
    assert "other bits" in fault
    assert recording.faults(QUICK, changed(sha256="0" * 64, torch="another")) == []


def test_another_picture_is_a_fault_everywhere() -> None:
    coarse = recording.outcome(QUICK.name).coarse
    beyond = [*coarse[:-1], coarse[-1] - recording.BLOCK_TOLERANCE - 1]
    (fault,) = recording.faults(QUICK, changed(coarse=beyond, torch="another"))
    assert "another thumbnail" in fault
    within = [*coarse[:-1], coarse[-1] - recording.BLOCK_TOLERANCE]
    assert recording.faults(QUICK, changed(coarse=within, torch="another")) == []


def test_completions_of_another_seed_have_another_thumbnail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = Noise.of_completions
    monkeypatch.setattr(
        Noise, "of_completions", lambda seed, key, which: drawn(seed + 1, key, which)
    )
    other = recording.completed(QUICK).coarse
    recorded = recording.records()[QUICK.name]["coarse"]
    assert not recording.near(other, recorded, recording.BLOCK_TOLERANCE)


def test_changed_visible_pixels_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = recording.outcome(QUICK.name)
    touched = recording.Outcome(recorded.sha256, recorded.coarse, untouched=False)
    monkeypatch.setattr(recording, "outcome", lambda name: touched)
    (fault,) = recording.faults(QUICK, changed(torch="another"))
    assert "visible pixels changed" in fault
