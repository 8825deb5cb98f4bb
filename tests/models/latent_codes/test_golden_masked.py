"""Recorded results of single layers: the authors' own, and the paper's equations in float64."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.latent_codes.masked_convolutions import (
    PartialConv,
    ReleasedConv,
    Seen,
    StrictConv,
    majority,
    released_scale,
    window_sum,
)
from tests.models.latent_codes.golden_parts import close, recorded

pytestmark = [pytest.mark.golden, pytest.mark.latent_codes]


def layers(pattern: str) -> list[tuple[str, str]]:
    """Return (layer, threshold of the authors' code) of the recorded results."""
    matches = (re.fullmatch(rf"({pattern})\.a(\d+)\.out", name) for name in recorded("layers"))
    return sorted({(match[1], match[2]) for match in matches if match})


def alpha(threshold: str) -> float:
    """Return the paper's alpha ("at least") for the code's hundredths ("more than")."""
    return int(threshold) / 100 + 0.25


def geometry(name: str, io: dict[str, Tensor]) -> tuple[tuple[int, int], int, int]:
    """Return (in, out), kernel size and stride of a recorded layer."""
    out_channels, in_channels, size, _ = io[f"{name}.weight"].shape
    _, threshold = layers(re.escape(name))[0]
    stride = io["x"].shape[-1] // io[f"{name}.a{threshold}.out"].shape[-1]
    return (in_channels, out_channels), size, stride


def loaded(layer: nn.Module, name: str, io: dict[str, Tensor]) -> nn.Module:
    weights = {f"conv.{kind}": io[f"{name}.{kind}"] for kind in ("weight", "bias")}
    assert not layer.load_state_dict(weights, strict=False).unexpected_keys
    return layer


@pytest.mark.parametrize(("name", "threshold"), layers(r"rst_\w+\.equalized"))
def test_equalised_restrictive_convolutions_are_those_of_the_authors(
    name: str, threshold: str
) -> None:
    io = recorded("layers")
    layer = loaded(ReleasedConv(*geometry(name, io), alpha(threshold)), name, io)
    result, after = layer(io["x"], Seen(io["mask"].float()))
    close(result, io[f"{name}.a{threshold}.out"])
    assert torch.equal(after.mask, io[f"{name}.a{threshold}.mask"])


@pytest.mark.parametrize(("name", "threshold"), layers(r"rst_\w+\.simple"))
def test_the_scale_of_the_authors_plain_restrictive_convolutions_is_ours(
    name: str, threshold: str
) -> None:
    io = recorded("layers")
    (_, size, stride), seen = geometry(name, io), Seen(io["mask"].float())
    after = Seen(majority(seen.mask, alpha(threshold))) if stride == 2 else seen
    weight, bias = io[f"{name}.weight"], io[f"{name}.bias"]
    plain = F.conv2d(io["x"], weight, bias, stride, size // 2)
    close(plain * released_scale(seen, after, size, stride), io[f"{name}.a{threshold}.out"])


@pytest.mark.parametrize(("name", "threshold"), layers(r"prt_\w+"))
def test_standard_partial_convolutions_are_those_of_the_authors(name: str, threshold: str) -> None:
    io = recorded("layers")
    result, after = loaded(PartialConv(*geometry(name, io)), name, io)(
        io["x"], Seen(io["mask"].float())
    )
    close(result, io[f"{name}.a{threshold}.out"])
    assert torch.equal(after.mask, io[f"{name}.a{threshold}.mask"])


def equations(number: str) -> list[str]:
    matches = (re.fullmatch(rf"(eq{number}.*)\.out", name) for name in recorded("layers"))
    return sorted(match[1] for match in matches if match)


def double_layer(layer: StrictConv | PartialConv, io: dict[str, Tensor]) -> nn.Module:
    """Return the layer with the weights of the equations, without the factor of a full window."""
    weight = io["eq.weight"]
    weights = {"conv.weight": weight / weight[0, 0].numel(), "conv.bias": io["eq.bias"]}
    layer.double().load_state_dict(weights)
    return layer


def stride_of(name: str) -> int:
    return int(name.rpartition(".s")[2])


# With a stride of 2 ours begin a window at its own block, and the equations one position before.
@pytest.mark.parametrize(
    "name", [name for name in equations("1_2") + equations("3_4") if stride_of(name) == 1]
)
def test_strict_convolutions_are_equations_1_and_3_wherever_both_masks_are_set(name: str) -> None:
    io, stride = recorded("layers"), stride_of(name)
    (out_channels, in_channels, size, _), seen = io["eq.weight"].shape, Seen(io["mask"].double())
    layer = double_layer(StrictConv((in_channels, out_channels), size, stride, 0.25), io)
    result, after = layer(io["eq.x"] * seen.mask, seen)
    # Ours counts the positions inside the image where the paper counts the window.
    inside = window_sum(torch.ones_like(seen.mask[:1]), size, stride)
    bias, full = io["eq.bias"][:, None, None], size**2 / inside
    both = after.mask.bool() & io[f"{name}.mask"].bool()
    difference = ((result - bias) * full + bias - io[f"{name}.out"]).abs()
    assert both.any()
    assert torch.where(both, difference, 0).max().item() < 1e-12


@pytest.mark.parametrize("name", equations("3_4"))
def test_window_sums_give_the_mask_of_equation_4(name: str) -> None:
    io, size = recorded("layers"), recorded("layers")["eq.weight"].shape[-1]
    share = window_sum(io["mask"].double(), size, stride_of(name)) / size**2
    asked = int(name.split(".")[1].removeprefix("a")) / 100
    assert torch.equal(share >= asked, io[f"{name}.mask"].bool())


@pytest.mark.parametrize("name", equations("1_2"))
def test_partial_convolutions_are_equations_1_and_2_without_the_bias(name: str) -> None:
    io = recorded("layers")
    (out_channels, in_channels, size, _), mask = io["eq.weight"].shape, io["mask"].double()
    layer = double_layer(PartialConv((in_channels, out_channels), size, stride_of(name)), io)
    layer.get_parameter("conv.bias").data.zero_()
    result, after = layer(io["eq.x"] * mask, Seen(mask))
    assert torch.equal(after.mask, io[f"{name}.mask"].double())
    expected = io[f"{name}.out"] - io["eq.bias"][:, None, None] * after.mask
    # The authors' 1e-8 beside the number of visible positions costs that much.
    torch.testing.assert_close(result, expected, rtol=1e-8, atol=1e-12)
