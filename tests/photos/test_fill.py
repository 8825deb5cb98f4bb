"""The fill: of the photo's own texture, the same for the same seed, and visible samples exact."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from inpaint_cli import api, models
from inpaint_cli.errors import UserError
from inpaint_cli.family import Model
from inpaint_cli.photos.completing import CompletedPhoto, complete_photo
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.photos.spread import Spread
from inpaint_cli.photos.windows import Box
from inpaint_cli.pictures.picture import Picture, of_array
from inpaint_cli.pictures.reading import of_image
from tests.pretend_model import loaded

Hidden = npt.NDArray[np.bool_]
Values = npt.NDArray[np.uint8]


def textured(height: int = 90, width: int = 110, seed: int = 0, bands: int = 3) -> Values:
    """Return waves under grain, [height, width, bands]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = 128 + 50 * np.sin(x / 6 + y / 17) + 30 * np.sin(y / 5 - x / 23)
    planes = [waves * (0.7 + 0.3 * band / bands) for band in range(bands)]
    values = np.stack(planes, axis=2) + rng.normal(0, 12, (height, width, bands))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def hidden_of(shape: tuple[int, ...], *boxes: Box) -> Hidden:
    hidden = np.zeros(shape[:2], np.bool_)
    for box in boxes:
        hidden[box.slices] = True
    return hidden


def completed_of(
    photo: Picture, hidden: Hidden, model: Model | None = None, **settings: object
) -> CompletedPhoto:
    request = CompletionRequest(**settings)  # type: ignore[arg-type]
    return complete_photo(photo, ~hidden, model or loaded().model, request)


def all_of(completed: CompletedPhoto) -> list[bytes]:
    return [completed.samples(index).tobytes() for index in range(completed.request.n)]


SHAPE = (90, 110)
HOLES = {
    "one box": hidden_of(SHAPE, Box(30, 30, 62, 64)),
    "several windows": hidden_of(SHAPE, Box(4, 4, 20, 24), Box(60, 80, 76, 98)),
    "touching parts": hidden_of(SHAPE, Box(40, 0, 44, 110)),
}
each_hole = pytest.mark.parametrize("hole", HOLES)
each_detail = pytest.mark.parametrize("detail", ["photo", "none"])


@each_detail
@each_hole
def test_completion_i_is_the_same_whatever_n_and_the_order(hole: str, detail: str) -> None:
    photo = of_array(textured())
    many = completed_of(photo, HOLES[hole], n=4, detail=detail)
    backwards = [many.samples(index).tobytes() for index in (3, 2, 1, 0)][::-1]
    assert backwards == all_of(many)
    assert all_of(completed_of(photo, HOLES[hole], n=2, detail=detail)) == backwards[:2]


@each_detail
@each_hole
def test_what_lies_under_the_hole_changes_nothing(hole: str, detail: str) -> None:
    hidden, values = HOLES[hole], textured()
    other = values.copy()
    noise = np.random.default_rng(5).integers(0, 256, values.shape, dtype=np.uint8)
    other[hidden] = noise[hidden]
    one, two = (
        all_of(completed_of(of_array(some), hidden, n=2, detail=detail)) for some in (values, other)
    )
    assert one == two


@each_detail
def test_the_number_of_threads_changes_nothing(detail: str) -> None:
    photo, hidden = of_array(textured()), HOLES["one box"]
    alone = all_of(completed_of(photo, hidden, n=2, detail=detail))
    torch_threads, numba_threads = torch.get_num_threads(), numba.get_num_threads()
    threads = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    try:
        torch.set_num_threads(2)
        numba.set_num_threads(min(2, threads))
        assert all_of(completed_of(photo, hidden, n=2, detail=detail)) == alone
    finally:
        torch.set_num_threads(torch_threads)
        numba.set_num_threads(numba_threads)


@each_detail
def test_another_seed_gives_other_fills(detail: str) -> None:
    photo, hidden = of_array(textured()), HOLES["one box"]
    one, two = (all_of(completed_of(photo, hidden, seed=s, detail=detail)) for s in (0, 1))
    assert one != two


RNG = np.random.default_rng(2)
PHOTOS = {
    "grey": of_array(textured(bands=1)[..., 0]),
    "RGB": of_array(textured()),
    "RGBA": of_array(np.dstack([textured(), RNG.integers(9, 256, SHAPE, dtype=np.uint8)])),
    "16 bit": of_array(textured(bands=1).astype(np.uint16) * 257),
    "CMYK": Picture(textured(bands=4), "cmyk", 8, 0.0, 255.0),
    "LAB": Picture(textured(), "lab", 8, 0.0, 255.0),
    "1 bit": of_array(textured(bands=1) > 128),
    "float": of_array(textured(bands=1).astype(np.float32) / 255),
}


