"""E_prt, composition, generator and refinement: shapes, and what hidden values cannot do."""

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.latent_codes.blocks import Shape
from inpaint_cli.models.latent_codes.decoding import ImageDecoder, Refinement, compose, composite

SHAPE = Shape(32, (1, 1, 1), 1, (4,), 32, 16)
NAN = float("nan")


def drawn(*size: int) -> Tensor:
    return 2 * torch.rand(size, generator=torch.Generator().manual_seed(sum(size))) - 1


@pytest.fixture
def visible() -> Tensor:
    mask = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    mask[..., 3:12, 5:16] = False
    return mask


def test_known_tokens_are_composed_of_features_alone() -> None:
    features, known = drawn(1, 4, 2, 2), torch.ones(1, 1, 2, 2, dtype=torch.bool)
    assert torch.equal(compose(features, torch.full_like(features, NAN), known), features)


def test_unknown_tokens_are_composed_of_code_and_features_in_equal_parts() -> None:
    features, codes = drawn(1, 4, 2, 2), drawn(1, 4, 2, 2) + 3
    known = torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    assert torch.equal(compose(features, codes, known), (codes + features) / 2)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("filling", [1e30, NAN])
def test_hidden_pixels_leave_the_decoded_image_bit_for_bit_the_same(
    visible: Tensor, partial: bool, filling: float
) -> None:
    model, x = ImageDecoder(3, SHAPE, 8, partial), drawn(2, 3, 16, 16)
    codes, known = drawn(2, 8, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    with torch.no_grad():
        image = model(x, visible, codes, known)
        other = model(torch.where(visible, x, filling), visible, codes, known)
    assert torch.equal(image, other)
    assert image.shape == x.shape
    assert image.isfinite().all()


@pytest.mark.parametrize("partial", [False, True])
def test_an_image_without_a_visible_pixel_is_decoded(partial: bool) -> None:
    hidden = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    with torch.no_grad():
        features = ImageDecoder(3, SHAPE, 8, partial).encode(
            torch.full((1, 3, 16, 16), NAN), hidden
        )
    assert features.isfinite().all()


def test_a_composite_holds_the_visible_bytes_and_the_hidden_output(visible: Tensor) -> None:
    image = torch.full((2, 3, 16, 16), 7, dtype=torch.uint8)
    result = composite(image, visible, torch.full_like(image, 9))
    assert torch.equal(result, torch.where(visible, 7, 9).expand_as(image).byte())


def test_nan_at_visible_output_does_not_reach_the_composite(visible: Tensor) -> None:
    image = drawn(2, 3, 16, 16)
    result = composite(image, visible, torch.where(visible, NAN, image))
    assert torch.equal(result, image)


def test_a_refinement_may_give_a_larger_image_than_it_takes() -> None:
    larger = Shape(32, (1, 1, 1, 1), 1, (4,), 32, 32)
    with torch.no_grad():
        assert Refinement(3, SHAPE, larger, 8)(drawn(1, 3, 16, 16)).shape == (1, 3, 32, 32)
