"""`inpaint calibrate` and what its file does in a score."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import inpaint_cli
from inpaint_cli.cli import main
from inpaint_cli.commands.output_options import file_of
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.forecasts import calibrated_figures
from inpaint_cli.metrics.protocol import BINS
from inpaint_cli.metrics.score import check_calibration
from inpaint_cli.photos import calibration as files
from inpaint_cli.photos.calibration import Calibration, RangeFactor
from inpaint_cli.posterior.calibrating import controlling_factor, visible_share
from inpaint_cli.reporting import Reporter
from tests.metrics.score_kit import target
from tests.programs import CHANGING, SEEDED, command

FEW: dict[str, Any] = {"data": "digits", "limit": 40, "k": 4}
SCORED = {**FEW, "metrics": "coverage"}


def typed(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(words))
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return inpaint_cli.calibrate("pcnn-digits", **FEW)


def test_a_calibration_says_what_it_is_of(calibration: Calibration) -> None:
    assert (calibration.model, calibration.k, calibration.level, calibration.split) == (
        "pcnn-digits",
        4,
        0.9,
        "validation",
    )
    assert calibration.weights_sha256 is not None
    (one,) = calibration.factors
    assert 30 <= one.n <= 40  # without those of which nothing is hidden
    assert one.factor > 0


def test_each_range_has_a_factor_of_its_own() -> None:
    ranges = inpaint_cli.calibrate("pcnn-digits", **FEW | {"limit": 100}, level=80, by_visible=True)
    assert [one.visible[0] for one in ranges.factors] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert ranges.factor(0.5) == ranges.factors[2].factor
    assert ranges.factor(1.0) == ranges.factors[4].factor


def test_a_method_whose_completions_are_equal_has_intervals_as_well() -> None:
    sure = inpaint_cli.calibrate("telea", **FEW)
    low, high = sure.intervals(np.full((4, 3), 0.5), 0.5)
    assert (high - low > 0).all()


def test_the_file_is_read_back_as_it_was(calibration: Calibration, tmp_path: Path) -> None:
    files.save(calibration, tmp_path / "c.json")
    assert files.load(tmp_path / "c.json") == calibration


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": 2}, "schema 2"),
        ({"kind": "other"}, "not a calibration"),
        ({"k": "many"}, "k: must be a whole number"),
        ({"factors": []}, "needs factors"),
        ({"factors": [{"visible": [0, 1], "n": 3, "factor": -1}]}, "at least 0"),
        ({"level": 2}, "between 0.5 and 1"),
        ({"factors": [{"visible": [0, 0.2], "n": 30, "factor": 2}]}, "run from 0 to 1"),
        ({"factors": [{"visible": [0.5, 0.2], "n": 30, "factor": 2}] * 5}, "run from 0 to 1"),
        ({"more": 1}, "more"),
    ],
)
def test_other_files_are_refused_in_one_sentence(
    calibration: Calibration, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    files.save(calibration, tmp_path / "c.json")
    document = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    (tmp_path / "c.json").write_text(json.dumps(document | change), encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        files.load(tmp_path / "c.json")


@pytest.mark.parametrize("text", ["", "[]", "1" * 5000, "\0", '{"a":' * 9000])
def test_what_is_no_json_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="not a calibration"):
        files.load(tmp_path / "c.json")


def test_bad_requests_are_answered_before_the_first_completion() -> None:
    for given, sentence in (
        ({"limit": 8}, "limit: a level of 90 % needs at least 9 pictures, got 8"),
        ({"k": 1}, "k: must be at least 2"),
        ({"temperature": float("nan")}, "temperature: must be at least 0, got nan"),
        ({"temperature": "1"}, "temperature: must be a number, got '1'"),
        ({"level": "90"}, "level: must be a number, got '90'"),
        ({"seed": -1}, "seed: must be at least 0"),
        ({"masks": ["centre", "freeform"]}, "masks: must be names or paths"),
        ({"data": 3}, "data: must be names or paths, got 3"),
        ({"temperature": 0.0}, "temperature: must be above 0"),
        ({"level": 50}, "level: must be above 50"),
        ({"level": 100}, "level: must be above 50 and below 100"),
        ({"level": 99.99999999999999}, "level: must be above 50 and below 100"),
        ({"level": 99.999999}, r"data: .* needs at least 99999999.* '\*=validation' for all"),
        ({"data": ()}, "data: is needed"),
        ({"split": "val"}, "split: no split called 'val'. Known: test, train, validation"),
        ({"masks": "everything"}, "masks: 'everything' leaves all of 8x8 pixels visible"),
        ({"masks": "centre", "by_visible": True}, "by_visible: 0-20 % visible: 0 pictures under"),
        ({"sed": 1}, "seed"),
    ):
        with pytest.raises(UserError, match=sentence):
            inpaint_cli.calibrate("pcnn-digits", **FEW | given)


def test_a_place_that_cannot_be_written_is_told_before_the_first_completion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr("inpaint_cli.api.calibrate", never)
    monkeypatch.setattr("inpaint_cli.api_ood.fit_ood", never)
    (tmp_path / "file").touch()
    place = str(tmp_path / "file" / "c")
    for words in (("calibrate",), ("ood", "--fit")):
        code, out = typed(*words, "--model", "pcnn-digits", "--data", "digits", "-o", place)
        assert (code, "--output: " in out, "is a file, not a folder" in out) == (1, True, True)


def test_a_file_is_called_as_its_model(tmp_path: Path) -> None:
    run = tmp_path / "0001-run"
    run.mkdir()
    (run / "model.safetensors").touch()
    for model, name in (
        (run, "0001-run"),
        (f"{run}/", "0001-run"),
        (run / "model.safetensors", "0001-run"),
        (run / "." / "..", tmp_path.name),
        ("a/b.safetensors", "b"),
        ("pcnn-digits", "pcnn-digits"),
    ):
        assert file_of(str(model), ".json") == Path(f"{name}.json")
    with pytest.raises(UserError, match="output: a command has no name"):
        file_of("exec:tool {image} {mask} {out}", ".json")


def test_the_intervals_of_a_command_are_its_own(tmp_path: Path) -> None:
    tool = command(tmp_path, SEEDED)
    made = inpaint_cli.calibrate(tool, data="digits", limit=10, k=2)
    image, visible = np.zeros((8, 8), np.uint8), np.eye(8, dtype=bool)
    asked: dict[str, Any] = {"visible": visible, "calibration": made, "n": 2}
    assert inpaint_cli.complete(image, model=tool, **asked).intervals is not None
    assert inpaint_cli.complete(image, model=f"other={tool}", **asked).intervals is not None
    command(tmp_path, CHANGING)  # another program of the same name
    with pytest.raises(UserError, match=r"calibration: is of exec:tool\.py \(.*not of exec:tool"):
        inpaint_cli.complete(image, model=tool, **asked)


def test_pictures_that_a_model_was_trained_on_are_warned_of(tmp_path: Path) -> None:
    code, output = typed(
        *("calibrate", "--model", "telea", "--data", "digits", "--limit", "12", "-k", "2"),
        *("--split", "train", "-o", str(tmp_path / "c.json")),
    )
    assert code == 0
    assert "nothing is promised" in output


def test_no_temperature_means_the_model_s_own(
    calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def why(made_at: float | None, drawn_at: float | None, own: float) -> str | None:
        made = replace(calibration, temperature=made_at)
        return made.mismatch(made.model, made.weights_sha256, made.k, drawn_at, own)

    assert why(None, 1, 0.8) == "is for temperature 0.8, not 1"
    assert why(1, None, 0.8) == "is for temperature 1, not 0.8"
    assert (why(None, 0.8, 0.8), why(0.8, None, 0.8), why(None, None, 0.8)) == (None,) * 3
    monkeypatch.setattr("inpaint_cli.family.Model.own_temperature", 0.8)
    with pytest.raises(UserError, match=r"calibration: is for temperature 0\.8, not 1"):
        inpaint_cli.complete(
            np.zeros((8, 8), np.uint8),
            visible=np.eye(8, dtype=bool),
            model="pcnn-digits",
            calibration=calibration,
            n=4,
            temperature=1,
        )
    with pytest.raises(UserError, match=r"calibration: is for temperature 0\.8, not 1"):
        inpaint_cli.score("pcnn-digits", calibration=calibration, temperature=1.0, **SCORED)
    (document,) = inpaint_cli.score("pcnn-digits", calibration=calibration, **SCORED)
    assert document["model"]["sampler"]["temperature"] == 0.8


def test_a_score_tells_of_calibrated_intervals(calibration: Calibration, tmp_path: Path) -> None:
    files.save(calibration, tmp_path / "c.json")
    (document,) = inpaint_cli.score(
        "pcnn-digits", **FEW, metrics="coverage", calibration=tmp_path / "c.json"
    )
    lines = {line["variant"]: line["value"] for line in document["metrics"]}
    assert 0.75 < lines["conformal risk control"] <= 1
    assert 0 < lines["width, share of black to white"] <= lines["interval score"]


def test_a_calibration_of_something_else_is_refused_by_a_score(calibration: Calibration) -> None:
    for models, given, sentence in (
        ("pcnn-digits", {"k": 5}, "for 4 completions.*there are 5"),
        ("pcnn-digits", {"temperature": 0.5}, "for temperature 1, not 0.5"),
        ("pcnn-digits", {"temperature": 0.0}, "for temperature 1, not 0"),
        ("telea", {}, "of pcnn-digits .*not of telea"),
        (["pcnn-digits", "telea"], {}, "of one model"),
    ):
        with pytest.raises(UserError, match=sentence):
            inpaint_cli.score(
                models, **FEW | {"size": None} | given, metrics="coverage", calibration=calibration
            )


def test_a_calibration_is_refused_for_completions_drawn_otherwise(calibration: Calibration) -> None:
    one = target(k=4)
    of_pretend = replace(calibration, model="pretend", weights_sha256="0" * 64)
    check_calibration(of_pretend, [one], Reporter(quiet=True))
    one.options = {"pixel_noise": 0.0}
    with pytest.raises(UserError, match="is for pixel_noise 1, not 0"):
        check_calibration(of_pretend, [one], Reporter(quiet=True))


def test_the_command_writes_a_file_and_says_what_it_found(tmp_path: Path) -> None:
    path = tmp_path / "made.json"
    code, output = typed(
        *("calibrate", "--model", "telea", "--data", "digits", "--limit", "12", "-k", "2"),
        *("-o", str(path)),
    )
    assert code == 0
    assert "90 % of hidden values inside" in output
    assert files.load(path).model == "telea"
    foreign = tmp_path / "photo.png"
    foreign.write_bytes(b"mine")
    code, output = typed("calibrate", "--model", "telea", "--data", "digits", "-o", str(foreign))
    assert (code, "not a calibration" in output, foreign.read_bytes()) == (2, True, b"mine")
    code, output = typed("calibrate", "--model", "telea")
    assert (code, "data: is needed" in output) == (2, True)


def test_more_pictures_and_a_range_are_what_the_factor_is_of() -> None:
    """The file's factor is the one that the scores of its pictures give."""
    low = Calibration(
        *("m", None, "f", 8, 1, 17, "d", "0", "test", "box", 2, None, 0, 0.8, "range"),
        (RangeFactor((0.0, 1.0), 9, 2.0),),
        {},
        "0",
    )
    members, truth = np.array([[0.2, 0.4], [0.4, 0.4]]), np.array([0.5, 0.4])
    scores = files.scores(members, truth, "range")
    np.testing.assert_allclose(scores, [0.2 / (0.1 + 1 / 255), 0])
    assert controlling_factor([scores] * 9, 0.2) == pytest.approx(scores[0])
    ends = low.intervals(members, 0.5)
    np.testing.assert_allclose(ends[1] - ends[0], 4 * np.array([0.1 + 1 / 255, 1 / 255]))