@each_detail
@pytest.mark.parametrize("mode", PHOTOS)
def test_visible_samples_are_exact_in_every_mode(mode: str, detail: str) -> None:
    photo, hidden = PHOTOS[mode], HOLES["several windows"]
    samples = completed_of(photo, hidden, detail=detail).samples(0)
    assert (samples.dtype, samples.shape) == (photo.samples.dtype, photo.samples.shape)
    np.testing.assert_array_equal(samples[~hidden], photo.samples[~hidden])
    bands = photo.samples.shape[2] - len(photo.extras)
    assert (samples[hidden][:, :bands] != photo.samples[hidden][:, :bands]).any()
    np.testing.assert_array_equal(samples[hidden][:, bands:], photo.samples[hidden][:, bands:])


@pytest.mark.parametrize("box", [Box(30, 40, 60, 70), Box(20, 20, 26, 90), Box(0, 0, 40, 110)])
def test_a_rim_of_one_colour_goes_on_exactly(box: Box) -> None:
    values = np.full((*SHAPE, 3), (200, 190, 30), np.uint8)
    hidden = hidden_of(SHAPE, box)
    torn = values.copy()
    torn[hidden] = 0
    completed = completed_of(of_array(torn), hidden, n=2)
    for index in range(2):
        np.testing.assert_array_equal(completed.samples(index), values)


@pytest.mark.parametrize("box", [Box(60, 60, 110, 120), Box(30, 20, 36, 180)])
def test_paper_with_grain_goes_on_with_its_own_grain(box: Box) -> None:
    rng = np.random.default_rng(0)
    paper = np.rint(rng.normal(245, 4, (200, 200))).clip(0, 255).astype(np.uint8)
    hidden = hidden_of(paper.shape, box)
    grain = completed_of(of_array(paper), hidden).samples(0)[..., 0][hidden].astype(float)
    rim = paper[~hidden].astype(float)
    assert abs(grain.mean() - rim.mean()) <= 1
    assert grain.std() == pytest.approx(rim.std(), rel=0.2)


@pytest.mark.parametrize(
    ("box", "off"),
    [
        (Box(51, 40, 57, 150), 0),  # three pixels of the row on each side
        (Box(50, 40, 57, 150), 1),  # the next row is nearer than that
    ],
)
def test_a_row_of_a_table_in_a_screenshot_goes_on(box: Box, off: int) -> None:
    table = np.full((120, 200, 3), 255, np.uint8)
    for top in range(0, 120, 24):
        table[top : top + 12] = (232, 240, 250)
    hidden = hidden_of(table.shape, box)
    torn = table.copy()
    torn[hidden] = (0, 0, 0)
    samples = completed_of(of_array(torn), hidden).samples(0)
    np.testing.assert_allclose(samples.astype(int), table.astype(int), rtol=0, atol=off)


def test_where_too_little_is_visible_the_models_picture_is_the_fill_and_one_note_says_so() -> None:
    photo, hidden = of_array(textured(40, 44)), np.ones((40, 44), np.bool_)
    hidden[18:24, 20:26] = False  # no whole patch of 7x7
    completed = completed_of(photo, hidden, n=2)
    notes = [note for note in completed.notes() if "too little is visible" in note]
    assert notes == [
        "too little is visible to take texture from; the model's picture alone is the fill"
    ]
    plain = completed_of(photo, hidden, n=2, detail="none")
    assert all_of(completed) == all_of(plain)


def specks(share: float = 0.5) -> Hidden:
    return np.random.default_rng(0).random(SHAPE) < share


def test_specks_all_over_blank_paper_become_paper_and_no_model_is_needed() -> None:
    paper = np.full((*SHAPE, 3), 245, np.uint8)
    completed = completed_of(of_array(paper), specks(), n=2)
    assert (completed.samples(1) == 245).all()
    assert completed.notes() == []
    assert completed.texturing is not None
    assert not completed.texturing.needs_structure


def test_what_is_plain_goes_on_though_elsewhere_too_little_is_visible() -> None:
    photo, hidden = textured(), specks()
    photo[:, :50] = 245
    hidden[:, 51:] |= specks(0.9)[:, 51:]
    hidden[:, 46:51] = False
    completed = completed_of(of_array(photo), hidden, n=2)
    assert completed.windows
    one, two = completed.samples(0), completed.samples(1)
    assert (one[:, :24] == 245).all()
    assert (one[:, 60:] != two[:, 60:]).any()
    np.testing.assert_array_equal(one[~hidden], photo[~hidden])


def test_texture_alone_refuses_a_photo_of_which_nothing_is_visible() -> None:
    with pytest.raises(UserError, match="nothing is visible, and texture only continues"):
        completed_of(of_array(textured()), np.ones(SHAPE, np.bool_), texture_only=True)


@pytest.mark.parametrize("texture_only", [True, False])
def test_a_part_far_from_all_that_is_visible_is_filled_from_there(texture_only: bool) -> None:
    photo = textured(24, 1700)
    hidden = hidden_of(photo.shape, Box(0, 0, 24, 1650))  # in two parts
    completed = completed_of(of_array(photo), hidden, texture_only=texture_only)
    made = completed.samples(0)
    assert made[:, :800].std() > 10  # texture, of which there is none near
    np.testing.assert_array_equal(made[~hidden], photo[~hidden])


