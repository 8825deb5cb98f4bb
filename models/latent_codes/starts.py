"""What a later stage takes over from the VQGAN before its first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from inpaint_cli.models.latent_codes.networks import LatentCodes

CERTAINTY = 10.0
"""Logits of the restrictive encoder start as this times the closeness of features and codes."""


def decoder_from_vqgan(model: LatentCodes) -> None:
    """Starts the generator from the VQGAN's decoder, and a plain partial encoder from its encoder.

    The authors copy the generator only. The encoder's copy sees the mask with weight 0 at first, so
    it starts as the encoder of the visible pixels.
    """
    vqgan, decoder = model.vqgan, model.decoder
    decoder.post_bottleneck_conv.load_state_dict(vqgan.post_quant_conv.state_dict())
    decoder.decoder.load_state_dict(vqgan.decoder.state_dict())
    if not model.config.partial:
        weights = vqgan.encoder.state_dict()
        weights["conv_in.weight"] = _behind_a_mask(weights["conv_in.weight"])
        decoder.encoder.load_state_dict(weights)
        decoder.bottleneck_conv.load_state_dict(vqgan.quant_conv.state_dict())


def encoder_from_vqgan(model: LatentCodes) -> None:
    """Starts a strict restrictive encoder, or an ordinary one, from the VQGAN's encoder and codes.

    Where everything is visible it then names the VQGAN's codes.
    """
    vqgan, encoder = model.vqgan, model.encoder
    wanted = encoder.encoder.state_dict()
    for name in wanted:
        source = name.replace(".conv.weight", ".weight").replace(".conv.bias", ".bias")
        source = source.replace("downsample.", "downsample.conv.")
        weight = _parameter(vqgan.encoder, name, source)
        if name.startswith("conv_in.") and weight.dim() == 4:
            weight = _behind_a_mask(weight)
        wanted[name] = weight
    encoder.encoder.load_state_dict(wanted)
    table = CERTAINTY * vqgan.quantize.table
    head = next(module for module in encoder.cls_head.modules() if isinstance(module, nn.Conv2d))
    head.weight.copy_(torch.einsum("kd,dcij->kcij", table, vqgan.quant_conv.weight))
    if head.bias is not None and vqgan.quant_conv.bias is not None:
        head.bias.copy_(table @ vqgan.quant_conv.bias)


def _parameter(source: nn.Module, *names: str) -> Tensor:
    """Gives a parameter of a network, by the first of the names that it has."""
    state: dict[str, Tensor] = source.state_dict()
    return next(state[name] for name in names if name in state)


def _behind_a_mask(weight: Tensor) -> Tensor:
    """Gives the weight of a first convolution that takes the mask as one more, first channel."""
    return torch.cat([torch.zeros_like(weight[:, :1]), weight], dim=1)
