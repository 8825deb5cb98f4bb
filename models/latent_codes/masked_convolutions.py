"""Convolutions that know which positions are visible, in each form that paper and code have.

"The authors" are Chen & Zhao 2024, by the code that they published.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EMPTY = 1e-8
"""What the authors add to the number of visible positions of a window."""


def majority(mask: Tensor, alpha: float) -> Tensor:
    """Return the mask of the next coarser level; [N, 1, H, W] to [N, 1, H / 2, W / 2], 0 or 1.

    A position is visible if at least the share `alpha` of its 2x2 block is. The paper asks for
    "at least", the authors' code for "more than" a number that is lower by a quarter.

    >>> majority(torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]), alpha=0.5).item()
    1.0
    >>> majority(torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]]), alpha=0.5).item()
    0.0
    """
    if mask.shape[-2] % 2 or mask.shape[-1] % 2:
        raise ValueError(f"a mask of {mask.shape[-2]}x{mask.shape[-1]} has no 2x2 blocks")
    return (F.avg_pool2d(mask, 2) >= alpha).to(mask.dtype)


def network_input(x: Tensor, visible: Tensor) -> Tensor:
    """Return [mask - 0.5, x on visible positions]; hidden values, even NaN, do not enter it."""
    return torch.cat([visible.to(x.dtype) - 0.5, torch.where(visible, x, 0.0)], dim=1)


def mask_of(visible: Tensor, x: Tensor) -> Tensor:
    """Return `visible` as 0 and 1 in the dtype of mask arithmetic: float32, or x's if wider."""
    return visible.to(torch.promote_types(x.dtype, torch.float32))