def test_values_at_the_very_end_of_an_interval_are_inside_whatever_rounding_does() -> None:
    """Of 16 levels, completions that agree and a truth one level away: all lie 17 units away."""
    levels = np.arange(16) * 17 / 255
    scores = files.scores(np.tile(levels[:-1], (8, 1)), levels[1:], "deviation")
    factor = controlling_factor([scores] * 20, 0.1)
    assert set(scores) == {factor} == {17.0}
    exact = Calibration(
        *("m", None, "f", 8, 1, 16, "d", "0", "test", "box", 8, None, 0, 0.9, "deviation"),
        (RangeFactor((0.0, 1.0), 20, factor),),
        {},
        "0",
    )
    for sure, truth in ((levels[:-1], levels[1:]), (levels[1:], levels[:-1])):
        low, high = exact.intervals(np.tile(sure, (8, 1)), 0.5)
        assert ((low <= truth) & (truth <= high)).all()


def test_a_share_at_the_end_of_a_range_has_the_factor_it_was_found_with() -> None:
    """Of 100 pixels 20 are visible: 1 - 0.8 is below 0.2, where 20 / 100 is not."""
    by_range = Calibration(
        *("m", None, "f", 10, 1, 256, "d", "0", "test", "box", 2, None, 0, 0.9, "deviation"),
        tuple(RangeFactor(ends, 9, float(10 * number)) for number, ends in enumerate(BINS)),
        {},
        "0",
    )
    visible = torch.zeros(1, 10, 10, dtype=torch.bool)
    visible[:, :2] = True
    pictures = torch.full((2, 1, 10, 10), 128, dtype=torch.uint8)
    measured: Any = SimpleNamespace(visible=visible, completions=pictures, truth=pictures[0])
    assert by_range.factor(visible_share(visible)) == 10
    assert calibrated_figures(measured, by_range)["calibrated-width"] == pytest.approx(20 / 255)


