"""Encoder f with the mixture head, decoder g, discriminators, and the model of all of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.device import full_precision
from inpaint_cli.family import Completions
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.models.evaluation import evaluating, one_thread
from inpaint_cli.models.layers import at_least_float32
from inpaint_cli.models.picme.blocks import (
    SLOPE,
    ContextAttention,
    Conv,
    FirstBlock,
    Output,
    ResBlock,
    SelfAttention,
    UpBlock,
)
from inpaint_cli.models.picme.config import MixtureConfig
from inpaint_cli.models.picme.mixture import Gaussian, Mixture, clamped
from inpaint_cli.models.pixels import paste_visible, to_unit
from inpaint_cli.models.projected import ProjectedDiscriminator
from inpaint_cli.randomness import Noise

RAW_BIAS = 0.54
"""softplus of it is 1: the standard deviation at the start."""
PACKED = (
    "was packed for completing, without the posterior that reconstructs. Take the run or the file "
    "that it was packed from, or another model, such as ipa-photos64."
)
OFFSET_DEVIATION = 0.5
"""Of the components' means at the start: equal components would all learn the same."""


def sigma_of(raw: Tensor, clamp: tuple[float, ...]) -> Tensor:
    """Return standard deviations for what a head gives; clamp: the range of their logarithm."""
    sigma = F.softplus(raw)
    if not clamp:
        return sigma
    low, high = torch.tensor(clamp, dtype=torch.float64).exp().tolist()
    return clamped(sigma, low, high)


class MixingWeights(nn.Module):
    """Features to the weights of the components, and what sets their means apart."""

    def __init__(self, channels: int, primitives: int, latent_channels: int, floor: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(primitives, channels))
        self.bias = nn.Parameter(torch.zeros(primitives))
        offset = torch.zeros(primitives, latent_channels)
        if primitives > 1:
            offset.normal_(0.0, OFFSET_DEVIATION)
        self.offset = nn.Parameter(offset)
        self.floor = floor

    def forward(self, h: Tensor) -> Tensor:
        """Map [N, C, H, W] to weights [N, k] that sum to 1, none below floor / k."""
        pooled = F.leaky_relu(at_least_float32(h), SLOPE).mean((2, 3))
        with full_precision(h.device):
            logits = F.linear(pooled, self.weight, self.bias)
        share = torch.softmax(logits, 1)
        return (1 - self.floor) * share + self.floor / share.shape[1]


class MixtureHead(nn.Module):
    """Features h to the mixture q(z_c | z_m)."""

    def __init__(
        self,
        channels: int,
        latent_channels: int,
        primitives: int,
        floor: float,
        clamp: tuple[float, ...],
    ) -> None:
        super().__init__()
        half = primitives * latent_channels
        self.prior = ResBlock(channels, 2 * half, channels)
        self.mix = MixingWeights(channels, primitives, latent_channels, floor)
        self.clamp = clamp
        start_sigma(self.prior, half)

    def forward(self, h: Tensor) -> Mixture:
        mean, raw = at_least_float32(self.prior(h)).chunk(2, 1)
        shape = (len(h), *self.mix.offset.shape, *h.shape[2:])
        mu = mean.reshape(shape) + self.mix.offset[:, :, None, None]
        return Mixture(mu, sigma_of(raw, self.clamp).reshape(shape), self.mix(h))


def start_sigma(head: ResBlock, first: int) -> None:
    """Set the biases of a head so that its raw scales, from row `first` on, start near 1."""
    with torch.no_grad():
        cast(Tensor, head.conv2.bias)[first:] = RAW_BIAS
        cast(Tensor, head.bypass.bias)[first:] = 0.0


