"""Tables: rounded as each metric wants, refusals and remarks included, in three forms."""

import csv
import io
from typing import Any

import pytest

from inpaint_cli.family import Completions
from inpaint_cli.metrics import METRICS, parse
from inpaint_cli.metrics.protocol import bin_of
from inpaint_cli.metrics.tables import csv_of, error_of, markdown_of, text_of, with_error
from tests.metrics.score_kit import SIDE, contestant, report, scoring, target
from tests.pretend_model import PretendModel

BIASED: dict[str, Any] = {"allow_biased": True}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return report(("fid", "is", "mae", "coverage"), allow_biased=True)


def test_refusals_stand_in_the_table_with_a_note(document: dict[str, Any]) -> None:
    lines = text_of([document]).splitlines()
    (refused,) = [line for line in lines if line.startswith("is ")]
    number = refused.split()[-1]
    assert "refused" in refused
    assert any(line.startswith(f"{number} ") and "classes" in line for line in lines)


def test_a_table_spells_the_settings_that_it_advises_as_flags() -> None:
    text = text_of([report(("fid",), target(count=12))])
    assert "allow biased figures (--allow-biased)" in text


def test_a_narrow_table_drops_errors_then_counts(document: dict[str, Any]) -> None:
    heads = [text_of([document], width).splitlines()[1].split() for width in (120, 60, 10)]
    assert heads[0][1:5] == ["value", "±", "bias", "n"]
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


def test_frechet_distances_show_their_bias_their_n_and_their_dimension(
    document: dict[str, Any],
) -> None:
    text = text_of([document])
    assert text.splitlines()[1].split()[1:5] == ["value", "±", "bias", "n"]
    assert "of 12 images in 64 dimensions" in text
    (row,) = [r for r in csv.DictReader(io.StringIO(csv_of([document]))) if r["metric"] == "fid"]
    assert (row["d"], row["se_method"], row["n"]) == ("64", "jackknife-12", "12")
    assert float(row["bias"]) == document["metrics"][0]["bias"]


def test_figures_that_depend_on_n_stand_beside_those_of_the_same_n_alone() -> None:
    ranged = report(("fid", "mae"), target(count=10), by_visible=True, allow_biased=True)
    lines = text_of([ranged]).splitlines()
    whole, apart = (line for line in lines if line.startswith("fid"))
    assert whole.split()[-6:-1] == ["-"] * 5
    assert lines[lines.index(apart) - 1].split()[:3] == ["by", "range", "n"]
    assert apart.split()[2] == "2"
    ranged["metrics"][0]["groups"]["0-20"]["n_images"] += 1
    assert "by range" not in text_of([ranged])
    assert "unequal numbers of images" in text_of([ranged])


def test_no_error_of_nought_is_shown() -> None:
    assert error_of("p-ids", 0.0) == error_of("p-ids", None) == ""
    assert error_of("p-ids", 1e-5) == "0.001"
    assert with_error("psnr", {"value": 3.0, "se": 0.0, "bias": None}) == "3.00"
    same = report(("lpips-diversity",), target(who=contestant(model=Alike(SIDE))))
    assert same["metrics"][0]["value"] == 0.0
    assert "± 0" not in markdown_of([same])


class Alike(PretendModel):
    """Completes every hole with one grey."""

    def complete(self, image: Any, visible: Any, noise: Any, **_: Any) -> Completions:
        return Completions(image.where(visible, 90).expand(len(noise), -1, -1, -1))


def test_marks_are_corrected_for_all_comparisons_of_the_table() -> None:
    two = [target(count=20), target(count=20, who=contestant("grey", Alike(SIDE)))]
    both = scoring(("mae", "psnr")).run(two)
    paired = [entry["params"]["paired"] for entry in both[1]["metrics"]]
    assert {one["comparisons"] for one in paired} == {len(paired)}
    assert all(one["p"] <= one["p_holm"] <= 1 for one in paired)
    least = min(one["p"] for one in paired)
    assert min(one["p_holm"] for one in paired) == pytest.approx(min(1.0, least * len(paired)))
    for one in paired:
        one["p_holm"] = 0.2  # each alone differs, all together do not
    assert "≠" not in text_of(both)
    paired[0]["p_holm"] = 0.04
    text = text_of(both)
    assert "≠ differs from pretend" in text
    assert f"Holm's correction over the {len(paired)} comparisons" in markdown_of(both)


def test_csv_has_the_differences_from_the_first_model() -> None:
    two = scoring(("mae", "fid"), **BIASED).run(
        [target(), target(who=contestant("grey", Alike(SIDE)))]
    )
    rows = list(csv.DictReader(io.StringIO(csv_of(two))))
    entry = next(one for one in two[1]["metrics"] if one["name"] == "mae")
    paired = entry["params"]["paired"]
    (row,) = (r for r in rows if r["model"] == "grey" and r["label"] == "mae")
    assert row["against"] == "pretend"
    for column, value in {
        "difference": paired["difference"],
        "difference_se": paired["se"],
        "difference_low": paired["ci95"][0],
        "difference_high": paired["ci95"][1],
        "difference_n": paired["n_images"],
        "p": paired["p"],
        "p_holm": paired["p_holm"],
    }.items():
        assert float(row[column]) == value
    assert {r["against"] for r in rows if r["model"] == "pretend" or r["metric"] == "fid"} == {""}


def test_the_deviation_of_the_images_is_shown_on_request() -> None:
    two = scoring(("mae", "fid"), **BIASED).run(
        [target(), target(who=contestant("grey", Alike(SIDE)))]
    )
    for text in (text_of(two[:1]), markdown_of(two)):
        assert "sd" not in text
    head = text_of(two[:1], sd=True).splitlines()[1]
    assert head.split()[1:5] == ["value", "±", "sd", "bias"]
    entry = next(one for one in two[0]["metrics"] if one["name"] == "mae")
    (row,) = [line for line in text_of(two[:1], sd=True).splitlines() if line.startswith("mae  ")]
    assert f"{entry['sd']:.4f}" in row
    assert f"(sd {entry['sd']:.4f})" in markdown_of(two, sd=True)
    rows = list(csv.DictReader(io.StringIO(csv_of(two))))
    assert [row["sd"] for row in rows if row["label"] == "fid@pixels8"] == ["", ""]
    assert float(next(row["sd"] for row in rows if row["label"] == "mae")) == entry["sd"]


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
