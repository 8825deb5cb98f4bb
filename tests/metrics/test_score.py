"""A whole score: the same whatever stops it, whoever shares it, in whatever batches it is made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import inpaint_cli
from inpaint_cli.errors import UserError
from inpaint_cli.metrics import measuring
from inpaint_cli.metrics.targets import ModelTarget
from inpaint_cli.photos.memory import Batches
from inpaint_cli.reporting import Reporter
from tests.metrics.score_kit import (
    SIDE,
    check_schema,
    contestant,
    report,
    scoring,
    steady,
    target,
)
from tests.pretend_model import PretendModel

BIASED: dict[str, Any] = {"allow_biased": True}
SOME = ("fid", "kid", "psnr", "mae", "crps", "energy", "coverage", "rank-histogram")


def values(document: dict[str, Any]) -> dict[str, Any]:
    return {entry["params"]["label"]: entry["value"] for entry in document["metrics"]}


def test_a_report_fits_the_schema_and_holds_no_nan() -> None:
    document = report(
        (*SOME, "ssim", "nll", "bits-per-dim", "div-fid", "is"), by_visible=True, **BIASED
    )
    check_schema(document)
    assert "NaN" not in json.dumps(document, allow_nan=False)
    assert [refusal["name"] for refusal in document["refused"]] == ["is"]


def test_every_range_has_the_fields_of_the_whole() -> None:
    names = ("fid", "kid", "p-ids", "psnr", "crps", "coverage", "rank-histogram")
    document = report(names, target(count=40), by_visible=True, allow_biased=True)
    check_schema(document)
    for entry in document["metrics"]:
        for group in entry["groups"].values():
            of_line = {"name", "variant", "feature_id", "unit", "better", "target", "groups"}
            assert group.keys() - {"refused"} == entry.keys() - of_line - {"n_infinite", "arrays"}
            if entry["name"] in ("psnr", "crps"):
                assert group["se_method"] == "image se"
                assert group["ci95"][0] < group["value"] < group["ci95"][1]
            if entry["name"] == "fid" and group["value"] is not None:
                assert any("n <= d (8 images, 64 features)" in text for text in group["warnings"])


def test_means_over_images_have_their_deviation_and_others_none() -> None:
    names = ("fid", "kid", "psnr", "crps", "coverage", "nll", "bits-per-dim", "rank-histogram")
    document = report(names, target(count=20), allow_biased=True)
    without = {"fid", "kid", "bits-per-dim", "rank-histogram"}
    for entry in document["metrics"]:
        assert (entry["sd"] is None) == (entry["name"] in without), entry["params"]["label"]
        if entry["sd"]:
            assert entry["sd"] >= entry["se"] > 0
        elif entry["name"] not in without:  # all images share the figure: it has no error to tell
            assert (entry["se"], entry["se_method"], entry["ci95"]) == (None, None, None)


def test_masks_of_a_mixture_give_errors_within_its_ranges() -> None:
    mixed, plain = (report(("mae",), target(40, masks=m)) for m in ("freeform@mixture", "freeform"))
    methods = [one["metrics"][0]["se_method"] for one in (mixed, plain)]
    assert methods == ["image se within ranges", "image se"]
    assert "within ranges" in mixed["metrics"][0]["params"]["ci95"]


def test_ranges_that_weigh_unequally_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 7 images two have 80-100 % and 60-80 % visible, and one each of the others."""
    for count, weights in ((7, [1 / 7, 1 / 7, 1 / 7, 2 / 7, 2 / 7]), (10, [0.2] * 5)):
        (report,) = inpaint_cli.score(
            "telea", data="samples", limit=count, metrics="mae", size=16, reporter=Reporter()
        )
        assert report["protocol"]["masks"]["bin_weights"] == weights
        assert ("have 1, 1, 1, 2, 2, so they" in capsys.readouterr().err) == (count == 7)


def test_images_without_a_hole_are_told_of_where_they_count() -> None:
    document = report(("kid", "mae", "crps"), target(masks="holes"))
    for entry in document["metrics"]:
        kept = [text for text in entry["warnings"] if "without a hole count too" in text]
        left = [text for text in entry["warnings"] if "without hidden values" in text]
        whole = entry["params"]["label"].split("@")[0].split()[0] in ("kid", "mae")
        assert (bool(kept), bool(left)) == (whole, not whole), entry["params"]["label"]


