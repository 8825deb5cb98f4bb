"""Single masked layers against closed forms, and against plain layers on the visible positions."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.latent_codes.blocks import AttnBlock, normalisation
from inpaint_cli.models.latent_codes.masked import (
    MaskedAttention,
    MaskedLayers,
    MaskedNorm,
    MaskedResBlock,
)
from inpaint_cli.models.latent_codes.masked_convolutions import (
    EqualisedConv,
    PartialConv,
    Seen,
    StrictConv,
    majority,
    network_input,
    sum_over_windows,
)

CHANNELS = 64


@pytest.fixture
def mask() -> Tensor:
    """Return one mask with 10 visible positions of 36, and one with none."""
    visible = torch.zeros(2, 1, 6, 6)
    visible[0].view(-1)[torch.randperm(36, generator=torch.Generator().manual_seed(3))[:10]] = 1
    return visible


def features(mask: Tensor, seed: int = 0) -> Tensor:
    drawn = torch.randn(
        len(mask), CHANNELS, *mask.shape[2:], generator=torch.Generator().manual_seed(seed)
    )
    return (3 * drawn + 5) * mask


def with_drawn_weights(layer: nn.Module) -> nn.Module:
    """Return the layer with weights that are neither 0 nor 1."""
    generator = torch.Generator().manual_seed(1)
    for parameter in layer.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return layer.requires_grad_(False)


def only_visible(x: Tensor, mask: Tensor) -> Tensor:
    """Return item 0's visible positions as one column; [1, C, visible, 1]."""
    return x[0][:, mask[0, 0] > 0][None, :, :, None]


def test_normalisation_is_that_of_the_visible_positions_alone(mask: Tensor) -> None:
    layer, plain = with_drawn_weights(MaskedNorm(CHANNELS, 32)), normalisation(CHANNELS, 32)
    plain.load_state_dict(layer.state_dict())
    x = features(mask)
    result = layer(x, Seen(mask))
    torch.testing.assert_close(only_visible(result, mask), plain(only_visible(x, mask)))
    assert torch.equal(result * mask, result)


def test_attention_is_that_of_the_visible_positions_alone(mask: Tensor) -> None:
    layer, plain = with_drawn_weights(MaskedAttention(CHANNELS, 32)), AttnBlock(CHANNELS, 32)
    plain.load_state_dict(layer.state_dict())
    x = features(mask)
    result = layer(x, Seen(mask))
    expected = plain(only_visible(x, mask))
    torch.testing.assert_close(only_visible(result, mask), expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(result * mask, result)


def test_attention_adds_nothing_where_nothing_is_visible(mask: Tensor) -> None:
    layer = with_drawn_weights(MaskedAttention(CHANNELS, 32))
    assert layer(features(mask), Seen(mask))[1].abs().max().item() == 0


@pytest.mark.parametrize("stride", [1, 2])
def test_strict_convolution_of_a_constant_does_not_depend_on_the_mask(
    mask: Tensor, stride: int
) -> None:
    layer = StrictConv((1, 1), 3, stride, alpha=0.25)
    layer.conv.weight.data.fill_(1)
    seen = Seen(mask)
    result, after = layer(2 * mask, seen)
    bias = layer.conv.bias
    assert bias is not None
    inside = sum_over_windows(torch.ones_like(mask[:1]), layer)
    expected = (2 * inside + bias) * after.mask
    torch.testing.assert_close(result, expected.expand_as(result))
    assert after.mask[0].any()


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (1, 1)])
def test_strict_convolution_is_a_plain_one_where_everything_is_visible(
    size: int, stride: int
) -> None:
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    layer = StrictConv((4, 5), size, stride, 1.0)
    result, after = layer(x, Seen(torch.ones(1, 1, 8, 8)))
    torch.testing.assert_close(result, layer.conv(F.pad(x, layer.margin)))
    assert after.mask.all()


@pytest.mark.parametrize("size", [1, 3])
def test_equalised_convolution_is_a_plain_one_with_scaled_weights(size: int) -> None:
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    layer = with_drawn_weights(EqualisedConv((4, 5), size, 1))
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    plain = F.conv2d(x, weight * (4 * size**2) ** -0.5, bias, padding=size // 2)
    torch.testing.assert_close(layer(x), 2**0.5 * plain.clamp(min=0))


def test_the_low_pass_before_a_stride_leaves_a_constant_constant_inside() -> None:
    layer = EqualisedConv((1, 1), 3, 2)
    layer.weight.data.fill_(1)
    inner = layer(torch.full((1, 1, 12, 12), 7.0))[..., 1:-1, 1:-1]
    # Nine taps of 1 / sqrt(9), then the gain of the ReLU.
    torch.testing.assert_close(inner, torch.full_like(inner, 7 * 3 * 2**0.5))


def test_the_mask_of_partial_convolutions_grows_by_one_position() -> None:
    mask = torch.zeros(1, 1, 7, 7)
    mask[..., 3, 3] = 1
    _, after = PartialConv((2, 2), 3, 1)(torch.zeros(1, 2, 7, 7), Seen(mask))
    assert torch.equal(after.mask[..., 2:5, 2:5], torch.ones(1, 1, 3, 3))
    assert after.mask.sum().item() == 9


def test_a_shortcut_of_another_width_has_the_mask_that_the_block_has_grown() -> None:
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 4, 4] = 1
    block = MaskedResBlock(32, 64, MaskedLayers("partial"))
    x = torch.randn(1, 32, 9, 9, generator=torch.Generator().manual_seed(0))
    conv2 = block.get_parameter("conv2.conv.weight"), block.get_parameter("conv2.conv.bias")
    for parameter in conv2:
        parameter.data.zero_()
    result, after = block(x, Seen(mask))
    plain = F.conv2d(
        x,
        block.get_parameter("nin_shortcut.conv.weight"),
        block.get_parameter("nin_shortcut.conv.bias"),
    )
    torch.testing.assert_close(result, plain * after.mask)
    assert after.mask.sum().item() == 25


def test_a_mask_of_odd_size_has_no_coarser_level() -> None:
    with pytest.raises(ValueError, match="5x4"):
        majority(torch.ones(1, 1, 5, 4), 0.5)


def test_the_network_input_holds_no_hidden_value() -> None:
    visible = torch.tensor([[[[True, False]]]])
    shown = network_input(torch.tensor([[[[0.25, float("nan")]]]]), visible)
    assert shown.tolist() == [[[[0.5, -0.5]], [[0.25, 0.0]]]]
