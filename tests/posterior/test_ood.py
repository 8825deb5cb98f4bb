"""`inpaint ood`: a reference, its file, photos, sets; with a small model of random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import inpaint_cli
from inpaint_cli import zoo
from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.options import completion_options
from inpaint_cli.metrics.targets import Contestant
from inpaint_cli.pictures.picture import of_array
from inpaint_cli.pictures.reading import read
from inpaint_cli.posterior import ood_judging, ood_reference, ood_tables
from inpaint_cli.posterior.ood_comparing import CompareOrder, Pool, compare
from inpaint_cli.posterior.ood_features import Asking, features, held_back
from inpaint_cli.posterior.ood_fit import FitOrder, fit_reference, mask_of, tensor_of
from inpaint_cli.posterior.ood_reference import Reference
from inpaint_cli.reporting import Reporter
from tests.models.ipa.small_vaes import random_vae

QUIET = Reporter(quiet=True)


def contestant(hash_of: str = "a" * 64, model: Any = None) -> Contestant:
    network = model or random_vae(channels=1)
    return Contestant("toy", "ipa", network, torch.device("cpu"), hash_of)


def order(limit: int = 60, **given: Any) -> FitOrder:
    data = completion_options({"data": "digits", "split": "train", "limit": limit})
    return FitOrder("toy", data, **{"held_out": 30, "passes": 1, **given})


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit_reference(order(), lambda *_: contestant(), QUIET)


@pytest.fixture(scope="module")
def file(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ood") / "toy.ood.safetensors"
    ood_reference.save(reference, path)
    return path


def compared(file: Path, **given: Any) -> dict[str, Any]:
    settings = {"data": "digits", "limit": 30, **given.pop("data", {})}
    against = given.pop("against", ())
    wanted = CompareOrder("toy", completion_options(settings), against, file, **given)
    return compare(wanted, lambda *_: contestant(), QUIET)


def test_a_reference_says_what_it_is_of(reference: Reference) -> None:
    facts = reference.facts
    assert (facts.model, facts.data, facts.passes, facts.fit) == ("toy", "digits", 1, "pooled")
    assert facts.scores == ("gradient-log", "gradient", "likelihood")
    assert facts.n["whole"] == 60
    assert facts.held_out["whole"] == 30
    assert {key[0] for key in reference.known} == {"masked", "whole"}


def test_a_transform_is_of_the_gradient_alone(reference: Reference) -> None:
    assert reference.chosen(None, None) == reference.chosen("gradient", "log") == "gradient-log"
    assert reference.chosen(None, "none") == reference.chosen("gradient", "none") == "gradient"
    assert reference.chosen("likelihood", None) == "likelihood"
    with pytest.raises(UserError, match="transform: is of the gradient alone"):
        reference.chosen("likelihood", "log")


def test_kinds_that_are_not_known_are_refused(reference: Reference) -> None:
    for given, sentence in (
        ((None, "square"), "transform: must be one of log, none, got 'square'"),
        (("typicality", None), "statistic: must be one of gradient, likelihood, agreement"),
    ):
        with pytest.raises(UserError, match=sentence):
            reference.chosen(*given)
    with pytest.raises(UserError, match="against: must be names or paths, got 3"):
        inpaint_cli.compare_ood("ipa-mnist", data="digits", against=3)  # type: ignore[arg-type]


def test_the_file_is_read_back_as_it_was(reference: Reference, file: Path) -> None:
    again = ood_reference.load(file)
    assert again.facts == reference.facts
    for key, known in reference.known.items():
        np.testing.assert_array_equal(again.known[key].calibration, known.calibration)
        np.testing.assert_array_equal(again.known[key].scale.covariance, known.scale.covariance)


def test_a_file_that_has_changed_is_refused(file: Path, tmp_path: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[-9] ^= 1
    (tmp_path / "changed").write_bytes(raw)
    with pytest.raises(UserError, match="damaged"):
        ood_reference.load(tmp_path / "changed")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 200, b"\x02\0\0\0\0\0\0\0{}"])
def test_what_is_no_reference_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd").write_bytes(content)
    with pytest.raises(UserError, match="not a reference"):
        ood_reference.load(tmp_path / "odd")
    with pytest.raises(UserError, match="not a reference"):
        ood_reference.load(zoo.FOLDER / "ipa-mnist.safetensors")
    with pytest.raises(UserError, match="no such file"):
        ood_reference.load(tmp_path / "none")


@pytest.mark.parametrize(
    "tensors",
    [
        {"covariance": np.zeros((4, 4))},
        {"mean": np.full(4, 1e308)},  # of which the score would be no number, and p = 1
        {"trend": np.full((4, 4), np.nan)},
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    reference: Reference, tmp_path: Path, tensors: dict[str, Any]
) -> None:
    key = ("whole", "gradient")
    scale = replace(reference.known[key].scale, **tensors)
    odd = Reference(
        reference.facts, {**reference.known, key: replace(reference.known[key], scale=scale)}
    )
    ood_reference.save(odd, tmp_path / "odd")
    with pytest.raises(UserError, match="tensors are not those"):
        ood_reference.load(tmp_path / "odd")


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"n": {}}, "its counts are not those of masked and whole"),
        ({"held_out": {"masked": 1}}, "its counts are not those"),
        ({"not_finite": {}}, "its counts are not those"),
        ({"passes": 10**9}, "how often and with which seed"),
        ({"seed": -1}, "how often and with which seed"),
        ({"scores": ("gradient", "gradient")}, "known scores"),
    ],
)
def test_facts_that_nothing_can_be_done_with_are_refused(
    reference: Reference, tmp_path: Path, facts: dict[str, Any], sentence: str
) -> None:
    odd = Reference(replace(reference.facts, **facts), reference.known)
    ood_reference.save(odd, tmp_path / "odd")
    with pytest.raises(UserError, match=sentence):
        ood_reference.load(tmp_path / "odd")


def test_a_reference_with_another_number_of_features_is_refused(reference: Reference) -> None:
    known = dict(reference.known)
    scale = known["whole", "gradient"].scale
    shorter = replace(
        scale,
        trend=scale.trend[:, 1:],
        mean=scale.mean[1:],
        covariance=scale.covariance[1:, 1:],
    )
    known["whole", "gradient"] = replace(known["whole", "gradient"], scale=shorter)
    with pytest.raises(UserError, match=r"reference: is of 3 features of gradient, and toy has 4"):
        Reference(reference.facts, known).check(contestant())


def test_a_reference_of_another_model_is_refused_with_both_hashes(reference: Reference) -> None:
    with pytest.raises(UserError, match=rf"{'a' * 64}.*{'b' * 64}"):
        reference.check(contestant("b" * 64))


def judged(reference: Reference, picture: Any, visible: Any = None) -> ood_judging.Judgement:
    who = contestant()
    ready = ood_judging.prepared("it", of_array(picture), visible, who)
    (one,) = ood_judging.judge([ready], who, reference, QUIET)
    return one


def test_a_picture_is_judged_by_what_is_visible_alone(reference: Reference) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    visible = np.ones((8, 8), np.bool_)
    visible[2:5] = False
    other = np.where(visible, picture, 255 - picture)
    assert judged(reference, picture, visible) == judged(reference, other, visible)
    whole = judged(reference, picture)
    assert whole.visible == 1
    assert 1 / 31 <= whole.p <= 1
    assert whole.scores["gradient-log"] == (whole.score, whole.p)


def test_what_is_hidden_has_no_say_where_a_photo_is_reduced_or_enlarged(
    reference: Reference,
) -> None:
    rng = np.random.default_rng(0)
    for side in (5, 40):
        picture = rng.integers(0, 256, (side, side), dtype=np.uint8)
        visible = np.ones((side, side), np.bool_)
        visible[side // 3 : side // 2] = False
        others = (np.where(visible, picture, value).astype(np.uint8) for value in (0, 255))
        dark, bright = (judged(reference, other, visible) for other in others)
        assert dark == bright


def test_photos_of_more_than_8_bits_are_judged_by_what_they_show(reference: Reference) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    picture[0, :2] = 0, 255
    plain = judged(reference, picture)
    of_12 = np.floor(picture * (4095 / 255) + 0.5).astype(np.uint16)
    beyond = np.full((8, 8), 9.0, np.float32)
    visible = np.ones((8, 8), np.bool_)
    visible[4] = False
    floats = picture.astype(np.float32) / 255
    for deep in (of_12, picture.astype(np.uint16) * 257, floats, floats * 3000):
        assert judged(reference, deep).p == plain.p, deep.dtype
    hidden = np.where(visible, floats, beyond)
    assert judged(reference, hidden, visible).p == judged(reference, picture, visible).p


def test_the_range_of_a_photo_is_told(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 60).save(photo)
    who = contestant()
    ready = ood_judging.prepared("it", read(photo), None, who)
    assert "the model sees 0 to 4095" in ready.notes[0]


def test_nothing_visible_leaves_nothing_to_judge(reference: Reference) -> None:
    with pytest.raises(UserError, match="nothing to judge"):
        judged(reference, np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.bool_))


def test_numbers_that_overflow_are_the_least_usual_and_give_no_error(reference: Reference) -> None:
    wild = random_vae(channels=1)
    with torch.no_grad():
        for block in wild.decoder.blocks():
            block.part_enc.c4.weight.mul_(torch.tensor(20.0).exp())
            block.enc.c4.weight.mul_(torch.tensor(20.0).exp())
            block.prior.c4.weight.add_(torch.tensor(20.0).exp())
    who = contestant(model=wild)
    ready = ood_judging.prepared("it", of_array(np.full((8, 8), 9, np.uint8)), None, who)
    (one,) = ood_judging.judge([ready], who, reference, QUIET)
    assert one.score == -np.inf
    assert one.p == pytest.approx(1 / 31)
    assert json.loads(json.dumps(one.document(), allow_nan=False))["score"] is None


def test_a_set_does_not_differ_from_itself_and_its_p_values_are_uniform(file: Path) -> None:
    document = compared(file, data={"limit": 50}, against=("digits",))
    for name, one in document["sets"][0]["auroc"].items():
        assert abs(one["value"] - 0.5) < 3 * one["se"], name
        told = document["p_values"][name]
        assert told["distance"] < told["below"] + 1 / 31, name


def test_a_set_and_itself_share_no_picture() -> None:
    from inpaint_cli import data

    images = data.load_images(["digits"], size=8, channels=1, split="test")
    pool = Pool("", [images], 0)
    assert sorted(pool.order) == list(range(len(images)))
    assert pool.is_of(Pool("again", [images], 0))
    rest = pool.beside(pool, 30)
    assert rest == list(range(30, len(pool)))


@pytest.mark.parametrize("spelled", ["{}", "{}/", "{}/../{}"])
def test_a_set_that_is_wholly_held_out_is_split_into_two(
    file: Path, tmp_path: Path, spelled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for i in range(20):
        noise = np.random.default_rng(i).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.png")
    seen: list[bytes] = []

    def noted(picture: Any, levels: int) -> torch.Tensor:
        seen.append(picture.tobytes())
        return tensor_of(picture, levels)

    monkeypatch.setattr("inpaint_cli.posterior.ood_comparing.tensor_of", noted)
    (row,) = compared(
        file,
        data={"data": (str(folder),), "split_map": "*=test"},
        against=(spelled.format(folder, folder.name),),
        masks="none",
    )["sets"]
    assert row["n"] == 10
    assert len(seen) == len(set(seen)) == 20


def test_noise_is_told_from_digits_and_ranges_are_told_apart(file: Path) -> None:
    document = compared(file, against=("noise,constant",), by_visible=True)
    noise, constant = document["sets"]
    assert (noise["set"], noise["n"], constant["set"]) == ("noise", 30, "constant")
    assert noise["auroc"]["likelihood"]["value"] > 0.8
    assert [part["n"] for part in noise["by_visible"]] == [6] * 5
    json.dumps(document, allow_nan=False)


def test_the_error_of_what_is_made_of_the_same_pictures_is_that_of_pairs(file: Path) -> None:
    (flipped,) = compared(file, against=("flip",))["sets"]
    apart = (2 / (12 * 30)) ** 0.5  # of as many unrelated pictures that look alike
    assert 0 < flipped["auroc"]["likelihood"]["se"] < 0.75 * apart


def test_a_folder_is_the_same_set_however_it_is_spelled(file: Path, tmp_path: Path) -> None:
    for i in range(120):
        noise = np.random.default_rng(i).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
    names = (str(tmp_path), f"{tmp_path}/")
    one, other = compared(file, data={"data": names[:1], "limit": 3}, against=names, masks="none")[
        "sets"
    ]
    assert (one["n"], one["auroc"]) == (other["n"], other["auroc"])


def test_a_folder_is_compared_with_all_its_pictures(file: Path, tmp_path: Path) -> None:
    for i in range(7):
        noise = np.random.default_rng(i).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
    (row,) = compared(file, against=(str(tmp_path),), masks="none")["sets"]
    assert row["n"] == 7


def test_bad_requests_are_answered_before_the_first_pass(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("a pass was made")

    monkeypatch.setattr("inpaint_cli.models.ipa.typicality._passes", never)
    for given, sentence in (
        ({"against": ("nosie",)}, "against.*'nosie'.*noise"),
        ({"against": (str(file.parent),)}, rf"^against: {file.parent.name}: no images"),
        ({"masks": "nothing"}, "masks: nothing or everything"),
        ({"masks": 3}, "masks: must be names or paths, got 3"),
        ({"data": {"limit": 1}}, "limit: 1 picture a side, of 106, where 2 are needed"),
    ):
        with pytest.raises(UserError, match=sentence):
            compared(file, **given)
    for wanted, sentence in (
        (lambda: order(40), "40 pictures.*4 features.*at least 54"),
        (lambda: order(masks="nothing"), "masks: 0 pictures.*Take others"),
        (lambda: order(held_out=5), "held_out: must be at least 19"),
        (lambda: order(passes=0), "passes"),
        (lambda: order(passes=1.5), "passes: must be a whole number"),
        (lambda: order(passes=10**9), "passes: must be at most"),
        (lambda: order(held_out="x"), "held_out: must be a whole number"),
        (lambda: order(form="simple"), "form: must be one of analytic, sampled, got 'simple'"),
        (lambda: order(fit="no"), "fit: must be one of pooled, by-visible"),
        (lambda: order(statistic="no"), "statistic: must be one of gradient"),
        (lambda: order(masks=3), "masks: must be names"),
    ):
        with pytest.raises(UserError, match=sentence):
            fit_reference(wanted(), lambda *_: contestant(), QUIET)  # type: ignore[no-untyped-call]


def test_other_masks_than_those_of_the_reference_are_warned_of(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compared(file, masks="hide-left", data={"limit": 3})
    assert "not exact" in capsys.readouterr().err


@pytest.mark.slow
def test_agreement_serves_families_without_layers() -> None:
    reference = inpaint_cli.fit_ood(
        "pcnn-digits", data="digits", limit=52, held_out=19, passes=1, fit="by-visible"
    )
    assert reference.facts.scores == ("agreement",)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    one = inpaint_cli.ood(noise, model="pcnn-digits", reference=reference)
    assert one.p < 0.3


@pytest.mark.parametrize(
    ("model", "statistic", "sentence"),
    [
        ("telea", None, "model: telea has no weights"),
        ("pcnn-digits", "gradient", "statistic: .*no partial encoder"),
        ("pcnn-digits", "likelihood", "statistic: .*cannot tell how likely"),
    ],
)
def test_what_a_model_cannot_tell_is_refused(model: str, statistic: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        inpaint_cli.fit_ood(model, data="digits", statistic=statistic)


def test_a_method_that_no_reference_can_be_made_of_is_not_told_to_make_one() -> None:
    with pytest.raises(UserError, match="model: telea has no weights"):
        inpaint_cli.ood(np.zeros((8, 8), np.uint8), model="telea")


def test_a_reference_of_another_size_is_refused(reference: Reference) -> None:
    odd = Reference(replace(reference.facts, size=16), reference.known)
    with pytest.raises(UserError, match=r"reference: is for 16x16 .* takes 8x8"):
        odd.check(contestant())


def test_what_is_held_back_is_a_quarter_of_what_is_visible() -> None:
    image = tensor_of(np.arange(64, dtype=np.uint8).reshape(1, 8, 8), 256)
    visible = mask_of(np.arange(64).reshape(8, 8) < 40)
    held = held_back(image, visible, 0)
    assert int(held.sum()) == 10
    assert not (held & ~visible).any()
    changed = torch.where(visible, image, image + 1)
    assert torch.equal(held, held_back(changed, visible, 0))


def test_a_feature_does_not_depend_on_the_other_pictures() -> None:
    who, asking = contestant(), Asking(("gradient", "likelihood"), 2)
    image = tensor_of(np.arange(64, dtype=np.uint8).reshape(1, 8, 8), 256)
    visible = mask_of(np.arange(64).reshape(8, 8) < 40)
    first = features(who, image, visible, asking)
    both = features(who, torch.cat([255 - image, image]), visible.expand(2, -1, -1, -1), asking)
    for kind, values in both.items():
        np.testing.assert_allclose(values[1:], first[kind], rtol=1e-12)


def typed(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["ood", *words])
    return result.exit_code, result.output


def test_options_that_mean_nothing_in_a_form_are_refused() -> None:
    for words, sentence in (
        (("a.png", "--against", "noise"), "--against: means nothing with PHOTO"),
        (("--fit", "--data", "digits", "--against", "noise"), "--against: means nothing"),
        (("a.png", "--data", "digits"), "give one of them"),
        (("a.png", "--fit"), "--fit takes --data"),
        (("--data", "digits", "--recursive"), "--recursive: means nothing"),
        ((), "give photos"),
        (("a.png", "--held-out", "40"), "--held-out: means nothing"),
        (("--fit",), "--data: is needed"),
    ):
        code, output = typed("--model", "ipa-mnist", *words)
        assert (code, sentence in output) == (2, True), output


def test_one_bad_photo_does_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (28, 28)).save(tmp_path / name / "x.png")
    words = ("--model", "ipa-mnist", "-q", "--recursive", str(tmp_path))
    code, output = typed(*words)  # of one name, and nothing is written
    assert (code, output.count("x.png")) == (0, 2)
    (tmp_path / "a" / "bad.png").write_bytes(b"bad")
    code, output = typed(*words)
    assert (code, output.count("x.png"), "1 of 3 photos failed" in output) == (3, 2, True)
    assert f"failed: {tmp_path / 'a' / 'bad.png'}: not an image" in output
    code, output = typed("--model", "ipa-mnist", str(tmp_path / "a" / "bad.png"))
    assert (code, output.count("bad.png: not an image")) == (2, 1)


SHIPPED = [entry.name for entry in zoo.entries() if zoo.ood_reference_of(entry.name)]


@pytest.mark.parametrize("name", SHIPPED)
def test_references_that_ship_are_small_and_of_their_model(name: str) -> None:
    path = zoo.ood_reference_of(name)
    assert path is not None
    assert path.stat().st_size < 100_000
    (entry,) = (one for one in zoo.entries() if one.name == name)
    facts = ood_reference.load(path).facts
    assert (facts.weights_sha256, facts.model) == (entry.card["sha256"], name)


@pytest.mark.parametrize("name", SHIPPED)
def test_noise_is_strange_to_the_models_that_ship(name: str, tmp_path: Path) -> None:
    channels = 1 if "mnist" in name else 3
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 64, channels), dtype=np.uint8)
    Image.fromarray(noise.squeeze()).save(tmp_path / "noise.png")
    code, output = typed(str(tmp_path / "noise.png"), "--model", name, "--json", "-q")
    assert code == 0
    (photo,) = json.loads(output)["photos"]
    assert photo["scores"]["gradient"]["p"] < 0.05
    assert photo["scores"]["likelihood"]["p"] < 0.05


def test_a_file_that_is_no_reference_is_not_replaced(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"mine")
    words = ("--fit", "--model", "ipa-mnist", "--data", "digits", "-o", str(photo))
    code, output = typed(*words)
    assert (code, "not a reference" in output, photo.read_bytes()) == (2, True, b"mine")


def test_sets_wholly_apart_have_no_error_of_nought() -> None:
    part = {"value": 1.0, "se": 0.0}, {"value": 0.999, "se": 0.0004}, {"value": 0.8, "se": None}
    cells = [ood_tables._cells({"s": one}, ["s"])[0] for one in part]
    assert cells == ["1.000", "0.999 ± 0.0004", "0.800"]
