"""Photos of every kind through a completion: exact outside the hole, sensible inside it."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from inpaint_cli.api import load_model
from inpaint_cli.photos.completing import CompletedPhoto, complete_photo
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.pictures.picture import Picture, of_array

RNG = np.random.default_rng(0)
VISIBLE = np.ones((48, 60), np.bool_)
VISIBLE[20:32, 24:36] = False


def completed(photo: Picture, model: str, **wanted: object) -> CompletedPhoto:
    loaded = load_model(model)
    options = CompletionRequest.of_family(loaded.family, {}, **wanted)
    return complete_photo(photo, VISIBLE, loaded.model, options)


def ramp(low: float, high: float, dtype: npt.DTypeLike, channels: int) -> npt.NDArray[Any]:
    values = np.linspace(low, high, 60)[None, :, None] * np.ones((48, 1, channels))
    return values.astype(dtype)


KINDS = {
    "grey 16, white is zero": Picture(ramp(9000, 60000, np.uint16, 1), "grey", 16, 65535.0, 0.0),
    "12 bits in 16": of_array(ramp(0, 4095, np.uint16, 3)),
    "int8": of_array(ramp(-120, 120, np.int8, 1)),
    "float": of_array(ramp(-3, 900, np.float32, 3)),
    "huge floats": of_array(ramp(1.48e300, 1.5e300, np.float64, 1)),
    "one bit": of_array(ramp(0, 1.9, np.uint8, 1) > 0),
    "packed 12 bits": Picture(ramp(0, 4000, np.uint16, 1), "grey", 12, 0.0, 4095.0),
    "cmyk": Picture(ramp(20, 200, np.uint8, 4), "cmyk", 8, 0.0, 255.0),
    "lab": Picture(ramp(120, 160, np.uint8, 3), "lab", 8, 0.0, 255.0),
    "five channels": Picture(
        ramp(20, 200, np.uint8, 5), "rgb", 8, 0.0, 255.0, ("unspecified", "unspecified")
    ),
}


def test_further_channels_stay_in_the_hole_and_a_note_says_so() -> None:
    filled = completed(KINDS["five channels"], "telea")
    np.testing.assert_array_equal(
        filled.samples(0)[..., 3:], KINDS["five channels"].samples[..., 3:]
    )
    assert "further channels are not filled in" in filled.notes()


@pytest.mark.parametrize("model", ["telea", "patches"])
def test_a_further_channel_that_was_taken_for_alpha_becomes_opaque(model: str) -> None:
    samples = ramp(20, 200, np.uint8, 4)
    samples[..., 3] = VISIBLE * 255
    photo = Picture(samples, "rgb", 8, 0.0, 255.0, ("unspecified",))
    filled = completed(photo, model, opaque=True)
    assert (filled.samples(0)[..., 3] == 255).all()
    assert not any("further channels" in note for note in filled.notes())


@pytest.mark.parametrize("model", ["telea", "patches"])
@pytest.mark.parametrize("kind", KINDS)
def test_visible_samples_are_exact_and_the_fill_lies_in_their_range(kind: str, model: str) -> None:
    photo = KINDS[kind]
    samples = completed(photo, model).samples(0)
    assert samples.dtype == photo.samples.dtype
    np.testing.assert_array_equal(samples[VISIBLE], photo.samples[VISIBLE])
    if kind in ("cmyk", "lab"):  # whose way back is another one
        return
    near = photo.samples[14:38, 18:42].astype(np.float64)
    fill = samples[~VISIBLE].astype(np.float64)
    room = 0.2 * (near.max() - near.min())
    assert fill.min() >= near.min() - room
    assert fill.max() <= near.max() + room


def test_12_bits_in_16_are_filled_in_steps_as_fine_as_the_surroundings() -> None:
    photo = of_array(ramp(0, 4095, np.uint16, 1))
    fill = completed(photo, "telea").samples(0)[~VISIBLE]
    assert np.diff(np.unique(fill)).max() <= 70  # the ramp's own step is 69


@pytest.mark.parametrize("model", ["telea", "patches"])
def test_invisible_colours_do_not_bleed_into_the_fill(model: str) -> None:
    values = np.zeros((48, 60, 4), np.uint8)
    values[:, 24:] = (220, 0, 0, 255)
    result = completed(of_array(values), model)
    fill = result.samples(0)[~VISIBLE]
    assert fill[:, 0].min() >= 215
    assert not [note for note in result.notes() if "transparent" in note]


def test_a_fill_that_stays_invisible_is_told() -> None:
    values = np.full((48, 60, 4), 99, np.uint8)
    values[:, :30, 3] = 0
    assert any("50 % of the hole is fully transparent" in n for n in completed_notes(values))


def completed_notes(values: npt.NDArray[np.uint8]) -> list[str]:
    return completed(of_array(values), "telea").notes()


@pytest.mark.parametrize("model", ["telea", "patches"])
def test_black_ink_alone_stays_so(model: str) -> None:
    inks = np.zeros((48, 60, 4), np.uint8)
    inks[..., 3] = RNG.integers(120, 136, (48, 60))
    fill = completed(Picture(inks, "cmyk", 8, 0.0, 255.0), model).samples(0)[~VISIBLE]
    assert not fill[:, :3].any()
    assert abs(float(fill[:, 3].mean()) - 128) < 6


@pytest.mark.parametrize("model", ["telea", "navier-stokes"])
def test_a_hole_far_within_transparent_pixels_is_filled_from_where_something_is_seen(
    model: str,
) -> None:
    values = np.full((48, 200, 4), 255, np.uint8)
    values[..., 0] = 90
    values[:, :160, 3] = 0
    photo, visible = of_array(values), np.ones((48, 200), np.bool_)
    visible[20:26, 20:26] = visible[20:26, 180:186] = False
    loaded = load_model(model)
    done = complete_photo(
        photo, visible, loaded.model, CompletionRequest.of_family(loaded.family, {})
    )
    assert (np.abs(done.samples(0)[~visible][:, :3].astype(int) - [90, 255, 255]) <= 30).all()