def test_few_images_have_no_frechet_distance_unless_asked_for() -> None:
    document = report(("fid", "div-fid", "fid-inf"), target(count=12))
    assert document["metrics"] == []
    assert all("12 images for 64 features" in one["reason"] for one in document["refused"])
    asked = report(("fid", "div-fid", "fid-inf"), target(count=12), allow_biased=True)
    labels = [entry["params"]["label"] for entry in asked["metrics"]]
    assert labels == ["fid@pixels8", "div-fid@pixels8", "fid-all@pixels8", "fid-inf@pixels8"]
    assert any("n <= d" in text for text in asked["metrics"][0]["warnings"])


def test_the_form_of_kid_is_named_and_its_numbers_belong_to_subsets() -> None:
    document = report(("kid",), kid_form="subsets", kid_subsets=3, kid_size=5)
    (entry,) = document["metrics"]
    assert (entry["params"]["label"], entry["se"]) == ("kid-subsets@pixels8", None)
    assert (entry["params"]["subsets"], entry["params"]["subset_size"]) == (3, 5)
    with pytest.raises(UserError, match="subsets"):
        report(("kid",), kid_subsets=3)
    with pytest.raises(UserError, match="at least 2"):
        report(("kid",), kid_form="subsets", kid_size=1)


def test_a_second_run_gives_the_same_bytes_but_for_the_times() -> None:
    assert steady(report(SOME)) == steady(report(SOME))


def test_a_killed_run_goes_on_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "MOST", 4)
    whole, completed = report(SOME), list[int]()
    case = ModelTarget.case

    def stopping(self: ModelTarget, index: int) -> Any:
        if len(completed) == 6:
            raise KeyboardInterrupt
        completed.append(index)
        return case(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(ModelTarget, "case", stopping)
        with pytest.raises(KeyboardInterrupt):
            report(SOME, work=tmp_path)
    completed.clear()

    def counting(self: ModelTarget, index: int) -> Any:
        completed.append(index)
        return case(self, index)

    monkeypatch.setattr(ModelTarget, "case", counting)
    assert steady(report(SOME, work=tmp_path)) == steady(whole)
    assert completed == list(range(4, 12))


def test_shards_of_an_earlier_version_are_left_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 8 had no columns that tell how many of the best are copies: its figures were lost."""
    figures = measuring.Meter.figures

    def as_before(self: measuring.Meter, case: Any) -> Any:
        row = figures(self, case)
        return {name: row[name] for name in row if not name.endswith("best-infinite")}

    with monkeypatch.context() as patch:
        patch.setattr(measuring, "VERSION", 8)
        patch.setattr(measuring.Meter, "figures", as_before)
        report(("psnr",), work=tmp_path)
    assert steady(report(("psnr",), work=tmp_path)) == steady(report(("psnr",)))


def test_shards_of_any_size_and_order_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = values(report(SOME))
    monkeypatch.setattr(measuring, "MOST", 5)
    monkeypatch.setattr(measuring.WorkFolder, "todo", lambda self, *_: [2, 0, 1])
    for label, value in values(report(SOME)).items():
        assert value == pytest.approx(whole[label], rel=1e-9), label


def test_batches_of_completions_of_any_size_give_the_same() -> None:
    small = target()
    small.batches = Batches(1)
    assert steady(report(SOME, small)) == steady(report(SOME))


def test_running_out_of_memory_halves_the_batches() -> None:
    model = PretendModel(SIDE)
    model.largest_batch = 2
    assert steady(report(SOME, target(k=8, who=contestant(model=model)))) == steady(
        report(SOME, target(k=8))
    )
    assert max(model.batches) == 2


def test_nothing_is_left_in_the_caches_unless_a_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "home"))
    report(("mae",))
    report(("mae",), work=tmp_path / "mine")
    assert list((tmp_path / "home").rglob("*.safetensors")) == []
    assert len(list((tmp_path / "mine").rglob("shard-*.safetensors"))) == 1


def test_coverage_is_a_mean_over_images_like_the_others() -> None:
    one, two = scoring(("coverage",)).run([target(k=4), target(k=4, who=contestant("other"))])
    (entry,), (other,) = one["metrics"], two["metrics"]
    low, high = entry["ci95"]
    assert low < entry["value"] < high
    assert other["params"]["paired"]["against"] == "pretend"


def test_two_runs_of_one_command_at_once_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first to end takes neither the other's shards away nor the files of its features."""
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path))
    monkeypatch.setattr(measuring, "MOST", 4)
    names = (*SOME, "kid")
    whole, case, others = report(names), ModelTarget.case, list[Any]()

    def meanwhile(self: ModelTarget, index: int) -> Any:
        if index == 6 and not others:
            others.append(None)
            others[0] = report(names)
            assert len(list(tmp_path.rglob("shard-*.safetensors"))) > 0
        return case(self, index)

    monkeypatch.setattr(ModelTarget, "case", meanwhile)
    assert steady(report(names)) == steady(whole) == steady(others[0])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class Perfect(PretendModel):
    """Knows what is hidden, which no honest model does."""

    truths: dict[bytes, torch.Tensor]

    def complete(self, image: Any, visible: Any, noise: Any, **_: Any) -> Any:
        from inpaint_cli.family import Completions

        return Completions(image.expand(len(noise), -1, -1, -1))


