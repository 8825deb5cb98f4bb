"""A whole photo, seen by a model at its own size and given back: size, depth, edges, remarks."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.photos.completing import CompletedPhoto, complete_photo
from inpaint_cli.photos.reconstructing import psnr
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.pictures.picture import of_array
from tests.pretend_model import PretendModel

SIDE = 16


class Mirror(PretendModel):
    """A model that gives back what it is shown, or its negative, and remembers what that was."""

    def __init__(self, size: int = SIDE, channels: int = 3, negative: bool = False) -> None:
        super().__init__(size, channels)
        self.negative, self.shown = negative, list[Tensor]()

    def no_reconstruction(self) -> None:
        return

    def reconstruct(self, image: Tensor) -> Tensor:
        self.shown.append(image)
        return 255 - image if self.negative else image


def photo(height: int, width: int, bands: int = 3, kind: Any = np.uint8) -> npt.NDArray[Any]:
    top = np.iinfo(kind).max
    return np.random.default_rng(0).integers(0, top + 1, (height, width, bands)).astype(kind)


def given_back(values: npt.NDArray[Any], model: Mirror) -> CompletedPhoto:
    hidden = np.zeros(values.shape[:2], np.bool_)
    return complete_photo(of_array(values), hidden, model, CompletionRequest(reconstruct=True))


def test_a_photo_of_the_models_size_comes_back_as_the_model_gives_it() -> None:
    values = photo(SIDE, SIDE)
    completed = given_back(values, Mirror(negative=True))
    np.testing.assert_array_equal(completed.samples(0), 255 - values)
    assert completed.psnr == pytest.approx(psnr(values, 255 - values))
    assert given_back(values, Mirror()).psnr == float("inf")


@pytest.mark.parametrize("size", [(16, 16), (40, 24), (9, 31), (100, 100)])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_any_photo_keeps_its_size_and_channels(size: tuple[int, int], bands: int) -> None:
    values = photo(*size, bands)
    if bands in (2, 4):
        values[..., -1] = 255
    completed = given_back(values, Mirror())
    samples = completed.samples(0)
    assert samples.shape == values.shape
    assert samples.dtype == np.uint8
    if bands in (2, 4):
        np.testing.assert_array_equal(samples[..., -1], values[..., -1])


def test_sixteen_bits_stay_sixteen() -> None:
    values = photo(SIDE, SIDE, 3, np.uint16)
    samples = given_back(values, Mirror()).samples(0)
    assert samples.dtype == np.uint16
    assert np.abs(samples.astype(int) - values).max() <= 129  # half a level of 256


def test_the_edges_of_a_photo_that_is_no_square_are_repeated() -> None:
    values = np.zeros((8, SIDE, 3), np.uint8)
    values[0], values[-1] = 10, 200
    model = Mirror()
    completed = given_back(values, model)
    (shown,) = model.shown[0]
    assert (shown[:, :5] == 10).all()
    assert (shown[:, -5:] == 200).all()
    assert (shown[:, 5:-5] == 0).all()
    np.testing.assert_array_equal(completed.samples(0), values)


def test_what_lies_beyond_the_photo_does_not_count_in_the_psnr() -> None:
    class Wrong(Mirror):
        def reconstruct(self, image: Tensor) -> Tensor:
            given = image.clone()
            given[..., :4, :] = 0  # beyond a photo of half the height
            return given

    assert given_back(photo(8, SIDE), Wrong()).psnr == float("inf")


def test_the_note_tells_size_fidelity_and_enlargement() -> None:
    (note,) = given_back(photo(64, 32), Mirror(negative=True)).notes()
    assert note.startswith("reconstructed at 16 x 16 pixels with ")
    assert note.endswith(" dB, and enlarged 4.0 times")


def test_a_model_of_any_size_sees_the_photo_as_it_is() -> None:
    model = Mirror(size=0)
    values = photo(20, 30)
    np.testing.assert_array_equal(given_back(values, model).samples(0), values)
    assert model.shown[0].shape == (1, 3, 20, 30)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n": 2}, "n: must be 1, got 2: a photo has one reconstruction"),
        ({"temperature": 0.5}, "temperature: means nothing for a reconstruction"),
        ({"detail": "photo"}, "detail: means nothing"),
        ({"feather": 3.0}, "feather: means nothing"),
        ({"options": {"trace": True}}, "trace: means nothing"),
    ],
)
def test_what_means_nothing_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CompletionRequest(reconstruct=True, **asked)


def test_no_chance_and_no_texture_is_in_it() -> None:
    model = Mirror()
    values = photo(64, 64)
    completed = given_back(values, model)
    assert completed.texturing is None
    assert model.batches == []  # nothing was drawn
    assert torch.equal(model.shown[0], model.shown[-1])
