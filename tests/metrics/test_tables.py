"""Tables: rounded as each metric wants, refusals and remarks included, in three forms."""

import csv
import io
from typing import Any

import pytest

from inpaint_cli.metrics import METRICS, parse
from inpaint_cli.metrics.protocol import bin_of
from inpaint_cli.metrics.tables import csv_of, markdown_of, text_of
from tests.metrics.score_kit import contestant, report, scoring, target


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return report(("fid", "is", "mae", "coverage"))


def test_refusals_stand_in_the_table_with_a_note(document: dict[str, Any]) -> None:
    lines = text_of([document]).splitlines()
    (refused,) = [line for line in lines if line.startswith("is ")]
    number = refused.split()[-1]
    assert "refused" in refused
    assert any(line.startswith(f"{number} ") and "classes" in line for line in lines)


def test_a_narrow_table_drops_errors_then_counts(document: dict[str, Any]) -> None:
    heads = [text_of([document], width).splitlines()[1].split() for width in (120, 60, 10)]
    assert heads[0][1:4] == ["value", "±", "n"]
    assert heads[1][1:3] == ["value", "n"]
    assert heads[2] == ["metric", "value", "notes"]


def test_csv_has_full_numbers_and_refusals(document: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_of([document]))))
    mae = next(row for row in rows if row["label"] == "mae")
    assert float(mae["value"]) == document["metrics"][1]["value"]
    assert next(row for row in rows if row["metric"] == "is")["refused"]


def test_markdown_rows_have_as_many_cells_as_the_head(document: dict[str, Any]) -> None:
    rows = [line for line in markdown_of([document]).splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1


def test_models_on_the_same_images_stand_side_by_side() -> None:
    two = [target(), target(who=contestant("other"))]
    both = scoring(("mae",)).run(two)
    lines = text_of(both).splitlines()
    assert lines[1].split() == ["metric", "pretend", "other", "notes"]
    assert "≠" not in "".join(lines)  # they are equal


def test_with_ranges_each_model_has_a_table_and_all_have_one_together() -> None:
    two = [target(), target(who=contestant("other"))]
    both = scoring(("mae",), by_visible=True).run(two)
    heads = [block.splitlines()[0].split(" · ")[0] for block in text_of(both).split("\n\n")]
    assert heads == ["pretend", "other", "pretend | other"]
    assert len(text_of(both[:1]).split("\n\n")) == 1


def test_names_are_read_in_any_order_and_all_means_all() -> None:
    assert parse("MAE, fid") == ("fid", "mae")
    assert parse("all") == tuple(METRICS)


@pytest.mark.parametrize(("share", "place"), [(0.0, 0), (0.2, 1), (0.7999, 3), (0.8, 4), (1.0, 4)])
def test_ranges_hold_their_first_end(share: float, place: int) -> None:
    assert bin_of(share) == place
