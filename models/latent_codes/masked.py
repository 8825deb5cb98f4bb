"""Layers that know which positions are visible, and the encoder that is made of them.

It has the skeleton, and the state-dict names, of `blocks.Encoder`; only the layers differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.latent_codes.blocks import AttnBlock, Shape, normalisation
from inpaint_cli.models.latent_codes.config import GROUPS
from inpaint_cli.models.latent_codes.masked_convolutions import (
    LiteralConv,
    PartialConv,
    ReleasedConv,
    Seen,
    StrictConv,
)
from inpaint_cli.models.layers import at_least_float32


class MaskedNorm(nn.Module):
    """Group normalisation over visible positions; x [N, C, H, W], 0 where hidden, to the same."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        plain = normalisation(channels, groups)
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


class MaskedAttention(AttnBlock):
    """Self-attention among visible positions, beside a skip; 0 where hidden, before and after."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(channels, groups)
        self.norm = MaskedNorm(channels, groups)

    def forward(self, x: Tensor, seen: Seen) -> Tensor:  # type: ignore[override]
        keys = seen.mask.flatten(2) > 0
        # Items without a visible position attend to all: a softmax over nothing would be NaN.
        keys = keys | ~keys.any(2, keepdim=True)
        added = self.attended(self.norm(x, seen), keys)
        return x + added * seen.mask.to(added.dtype)


Form = Literal["strict", "released", "literal", "partial", "literal-partial"]
LEAVE_OUT = ("strict", "literal")
"""Forms in which normalisation and attention leave out what is hidden."""


@dataclass(frozen=True)
class MaskedLayers:
    """How the layers of an encoder treat what is hidden."""

    form: Form
    """Of restrictive convolutions ours, the authors' code and eq. 3 as printed; of standard partial
    ones the authors' code and eq. 1."""
    alpha: float = 0.5
    """Share that must be visible; without effect in both partial forms."""
    groups: int = GROUPS
    """Of every normalisation."""

    def convolution(
        self, in_channels: int, out_channels: int, size: int = 3, stride: int = 1
    ) -> nn.Module:
        """Return a layer (x, Seen) -> (x, Seen)."""
        channels = (in_channels, out_channels)
        if self.form == "partial":
            return PartialConv(channels, size, stride)
        if self.form in ("literal", "literal-partial"):
            alpha = self.alpha if self.form == "literal" else None
            return LiteralConv(channels, size, stride, alpha)
        if self.form == "strict":
            return StrictConv(channels, size, stride, self.alpha)
        return ReleasedConv(channels, size, stride, self.alpha)

    def normalisation(self, channels: int) -> nn.Module:
        """Return a normalisation for `without_hidden`."""
        layer = MaskedNorm if self.form in LEAVE_OUT else normalisation
        return layer(channels, self.groups)

    def attention(self, channels: int) -> nn.Module:
        """Return a self-attention for `without_hidden`."""
        layer = MaskedAttention if self.form in LEAVE_OUT else AttnBlock
        return layer(channels, self.groups)


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
        self.grown = layers.form == "partial"
        """The shortcut has the mask that conv2 has grown, not that of x: the authors' code."""

    def forward(self, x: Tensor, seen: Seen) -> tuple[Tensor, Seen]:
        h, between = self.conv1(F.silu(without_hidden(self.norm1, x, seen)), seen)
        h, after = self.conv2(F.silu(without_hidden(self.norm2, h, between)), between)
        if self.nin_shortcut is not None:
            x, shortcut = self.nin_shortcut(x, after if self.grown else seen)
            after = shortcut if self.grown else after
        return x + h, after


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
