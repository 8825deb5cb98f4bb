"""What a model sees of a window, and what of its picture reaches the photo."""

import numpy as np
import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.photos.cutting import model_input, paste
from inpaint_cli.photos.windows import Box
from inpaint_cli.pictures.picture import of_array
from tests.pretend_model import PretendModel, loaded

RNG = np.random.default_rng(0)


def hidden_box(height: int, width: int, box: Box) -> np.ndarray:
    visible = np.ones((height, width), bool)
    visible[box.slices] = False
    return visible


def test_at_the_models_own_size_the_fill_is_the_models_picture() -> None:
    photo = of_array(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    picture = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    hole, window = Box(12, 12, 20, 20), Box(8, 8, 24, 24)
    samples = photo.samples.copy()
    paste(samples, photo, hidden_box(40, 40, hole), window, picture, None)
    np.testing.assert_array_equal(samples[hole.slices], picture[4:12, 4:12])
    samples[hole.slices] = photo.samples[hole.slices]
    np.testing.assert_array_equal(samples, photo.samples)


@pytest.mark.parametrize("opaque", [False, True])
def test_transparency_under_the_hole_goes_only_where_that_is_asked_for(opaque: bool) -> None:
    photo = of_array(RNG.integers(0, 255, (40, 40, 2), dtype=np.uint8))
    hole, window = Box(12, 12, 20, 20), Box(8, 8, 24, 24)
    samples = photo.samples.copy()
    picture = np.zeros((16, 16, 1), np.uint8)
    paste(samples, photo, hidden_box(40, 40, hole), window, picture, None, opaque)
    wanted = photo.samples[..., 1].copy()
    if opaque:
        wanted[hole.slices] = 255
    np.testing.assert_array_equal(samples[..., 1], wanted)


def test_a_grey_photo_takes_the_mean_of_a_colour_fill_and_shows_three_equal_channels() -> None:
    photo, model = of_array(np.full((16, 16), 80, np.uint8)), loaded(16, 3).model
    visible = hidden_box(16, 16, Box(4, 4, 8, 8))
    image, small = model_input(photo, visible, Box(0, 0, 16, 16), model)
    assert image.shape == (1, 3, 16, 16)
    assert np.unique(image.numpy()).tolist() == [0, 80]
    np.testing.assert_array_equal(small[0, 0].numpy(), visible)
    picture = np.tile(np.array([10, 20, 60], np.uint8), (16, 16, 1))
    samples = photo.samples.copy()
    paste(samples, photo, visible, Box(0, 0, 16, 16), picture, None)
    assert samples[5, 5] == 30


def test_what_lies_beyond_the_photo_is_hidden_and_black() -> None:
    photo, model = of_array(np.full((8, 16), 80, np.uint8)), loaded(16, 1).model
    visible = hidden_box(8, 16, Box(2, 2, 4, 4))
    image, small = model_input(photo, visible, Box(-4, 0, 12, 16), model)
    assert not small[0, 0, :4].any()
    assert int(image[0, 0, :4].sum()) == 0
    assert int((image == 80).sum()) == int(visible.sum())


def test_a_grey_model_refuses_visible_colour_only() -> None:
    values = np.full((16, 16, 3), 50, np.uint8)
    values[4:8, 4:8, 0] = 200
    model, window = PretendModel(16, 1), Box(0, 0, 16, 16)
    hidden = hidden_box(16, 16, Box(4, 4, 8, 8))
    image, _ = model_input(of_array(values), hidden, window, model)  # type: ignore[arg-type]
    assert image.shape == (1, 1, 16, 16)
    with pytest.raises(UserError, match="grey ones only"):
        model_input(of_array(values), ~hidden, window, model)  # type: ignore[arg-type]