def test_a_model_that_returns_the_original_is_perfect() -> None:
    figures = values(
        report(
            ("fid", "psnr", "ssim", "mae", "crps", "div-fid"),
            target(who=contestant(model=Perfect(SIDE))),
            **BIASED,
        )
    )
    assert figures["fid@pixels8"] == 0
    assert figures["psnr"] == "inf"
    assert (figures["ssim"], figures["mae"], figures["crps"]) == (1.0, 0.0, 0.0)
    assert figures["div-fid@pixels8"] == 0


def test_two_models_are_compared_image_by_image_under_the_same_masks() -> None:
    two = [target(), target(who=contestant("perfect", Perfect(SIDE)))]
    first, second = scoring(("mae", "fid"), **BIASED).run(two)
    assert first["protocol"]["masks"]["sha256"] == second["protocol"]["masks"]["sha256"]
    entry = next(e for e in second["metrics"] if e["name"] == "mae")
    paired = entry["params"]["paired"]
    assert paired["against"] == "pretend"
    assert paired["difference"] == pytest.approx(-values(first)["mae"])
    assert "paired" not in next(e for e in second["metrics"] if e["name"] == "fid")["params"]
    check_schema(second)


def test_models_under_other_masks_are_not_compared() -> None:
    two = [target(), target(who=contestant("other"), masks="box-50")]
    _, second = scoring(("mae",)).run(two)
    assert "paired" not in second["metrics"][0]["params"]


def test_the_mask_hash_is_that_of_the_same_set_drawn_by_the_masks_command() -> None:
    from inpaint_cli.masks.sets import draw_set

    drawn = draw_set("freeform@mixture", SIDE, SIDE, 12)
    assert report(("mae",))["protocol"]["masks"]["sha256"] == drawn.sha256


def test_ranges_hold_equally_many_images() -> None:
    document = report(("mae",), target(count=10), by_visible=True)
    groups = document["metrics"][0]["groups"]
    assert list(groups) == ["0-20", "20-40", "40-60", "60-80", "80-100"]
    assert {group["n_images"] for group in groups.values()} == {2}
    mean = np.mean([group["value"] for group in groups.values()])
    assert document["metrics"][0]["value"] == pytest.approx(mean)


def test_a_refused_metric_stops_no_other() -> None:
    document = report(("mae", "lpips-diversity"), target(k=1))
    assert [entry["name"] for entry in document["metrics"]] == ["mae"] * 2
    (refusal,) = document["refused"]
    assert refusal["name"] == "lpips-diversity"
    assert "2 completions" in refusal["reason"]


def test_where_every_metric_is_refused_the_reasons_are_theirs() -> None:
    document = report(("is", "class-accuracy"))
    assert document["metrics"] == []
    assert "failed" not in document
    assert [refusal["name"] for refusal in document["refused"]] == ["is", "class-accuracy"]
    assert not any("other images" in refusal["reason"] for refusal in document["refused"])


def test_strict_makes_a_refusal_an_error_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring.Meter, "shard", None)
    with pytest.raises(UserError, match="coverage"):
        report(("mae", "coverage"), target(k=1), strict=True)


def test_check_says_what_could_be_computed() -> None:
    answers = scoring(("mae", "coverage")).check([target(k=1)])
    assert answers[0] == ("pretend", "mae", "ok")
    assert answers[1][2] != "ok"
