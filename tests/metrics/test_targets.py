"""What is completed: the same images and masks for every model, at a common size and levels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inpaint_cli import models
from inpaint_cli.errors import UserError
from inpaint_cli.masks import draw
from inpaint_cli.masks.sets import MaskSet, draw_set, write_set
from inpaint_cli.metrics.options import CompletionOptions
from inpaint_cli.metrics.protocol import (
    MaskChoice,
    ModelSize,
    Setting,
    choose_masks,
    settings_of,
    unequal_warning,
)
from inpaint_cli.metrics.score import check_temperature, prepared
from inpaint_cli.metrics.targets import scored, subset
from inpaint_cli.photos.request import CompletionRequest
from tests.metrics.score_kit import SIDE, contestant, pictures, target
from tests.pretend_model import PretendModel

PLAIN, GREY, TELEA = (
    ModelSize("a", 32, 3, 256),
    ModelSize("m", 28, 1, 2),
    ModelSize("telea", 0, 3, 256),
)


def test_a_method_of_any_size_takes_that_of_the_model_beside_it() -> None:
    one, two = settings_of([TELEA, ModelSize("p", 32, 3, 32)], None)
    assert one == two == Setting(32, 32, 3, 32)
    assert settings_of([TELEA, GREY], None)[0] == Setting(28, 28, 1, 2)
    assert settings_of([TELEA], None)[0].height == 64


def test_unequal_models_keep_their_size_and_are_warned_of() -> None:
    both = settings_of([PLAIN, GREY], None)
    assert [setting.height for setting in both] == [32, 28]
    warning = unequal_warning([PLAIN, GREY], both)
    assert warning is not None
    assert "32x32 RGB" in warning
    assert unequal_warning([PLAIN, TELEA], settings_of([PLAIN, TELEA], None)) is None


def test_a_common_size_means_windows_where_a_model_has_another() -> None:
    assert settings_of([PLAIN], 32)[0].windows is False
    assert settings_of([PLAIN, TELEA], 64) == [Setting(64, 64, 3, 256, windows=True)] * 2


def test_visible_pixels_are_the_originals() -> None:
    case = target(k=4).case(3)
    assert case.visible is not None
    assert (case.completions[:, :, case.visible] == case.truth[:, case.visible]).all()
    assert len({completion.numpy().tobytes() for completion in case.completions}) == 4


def test_the_first_completions_are_the_same_whatever_k_is() -> None:
    assert target(k=2).case(5).completions.equal(target(k=4).case(5).completions[:2])


@pytest.mark.parametrize(
    ("masks", "same"), [("nothing", 0), ("patches:n=0", 0), ("centre", 9), ("freeform", 9)]
)
def test_images_that_look_the_same_have_completions_of_their_own(masks: str, same: int) -> None:
    """Nothing is visible of them, or one colour round one hole: digits in the middle of black."""
    setting, black = Setting(SIDE, SIDE, 3), pictures(count=6)
    if same:
        black = replace(black, images=np.full_like(black.images, same))
    options = CompletionOptions(masks=masks, k=2)
    one, again = (
        prepared([contestant()], [setting], {setting: black}, options)[0] for _ in range(2)
    )
    drawn = [one.case(index).completions for index in range(6)]
    assert len({completions.numpy().tobytes() for completions in drawn}) == 6
    assert all(again.case(index).completions.equal(drawn[index]) for index in reversed(range(6)))


def test_levels_are_those_of_both_sides() -> None:
    coarse = Setting(SIDE, SIDE, 3, 4)
    who = contestant()
    (coarsened,) = prepared([who], [coarse], {coarse: pictures()}, CompletionOptions(k=2))
    case = coarsened.case(0)
    allowed = {0, 85, 170, 255}
    assert set(case.truth.flatten().tolist()) <= allowed
    assert set(case.completions.flatten().tolist()) <= allowed


def test_scored_levels_are_a_fixed_point() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    for levels in (2, 5, 32, 256):
        assert scored(scored(values, levels), levels).equal(scored(values, levels))


def test_a_limit_takes_some_of_a_larger_one() -> None:
    images = pictures(40)
    few, more = subset(images, 5), subset(images, 20)
    assert set(few) < set(more)
    assert more == sorted(more)
    assert subset(images, None) == subset(images, 99) == list(range(40))


def test_ranges_turn_a_kind_without_one_into_the_mixture() -> None:
    setting = Setting(SIDE, SIDE, 3)
    assert choose_masks("pixels", setting, 4, 0, by_visible=True).kind == "pixels@mixture"
    assert choose_masks("pixels@20-40", setting, 4, 0, by_visible=True).kind == "pixels@20-40"
    assert choose_masks("box-50", setting, 4, 0, by_visible=True).kind == "box-50"


def test_a_kind_that_lacks_a_range_is_refused_by_what_was_asked_for() -> None:
    with pytest.raises(UserError, match=r"patches gives none with 80-100 % visible at 16x16"):
        choose_masks("patches", Setting(SIDE, SIDE, 3), 4, 0, by_visible=True)
    with pytest.raises(UserError, match="A mixture needs all five ranges"):
        draw("patches@mixture", SIDE, SIDE)


@pytest.mark.parametrize("kind", ["everything", "hide-left:0.001", "holes:n=0"])
def test_masks_without_any_hole_are_refused(kind: str) -> None:
    with pytest.raises(UserError, match="leaves all of 16x16 pixels visible"):
        target(masks=kind)


def test_a_stored_set_of_masks_is_taken_and_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    drawn = draw_set("blobs", SIDE, SIDE, 4)
    write_set(drawn, path)
    chosen = choose_masks(str(path), Setting(SIDE, SIDE, 3), 4, 0, by_visible=False)
    np.testing.assert_array_equal(chosen[2], drawn[2])
    with pytest.raises(UserError, match="4 masks for 5 images"):
        choose_masks(str(path), Setting(SIDE, SIDE, 3), 5, 0, by_visible=False)
    with pytest.raises(UserError, match="height x width"):
        choose_masks(str(path), Setting(8, 8, 3), 4, 0, by_visible=False)


def test_other_masks_under_the_same_name_are_measured_anew() -> None:
    drawn = draw_set("blobs", SIDE, SIDE, 4)
    edited = MaskSet(drawn.kind, SIDE, SIDE, drawn.seed, 255 - drawn.packed)
    prints = []
    for masks in (drawn, edited):
        changed = target()
        changed.masks = MaskChoice(masks.kind, SIDE, SIDE, masks.seed, masks)
        prints.append(changed.fingerprint())
    assert prints[0] != prints[1]


def test_a_deterministic_model_is_drawn_once_and_stands_for_k_equal_completions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = models.get("telea")
    model = family.build(family.presets["default"])
    drawn: list[int] = []
    complete = type(model).complete

    def counted(self: Any, image: Any, visible: Any, noise: Any, **options: Any) -> Any:
        drawn.append(len(noise))
        return complete(self, image, visible, noise, **options)

    monkeypatch.setattr(type(model), "complete", counted)
    drawn_once = target(k=7, who=contestant("telea", model))
    assert drawn_once.k == 7
    completions = drawn_once.case(0).completions
    assert drawn == [1]
    assert completions.shape[0] == 7
    assert (completions == completions[:1]).all()
    assert not drawn_once.has_likelihood


def test_at_temperature_zero_a_model_is_drawn_once_and_asked_at_zero() -> None:
    model = PretendModel(SIDE)
    asked: list[Any] = []
    complete = model.complete

    def noting(*arguments: Any, temperature: float | None = None, **options: Any) -> Any:
        asked.append(temperature)
        return complete(*arguments, **options)

    model.complete = noting  # type: ignore[method-assign]
    drawn_once = target(k=5, who=contestant(model=model))
    drawn_once.temperature = 0.0
    completions = drawn_once.case(0).completions
    assert (asked, model.batches) == ([0.0], [1])
    assert completions.shape[0] == 5
    assert (completions == completions[:1]).all()
    assert drawn_once.facts().model["sampler"]["temperature"] == 0.0


@pytest.mark.parametrize("temperature", [-1.0, float("inf"), float("nan")])
def test_a_temperature_below_zero_or_beyond_all_numbers_is_refused(temperature: float) -> None:
    with pytest.raises(UserError, match=r"temperature: must be at (least 0|most 1000000)"):
        CompletionOptions(temperature=temperature)
    with pytest.raises(UserError, match=r"temperature: must be at (least 0|most 1000000)"):
        CompletionRequest(temperature=temperature)


def test_options_of_a_family_reach_its_model_and_the_report() -> None:
    model, asked = PretendModel(SIDE), list[Any]()
    complete = model.complete

    def noting(*arguments: Any, **options: Any) -> Any:
        asked.append(options)
        return complete(*arguments, **options)

    model.complete = noting  # type: ignore[method-assign]
    one = target(k=2, who=contestant(model=model))
    usual = one.fingerprint()
    one.options = {"steps": 2}
    one.case(0)
    assert asked == [{"temperature": None, "steps": 2}]
    assert one.facts().model["sampler"] == {"temperature": 1.0, "at": "its own size", "steps": 2}
    assert one.fingerprint() != usual


def test_a_model_without_a_temperature_is_drawn_without_one_beside_others() -> None:
    family = models.get("patches")
    who = contestant("patches", family.build(family.presets["default"]))
    check_temperature(0.5, [contestant(), who])
    with pytest.raises(UserError, match="no model here has one"):
        check_temperature(0.5, [who])
    one = target(count=1, k=2, who=who, masks="centre")
    usual = one.case(0).completions
    for temperature in (0.0, 0.5):  # at 0 as well two are drawn, since none is the likeliest
        one.temperature = temperature
        assert one.case(0).completions.equal(usual)
    assert one.facts().model["sampler"]["temperature"] is None
