"""The restrictive encoder: from a partly visible image to the codes of its visible tokens."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from inpaint_cli.device import full_precision
from inpaint_cli.models.latent_codes.blocks import Encoder, Shape
from inpaint_cli.models.latent_codes.masked import MaskedEncoder, MaskedLayers
from inpaint_cli.models.latent_codes.masked_convolutions import (
    Seen,
    majority,
    mask_of,
    network_input,
)
from inpaint_cli.models.layers import at_least_float32


def token_mask(visible: Tensor, factor: int, alpha: float) -> Tensor:
    """Return which tokens are known; bool [N, 1, H, W] to [N, 1, H / factor, W / factor].

    A majority of majorities: `masked.majority` for each halving of the side, of which a power of
    two has log2(factor). It is what RestrictiveEncoder gives, without a network.
    """
    mask = visible.float()
    for _ in range(factor.bit_length() - 1):
        mask = majority(mask, alpha)
    return mask.bool()


class RestrictiveEncoder(nn.Module):
    """Predicts the codes of tokens under which enough pixels are visible (Chen & Zhao 2024, 3.1).

    Takes x [N, channels, H, W] in [-1, 1] and visible [N, 1, H, W]; gives logits [N, codes, h, w]
    in float32 and known [N, 1, h, w]. `alpha` is the paper's: the share of a 2x2 block that must be
    visible ("at least"). The form "released" computes what the authors' code does; in "strict"
    hidden positions have no part in any layer; "literal" is "strict" with the convolutions of
    equation 3 as printed, which give 0 where less than `alpha` of a window is visible.
    """

    def __init__(
        self,
        channels: int,
        shape: Shape,
        codes: int,
        alpha: float,
        form: Literal["strict", "released", "literal"],
    ) -> None:
        super().__init__()
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha must lie in (0, 1], got {alpha}")
        layers = MaskedLayers(form, alpha, shape.groups)
        self.strict = form == "strict"
        self.encoder = MaskedEncoder(channels + 1, shape, layers)
        self.cls_head = layers.convolution(shape.latent_channels, codes, size=1)

    def forward(self, x: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        shown = network_input(x, visible)
        if self.strict:
            shown = shown * visible  # the mask's own channel is -0.5 where hidden
        features, seen = self.encoder(shown, Seen(mask_of(visible, x)))
        return self.classified(features, seen), seen.mask.bool()

    def classified(self, features: Tensor, seen: Seen) -> Tensor:
        """Return the logits of features, in float32: rounded to bfloat16, many codes would tie."""
        with full_precision(features.device):
            logits: Tensor = self.cls_head(at_least_float32(features), seen)[0]
        return logits


class OrdinaryEncoder(nn.Module):
    """What the restrictive encoder is measured against (table 2): plain convolutions, mask and all.

    Takes and gives what RestrictiveEncoder does. It sees no hidden value either, but its windows
    mix what is visible with the zeros of the hole.
    """

    def __init__(self, channels: int, shape: Shape, codes: int, alpha: float) -> None:
        super().__init__()
        self.factor, self.alpha = shape.factor, alpha
        self.encoder = Encoder(channels + 1, shape)
        self.cls_head = nn.Conv2d(shape.latent_channels, codes, 1)

    def forward(self, x: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(network_input(x, visible))
        with full_precision(features.device):
            logits = self.cls_head(at_least_float32(features))
        return logits, token_mask(visible, self.factor, self.alpha)
