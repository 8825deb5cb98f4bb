"""The convolutional skeleton that all parts share (VQGAN of Esser et al. 2021, its names)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.latent_codes.config import GROUPS
from inpaint_cli.models.layers import GroupNorm
from inpaint_cli.models.pixels import to_unit


@dataclass(frozen=True)
class Shape:
    """What an Encoder or a Decoder is made of."""

    width: int
    """Channels at the finest level, before `multipliers`."""
    multipliers: tuple[int, ...]
    """Width of each level over `width`, from fine to coarse; one level halves the side."""
    blocks: int
    """Residual blocks of a level of the encoder; the decoder has one more."""
    attention: tuple[int, ...]
    """Nominal sides of the levels that have attention."""
    latent_channels: int
    """Channels of the coarsest feature map (z_channels)."""
    resolution: int
    """Nominal side of the image; only `attention` depends on it."""
    groups: int = GROUPS
    """Of every normalisation."""

    @property
    def factor(self) -> int:
        """How much shorter the side of the coarsest level is."""
        return 1 << (len(self.multipliers) - 1)

    def widths(self) -> tuple[int, ...]:
        """Return the channels of each level, from fine to coarse."""
        return tuple(self.width * multiplier for multiplier in self.multipliers)

    def attends(self, level: int) -> bool:
        """Return whether a level (0 = finest) has attention."""
        return self.resolution >> level in self.attention


def normalisation(channels: int, groups: int) -> nn.GroupNorm:
    """Return the group normalisation that every part uses."""
    return GroupNorm(groups, channels, eps=1e-6)


class ResBlock(nn.Module):
    """Two normalised convolutions beside a skip; in_channels to out_channels, at the same size."""

    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm1 = normalisation(in_channels, groups)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = normalisation(out_channels, groups)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.nin_shortcut = (
            nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        total: Tensor = (x if self.nin_shortcut is None else self.nin_shortcut(x)) + h
        return total


class AttnBlock(nn.Module):
    """Self-attention over positions with one head, beside a skip."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm: nn.Module = normalisation(channels, groups)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attended(self.norm(x))

    def attended(self, h: Tensor, keys: Tensor | None = None) -> Tensor:
        """Return what attention adds for normalised h; keys: bool [N, 1, L], those looked at."""
        q, k, v = (layer(h).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q, k, v, keys)
        added: Tensor = self.proj_out(mixed.transpose(1, 2).reshape(h.shape))
        return added


class Downsample(nn.Module):
    """Halves the side; padded at the right and the bottom only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return y


class Upsample(nn.Module):
    """Doubles the side by repetition, then convolves."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return y


class Middle(nn.Module):
    """What lies between the levels of an encoder or a decoder and the coarsest map."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(channels, channels, groups)
        self.attn_1 = AttnBlock(channels, groups)
        self.block_2 = ResBlock(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return y


class Level(nn.Module):
    """Residual blocks of one size, each followed by attention where the level has it."""

    def __init__(
        self, in_channels: int, out_channels: int, blocks: int, attends: bool, groups: int
    ) -> None:
        super().__init__()
        widths = [in_channels] + [out_channels] * blocks
        self.block = nn.ModuleList(ResBlock(a, b, groups) for a, b in pairwise(widths))
        attended = range(blocks if attends else 0)
        self.attn = nn.ModuleList(AttnBlock(out_channels, groups) for _ in attended)
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        for index, block in enumerate(self.block):
            x = block(x)
            if self.attn:
                x = self.attn[index](x)
        for resample in (self.downsample, self.upsample):
            if resample is not None:
                x = resample(x)
        return x


class Encoder(nn.Module):
    """Image [N, in_channels, H, W] to features [N, latent_channels, H / factor, W / factor]."""

    def __init__(self, in_channels: int, shape: Shape) -> None:
        super().__init__()
        widths = shape.widths()
        self.conv_in = nn.Conv2d(in_channels, shape.width, 3, padding=1)
        self.down = nn.ModuleList()
        for level, (before, width) in enumerate(
            zip((shape.width, *widths[:-1]), widths, strict=True)
        ):
            part = Level(before, width, shape.blocks, shape.attends(level), shape.groups)
            if level < len(widths) - 1:
                part.downsample = Downsample(width)
            self.down.append(part)
        self.mid = Middle(widths[-1], shape.groups)
        self.norm_out = normalisation(widths[-1], shape.groups)
        self.conv_out = nn.Conv2d(widths[-1], shape.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.levels(x)[-1]

    def levels(self, x: Tensor) -> list[Tensor]:
        """Return the features after each level, and last the coarsest map."""
        features = []
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
            features.append(x)
        x = self.mid(x)
        return [*features, self.conv_out(F.silu(self.norm_out(x)))]


class Decoder(nn.Module):
    """Features [N, latent_channels, h, w] to an image [N, out_channels, h * factor, w * factor]."""

    def __init__(self, out_channels: int, shape: Shape) -> None:
        super().__init__()
        widths = shape.widths()
        self.conv_in = nn.Conv2d(shape.latent_channels, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1], shape.groups)
        self.up = nn.ModuleList()  # up[0] is the finest level, as in the encoder
        for level, width in enumerate(widths):
            before = widths[min(level + 1, len(widths) - 1)]
            part = Level(before, width, shape.blocks + 1, shape.attends(level), shape.groups)
            if level > 0:
                part.upsample = Upsample(width)
            self.up.append(part)
        self.norm_out = normalisation(widths[0], shape.groups)
        self.conv_out = nn.Conv2d(widths[0], out_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
        x: Tensor = self.conv_out(F.silu(self.norm_out(h)))
        return x


def at_side(image: Tensor, visible: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return a uint8 image in [-1, 1], and its mask, shrunk to `side` by whole factors.

    A shrunk pixel is the mean of its block, and visible only where the whole block is; so it never
    holds anything hidden.
    """
    x, factor = to_unit(image), image.shape[-1] // side
    if factor == 1:
        return x, visible
    hidden = F.max_pool2d((~visible).float(), factor)
    return F.avg_pool2d(x, factor), hidden == 0
