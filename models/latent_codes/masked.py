"""Convolutions that know which positions are visible, and the encoder that is made of them.

It has the skeleton, and the state-dict names, of `blocks.Encoder`; only the layers differ. "The
authors" are Chen & Zhao 2024, by the code that they published.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.latent_codes.blocks import AttnBlock, Shape, normalisation
from inpaint_cli.models.layers import at_least_float32

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

    def inside(self, size: int, stride: int) -> Tensor:
        """Return how many positions of each window lie inside the image; [1, 1, H, W]."""
        return window_sum(torch.ones_like(self.mask[:1]), size, stride)


def window_sum(mask: Tensor, size: int, stride: int) -> Tensor:
    """Return the sum over each window of a zero-padded convolution with this size and stride."""
    return F.avg_pool2d(mask, size, stride, size // 2, divisor_override=1)


class StrictConv(nn.Module):
    """Restrictive convolution in our form: (conv(x) * inside / visible + bias) where visible.

    Takes x [N, C_in, H, W] that is 0 where hidden, and gives the same kind; with it the visible
    positions of the result. No hidden position has any influence, and with everything visible it
    is a plain convolution.

    aligned: with a stride of 2 a window begins at its own 2x2 block, as in the VQGAN's encoder;
    otherwise one position before it, as in equation 3.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        size: int,
        stride: int,
        alpha: float,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(*channels, size, stride)
        self.size, self.stride, self.alpha = size, stride, alpha
        before, behind = size // 2, size // 2
        if aligned and stride == 2:
            before, behind = 0, size - stride
        self.margin = (before, behind, before, behind)

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        stride, conv = self.stride, self.conv
        after = seen if stride == 1 else Seen(majority(seen.mask, self.alpha))

        def make() -> Tensor:
            visible = self.sum_over_windows(seen.mask).clamp(min=1)
            inside = self.sum_over_windows(torch.ones_like(seen.mask[:1]))
            return inside / visible * after.mask

        y = F.conv2d(F.pad(x, self.margin), conv.weight, None, stride)
        scale = seen.once((self.size, stride), make)
        bias = conv.bias.to(y.dtype)[:, None, None] if conv.bias is not None else y.new_zeros(())
        # In place: neither product is needed for a gradient, and the maps of fine levels are big.
        return (y * scale.to(y.dtype)).addcmul_(bias, after.mask.to(y.dtype)), after

    def sum_over_windows(self, mask: Tensor) -> Tensor:
        """Return the sum of `mask` over each window; outside the image it is 0."""
        padded = F.pad(mask, self.margin)
        return F.avg_pool2d(padded, self.size, self.stride, divisor_override=1)


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


