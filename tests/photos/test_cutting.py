"""What a model sees of a window, and what of its picture reaches the photo."""

import numpy as np
import numpy.typing as npt
import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.photos.blending import fill_of
from inpaint_cli.photos.cutting import model_input, paste, window_colours
from inpaint_cli.photos.windows import Box
from inpaint_cli.pictures.picture import of_array

RNG = np.random.default_rng(0)


def hidden_box(height: int, width: int, box: Box) -> npt.NDArray[np.bool_]:
    visible = np.ones((height, width), bool)
    visible[box.slices] = False
    return visible


def test_at_the_models_own_size_the_fill_is_the_models_picture() -> None:
    picture = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    seen = hidden_box(16, 16, Box(4, 4, 12, 12))
    fill = fill_of(picture, np.zeros((16, 16, 3), np.float32), seen, 0)
    np.testing.assert_array_equal(fill, picture)


def test_only_the_pixels_of_a_part_are_written() -> None:
    photo = of_array(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    box, pixels = Box(12, 14, 20, 24), RNG.random((8, 10)) < 0.5
    fill = RNG.integers(0, 256, (8, 10, 3)).astype(np.float32)
    samples = photo.samples.copy()
    paste(samples, photo, box, pixels, fill)
    np.testing.assert_array_equal(samples[box.slices][pixels], fill[pixels])
    samples[box.slices][pixels] = photo.samples[box.slices][pixels]
    np.testing.assert_array_equal(samples, photo.samples)


@pytest.mark.parametrize("opaque", [False, True])
def test_transparency_under_the_hole_goes_only_where_that_is_asked_for(opaque: bool) -> None:
    photo = of_array(RNG.integers(0, 255, (40, 40, 2), dtype=np.uint8))
    hole = Box(12, 12, 20, 20)
    samples = photo.samples.copy()
    paste(samples, photo, hole, np.ones((8, 8), bool), np.zeros((8, 8, 1), np.float32), opaque)
    wanted = photo.samples[..., 1].copy()
    if opaque:
        wanted[hole.slices] = 255
    np.testing.assert_array_equal(samples[..., 1], wanted)


def test_a_grey_photo_takes_the_mean_of_a_colour_fill_and_shows_three_equal_channels() -> None:
    photo, window = of_array(np.full((16, 16), 80, np.uint8)), Box(0, 0, 16, 16)
    hole = Box(4, 4, 8, 8)
    visible = hidden_box(16, 16, hole)
    image, small = model_input(window_colours(photo, visible, window, 3), visible, 16)
    assert image.shape == (16, 16, 3)
    assert np.unique(image).tolist() == [0, 80]
    np.testing.assert_array_equal(small, visible)
    fill = np.tile(np.array([10, 20, 60], np.float32), (4, 4, 1))
    samples = photo.samples.copy()
    paste(samples, photo, hole, np.ones((4, 4), bool), fill)
    assert samples[5, 5] == 30


def test_what_lies_beyond_the_photo_is_black() -> None:
    photo = of_array(np.full((8, 16), 80, np.uint8))
    visible = hidden_box(8, 16, Box(2, 2, 4, 4))
    values = window_colours(photo, visible, Box(-4, 0, 12, 16), 1)
    assert values.shape == (16, 16, 1)
    assert not values[:4].any()
    assert int((values == 80).sum()) == int(visible.sum())


def test_a_grey_model_refuses_visible_colour_only() -> None:
    colours = np.full((16, 16, 3), 50, np.uint8)
    colours[4:8, 4:8, 0] = 200
    window, hidden = Box(0, 0, 16, 16), hidden_box(16, 16, Box(4, 4, 8, 8))
    assert window_colours(of_array(colours), hidden, window, 1).shape == (16, 16, 1)
    with pytest.raises(UserError, match="grey ones only"):
        window_colours(of_array(colours), ~hidden, window, 1)
