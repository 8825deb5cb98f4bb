"""Calibrated intervals of a completed photo, as arrays, as files and on the sheet."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from inpaint_cli import api, models
from inpaint_cli.cli import main
from inpaint_cli.declarations import not_as_scored
from inpaint_cli.errors import UserError
from inpaint_cli.photos import calibration as files
from inpaint_cli.photos.calibration import Calibration, RangeFactor
from tests.pretend_model import loaded

CALIBRATION = Calibration(
    *("pretend", "0" * 64, "pcnn", 16, 3, 256, "somewhere", "1", "test", "box", 4),
    *(None, 0, 0.9, "deviation", (RangeFactor((0.0, 1.0), 99, 2.0),), {}, "0"),
)
HOLE = np.zeros((16, 16), bool)
HOLE[4:9, 5:12] = True
PHOTO = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def test_intervals_are_mean_and_spread_of_the_completions() -> None:
    result = loaded().complete(PHOTO, visible=~HOLE, n=4, calibration=CALIBRATION)
    assert result.intervals is not None
    low, high = result.intervals.ends
    members = np.stack(result.images)[:, HOLE] / 255
    reach = 2 * (members.std(axis=0, ddof=1) + 1 / 255)
    np.testing.assert_allclose(low[HOLE], np.clip(members.mean(axis=0) - reach, 0, 1))
    np.testing.assert_allclose(high[HOLE], np.clip(members.mean(axis=0) + reach, 0, 1))
    assert not low[~HOLE].any()
    assert not result.intervals.width[~HOLE].any()


def test_a_calibration_changes_no_completion() -> None:
    plain = loaded().complete(PHOTO, visible=~HOLE, n=4)
    with_it = loaded().complete(PHOTO, visible=~HOLE, n=4, calibration=CALIBRATION)
    assert plain.intervals is None
    np.testing.assert_array_equal(np.stack(plain.images), np.stack(with_it.images))


def test_the_pictures_show_the_ends_within_the_photo() -> None:
    result = loaded().complete(PHOTO, visible=~HOLE, n=4, calibration=CALIBRATION)
    assert result.intervals is not None
    pictures = {name: one.samples for name, one in result.intervals.pictures().items()}
    for end in ("low", "high"):
        np.testing.assert_array_equal(pictures[end][~HOLE], PHOTO[~HOLE])
    assert (pictures["low"][HOLE] <= pictures["high"][HOLE]).all()
    assert pictures["width"].dtype == np.uint16
    low, high = result.intervals.ends
    assert (pictures["low"][HOLE] <= 255 * low[HOLE] + 1e-6).all()
    assert (pictures["high"][HOLE] >= 255 * high[HOLE] - 1e-6).all()


def test_ends_that_are_levels_are_shown_as_these_levels() -> None:
    factor = RangeFactor((0.0, 1.0), 99, 6.0)
    six_levels = dataclasses.replace(
        CALIBRATION, model="telea", weights_sha256=None, family="telea", factors=(factor,)
    )
    result = api.load_model("telea").complete(PHOTO, visible=~HOLE, n=1, calibration=six_levels)
    assert result.intervals is not None
    shown = {name: one.samples[HOLE] for name, one in result.intervals.pictures().items()}
    drawn = np.asarray(result.images[0])[HOLE].astype(int)
    np.testing.assert_array_equal(shown["low"], np.clip(drawn - 6, 0, 255))
    np.testing.assert_array_equal(shown["high"], np.clip(drawn + 6, 0, 255))


def test_in_a_larger_photo_a_pixel_of_the_model_stands_for_a_square() -> None:
    large, hole = np.kron(PHOTO, np.ones((4, 4, 1), np.uint8)), np.kron(HOLE, np.ones((4, 4), bool))
    result = loaded().complete(large, visible=~hole, n=4, context=0.5, calibration=CALIBRATION)
    assert result.intervals is not None
    assert "enlarged" in result.intervals.caption
    assert (result.intervals.width[hole] > 0).all()
    assert not result.intervals.width[~hole].any()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"k": 5}, "for 5 completions"),
        ({"temperature": 0.5}, "for temperature 0.5, not 1"),
        ({"weights_sha256": "1" * 64}, "is of pretend"),
    ],
)
def test_a_calibration_of_something_else_is_refused(
    change: dict[str, object], sentence: str
) -> None:
    other = dataclasses.replace(CALIBRATION, **change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=sentence):
        loaded().complete(PHOTO, visible=~HOLE, n=4, calibration=other)


@pytest.mark.parametrize(
    ("family", "options", "sentence"),
    [
        ("latent-codes", {"top_k": 1}, "is for completions without top_k 1"),
        ("latent-codes", {"order": "sampled"}, "is for completions without order sampled"),
        ("latent-codes", {"keep_seams": True}, "is for completions without keep_seams"),
        ("ipa", {"temperatures": "0.1x12"}, "is for completions without temperatures 0.1x12"),
        ("ipa", {"pixel_noise": 0.0}, "is for pixel_noise 1, not 0"),
        ("ipa", {"bound": 8}, None),
        ("picme", {"primitive": 0}, "is for completions without primitive 0"),
        ("picme", {"by_primitive": True, "projection": "tsne"}, None),
        ("pcnn", {"trace": True}, None),
    ],
)
def test_options_that_change_what_is_drawn_are_not_what_was_calibrated(
    family: str, options: dict[str, object], sentence: str | None
) -> None:
    assert not_as_scored(models.get(family).options, options) == sentence


def test_an_option_that_says_what_the_model_does_by_itself_changes_nothing() -> None:
    family = models.get("latent-codes")
    config = family.presets["small64-f4"]
    assert not_as_scored(family.options, {"order": "spread"}, config) is None
    sentence = not_as_scored(family.options, {"order": "confidence"}, config)
    assert sentence == "is for order spread, not confidence"


def test_one_completion_of_a_deterministic_method_stands_for_k_equal_ones() -> None:
    of_telea = dataclasses.replace(CALIBRATION, model="telea", weights_sha256=None)
    result = api.load_model("telea").complete(PHOTO, visible=~HOLE, calibration=of_telea)
    assert result.intervals is not None
    low, high = result.intervals.ends
    assert np.isfinite(low).all()
    assert (high - low)[HOLE].max() == pytest.approx(4 / 255)


def test_texture_has_no_intervals() -> None:
    of_patches = dataclasses.replace(CALIBRATION, model="patches", weights_sha256=None)
    with pytest.raises(UserError, match=r"^calibration: is of a model.s pictures, and texture"):
        api.load_model("patches").complete(PHOTO, visible=~HOLE, n=4, calibration=of_patches)


def test_the_command_writes_the_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "load_model", lambda *_, **more: loaded())
    Image.fromarray(PHOTO).save(tmp_path / "p.png")
    files.save(CALIBRATION, tmp_path / "c.json")
    words = ["complete", str(tmp_path / "p.png"), "--box", "5,4,7,5", "-o", str(tmp_path / "out")]
    given = ["--calibration", str(tmp_path / "c.json")]
    result = CliRunner().invoke(main, [*words, "-n", "4", *given])
    assert result.exit_code == 0, result.output
    assert {"p-low.png", "p-high.png", "p-width.png"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    with Image.open(tmp_path / "out" / "p-width.png") as width:
        assert width.mode.startswith("I;16")
    (item,) = json.loads((tmp_path / "out" / "completions.json").read_text("utf-8"))["items"]
    assert item["calibration"]["level"] == 0.9
    assert item["low"] == "p-low.png"
    result = CliRunner().invoke(main, [*words, "-n", "3", *given])
    assert (result.exit_code, "for 4 completions" in result.output) == (2, True)
    result = CliRunner().invoke(main, [*words, "-n", "3", *given, "--calibration-anyway"])
    assert (result.exit_code, "nothing is promised" in result.output) == (0, True)