def test_a_calibration_that_no_metric_asks_for_is_refused(calibration: Calibration) -> None:
    with pytest.raises(UserError, match="calibration: serves coverage"):
        inpaint_cli.score("pcnn-digits", **FEW, metrics="psnr", calibration=calibration)


def test_masks_of_another_kind_than_the_calibration_s_are_warned_of(
    calibration: Calibration, tmp_path: Path
) -> None:
    files.save(calibration, tmp_path / "c.json")
    given = ("score", "--model", "pcnn-digits", "--data", "digits", "--limit", "2", "-k", "4")
    more = ("--metrics", "coverage", "--calibration", str(tmp_path / "c.json"))
    code, output = typed(*given, *more, "--masks", "centre")
    assert code == 0
    assert "of masks freeform@mixture, and these are centre" in output
    assert "promise nothing" not in typed(*given, *more)[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--size", "16"), "of pictures of 8 pixels across, 1 channel, 16 levels, and these are"),
        (("--split", "validation"), "found on these very pictures (digits, validation)"),
    ],
)
def test_other_pictures_and_the_calibration_s_own_are_warned_of(
    calibration: Calibration, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    files.save(calibration, tmp_path / "c.json")
    given = ("score", "--model", "pcnn-digits", "--data", "digits", "--limit", "2", "-k", "4")
    more = ("--metrics", "coverage", "--calibration", str(tmp_path / "c.json"))
    code, output = typed(*given, *more, *words)
    assert (code, sentence in " ".join(output.split())) == (0, True)
