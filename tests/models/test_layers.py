"""Group normalisation in channels_last beside torch's in float64, forward and backward."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli.models.layers import GroupNorm

EXACT = 3e-6
"""Share of the largest value of a tensor; one rounding to float32 takes 6e-8."""
each_mean = pytest.mark.parametrize("mean", [0.0, 100.0, 300.0])


def feature_map(mean: float) -> Tensor:
    """Return [2, 8, 16, 16] in channels_last, of deviation 1 in each group."""
    deviations = torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(1))
    return (deviations + mean).contiguous(memory_format=torch.channels_last)


def results_of(
    layer: Callable[[int, int], nn.Module], x: Tensor, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the output and all gradients of a fixed weighting of it, in float64."""
    norm = layer(4, 8).to(dtype)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.copy_(1 + torch.rand(8, generator=generator))
    x = x.detach().to(dtype).requires_grad_()
    y = norm(x)
    weights = torch.randn(y.shape, generator=generator).to(dtype)
    (weights * y).sum().backward()
    gradients = {"x": x.grad, **{name: p.grad for name, p in norm.named_parameters()}}
    known = {name: gradient for name, gradient in gradients.items() if gradient is not None}
    assert known.keys() == {"x", "weight", "bias"}
    return {name: value.detach().double() for name, value in {"y": y, **known}.items()}


def worst(ours: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """Return the largest error over the largest value of its tensor."""
    return max(((ours[n] - exact[n]).abs().max() / exact[n].abs().max()).item() for n in exact)


@each_mean
def test_group_norm_in_channels_last_is_that_of_float64(mean: float) -> None:
    x = feature_map(mean)
    exact = results_of(nn.GroupNorm, x.contiguous(), torch.float64)
    assert worst(results_of(GroupNorm, x, torch.float32), exact) < EXACT


@each_mean
def test_contiguous_maps_are_left_to_torch(mean: float) -> None:
    x = feature_map(mean).contiguous()
    ours, theirs = (results_of(kind, x, torch.float32) for kind in (GroupNorm, nn.GroupNorm))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_torch_alone_would_lose_figures_in_channels_last() -> None:
    x = feature_map(300.0)
    exact = results_of(nn.GroupNorm, x.contiguous(), torch.float64)
    # Where this fails, torch has mended it, and our layer can go.
    assert worst(results_of(nn.GroupNorm, x, torch.float32), exact) > 100 * EXACT
