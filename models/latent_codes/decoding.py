"""From the visible pixels and the codes of all tokens to an image.

Names as in Chen & Zhao 2024: E_prt is the partial encoder, G the generator.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from inpaint_cli.models.latent_codes.blocks import Decoder, Encoder, Shape
from inpaint_cli.models.latent_codes.masked import Form, MaskedEncoder, MaskedLayers
from inpaint_cli.models.latent_codes.masked_convolutions import (
    Seen,
    mask_of,
    network_input,
)
from inpaint_cli.pictures.membrane import beside, membrane

REACH = 0.25
"""The correction falls to 1/e over about this share of the image's side."""


def compose(features: Tensor, codes: Tensor, known: Tensor) -> Tensor:
    """Return what G decodes: features where a token is known, else their mean with its code.

    Features and code vectors are [N, embed_dim, h, w], `known` bool [N, 1, h, w] (Chen & Zhao 2024,
    equations 7 and 8).
    """
    return torch.where(known, features, (codes + features) / 2)


def composite(image: Tensor, visible: Tensor, output: Tensor) -> Tensor:
    """Return the image where it is visible and the output elsewhere, bit for bit, NaN or not."""
    return torch.where(visible, image, output)


class ImageDecoder(nn.Module):
    """Decodes codes beside the visible pixels: E_prt (`encode`), composition, G (`decode`).

    Takes x [N, channels, H, W] in [-1, 1], visible [N, 1, H, W], code vectors [N, embed_dim, h, w]
    and known [N, 1, h, w] of the RestrictiveEncoder's rule; gives an image like x. With `partial`,
    E_prt has partial convolutions, of the authors' code ("released") or as printed in equation 1
    ("literal"); without, ordinary ones, as in all configurations that the authors published.
    """

    def __init__(
        self,
        channels: int,
        shape: Shape,
        embed_dim: int,
        partial: bool,
        partial_form: Literal["released", "literal"] = "released",
    ) -> None:
        super().__init__()
        form: Form = "literal-partial" if partial_form == "literal" else "partial"
        self.encoder: Encoder | MaskedEncoder = (
            MaskedEncoder(channels + 1, shape, MaskedLayers(form, groups=shape.groups))
            if partial
            else Encoder(channels + 1, shape)
        )
        self.bottleneck_conv = nn.Conv2d(shape.latent_channels, embed_dim, 1)
        self.post_bottleneck_conv = nn.Conv2d(embed_dim, shape.latent_channels, 1)
        self.decoder = Decoder(channels, shape)

    def forward(self, x: Tensor, visible: Tensor, codes: Tensor, known: Tensor) -> Tensor:
        return self.decode(compose(self.encode(x, visible), codes, known))

    def encode(self, x: Tensor, visible: Tensor) -> Tensor:
        """Return the features of the visible pixels; [N, embed_dim, h, w]."""
        shown = network_input(x, visible)
        if isinstance(self.encoder, MaskedEncoder):
            # Its own mask is dropped: it has grown over all tokens, and the codes would be ignored.
            features, _ = self.encoder(shown, Seen(mask_of(visible, x)))
        else:
            features = self.encoder(shown)
        narrowed: Tensor = self.bottleneck_conv(features)
        return narrowed

    def decode(self, h: Tensor) -> Tensor:
        """Return the image of composed features [N, embed_dim, h, w]."""
        image: Tensor = self.decoder(self.post_bottleneck_conv(h))
        return image


class Refinement(nn.Module):
    """Redraws a composite [N, channels, h, w] at the size of the decoder; it is told no mask.

    The authors' code has it, the paper does not. Their shape of the decoder may have more levels
    than that of the encoder: 256 pixels in, 512 out.
    """

    def __init__(
        self, channels: int, encoder_shape: Shape, decoder_shape: Shape, embed_dim: int
    ) -> None:
        super().__init__()
        self.encoder = Encoder(channels, encoder_shape)
        self.bottleneck_conv = nn.Conv2d(encoder_shape.latent_channels, embed_dim, 1)
        self.post_bottleneck_conv = nn.Conv2d(embed_dim, decoder_shape.latent_channels, 1)
        self.decoder = Decoder(channels, decoder_shape)

    def forward(self, x: Tensor) -> Tensor:
        refined: Tensor = self.decoder(self.post_bottleneck_conv(self.encode(x)))
        return refined

    def encode(self, x: Tensor) -> Tensor:
        """Return the features between encoder and decoder; [N, embed_dim, h, w]."""
        narrowed: Tensor = self.bottleneck_conv(self.encoder(x))
        return narrowed


def without_seams(picture: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Return the picture with its hidden part shifted so that it meets the visible one.

    picture: float [n, C, H, W], over the whole image; target: float [1, C, H, W], read only where
    visible; visible: bool [1, 1, H, W]. The shift f is target - picture on the visible pixels
    beside the hole and solves laplace f = f / (REACH * side)^2 inside. Nothing else changes, and
    no picture of a batch depends on the others.
    """
    seen = visible[0, 0].cpu().numpy()
    edge = seen & beside(~seen)
    if not edge.any():
        return picture
    screen = (REACH * max(picture.shape[-2:])) ** -2
    shift = membrane((target - picture).cpu().numpy(), edge, ~seen, screen)
    return torch.where(visible, picture, picture + torch.from_numpy(shift).to(picture.device))
