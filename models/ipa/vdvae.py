"""Networks of the VD-VAE (Child 2021) with the partial encoder of IPA; names as the authors'.

The decoder is walked block by block from outside (`elbo.py` and the objectives do), so that each
caller keeps gradients of just what it trains:

    states = decoder.start(batch)
    for block in decoder.dec_blocks:
        x = block.enter(states)
        seen = F.gelu(x)                          # shared by enc, part_enc and prior
        q = block.enc(seen, block.enc.side(activated[block.res]))
        p, skip = block.describe(seen)
        x = states[block.res] = block.leave(x, skip, z)
    params = decoder.read(decoder.finish(states))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from inpaint_cli.device import full_precision
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.models.ipa.config import VaeConfig
from inpaint_cli.models.ipa.gaussians import Gaussian
from inpaint_cli.models.layers import at_least_float32

T = TypeVar("T")

SMALLEST_3X3 = 3
"""Blocks at smaller sides use 1x1 convolutions only (the authors' res > 2)."""


def recomputed(work: Callable[..., T], *inputs: Tensor, wanted: bool) -> T:
    """Return work(*inputs); if `wanted`, nothing but the inputs is kept for the backward pass.

    It then calls `work` again, which must therefore draw no random numbers.
    """
    if not (wanted and torch.is_grad_enabled()):
        return work(*inputs)
    return cast(T, checkpoint(work, *inputs, use_reentrant=False, preserve_rng_state=False))


class Block(nn.Module):
    """Bottleneck of four convolutions, each after a GELU: 1x1, twice 3x3 or 1x1, 1x1.

    Maps [N, c_in, H, W] to [N, c_out, H, W]. There is no normalisation.
    """

    def __init__(self, c_in: int, middle: int, c_out: int, res: int) -> None:
        super().__init__()
        size = 3 if res >= SMALLEST_3X3 else 1
        self.c1 = nn.Conv2d(c_in, middle, 1)
        self.c2 = nn.Conv2d(middle, middle, size, padding=size // 2)
        self.c3 = nn.Conv2d(middle, middle, size, padding=size // 2)
        self.c4 = nn.Conv2d(middle, c_out, 1)

    def inner(self, t: Tensor) -> Tensor:
        """Map the output of c1 to the input of c4."""
        t = self.c3(F.gelu(self.c2(F.gelu(t))))
        return F.gelu(t)

    def after_gelu(self, activated: Tensor) -> Tensor:
        """Return the block's output where GELU was already applied to its input."""
        return cast(Tensor, self.c4(self.inner(self.c1(activated))))

    def forward(self, x: Tensor) -> Tensor:
        return self.after_gelu(F.gelu(x))


class ResidualBlock(Block):
    """A bottleneck whose output is added to its input, in at least float32."""

    def __init__(self, width: int, middle: int, res: int) -> None:
        super().__init__(width, middle, width, res)

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Head(Block):
    """Gaussian of a group of latents, from the decoder's state and an encoder's activations.

    The first convolution is taken in two halves, so that what the activations contribute (`side`)
    is computed once for several states, and nothing is concatenated.
    """

    def __init__(self, width: int, middle: int, zdim: int, res: int) -> None:
        super().__init__(2 * width, middle, 2 * zdim, res)
        self.width = width

    def side(self, activated: Tensor) -> Tensor:
        """Return what GELU(activations) [N, width, H, W] adds to c1: [N, middle, H, W]."""
        return F.conv2d(activated, self.c1.weight[:, self.width :], self.c1.bias)

    def forward(self, seen: Tensor, side: Tensor) -> Gaussian:  # type: ignore[override]
        """Return the Gaussian for seen = GELU(state); `side` may be of one image for all states."""
        t = F.conv2d(seen, self.c1.weight[:, : self.width]) + side
        return Gaussian.of(self.c4(self.inner(t)))


class DecBlock(nn.Module):
    """One layer of the top-down path: one group of latents."""

    def __init__(self, config: VaeConfig, index: int) -> None:
        super().__init__()
        place = config.decoder_places[index]
        self.res, self.mixin, self.zdim = place.res, place.mixin, config.zdim
        self.width, middle = config.width_at(self.res), config.middle_at(self.res)
        # In this order: the authors' optimiser states go by position.
        self.enc = Head(self.width, middle, self.zdim, self.res)
        self.part_enc = Head(self.width, middle, self.zdim, self.res)
        self.prior = Block(self.width, middle, 2 * self.zdim + self.width, self.res)
        self.z_proj = nn.Conv2d(self.zdim, self.width, 1)
        self.resnet = ResidualBlock(self.width, middle, self.res)

    def enter(self, states: Mapping[int, Tensor]) -> Tensor:
        """Return the state that this block starts from, with its mixin added."""
        x = states[self.res]
        if self.mixin:
            source = states[self.mixin][:, : self.width]
            x = x + F.interpolate(source, scale_factor=self.res // self.mixin)
        return x

    def describe(self, seen: Tensor) -> tuple[Gaussian, Tensor]:
        """Return the prior of z for seen = GELU(state), and what it adds to the state."""
        features = self.prior.after_gelu(seen)
        cut = 2 * self.zdim
        return Gaussian.of(features[:, :cut]), features[:, cut:]

    def skip(self, seen: Tensor) -> Tensor:
        """Return the second half of `describe` alone: enough where z comes from elsewhere."""
        cut = 2 * self.zdim
        last = self.prior.c4
        bias = last.bias[cut:] if last.bias is not None else None
        return F.conv2d(self.prior.inner(self.prior.c1(seen)), last.weight[cut:], bias)

    def leave(self, x: Tensor, skip: Tensor, z: Tensor) -> Tensor:
        """Return the state after the block, for the z that was drawn."""
        return cast(Tensor, self.resnet(x + skip + self.z_proj(z)))


class Encoder(nn.Module):
    """Bottom-up path: maps [N, C, size, size] to side -> activations, the last at each side."""

    def __init__(self, config: VaeConfig, channels: int) -> None:
        super().__init__()
        self.places, self.recompute = config.encoder_places, config.recompute
        self.in_conv = nn.Conv2d(channels, config.width, 3, padding=1)
        self.enc_blocks = nn.ModuleList(
            ResidualBlock(config.width_at(p.res), config.middle_at(p.res), p.res)
            for p in self.places
        )
        self.widths = {p.res // p.down: config.width_at(p.res // p.down) for p in self.places}

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        # The sum of the blocks stays in float32 under autocast: half precision would round it away.
        x = at_least_float32(self.in_conv(x))
        activations = {x.shape[-1]: x}
        for place, block in zip(self.places, self.enc_blocks, strict=True):
            x = recomputed(block, x, wanted=self.recompute)
            if place.down > 1:
                x = F.avg_pool2d(x, place.down)
                missing = self.widths[x.shape[-1]] - x.shape[1]
                x = F.pad(x, (0, 0, 0, 0, 0, missing)) if missing else x
            activations[x.shape[-1]] = x
        return activations


class Output(nn.Module):
    """Maps the decoder's last state to the parameters of the mixtures, [N, H, W, channels]."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(config.width, config.output_channels, 1)

    def forward(self, px_z: Tensor) -> Tensor:
        # Means of half precision would be off by half a pixel value.
        with full_precision(px_z.device):
            params: Tensor = self.out_conv(at_least_float32(px_z))
        return params.permute(0, 2, 3, 1)


class Decoder(nn.Module):
    """Top-down path; see the module for how it is walked."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.gain = nn.Parameter(torch.ones(1, config.width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, config.width, 1, 1))
        self.dec_blocks = nn.ModuleList(
            DecBlock(config, index) for index in range(len(config.decoder_places))
        )
        self.sides = sorted({place.res for place in config.decoder_places})
        self.bias_xs = nn.ParameterList(
            nn.Parameter(torch.zeros(1, config.width_at(res), res, res))
            for res in self.sides
            if res <= config.no_bias_above
        )
        self.out_net = Output(config)

    def blocks(self) -> list[DecBlock]:
        """Return the blocks, coarse to fine."""
        return [cast(DecBlock, block) for block in self.dec_blocks]

    def start(self, batch: int) -> dict[int, Tensor]:
        """Return the states that all of `batch` images start from, by side."""
        states = {}
        for number, res in enumerate(self.sides):
            if number < len(self.bias_xs):
                image = self.bias_xs[number].contiguous(memory_format=torch.channels_last)
            else:
                image = self.gain.new_zeros(1, self.config.width_at(res), 1, 1)
                image = image.expand(-1, -1, res, res)
            states[res] = image.expand(batch, -1, -1, -1)
        return states

    def finish(self, states: Mapping[int, Tensor]) -> Tensor:
        """Return the last state after gain and bias."""
        return states[self.sides[-1]] * self.gain + self.bias

    def read(self, px_z: Tensor) -> Tensor:
        """Return the parameters of the mixtures of logistics, [N, H, W, channels]."""
        return cast(Tensor, self.out_net(px_z))


class VdVae(CompletionModel):
    """Decoder, encoder and partial encoder, freshly initialised as the authors do.

    Images come as uint8 [N, C, H, W]; `scaled` gives what the networks see.
    """

    config: VaeConfig

    def __init__(self, config: VaeConfig) -> None:
        super().__init__(config)
        self.decoder = Decoder(config)
        if not config.share_encoders:
            self.encoder = Encoder(config, config.channels)
        self.part_encoder = Encoder(config, config.partial_channels)
        initialise(self)
        # As the images, whose layout all feature maps follow: convolutions then convert nothing.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def scaled(self, image: Tensor) -> Tensor:
        """Return uint8 [N, C, H, W] in the networks' scale and their weights' type."""
        x = image.to(self.decoder.gain.dtype)
        x = (x + self.config.shift) * self.config.scale
        return x.contiguous(memory_format=torch.channels_last)

    def full_sides(self, image: Tensor) -> dict[int, Tensor]:
        """Return what the heads of q take of whole images uint8 [N, C, H, W], by side."""
        x = self.scaled(image)
        if not self.config.share_encoders:
            return activated(self.encoder(x))
        whole = torch.cat([x, torch.ones_like(x[:, :1])], 1)
        return activated(self.part_encoder(whole.contiguous(memory_format=torch.channels_last)))


def activated(activations: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Return GELU of an encoder's activations, which every head of that side takes."""
    return {res: F.gelu(x) for res, x in activations.items()}


@torch.no_grad()
def initialise(model: VdVae) -> None:
    """Draw the weights: torch's defaults, no biases, last layers scaled by 1/sqrt(depth)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.zero_()
    for encoder in (module for module in model.children() if isinstance(module, Encoder)):
        for block in encoder.enc_blocks:
            cast(Block, block).c4.weight.mul_(len(encoder.enc_blocks) ** -0.5)
    blocks = model.decoder.blocks()
    for layer in blocks:
        layer.z_proj.weight.mul_(len(blocks) ** -0.5)
        layer.resnet.c4.weight.mul_(len(blocks) ** -0.5)
        layer.prior.c4.weight.zero_()
