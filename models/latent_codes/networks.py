"""The model: all networks of the family, and how they fit together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.device import has_fast_bf16
from inpaint_cli.family import Completions
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.models.evaluation import evaluating, one_thread
from inpaint_cli.models.latent_codes.blocks import Shape, at_side
from inpaint_cli.models.latent_codes.config import LatentConfig
from inpaint_cli.models.latent_codes.decoding import ImageDecoder, Refinement
from inpaint_cli.models.latent_codes.discriminator import PatchDiscriminator
from inpaint_cli.models.latent_codes.restrictive import OrdinaryEncoder, RestrictiveEncoder
from inpaint_cli.models.latent_codes.transformer import BidirectionalTransformer
from inpaint_cli.models.latent_codes.vqgan import VQGAN
from inpaint_cli.models.pixels import paste_visible
from inpaint_cli.models.projected import ProjectedDiscriminator
from inpaint_cli.randomness import Noise

PACKED = (
    "was packed for completing, without the encoder and the decoder of its VQGAN. Take the run or "
    "the file that it was packed from, or another model, such as latent-codes-photos64-f4."
)


def shape_of(config: LatentConfig) -> Shape:
    """Return the skeleton that all convolutional networks share."""
    return Shape(
        config.width,
        config.multipliers,
        config.blocks,
        config.attention,
        config.latent_channels,
        config.coarse_side,
        config.norm_groups,
    )


class LatentCodes(CompletionModel):
    """VQGAN, restrictive encoder, transformer, partial encoder with generator, and refinement."""

    config: LatentConfig

    def __init__(self, config: LatentConfig) -> None:
        super().__init__(config)
        shape = shape_of(config)
        channels, embed_dim, codes = config.channels, config.embed_dim, config.codes
        self.vqgan = VQGAN(
            channels, shape, embed_dim, codes, config.codebook, config.completion_only
        )
        self.encoder: RestrictiveEncoder | OrdinaryEncoder
        if config.restrictive == "off":
            self.encoder = OrdinaryEncoder(channels, shape, codes, config.alpha)
        else:
            form = config.restrictive
            self.encoder = RestrictiveEncoder(channels, shape, codes, config.alpha, form)
        self.transformer = BidirectionalTransformer(
            codes,
            config.grid**2,
            config.token_width,
            config.token_layers,
            config.token_heads,
            config.dropout,
        )
        partial = config.partial, config.partial_form
        self.decoder = ImageDecoder(channels, shape, embed_dim, *partial)
        self.refinement: Refinement | None = None
        if config.refinement:
            finer = shape
            if config.refinement_multipliers:
                multipliers = config.refinement_multipliers
                finer = replace(shape, multipliers=multipliers, resolution=config.size)
            self.refinement = Refinement(channels, shape, finer, embed_dim)
        self.discriminators = self._make_discriminators()
        self.perceptual: Any = None

    def _make_discriminators(self) -> nn.ModuleDict:
        """Return what only training needs, by stage."""
        config = self.config
        if not config.disc_width or config.completion_only:
            return nn.ModuleDict()
        sizes = {"vqgan": config.channels, "decoder": config.channels + 1}
        if config.refinement:
            sizes["refinement"] = config.channels + 1
        projected = config.adversary == "projected"
        return nn.ModuleDict(
            {
                name: ProjectedDiscriminator(config.disc_width)
                if projected and name != "vqgan"
                else PatchDiscriminator(
                    channels, config.disc_width, config.disc_layers, config.disc_norm
                )
                for name, channels in sizes.items()
            }
        )

    def use_perceptual(self, distance: Any) -> None:
        """Take a PerceptualDistance for the losses, or None; it is neither trained nor saved."""
        # Past nn.Module, which would make its weights the model's.
        object.__setattr__(self, "perceptual", distance)
        for rival in self.discriminators.values():
            if isinstance(rival, ProjectedDiscriminator):
                rival.use_trunk(distance)
                rival.its_trunk()

    def code_vectors(self, tokens: Tensor) -> Tensor:
        """Return the vectors [N, D, h, w] of tokens int64 [N, L] in reading order."""
        grid = self.config.grid
        return self.vqgan.quantize.vectors(tokens.view(-1, grid, grid))

    def no_reconstruction(self) -> str | None:
        """Return why nothing is reconstructed: the weights were packed without what that needs."""
        return PACKED if self.config.completion_only else None

    def reconstructed(self, image: Tensor) -> Tensor:
        """Return what the VQGAN makes of one whole image: to codes and back."""
        nothing = torch.zeros_like(image[:, :1], dtype=torch.bool)
        with reduced_precision(image.device):
            x, _ = at_side(image, nothing, self.config.coarse_side)
            codes = self.vqgan.quantize.vectors(self.vqgan.tokens(x))
            picture = self.vqgan.decode(codes).float()
            if picture.shape[-1] != image.shape[-1]:  # what a refinement makes larger
                picture = F.interpolate(picture, image.shape[-2:], mode="bilinear")
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
        from inpaint_cli.models.latent_codes.sampling import complete

        with evaluating(self), one_thread(self), reduced_precision(image.device):
            return complete(self, image, visible, noise, temperature=temperature, **options)


def reduced_precision(device: torch.device) -> torch.autocast:
    """Return bfloat16 autocast for completing, on graphics cards that are fast in it.

    Labels of visible tokens, confidences and draws are computed in float32 all the same. A CPU
    computes in float32 whatever it can, so that every CPU gives the same completions.
    """
    fast = device.type == "cuda" and has_fast_bf16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)
