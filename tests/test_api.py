"""The Python API: paths, Pillow images and arrays in; arrays out."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor

import inpaint_cli
from inpaint_cli import api, load_model, models
from inpaint_cli.errors import UserError
from inpaint_cli.randomness import Noise
from tests.pictures import pictures_of
from tests.pretend_model import loaded

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.fixture
def visible() -> npt.NDArray[np.bool_]:
    known = np.ones((40, 50), np.bool_)
    known[10:20, 15:30] = False
    return known


def test_path_pillow_image_and_array_give_the_same(
    tmp_path: Path, visible: npt.NDArray[np.bool_]
) -> None:
    model = loaded()
    mask = Image.fromarray(np.where(visible, 0, 255).astype(np.uint8))
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    mask.save(tmp_path / "m.png")
    first = model.complete(tmp_path / "a.png", tmp_path / "m.png", n=2)
    second = model.complete(Image.fromarray(COLOUR), mask, n=2)
    third = model.complete(COLOUR, visible=visible, n=2)
    fourth = model.complete(COLOUR, ~visible, n=2)
    for other in (second, third, fourth):
        np.testing.assert_array_equal(np.stack(first.images), np.stack(other.images))


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 50, 2), (40, 50, 3), (40, 50, 4)])
def test_arrays_come_back_in_their_shape(
    shape: tuple[int, ...], visible: npt.NDArray[np.bool_]
) -> None:
    image = RNG.integers(0, 256, shape, dtype=np.uint8)
    result = loaded().complete(image, visible=visible, n=1)
    assert result.images[0].shape == shape
    assert result.images[0].dtype == np.uint8
    np.testing.assert_array_equal(result.images[0][visible], image[visible])


def test_a_result_has_likelihoods_details_and_the_hidden_share(
    visible: npt.NDArray[np.bool_],
) -> None:
    result = loaded().complete(COLOUR, visible=visible, n=3, trace=True)
    assert result.log_prob is not None
    assert result.log_prob.shape == (3,)
    assert result.details["trace"].shape[0] == 3
    assert result.hole_fraction == pytest.approx(150 / 2000)


def test_the_default_number_is_one_for_a_deterministic_model(
    visible: npt.NDArray[np.bool_],
) -> None:
    assert len(api.load_model("telea").complete(COLOUR, visible=visible).images) == 1
    assert len(loaded().complete(COLOUR, visible=visible).images) == 8
    assert len(loaded().complete(COLOUR, visible=visible, temperature=0.0).images) == 1
    with pytest.raises(UserError, match="at temperature 0 a model has one completion"):
        loaded().complete(COLOUR, visible=visible, temperature=0.0, n=2)


def test_complete_loads_the_model_itself(visible: npt.NDArray[np.bool_]) -> None:
    result = inpaint_cli.complete(COLOUR, visible=visible, model="navier-stokes")
    np.testing.assert_array_equal(result.images[0][visible], COLOUR[visible])


def test_a_grey_model_completes_grey_values_in_colour_files_only(
    visible: npt.NDArray[np.bool_],
) -> None:
    grey = np.repeat(COLOUR[..., :1], 3, axis=2)
    (fill,) = loaded(channels=1).complete(grey, visible=visible, n=1).images
    assert (fill[..., 0] == fill[..., 2]).all()
    with pytest.raises(UserError, match="colour photo"):
        loaded(channels=1).complete(COLOUR, visible=visible, n=1)


def test_two_windows_that_look_alike_are_completed_differently() -> None:
    flat = np.full((200, 400), 90, np.uint8)
    visible = np.ones(flat.shape, np.bool_)
    visible[96:104, 46:54] = visible[96:104, 346:354] = False
    (fill,) = loaded().complete(flat, visible=visible, n=1, detail="none").images
    assert (fill[96:104, 46:54] != fill[96:104, 346:354]).any()


def test_a_thin_hole_of_which_no_model_is_asked_has_no_details(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = loaded()
    monkeypatch.setattr(model.model, "has_log_prob", False)
    visible = np.ones((40, 50), np.bool_)
    visible[10:13] = False
    result = model.complete(COLOUR, visible=visible, n=1)
    assert (result.details, result.window_details, result.log_prob) == ({}, [], None)


def test_log_probabilities_of_windows_are_summed() -> None:
    flat = np.full((200, 400), 90, np.uint8)
    one, two = np.ones((2, 200, 400), np.bool_)
    one[96:104, 46:54] = two[96:104, 46:54] = two[96:104, 346:354] = False
    single = loaded().complete(flat, visible=one, n=2).log_prob
    double = loaded().complete(flat, visible=two, n=2).log_prob
    assert single is not None
    assert double is not None
    assert (double < single).all()


def test_everything_hidden_is_a_plain_sample() -> None:
    result = loaded().complete(COLOUR, visible=np.zeros((40, 50), np.bool_), n=2)
    assert (result.images[0] != result.images[1]).any()


def test_an_opened_pillow_image_is_read_like_its_file(
    tmp_path: Path, visible: npt.NDArray[np.bool_]
) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (50, 40, 1), dtype=np.uint16)
    path = tmp_path / "turned.tif"
    path.write_bytes(pictures_of.tiff(deep, 0, rows=50, orientation=6))  # white is zero
    with Image.open(path) as opened:
        result = load_model("telea").complete(opened, visible=visible)
    np.testing.assert_array_equal(
        result.images[0][visible], pictures_of.oriented(deep, 6)[..., 0][visible]
    )
    assert result.completed.photo.low > result.completed.photo.high
    with Image.open(path) as opened:
        opened.load()  # from now on its pixels may be others than the file's
        opened.paste(7, (0, 0, *opened.size))
        photo = load_model("telea").complete(opened, visible=np.rot90(visible)).completed.photo
    assert np.ptp(photo.samples) == 0


@pytest.mark.parametrize("options", [{"folder": None}, {"quality": "x", "format": "jpeg"}])
def test_what_a_result_cannot_be_saved_with_is_named(
    options: dict[str, Any], tmp_path: Path, visible: npt.NDArray[np.bool_]
) -> None:
    result = load_model("telea").complete(COLOUR, visible=visible)
    with pytest.raises(UserError, match=f"^{next(iter(options))}: must be"):
        result.save(**{"folder": tmp_path, **options})


def test_remarks_on_a_mask_are_notes_of_the_result(visible: npt.NDArray[np.bool_]) -> None:
    notes = loaded().complete(COLOUR, (~visible).astype(np.uint8), n=1).notes
    assert "mask: a mask of the values 0 and 1: 1 counts as white" in notes


def test_an_empty_hole_is_refused_without_a_word_of_the_command_line() -> None:
    labels = np.arange(2000, dtype=np.uint8).reshape(40, 50) % 3
    with pytest.raises(UserError, match=r"^mask: nothing to fill: .* labels != 3\.$"):
        loaded().complete(COLOUR, labels)
    with pytest.raises(UserError, match=r"^visible: nothing to fill: everything is known\.$"):
        loaded().complete(COLOUR, visible=np.ones((40, 50), np.bool_))


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (COLOUR, None, "either mask"),
        (COLOUR, np.zeros((40, 50), np.uint8), "nothing to fill"),
        (COLOUR, np.ones((4, 5), np.uint8), "shape"),
        (COLOUR, np.ones((0, 0), np.uint8), "expected numbers"),
        (COLOUR.astype(np.float32), np.ones((40, 50), np.uint8), "uint8"),
        (np.zeros((0, 5), np.uint8), np.ones((0, 5), np.uint8), "uint8"),
        (np.zeros((4, 5, 7), np.uint8), np.ones((4, 5), np.uint8), "channels"),
    ],
)
def test_unusable_arrays_are_refused(
    image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8] | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        loaded().complete(image, mask)


@pytest.mark.parametrize(
    "options", [{"n": 0}, {"seed": -1}, {"temperature": -0.5}, {"context": -1}, {"feather": -1.0}]
)
def test_unusable_numbers_are_refused(
    options: dict[str, float], visible: npt.NDArray[np.bool_]
) -> None:
    with pytest.raises(UserError, match=rf"^{next(iter(options))}: must "):
        loaded().complete(COLOUR, visible=visible, **options)  # type: ignore[arg-type]


def test_an_option_of_another_family_is_refused_by_name(visible: npt.NDArray[np.bool_]) -> None:
    with pytest.raises(UserError, match=r"^trace: an option of pcnn, not of telea"):
        api.load_model("telea").complete(COLOUR, visible=visible, trace=True)


def test_an_unknown_model_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'telea'"):
        api.load_model("teela")


def test_masks_without_a_hole_are_refused() -> None:
    with pytest.raises(UserError, match="leaves all of 64x64 pixels visible: there is no hole"):
        inpaint_cli.draw_masks("edge:200", 2, 64)


def test_drawn_masks_repeat_with_their_seed() -> None:
    first = inpaint_cli.draw_masks("freeform", 3, 32, seed=5)
    np.testing.assert_array_equal(first, inpaint_cli.draw_masks("freeform", 3, 32, seed=5))
    assert (first != inpaint_cli.draw_masks("freeform", 3, 32, seed=6)).any()


def test_the_examples_of_the_page_on_python_run(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(top)
    text = (top / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(block, namespace)


def test_a_loaded_model_is_shown_in_one_line() -> None:
    assert repr(inpaint_cli.load_model("telea")).startswith("LoadedModel('telea', family='telea'")


def test_a_result_is_shown_in_one_line(visible: npt.NDArray[np.bool_]) -> None:
    result = loaded().complete(COLOUR, visible=visible, n=2)
    assert repr(result) == "CompletionResult(2 of 50 x 40 pixels, rgb 8 bit, 7.5 % hidden)"


def test_an_interpreter_is_told_all_public_names() -> None:
    assert set(inpaint_cli.__all__) <= set(dir(inpaint_cli))


def test_a_misspelt_argument_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'temperature'"):
        inpaint_cli.load_model("telea").complete(COLOUR, COLOUR[..., 0], tempreature=2)


def test_a_model_whose_training_is_not_finished_says_so(tmp_path: Path) -> None:
    from inpaint_cli.weights import save_weights

    family = models.get("pcnn")
    model = family.build(family.presets["digits"])
    path = tmp_path / "model.safetensors"
    extra = {"in_progress": "pixels", "step": "7"}
    save_weights(path, model, family="pcnn", preset="digits", extra=extra)
    assert "stage 'pixels', step 7" in inpaint_cli.load_model(path).note
    save_weights(path, model, family="pcnn", preset="digits")
    assert inpaint_cli.load_model(path).note == ""


def test_a_model_with_untrained_stages_names_them(tmp_path: Path) -> None:
    from inpaint_cli.weights import save_weights

    family = models.get("latent-codes")
    model = family.build(family.presets["digits"])
    path = tmp_path / "model.safetensors"
    extra = {"stages": "vqgan,transformer"}
    save_weights(path, model, family="latent-codes", preset="digits", extra=extra)
    assert inpaint_cli.load_model(path).note == "not trained yet: encoder, decoder"


@pytest.mark.parametrize(
    ("stages", "note"), [("partial-encoder", ""), ("vae", "not trained yet: partial-encoder")]
)
def test_a_finished_partial_encoder_stands_on_a_trained_vae(
    tmp_path: Path, stages: str, note: str
) -> None:
    from inpaint_cli.weights import save_weights

    family = models.get("ipa")
    path = tmp_path / "model.safetensors"
    extra = {"stages": stages}
    model = family.build(family.presets["digits"])
    save_weights(path, model, family="ipa", preset="digits", extra=extra)
    assert inpaint_cli.load_model(path).note == note


def test_a_model_that_a_family_stands_for_goes_by_its_own_name() -> None:
    assert api.load_model("pcnn", device="cpu").name == "pcnn-photos32"
    assert api.load_model("telea", device="cpu").name == "telea"


MASK = np.zeros((40, 50), np.uint8)
MASK[10:20, 15:30] = 255


@pytest.mark.parametrize("odd", [[[1, 2]], b"x", 5, open])
@pytest.mark.parametrize("name", ["image", "mask"])
def test_what_is_no_picture_is_refused_by_the_name_of_its_argument(name: str, odd: object) -> None:
    given = {"image": COLOUR, "mask": MASK, name: odd}
    with pytest.raises(UserError, match=f"{name}: expected a path, a Pillow image or an array"):
        api.load_model("telea").complete(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        *(("seed", "x"), ("n", 1.5), ("n", True), ("context", "a"), ("feather", []), ("n", 0)),
        ("context", 10**400),
    ],
)
def test_numbers_of_odd_types_are_refused_by_the_name_of_their_argument(
    name: str, odd: object
) -> None:
    with pytest.raises(UserError, match=f"{name}: must be"):
        api.load_model("telea").complete(COLOUR, MASK, **{name: odd})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "odd"),
    [("size", "64"), ("size", 10**6), ("n", 2.5), ("seed", -1), ("kind", None)],
)
def test_odd_orders_of_masks_are_refused(name: str, odd: object) -> None:
    given = {"kind": "freeform", "n": 1, "size": 32, "seed": 0, name: odd}
    with pytest.raises(UserError, match=f"{name}: must be"):
        api.draw_masks(**given)  # type: ignore[arg-type]


def test_faint_noise_in_an_array_is_no_hole() -> None:
    noisy = MASK.copy()
    noisy[0, :5] = 7
    result = api.load_model("telea").complete(COLOUR, noisy)
    assert result.hole_fraction == pytest.approx(150 / 2000)
    three = api.load_model("telea").complete(COLOUR, MASK[..., None])
    np.testing.assert_array_equal(result.images[0], three.images[0])


def test_a_truncated_image_is_refused_as_a_mask(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "m.png")
    (tmp_path / "m.png").write_bytes((tmp_path / "m.png").read_bytes()[:2000])
    with Image.open(tmp_path / "m.png") as lazy, pytest.raises(UserError, match="truncated"):
        api.load_model("telea").complete(COLOUR, lazy)


def test_a_result_says_its_mode_shows_itself_and_can_be_saved(tmp_path: Path) -> None:
    model = api.load_model("telea")
    result = inpaint_cli.complete(COLOUR, MASK, model=model)
    assert result.mode == "rgb 8 bit"
    assert result._repr_png_().startswith(b"\x89PNG")
    paths = result.save(tmp_path / "o", "a")
    assert [path.name for path in paths] == ["a-0.png", "a-sheet.png"]
    with Image.open(paths[0]) as image:
        np.testing.assert_array_equal(np.asarray(image), result.images[0])
    with pytest.raises(UserError, match="exists"):
        result.save(tmp_path / "o", "a")


def test_a_result_makes_no_folder_that_is_called_as_a_file(tmp_path: Path) -> None:
    result = inpaint_cli.complete(COLOUR, MASK, model="telea")
    with pytest.raises(UserError, match=r"^folder: .*a\.png is called as a file"):
        result.save(tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_texture_alone_has_a_result_without_windows() -> None:
    assert api.load_model("patches").complete(COLOUR, MASK, n=1).details == {}


ODD = [3.5, True, b"x", [], {}, object(), ("a", 3), float("nan"), np.zeros(3)]
"""What none of the arguments below may be, but for some of them."""


@pytest.mark.parametrize(
    "name",
    [
        *("data", "metrics", "masks", "folders", "reference", "work", "calibration", "split"),
        *("split_map", "seed", "limit", "k", "device", "by_visible", "check_leaks", "temperature"),
        *("detail", "reconstruct", "kid_form", "features", "weights_dir", "allow_biased"),
    ],
)
def test_scores_refuse_odd_types_by_the_name_of_the_argument(name: str) -> None:
    fits: dict[str, tuple[int, ...]] = {  # places in ODD
        **dict.fromkeys(("data", "folders", "masks"), (3,)),
        **dict.fromkeys(("by_visible", "check_leaks", "reconstruct", "allow_biased"), (1,)),
        "temperature": (0,),
    }
    for place, odd in enumerate(ODD):
        if place not in fits.get(name, ()):
            given: dict[str, Any] = {"limit": 2, "metrics": "psnr", name: odd}
            with pytest.raises(UserError) as caught:
                inpaint_cli.score("telea", **given)
            assert caught.value.setting in (name, "")


class Filled:
    """Fills a hole with one value."""

    def __init__(self, value: int, name: str) -> None:
        self.value, self.name = value, name

    def complete(self, image: Tensor, visible: Tensor, noise: Noise) -> Tensor:
        return torch.full((len(noise), *image.shape[1:]), self.value, dtype=torch.uint8)


def test_objects_of_one_name_are_refused_where_one_alone_would_be_scored() -> None:
    given: dict[str, Any] = {"metrics": "mae", "size": 16, "limit": 2, "k": 1}
    telea = Filled(0, "telea")
    for both in ([Filled(0, "a"), Filled(255, "a")], ["telea", telea], ["all", telea]):
        with pytest.raises(UserError, match="two are called"):
            inpaint_cli.score(both, **given)
    dark, bright = inpaint_cli.score([Filled(0, "a"), Filled(255, "b")], **given)
    assert dark["metrics"][0]["value"] != bright["metrics"][0]["value"]


def test_models_beside_folders_are_refused_and_not_left_out(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 90).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="Give models or folders") as caught:
        inpaint_cli.score("telea", folders=[tmp_path], reference=tmp_path, metrics="mae")
    assert caught.value.setting == "models"


@pytest.mark.parametrize(
    "call",
    [
        lambda odd: inpaint_cli.load_model("telea", device=odd),
        lambda odd: inpaint_cli.calibrate("telea", data="digits", split_map=odd),
        lambda odd: inpaint_cli.calibrate("telea", data="digits", seed=odd),
        lambda odd: inpaint_cli.compare_ood("ipa-mnist", data="digits", reference=odd),
        lambda odd: inpaint_cli.compare_ood("ipa-mnist", data="digits", by_visible=odd),
        lambda odd: inpaint_cli.ood(np.zeros((8, 8), np.uint8), model="ipa-mnist", reference=odd),
        lambda odd: inpaint_cli.design_table("mnist", model="a", classifier="b", split_map=odd),
        lambda odd: inpaint_cli.design_table("mnist", model="a", classifier="b", cross=odd),
    ],
)
def test_odd_types_end_in_a_sentence(call: Callable[[object], object]) -> None:
    for odd in (b"x", {}, object(), ("a", 3), np.zeros(3)):
        with pytest.raises(UserError):
            call(odd)


def test_one_path_is_data_as_a_text_is(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 90).save(tmp_path / "a.png")
    Image.new("L", (16, 16), 50).save(tmp_path / "b.png")
    given: dict[str, Any] = {"metrics": ["psnr"], "k": 1, "size": 16, "split_map": "*=test"}
    of_path, of_text = (
        inpaint_cli.score("telea", data=data, **given) for data in (tmp_path, str(tmp_path))
    )
    assert of_path[0]["metrics"] == of_text[0]["metrics"]