class Encoder(nn.Module):
    """f: an image with grey holes to features, and from them both distributions of z_c."""

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__()
        widths = [config.channels_at(depth) for depth in range(config.layers)]
        coarse, latent = widths[-1], config.latent_channels
        self.block0 = FirstBlock(config.channels, widths[0])
        self.down = nn.ModuleList(ResBlock(a, b, a, halve=True) for a, b in pairwise(widths))
        self.infer = nn.ModuleList(
            ResBlock(coarse, coarse, coarse) for _ in range(config.infer_blocks)
        )
        self.head = MixtureHead(
            coarse, latent, config.primitives, config.weight_floor, config.sigma_clamp
        )
        if not config.completion_only:
            self.posterior_head = ResBlock(coarse, 2 * latent, coarse)
            start_sigma(self.posterior_head, latent)
        self.clamp = config.sigma_clamp

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features after each block, from fine to coarse."""
        features = [self.block0(x)]
        for block in self.down:
            features.append(block(features[-1]))
        return features

    def posterior(self, z: Tensor) -> Gaussian:
        """Return p(z_c | I_c) from the coarsest features of what is hidden."""
        mu, raw = at_least_float32(self.posterior_head(z)).chunk(2, 1)
        return Gaussian(mu, sigma_of(raw, self.clamp))

    def mixture(self, z_m: Tensor) -> Mixture:
        """Return q(z_c | z_m) from the coarsest features of what is visible."""
        h = z_m
        for block in self.infer:
            h = block(h)
        mixture: Mixture = self.head(h)
        return mixture


class Decoder(nn.Module):
    """g: features of what is visible and a latent variable to images of growing side."""

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__()
        layers = config.layers
        coarse = config.channels_at(layers - 1)
        self.generator = ResBlock(config.latent_channels, coarse, coarse)
        self.attention_at, self.joined = config.attention, config.join == "sum"
        self.up, self.out = nn.ModuleList(), nn.ModuleList()
        before = coarse if self.joined else 2 * coarse
        for block in range(layers):
            width = config.channels_at(layers - block - 1)
            self.up.append(UpBlock(before, width, config.upsampling))
            if block == config.attention:
                seen = config.channels_at(layers - 2 - block)
                self.attention = ContextAttention(width, seen)
            if block:
                self.out.append(Output(width, config.channels))
            before = width + config.channels if block else width

    def forward(self, z_m: Tensor, z_c: Tensor, e: Tensor, m: Tensor) -> list[Tensor]:
        """Return images [N, channels, ., .] in [-1, 1], the whole one last.

        z_c: [N, C, h, w]. z_m, e: features of what is visible, the coarsest and those of the
        attention, of N images or one. m: the mask at the side of e, [N or 1, 1, ., .].
        """
        z = self.generator(z_c)
        x = z_m + z if self.joined else torch.cat([z_m.expand(len(z), -1, -1, -1), z], 1)
        images: list[Tensor] = []
        for number, block in enumerate(self.up):
            x = block(x if number < 2 else torch.cat([x, images[-1]], 1))
            if number == self.attention_at:
                x = self.attention(x, e, m)
            if number:
                images.append(self.out[number - 1](x))
        return images


class Discriminator(nn.Module):
    """Scores patches of whole images [N, 1, h, w]: 1 for original, 0 for made."""

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__()
        widths = [config.channels_at(depth) for depth in range(config.disc_layers)]
        self.block0 = FirstBlock(config.channels, widths[0])
        self.down = nn.ModuleList(ResBlock(a, b, a, halve=True) for a, b in pairwise(widths))
        # PIC's attention also holds the block of its long-term half, unused here.
        self.attention = SelfAttention(widths[2]) if config.disc_layers >= 4 else None
        self.block1 = ResBlock(widths[-1], widths[-1], widths[-1])
        self.conv = Conv(widths[-1], 1, 3, padding=0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block0(x)
        for number, block in enumerate(self.down):
            if number == 2 and self.attention is not None:
                x = self.attention(x)
            x = block(x)
        return at_least_float32(self.conv(F.leaky_relu(self.block1(x), SLOPE)))


def mask_at(m: Tensor, e: Tensor) -> Tensor:
    """Return the mask [N, 1, S, S] at the side of features: a share at the border of holes."""
    return F.interpolate(m, e.shape[-2:], mode="bilinear", align_corners=True)


class MixtureOfPrimitives(CompletionModel):
    """The model: f, g, and, unless `completion_only`, the discriminators that training needs."""

    config: MixtureConfig
    usage: Tensor
    """[k], running share of the images to which each component was the nearest."""
    idle: Tensor
    """int64 [k], steps for which a component has hardly been used."""

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        played = config.disc_layers and not config.completion_only
        names = ("generated", "reconstructed") if played else ()
        projected = config.adversary == "projected"
        self.discriminators = nn.ModuleDict(
            {
                name: ProjectedDiscriminator(config.width) if projected else Discriminator(config)
                for name in names
            }
        )
        k = config.primitives
        self.register_buffer("usage", torch.full((k,), 1 / k))
        self.register_buffer("idle", torch.zeros(k, dtype=torch.int64))

    def use_perceptual(self, distance: Any) -> None:
        """Take a PerceptualDistance for projected discriminators; it is not saved."""
        rivals = [r for r in self.discriminators.values() if isinstance(r, ProjectedDiscriminator)]
        if not rivals:
            super().use_perceptual(distance)
        for rival in rivals:
            rival.use_trunk(distance)
            rival.its_trunk()

    def for_completion(self) -> Self:
        """Return the same model, its weights shared, without what only training needs."""
        return self.changed(completion_only=True)

    def seen(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return z_m and the features for the attention of g."""
        return features[-1], features[self.config.layers - 2 - self.config.attention]

    def no_reconstruction(self) -> str | None:
        """Return why nothing is reconstructed: the weights were packed without what that needs."""
        return PACKED if self.config.completion_only else None

    def reconstructed(self, image: Tensor) -> Tensor:
        """Return what the latent variable holds of one whole image, which only the posterior sees.

        Nothing is visible, so the mean of p(z_c | image) is all that g is told.
        """
        x = to_unit(image)
        nothing = torch.zeros_like(image[:, :1], dtype=torch.bool)
        features = self.encoder(torch.cat([torch.zeros_like(x), x]))
        z_m, e = self.seen([feature[:1] for feature in features])
        posterior = self.encoder.posterior(features[-1][1:])
        picture = self.decoder(z_m, posterior.mu, e, mask_at(nothing.to(e), e))[-1].float()
        return paste_visible(picture, image, nothing, self.levels)

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete one image len(noise) times; see `Model.complete`."""
        from inpaint_cli.models.picme.sampling import complete

        with evaluating(self), one_thread(self):
            return complete(self, image, visible, noise, temperature=temperature, **options)