class Seen:
    """The visible positions of one level, and what its layers derive from them, computed once."""

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self._derived: dict[Hashable, Tensor] = {}

    def once(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """Return what `make` gave when it was first called for this key."""
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    def count(self, size: int, stride: int) -> Tensor:
        """Return how many positions of each window are visible; outside the image none is."""
        return window_sum(self.mask, size, stride)


def window_sum(mask: Tensor, size: int, stride: int) -> Tensor:
    """Return the sum over each window of a zero-padded convolution with this size and stride."""
    return F.avg_pool2d(mask, size, stride, size // 2, divisor_override=1)


class StrictConv(nn.Module):
    """Restrictive convolution in our form: (conv(x) * inside / visible + bias) where visible.

    Takes x [N, C_in, H, W] that is 0 where hidden, and gives the same kind; with it the visible
    positions of the result. No hidden position has any influence, and with everything visible it
    is a plain convolution.
    """

    def __init__(self, channels: tuple[int, int], size: int, stride: int, alpha: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(*channels, size, stride)
        self.size, self.stride, self.alpha = size, stride, alpha
        self.margin = margin_of(size, stride)

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        stride, conv = self.stride, self.conv
        after = seen if stride == 1 else Seen(majority(seen.mask, self.alpha))

        def make() -> Tensor:
            visible = sum_over_windows(seen.mask, self).clamp(min=1)
            inside = sum_over_windows(torch.ones_like(seen.mask[:1]), self)
            return inside / visible * after.mask

        y = F.conv2d(F.pad(x, self.margin), conv.weight, None, stride)
        scale = seen.once((self.size, stride), make)
        bias = conv.bias.to(y.dtype)[:, None, None] if conv.bias is not None else y.new_zeros(())
        # In place: neither product is needed for a gradient, and the maps of fine levels are big.
        return (y * scale.to(y.dtype)).addcmul_(bias, after.mask.to(y.dtype)), after


class ReleasedConv(nn.Module):
    """Restrictive convolution as the authors run it: size^2 / visible * relu(conv(x) + bias).

    0 where hidden. Padding counts as hidden, and x is not multiplied by the mask, so that values
    at hidden positions (of layers in between, never pixels) enter visible ones.
    """

    def __init__(self, channels: tuple[int, int], size: int, stride: int, alpha: float) -> None:
        super().__init__()
        self.conv = EqualisedConv(channels, size, stride)
        self.size, self.stride, self.alpha = size, stride, alpha

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        after = seen if self.stride == 1 else Seen(majority(seen.mask, self.alpha))
        y = self.conv(x)
        return y * released_scale(seen, after, self.size, self.stride).to(y.dtype), after


def released_scale(seen: Seen, after: Seen, size: int, stride: int) -> Tensor:
    """Return what the authors' convolutions multiply with: size^2 / visible, 0 where hidden."""

    def make() -> Tensor:
        return size**2 / (seen.count(size, stride) + EMPTY) * after.mask

    return seen.once((size, stride), make)


class LiteralConv(nn.Module):
    """Partial and restrictive convolution as printed (Chen & Zhao 2024, eq. 1 to 4).

    W(x * mask) / visible + bias where enough of a window is visible, else 0. alpha: the share that
    is enough, and the mask stays but for strides (eq. 3 and 4); None: one position is, and the mask
    grows (eq. 1 and 2). W is the stored weight times size^2, so that with everything visible it is
    a plain convolution away from the border. A window has its positions inside the image only.

    Where eq. 3 gives a value to a hidden position the result has 0: no later layer reads it, as
    each multiplies by the mask.
    """

    def __init__(
        self, channels: tuple[int, int], size: int, stride: int, alpha: float | None
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(*channels, size, stride)
        self.size, self.stride, self.alpha = size, stride, alpha
        self.margin = margin_of(size, stride)

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        values, enough = self.printed(x, seen)
        if self.alpha is None:
            return values, Seen(enough.to(seen.mask.dtype))
        after = seen if self.stride == 1 else Seen(majority(seen.mask, self.alpha))
        return values * after.mask.to(values.dtype), after

    def printed(self, x: Tensor, seen: Seen) -> tuple[Tensor, Tensor]:
        """Return x' of every position, hidden or not, and [N, 1, H, W] where enough is visible."""
        visible = seen.once(("visible", self.margin), lambda: sum_over_windows(seen.mask, self))
        if self.alpha is None:
            enough = visible > 0
        else:
            inside = sum_over_windows(torch.ones_like(seen.mask[:1]), self)
            enough = visible >= self.alpha * inside
        scale = self.size**2 / visible.clamp(min=1) * enough
        shown = F.pad(x * seen.mask.to(x.dtype), self.margin)
        y = F.conv2d(shown, self.conv.weight, None, self.stride)
        assert self.conv.bias is not None
        bias = self.conv.bias.to(y.dtype)[:, None, None]
        return y * scale.to(y.dtype) + bias * enough, enough


def margin_of(size: int, stride: int) -> tuple[int, int, int, int]:
    """Return the padding of a layer, as `F.pad` takes it.

    With a stride of 2 a window begins at its own 2x2 block, as in the VQGAN's encoder.
    """
    before, behind = (size // 2, size // 2) if stride == 1 else (0, size - stride)
    return before, behind, before, behind


def sum_over_windows(mask: Tensor, layer: StrictConv | LiteralConv) -> Tensor:
    """Return the sum of `mask` over each window of a layer; outside the image it is 0."""
    padded = F.pad(mask, layer.margin)
    return F.avg_pool2d(padded, layer.size, layer.stride, divisor_override=1)


class EqualisedConv(nn.Module):
    """sqrt(2) ReLU(conv(x, weight / sqrt(fan in)) + bias); before a stride of 2, a low pass.

    From StyleGAN2 by way of MAT. Maps [N, C_in, H, W] to [N, C_out, H / stride, W / stride].
    """

    resample_filter: Tensor  # [4, 4], sums to 1

    def __init__(self, channels: tuple[int, int], size: int, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels[1], channels[0], size, size))
        self.bias = nn.Parameter(torch.zeros(channels[1]))
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("resample_filter", torch.outer(taps, taps))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight / math.sqrt(self.weight[0].numel())
        padding = self.weight.shape[-1] // 2
        if self.stride == 2:
            low_pass = self.resample_filter.to(x.dtype).expand(x.shape[1], 1, 4, 4)
            x, padding = F.conv2d(x, low_pass, padding=2, groups=x.shape[1]), 0
        return F.relu(F.conv2d(x, weight, self.bias, self.stride, padding)) * math.sqrt(2)


class PartialConv(nn.Module):
    """Standard partial convolution (Liu et al. 2018) as the authors run it; the mask grows.

    The bias comes before the scale size^2 / visible, and x is not multiplied by the mask.
    """

    def __init__(self, channels: tuple[int, int], size: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(*channels, size, stride, padding=size // 2)
        self.size, self.stride = size, stride

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        after = Seen(seen.count(self.size, self.stride).clamp(max=1))
        y = self.conv(x)
        return y * released_scale(seen, after, self.size, self.stride).to(y.dtype), after
