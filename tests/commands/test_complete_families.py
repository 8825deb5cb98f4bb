"""`inpaint complete` with what single families offer: components, bounds, drawings of edges."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

import inpaint_cli
from inpaint_cli import api
from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa.bounds import LogBound
from inpaint_cli.weights import save_weights
from tests.commands.completing import pixels
from tests.models.ipa.small_vaes import random_vae
from tests.models.picme.small import model_of


def complete(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["complete", *map(str, arguments), "--device", "cpu"])


def record_of(folder: Path) -> dict[str, Any]:
    (item,) = json.loads((folder / "completions.json").read_text())["items"]
    return dict(item)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "p.png")
    return tmp_path / "p.png"


@pytest.fixture
def picme(tmp_path: Path) -> Path:
    model, path = model_of(primitives=3), tmp_path / "picme.safetensors"
    save_weights(path, model, family="picme", preset="digits")
    return path


def ipa(path: Path, **changes: Any) -> Path:
    save_weights(path, random_vae(**changes), family="ipa", preset="digits")
    return path


def test_components_are_recorded_and_drawn_in_rows(photo: Path, picme: Path) -> None:
    out = photo.parent / "o"
    asked = (photo, "--box", "2,2,4,4", "--model", picme, "-n", 3, "--stratify", "-o", out)
    result = complete(*asked, "--by-primitive")
    assert result.exit_code == 0, result.output
    item = record_of(out)
    assert [line["primitive"] for line in item["completions"]] == [0, 1, 2]
    assert sum(line["weight"] for line in item["completions"]) == pytest.approx(1)
    assert set(item["separation"]) == {"silhouette", "distance_ratio"}
    assert (item["by_primitive"], item["latents"]) == ("p-by-primitive.png", "p-latents.png")
    assert f"by primitive in {out / 'p-by-primitive.png'}" in result.stderr
    assert item["log_prob_kind"] is None
    again = complete(*asked)
    assert again.exit_code == 0
    assert {file.name for file in out.iterdir()} == {
        "completions.json",
        "p-sheet.png",
        "p-0.png",
        "p-1.png",
        "p-2.png",
    }
    assert f"{out / 'p-latents.png'}: removed" in again.stderr


def test_holes_far_apart_have_a_component_each(photo: Path, picme: Path) -> None:
    Image.new("L", (40, 8), 90).save(photo)
    out, boxes = photo.parent / "o", ("--box", "1,2,4,4", "--box", "34,2,4,4")
    result = complete(
        *(photo, *boxes, "--model", picme, "--detail", "none"),
        *("-n", 2, "--stratify", "--by-primitive", "-o", out),
    )
    assert result.exit_code == 0, result.output
    item = record_of(out)
    assert len(item["windows"]) == 2
    assert [line["primitive"] for line in item["completions"]] == [[0, 0], [1, 1]]
    weights = item["completions"][0]["weight"]
    assert weights[0] != weights[1], "each window has a mixture of its own"
    assert "p-latents.png (of the first of 2 windows)" in result.stderr


def test_a_foreign_picture_stays_and_no_half_is_left(photo: Path, picme: Path) -> None:
    out = photo.parent / "o"
    out.mkdir()
    (out / "p-latents.png").write_text("mine")
    result = complete(
        photo, "--box", "2,2,4,4", "--model", picme, "-n", 2, "--by-primitive", "-o", out
    )
    assert result.exit_code == 2
    assert "p-latents.png: exists and is no result" in result.stderr
    assert {file.name for file in out.iterdir()} == {"p-latents.png"}
    assert (out / "p-latents.png").read_text() == "mine"


def test_ranking_by_bounds_is_said_and_can_be_made_finer(photo: Path) -> None:
    out, model = photo.parent / "o", ipa(photo.parent / "m.safetensors")
    asked = (photo, "--box", "2,2,4,4", "--model", model, "-n", 3, "--rank", "log-prob", "-o", out)
    result = complete(*asked)
    assert result.exit_code == 0, result.output
    assert "as with --bound 16" in result.stderr
    item = record_of(out)
    log_probs = [line["log_prob"] for line in item["completions"]]
    assert log_probs == sorted(log_probs, reverse=True)
    assert (item["log_prob_kind"], item["options"]["bound"]) == ("lower bound", 16)
    finer = complete(*asked, "--bound", 2)
    assert finer.exit_code == 0, finer.output
    assert "--bound" not in finer.stderr
    assert record_of(out)["options"]["bound"] == 2


def test_a_bound_of_minus_infinity_is_told_and_has_a_place_in_json(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, model = photo.parent / "o", ipa(photo.parent / "m.safetensors")
    bounds = iter([-torch.inf, -70.0, -torch.inf] * 2)

    def bound(*_: object) -> LogBound:
        return LogBound.of(torch.tensor([[next(bounds)]]))

    monkeypatch.setattr("inpaint_cli.models.ipa.sampling.log_prob_hidden", bound)
    asked = (photo, "--box", "2,2,4,4", "--model", model, "-n", 3, "--rank", "log-prob", "-o", out)
    result = complete(*asked)
    assert result.exit_code == 0, result.output
    assert "2 of 3 log-probabilities have no finite bound, and come last" in result.stderr
    lines = json.loads((out / "completions.json").read_text(), parse_constant=pytest.fail)
    told = [(line["index"], line["log_prob"]) for line in lines["items"][0]["completions"]]
    assert told == [(1, -70.0), (0, None), (2, None)]
    assert "its results exist, skipped" in complete(*asked, "--skip-existing").stderr


def test_without_a_bound_there_is_no_likelihood(photo: Path) -> None:
    out, model = photo.parent / "o", ipa(photo.parent / "m.safetensors")
    result = complete(photo, "--box", "2,2,4,4", "--model", model, "-n", 1, "-o", out)
    assert result.exit_code == 0, result.output
    item = record_of(out)
    assert (item["log_prob_kind"], item["completions"][0]["log_prob"]) == (None, None)


EDGES = {"condition": "edges", "predicted": "whole"}


def test_a_drawing_reaches_the_model_and_all_of_it_is_filled(photo: Path) -> None:
    model = ipa(photo.parent / "m.safetensors", **EDGES)
    drawings = [np.full((8, 8), 255, np.uint8), np.zeros((8, 8), np.uint8)]
    fills = []
    for number, drawing in enumerate(drawings):
        Image.fromarray(drawing).save(photo)
        out = photo.parent / f"o{number}"
        result = complete(photo, "--condition", "edges", "--model", model, "-n", 2, "-o", out)
        assert result.exit_code == 0, result.output
        item = record_of(out)
        assert (item["hole"]["everything"], item["hole_fraction"]) == (True, 1)
        assert item["hidden_values"] == 3 * 8 * 8
        fills.append(pixels(out / "p-0.png"))
        assert (fills[-1] != pixels(out / "p-1.png")).any()
    assert fills[0].shape == (8, 8, 3), "a grey drawing is filled in colour"
    assert (fills[0] != fills[1]).any()
    direct = api.load_model(model, "cpu").complete(drawings[1], n=1, condition="edges")
    np.testing.assert_array_equal(direct.images[0], fills[1])


def test_paper_beyond_a_drawing_is_white(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = api.load_model(ipa(photo.parent / "m.safetensors", **EDGES), "cpu")
    seen = []
    complete_one = loaded.model.complete

    def watched(image: Any, visible: Any, *rest: Any, **options: Any) -> Any:
        seen.append((image, visible))
        return complete_one(image, visible, *rest, **options)

    monkeypatch.setattr(loaded.model, "complete", watched)
    (fill,) = loaded.complete(np.full((4, 8), 7, np.uint8), n=1, condition="edges").images
    ((image, visible),) = seen
    assert fill.shape == (4, 8, 3)
    assert visible.all()
    assert sorted(image.unique().tolist()) == [7, 255]
    assert int((image[0, 0] == 7).sum()) == 4 * 8


def test_a_drawing_has_no_hole_of_its_own(photo: Path) -> None:
    model = ipa(photo.parent / "m.safetensors", **EDGES)
    asked = (photo, "--condition", "edges", "--model", model, "-o", photo.parent / "o")
    refused = complete(*asked, "--box", "0,0,2,2")
    assert refused.exit_code == 2
    assert "--condition: edges: everything is filled in. Leave out --mask, --box" in refused.stderr
    with pytest.raises(UserError, match=r"^condition: edges: .* Leave out mask and visible"):
        api.load_model(model, "cpu").complete(
            photo, visible=np.zeros((8, 8), np.bool_), condition="edges"
        )


def test_a_model_of_masks_takes_no_drawing(photo: Path) -> None:
    model = ipa(photo.parent / "m.safetensors")
    refused = complete(
        photo, "--condition", "edges", "--model", model, "-n", 1, "-o", photo.parent / "o"
    )
    assert refused.exit_code == 2
    assert "trained on 'mask'" in refused.stderr
    other = complete(photo, "--condition", "edges", "--model", "telea")
    assert "--condition: an option of ipa" in other.stderr


@pytest.mark.parametrize("family", ["ipa", "picme"])
def test_temperature_zero_gives_one_completion_whatever_the_seed(
    photo: Path, picme: Path, family: str
) -> None:
    model = picme if family == "picme" else ipa(photo.parent / "ipa.safetensors")
    out, asked = photo.parent / "o", (photo, "--box", "2,2,4,4", "--model", model)
    for seed in (0, 5):
        result = complete(*asked, "--temperature", 0, "--seed", seed, "-o", out)
        assert result.exit_code == 0, result.output
    assert {file.name for file in out.glob("p-*[0-9].png")} == {"p-0.png", "p-s5-0.png"}
    np.testing.assert_array_equal(pixels(out / "p-0.png"), pixels(out / "p-s5-0.png"))
    items = json.loads((out / "completions.json").read_text())["items"]
    assert [item["options"]["temperature"] for item in items] == [0.0, 0.0]


def test_texture_has_no_temperature(photo: Path) -> None:
    result = complete(photo, "--box", "2,2,4,4", "--model", "patches", "--temperature", 0.5)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--temperature: texture has none. Leave it out." in result.stderr


def test_what_an_autoencoder_makes_of_the_whole_photo_is_written_beside_completions(
    photo: Path, picme: Path
) -> None:
    out = photo.parent / "o"
    assert complete(photo, "--box", "2,2,4,4", "--model", picme, "-n", 2, "-o", out).exit_code == 0
    before = pixels(out / "p-0.png")
    result = complete(photo, "--reconstruct", "--model", picme, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out / 'p-reconstruction-sheet.png'}\n"
    assert "p.png: reconstructed at 8 x 8 pixels with" in result.stderr
    assert "hidden" not in result.stderr
    given = api.load_model(picme).reconstruct(photo)
    np.testing.assert_array_equal(pixels(out / "p-reconstruction-0.png"), given.images[0])
    assert given.notes[0].startswith("reconstructed at 8 x 8")
    np.testing.assert_array_equal(pixels(out / "p-0.png"), before)
    items = json.loads((out / "completions.json").read_text())["items"]
    assert [item["options"].get("reconstruct") for item in items] == [None, True]
    again = complete(photo, "--reconstruct", "--model", picme, "-o", out, "--skip-existing")
    assert "its results exist, skipped" in again.stderr
    (scored,) = inpaint_cli.score(folders=[out], metrics="mae")
    assert scored["protocol"]["completions"]["k"] == 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--box", "1,1,4,4"), "--reconstruct: the whole photo is seen and given back"),
        (("--mask", "centre"), "--reconstruct: the whole photo"),
        (("-n", 2), "-n: must be 1, got 2"),
        (("--temperature", 1), "--temperature: means nothing for a reconstruction"),
        (("--rank", "log-prob"), "--rank: means nothing"),
        (("--stratify",), "--stratify: means nothing"),
        (("--detail", "none"), "--detail: means nothing"),
    ],
)
def test_what_means_nothing_beside_a_reconstruction_is_refused(
    photo: Path, picme: Path, asked: tuple[Any, ...], message: str
) -> None:
    result = complete(photo, "--reconstruct", "--model", picme, *asked, "-o", photo.parent / "o")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not (photo.parent / "o").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("pcnn-digits", "pcnn-digits has no autoencoder, so it reconstructs nothing"),
        ("telea", "telea has no autoencoder"),
        ("patches", "patches has no autoencoder"),
        ("picme-photos32", "picme-photos32 was packed for completing, without the posterior"),
    ],
)
def test_a_model_that_cannot_reconstruct_says_so_in_one_sentence(
    photo: Path, model: str, message: str
) -> None:
    result = complete(photo, "--reconstruct", "--model", model, "-q")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: --reconstruct: {message}")
    with pytest.raises(UserError, match="reconstruct: "):
        api.load_model(model).reconstruct(photo)


def test_the_model_that_is_named_in_place_of_a_packed_one_reconstructs(photo: Path) -> None:
    with pytest.raises(UserError, match=r"or another model, such as \S+\.$") as refused:
        api.load_model("picme-photos32").reconstruct(photo)
    named = str(refused.value).split()[-1].removesuffix(".")
    assert len(api.load_model(named).reconstruct(photo).images) == 1