def test_where_nothing_is_visible_the_model_draws_all() -> None:
    photo, hidden = of_array(textured(40, 44)), np.ones((40, 44), np.bool_)
    one, two = all_of(completed_of(photo, hidden, n=2))
    assert one != two


@pytest.mark.parametrize("model", ["telea", "navier-stokes"])
def test_a_method_at_the_photos_own_size_has_no_detail_to_add(model: str) -> None:
    with pytest.raises(UserError, match=r"^detail: .*own size"):
        api.load_model(model).complete(textured(), visible=~HOLES["one box"], n=1, detail="photo")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"detail": "photo", "of_drawing": True}, "a drawing has no texture"),
        ({"detail": "none", "texture_only": True}, "this method has nothing but texture"),
        ({"detail": "fog"}, "must be one of photo, none, got 'fog'"),
    ],
)
def test_a_detail_that_makes_no_sense_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=f"^detail: {told}"):
        CompletionRequest(**settings)


@pytest.mark.parametrize("name", ["feather", "context"])
def test_texture_alone_takes_nothing_that_is_of_a_models_picture(name: str) -> None:
    with pytest.raises(UserError, match=f"^{name}: texture"):
        CompletionRequest(texture_only=True, **{name: 3.0})  # type: ignore[arg-type]


def test_completions_of_one_plain_colour_are_said_to_be_alike() -> None:
    hidden = hidden_of(SHAPE, Box(30, 30, 62, 64))
    completed = completed_of(of_array(np.full(SHAPE, 90, np.uint8)), hidden, n=3)
    spread = Spread(completed)
    for index in range(3):
        spread.add(completed.samples(index))
    assert spread.deviation == 0
    assert spread.sentence() == (
        "all 3 completions are one and the same: what is visible round the holes has no texture, "
        "so it goes on smoothly"
    )


def test_a_long_hole_in_one_plain_colour_is_said_to_be_alike_for_that_reason() -> None:
    paper = np.full((40, 3200), 90, np.uint8)  # cut in parts, each of which follows another
    spread = Spread(
        completed_of(of_array(paper), hidden_of(paper.shape, Box(18, 0, 21, 3200)), n=2)
    )
    for index in range(2):
        spread.add(spread.completed.samples(index))
    assert "has no texture, so it goes on" in spread.sentence()


def test_completions_that_are_alike_in_pairs_are_counted_as_they_are() -> None:
    photo = of_array(textured())
    spread = Spread(completed_of(photo, hidden_of(SHAPE, Box(40, 20, 44, 24)), n=4))
    for level in (1, 1, 2, 2):
        spread.add(np.full_like(photo.samples, level))
    assert spread.sentence().startswith("the 4 completions are 2 different pictures")


def test_options_of_a_model_that_is_not_asked_are_told() -> None:
    hidden = hidden_of(SHAPE, Box(40, 20, 44, 90))
    model = loaded(32).model
    model.has_log_prob = False  # a likelihood would be asked for all the same
    told = completed_of(of_array(textured()), hidden, model, temperature=0.5)
    assert told.windows == ()
    assert "without effect are temperature" in told.notes()[-1]
    assert completed_of(of_array(textured()), hidden, model).notes() == []


@pytest.mark.parametrize("setting", ["context", "feather", "temperature"])
@pytest.mark.parametrize(
    ("value", "told"), [(1e308, "at most"), (float("nan"), "at least 0"), (-1.0, "at least 0")]
)
def test_numbers_that_no_arithmetic_holds_are_refused(
    setting: str, value: float, told: str
) -> None:
    with pytest.raises(UserError, match=f"^{setting}: must be {told}"):
        CompletionRequest(**{setting: value})  # type: ignore[arg-type]


def test_an_argument_is_no_option_and_no_option_is_nan() -> None:
    family = models.get("latent-codes")
    with pytest.raises(UserError, match=r"^seed: an argument of its own"):
        api.checked_options(family, {"seed": 1})
    names = [option.parameter for option in family.options if option.type is float]
    for name in names:
        with pytest.raises(UserError, match=f"^{name}: must be "):
            api.checked_options(family, {name: float("nan")})
    assert names


@pytest.mark.parametrize("place", [0, 1700, 3399])
def test_a_long_hole_is_filled_from_wherever_something_is_visible(place: int) -> None:
    photo = of_array(np.full((12, 3400), 90, np.uint8))
    hidden = np.ones((12, 3400), np.bool_)
    hidden[:, place] = False
    completed = completed_of(photo, hidden, api.load_model("patches").model, texture_only=True)
    assert (completed.samples(0) == 90).all()


def test_a_hole_far_within_transparent_pixels_gets_the_colour_of_the_rest() -> None:
    pixels = np.zeros((400, 400, 4), np.uint8)
    pixels[:20, :20] = [10, 20, 30, 255]
    image = Image.fromarray(pixels)
    hidden = hidden_of((400, 400), Box(300, 300, 310, 310))
    model = api.load_model("patches").model
    completed = completed_of(of_image(image), hidden, model, texture_only=True)
    assert (completed.samples(0)[305, 305] == [10, 20, 30, 0]).all()