class MaskedNorm(nn.Module):
    """Group normalisation over visible positions; x [N, C, H, W], 0 where hidden, to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        plain = normalisation(channels)
        self.groups, self.eps = plain.num_groups, plain.eps
        self.weight, self.bias = plain.weight, plain.bias

    def forward(self, x: Tensor, seen: Seen) -> Tensor:
        precise = at_least_float32(x)
        visible = seen.once("visible", lambda: seen.mask.sum((2, 3)).clamp(min=1))
        # Hidden positions hold 0, with and without the mean: plain sums leave them out.
        mean = self._share(precise.sum((2, 3)), visible)
        centred = torch.addcmul(precise, mean, seen.mask, value=-1)
        variance = self._share(centred.square().sum((2, 3)), visible)
        scale = torch.rsqrt(variance + self.eps) * self.weight[:, None, None]
        normed = (centred * scale).addcmul_(self.bias[:, None, None], seen.mask)
        return normed.to(x.dtype)

    def _share(self, sums: Tensor, visible: Tensor) -> Tensor:
        """Return sums [N, C] as means over their groups; [N, C, 1, 1]."""
        each = sums.shape[1] // self.groups
        means: Tensor = sums.reshape(len(sums), self.groups, each).mean(2) / visible
        return means.repeat_interleave(each, 1)[:, :, None, None]


class MaskedAttention(nn.Module):
    """Self-attention among visible positions, beside a skip; 0 where hidden, before and after."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = MaskedNorm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, seen: Seen) -> Tensor:
        h = self.norm(x, seen)
        q, k, v = (layer(h).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        keys = seen.mask.flatten(2) > 0
        # Items without a visible position attend to all: a softmax over nothing would be NaN.
        keys = keys | ~keys.any(2, keepdim=True)
        mixed = F.scaled_dot_product_attention(q, k, v, keys)
        added: Tensor = self.proj_out(mixed.transpose(1, 2).reshape(x.shape))
        return x + added * seen.mask.to(added.dtype)


@dataclass(frozen=True)
class MaskedLayers:
    """How the layers of an encoder treat what is hidden."""

    form: Literal["strict", "released", "partial"]
    """Ours; the authors' restrictive encoder; their standard partial convolutions."""
    alpha: float = 0.5
    """Share of a 2x2 block that must be visible; without effect in the form "partial"."""

    def convolution(
        self, in_channels: int, out_channels: int, size: int = 3, stride: int = 1
    ) -> nn.Module:
        """Return a layer (x, Seen) -> (x, Seen)."""
        channels = (in_channels, out_channels)
        if self.form == "partial":
            return PartialConv(channels, size, stride)
        if self.form == "strict":
            return StrictConv(channels, size, stride, self.alpha, aligned=True)
        return ReleasedConv(channels, size, stride, self.alpha)

    def normalisation(self, channels: int) -> nn.Module:
        """Return a normalisation for `without_hidden`."""
        return MaskedNorm(channels) if self.form == "strict" else normalisation(channels)

    def attention(self, channels: int) -> nn.Module:
        """Return a self-attention for `without_hidden`."""
        return MaskedAttention(channels) if self.form == "strict" else AttnBlock(channels)


def without_hidden(layer: nn.Module, x: Tensor, seen: Seen) -> Tensor:
    """Apply a layer that leaves out what is hidden if it can (the authors' cannot)."""
    masked = isinstance(layer, MaskedNorm | MaskedAttention)
    result: Tensor = layer(x, seen) if masked else layer(x)
    return result


class MaskedResBlock(nn.Module):
    """`blocks.ResBlock` of masked convolutions."""

    def __init__(self, in_channels: int, out_channels: int, layers: MaskedLayers) -> None:
        super().__init__()
        self.norm1 = layers.normalisation(in_channels)
        self.conv1 = layers.convolution(in_channels, out_channels)
        self.norm2 = layers.normalisation(out_channels)
        self.conv2 = layers.convolution(out_channels, out_channels)
        self.nin_shortcut = (
            layers.convolution(in_channels, out_channels, size=1)
            if in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        h, seen = self.conv1(F.silu(without_hidden(self.norm1, x, seen)), seen)
        h, seen = self.conv2(F.silu(without_hidden(self.norm2, h, seen)), seen)
        if self.nin_shortcut is not None:
            # The authors' partial form: with the mask that conv2 has grown.
            x, seen = self.nin_shortcut(x, seen)
        return x + h, seen


class MaskedLevel(nn.Module):
    """`blocks.Level` of masked layers."""

    def __init__(
        self, widths: tuple[int, int], blocks: int, attends: bool, last: bool, layers: MaskedLayers
    ) -> None:
        super().__init__()
        before, width = widths
        self.block = nn.ModuleList(
            MaskedResBlock(width if index else before, width, layers) for index in range(blocks)
        )
        self.attn = nn.ModuleList(layers.attention(width) for _ in range(blocks if attends else 0))
        self.downsample = None if last else layers.convolution(width, width, stride=2)

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        for index, block in enumerate(self.block):
            x, seen = block(x, seen)
            if self.attn:
                x = without_hidden(self.attn[index], x, seen)
        return (x, seen) if self.downsample is None else self.downsample(x, seen)


class MaskedMiddle(nn.Module):
    """`blocks.Middle` of masked layers."""

    def __init__(self, channels: int, layers: MaskedLayers) -> None:
        super().__init__()
        self.block_1 = MaskedResBlock(channels, channels, layers)
        self.attn_1 = layers.attention(channels)
        self.block_2 = MaskedResBlock(channels, channels, layers)

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        x, seen = self.block_1(x, seen)
        x, seen = self.block_2(without_hidden(self.attn_1, x, seen), seen)
        return x, seen


class MaskedEncoder(nn.Module):
    """`blocks.Encoder` of masked layers.

    Takes [N, in_channels, H, W] (0 where hidden in the strict form) and the visible positions;
    gives features [N, latent_channels, H / factor, W / factor] and the visible ones among them.
    """

    def __init__(self, in_channels: int, shape: Shape, layers: MaskedLayers) -> None:
        super().__init__()
        widths = shape.widths()
        self.conv_in = layers.convolution(in_channels, shape.width)
        self.down = nn.ModuleList(
            MaskedLevel(pair, shape.blocks, shape.attends(level), level == len(widths) - 1, layers)
            for level, pair in enumerate(zip((shape.width, *widths[:-1]), widths, strict=True))
        )
        self.mid = MaskedMiddle(widths[-1], layers)
        self.norm_out = layers.normalisation(widths[-1])
        self.conv_out = layers.convolution(widths[-1], shape.latent_channels)

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        x, seen = self.conv_in(x, seen)
        for level in self.down:
            x, seen = level(x, seen)
        x, seen = self.mid(x, seen)
        x, seen = self.conv_out(F.silu(without_hidden(self.norm_out, x, seen)), seen)
        return x, seen
