"""Several kinds of masks: each by itself as alone, in one table, and FID-agg of all together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inpaint_cli.errors import UserError
from inpaint_cli.metrics.blocks import called, heads_of
from inpaint_cli.metrics.frechet import fid_all, frechet_distance
from inpaint_cli.metrics.moments import Moments
from inpaint_cli.metrics.options import order_of
from inpaint_cli.metrics.tables import csv_of, markdown_of, text_of
from inpaint_cli.metrics.targets import ModelTarget
from tests.metrics import thumbnails
from tests.metrics.score_kit import check_schema, contestant, scoring, steady, target

KINDS = ("centre", "patches:n=2", "freeform@mixture")
NAMES = ("fid", "mae", "fid-agg")
Documents = list[dict[str, Any]]


def targets(count: int = 10, name: str = "pretend", kinds: tuple[str, ...] = KINDS) -> Any:
    who = contestant(name)
    return [target(count=count, who=who, masks=kind) for kind in kinds]


@pytest.fixture(scope="module")
def documents() -> Documents:
    return scoring(NAMES, allow_biased=True).run(targets())


def features(side: list[torch.Tensor]) -> Moments:
    return Moments.of(thumbnails.thumbnails(torch.stack(side)).numpy())


def test_under_each_kind_a_report_is_what_it_is_alone(documents: Documents) -> None:
    assert len(documents) == len(KINDS) + 1
    for kind, document in zip(KINDS, documents, strict=False):
        check_schema(document)
        (alone,) = scoring(("fid", "mae"), allow_biased=True).run([target(count=10, masks=kind)])
        assert steady(document) == steady(alone)


def test_fid_agg_is_the_distance_of_the_originals_and_the_union(documents: Documents) -> None:
    together = documents[-1]
    check_schema(together)
    (entry,) = together["metrics"]
    every = [one.case(index) for one in targets() for index in range(10)]
    real = features([case.truth for case in every[:10]])
    fake = features([case.completions[0] for case in every])
    # Fewer images than features: rounding counts.
    assert entry["value"] == pytest.approx(frechet_distance(real, fake), rel=1e-6)
    assert entry["params"]["label"] == "fid-agg@pixels8"
    counts = [entry[name] for name in ("k", "n_images", "n_real", "n_fake")]
    assert counts == [3, 10, 10, 30]
    assert (entry["se_method"], entry["se"] > 0) == ("jackknife-10", True)
    assert any("differ in size (10 real, 30 completed)" in text for text in entry["warnings"])
    masks = together["protocol"]["masks"]
    assert masks["distribution"] == ", ".join(masks["params"]["kinds"]) == ", ".join(KINDS)
    assert masks["sha256"] not in [one["protocol"]["masks"]["sha256"] for one in documents[:-1]]


def test_the_order_of_the_kinds_does_not_move_the_union(documents: Documents) -> None:
    turned = scoring(("fid-agg",), allow_biased=True).run(targets(kinds=KINDS[::-1]))
    assert len(turned) == 1  # nothing was asked of each kind
    values = [one["metrics"][0]["value"] for one in (turned[0], documents[-1])]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_one_kind_of_masks_refuses_what_is_of_several() -> None:
    (document,) = scoring(("mae", "fid-agg")).run([target(count=4)])
    (refusal,) = document["refused"]
    assert refusal["reason"] == "needs several kinds of masks, such as patches:n=0-5"
    answers = scoring(("fid-agg",)).check(targets(4))
    assert {why for _, _, why in answers} == {"ok"}


def test_too_few_images_refuse_the_union_as_they_do_each_kind() -> None:
    *_, together = scoring(("mae", "fid-agg")).run(targets(6))
    assert together["metrics"] == []
    assert "6 images for 64 features" in together["refused"][0]["reason"]


def test_the_kinds_of_one_model_stand_side_by_side(documents: Documents) -> None:
    title, head, *rows = text_of(documents).splitlines()
    assert "pretend · toys test" in title
    assert "masks by column" in title
    assert head.split() == ["metric", *KINDS, "together", "notes"]
    agg = next(row for row in rows if row.startswith("fid-agg@pixels8"))
    assert agg.split()[2:5] == ["-", "-", "-"]
    assert heads_of(documents)[-1] == "together"
    assert "| metric |  | centre |" in markdown_of(documents)
    assert csv_of(documents).splitlines()[1].startswith("pretend,centre,fid,")
    assert called(documents)[0] == "pretend centre"


def test_several_models_have_a_table_for_each_kind_and_are_compared_in_it() -> None:
    two = ("centre", "box-50")
    ours, theirs = targets(8, kinds=two), targets(8, "other", two)
    documents = scoring(("mae",)).run([ours[0], theirs[0], ours[1], theirs[1]])
    blocks = text_of(documents).split("\n\n")
    assert [block.splitlines()[0].split("masks ")[1][:6] for block in blocks] == [
        "centre",
        "box-50",
    ]
    paired = [one["metrics"][0]["params"].get("paired", {}).get("against") for one in documents]
    assert paired == [None, "pretend", None, "pretend"]


def test_with_ranges_each_kind_has_a_table_of_its_own_too() -> None:
    documents = scoring(("mae",), by_visible=True).run(targets(10, kinds=("freeform", "strokes")))
    titles = [block.splitlines()[0] for block in text_of(documents).split("\n\n")]
    assert len(titles) == 3
    assert "masks by column" in titles[-1]


def test_a_span_of_numbers_is_spelled_out_and_each_kind_is_taken_once() -> None:
    order = order_of(["telea"], {"masks": ("centre", "patches:n=0-2", "centre")})
    assert order.kinds == ("centre", "patches:n=0", "patches:n=1", "patches:n=2")
    assert order_of(["telea"], {"masks": "random"}).kinds == ("random",)
    assert order_of(["telea"], {"masks": "centre, random"}).kinds == ("centre", "random")
    assert order_of(["telea"], {}).kinds == ("freeform@mixture",)


def test_a_set_of_masks_may_have_a_comma_in_its_name(tmp_path: Path) -> None:
    place = tmp_path / "a,b"
    place.mkdir()
    assert order_of(["telea"], {"masks": str(place)}).kinds == (str(place),)


def test_a_folder_has_one_folder_of_masks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one folder of masks"):
        order_of([], {"folders": (tmp_path,), "masks": ("a", "b")})


def test_features_of_every_kind_are_those_of_the_same_originals() -> None:
    one, other = (target(count=4, masks=kind) for kind in KINDS[:2])
    assert isinstance(one, ModelTarget)
    for index in range(4):
        np.testing.assert_array_equal(one.case(index).truth, other.case(index).truth)


@pytest.mark.parametrize(
    ("kinds", "ranged"),
    [(("freeform@mixture", "pixels@mixture"), True), (("freeform@mixture", "centre"), False)],
)
def test_the_error_of_the_union_of_mixtures_is_that_within_ranges(
    kinds: tuple[str, ...], ranged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the ranges it was twice too large."""
    told = list[Any]()

    def watched(*sides: Any, **how: Any) -> Any:
        told.append(how["strata"])
        return fid_all(*sides, **how)

    monkeypatch.setattr("inpaint_cli.metrics.frechet_scores.fid_all", watched)
    scoring(("fid-agg",), allow_biased=True).run(targets(count=10, kinds=kinds))
    (strata,) = told
    assert (strata is not None) == ranged
    if ranged:
        assert sorted(np.bincount(strata)) == [2] * 5
