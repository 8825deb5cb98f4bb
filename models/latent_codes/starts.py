"""What a later stage takes over from the VQGAN before its first step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from inpaint_cli.models.latent_codes.transformer import Attention, BidirectionalTransformer
from inpaint_cli.randomness import stream

if TYPE_CHECKING:
    from inpaint_cli.models.latent_codes.networks import LatentCodes

NEARNESS = 1.0
"""Weight of a wave in queries and keys of heads that start by looking at near tokens."""
CERTAINTY = 10.0
"""Logits of the restrictive encoder start as this times the closeness of features and codes."""


def decoder_from_vqgan(model: LatentCodes) -> None:
    """Start the generator from the VQGAN's decoder, and the partial encoder from its encoder.

    The authors copy the generator only, and their own partial convolutions start at random here as
    well. The encoder's copy sees the mask with weight 0 at first, so it starts as the encoder of
    the visible pixels.
    """
    vqgan, decoder, config = model.vqgan, model.decoder, model.config
    decoder.post_bottleneck_conv.load_state_dict(vqgan.post_quant_conv.state_dict())
    decoder.decoder.load_state_dict(vqgan.decoder.state_dict())
    if not config.partial or config.partial_form == "literal":
        _copy_encoder(vqgan.encoder, decoder.encoder)
        decoder.bottleneck_conv.load_state_dict(vqgan.quant_conv.state_dict())


def encoder_from_vqgan(model: LatentCodes) -> None:
    """Start a restrictive encoder that is not the authors' from the VQGAN's encoder and codes.

    Where everything is visible it then names the VQGAN's codes.
    """
    vqgan, encoder = model.vqgan, model.encoder
    _copy_encoder(vqgan.encoder, encoder.encoder)
    table = CERTAINTY * vqgan.quantize.table
    head = next(module for module in encoder.cls_head.modules() if isinstance(module, nn.Conv2d))
    head.weight.copy_(torch.einsum("kd,dcij->kcij", table, vqgan.quant_conv.weight))
    if head.bias is not None and vqgan.quant_conv.bias is not None:
        head.bias.copy_(table @ vqgan.quant_conv.bias)


def _copy_encoder(source: nn.Module, target: nn.Module) -> None:
    """Give an encoder that takes the mask as one more channel the weights of one that does not."""
    wanted, given = target.state_dict(), source.state_dict()
    for name in wanted:
        plain = name.replace(".conv.weight", ".weight").replace(".conv.bias", ".bias")
        plain = plain.replace("downsample.", "downsample.conv.")
        weight = given[name if name in given else plain]
        if name.startswith("conv_in.") and weight.dim() == 4:
            # The mask is one more, first channel.
            weight = torch.cat([torch.zeros_like(weight[:, :1]), weight], dim=1)
        wanted[name] = weight
    target.load_state_dict(wanted)


def transformer_from_codes(model: LatentCodes) -> None:
    """Start the embeddings of tokens, and the head that names them, from the code vectors.

    Both are the same rotation of them into the transformer's width, of length 1: so codes that look
    alike are alike to it from the first step, which it would otherwise learn from examples alone.
    """
    transformer = model.transformer
    table = F.normalize(model.vqgan.quantize.table.float(), dim=1)
    weight = transformer.tok_emb.weight
    uniform = stream(0, "code embeddings").random(table.shape[1] * weight.shape[1])
    draws = torch.from_numpy(uniform - 0.5).view(weight.shape[1], table.shape[1])
    rotation = torch.linalg.qr(draws).Q.float() if draws.shape[0] >= draws.shape[1] else draws
    vectors = F.normalize(table @ rotation.T.to(table), dim=1)
    weight[1:].copy_(vectors)
    transformer.head.weight[1:].copy_(vectors)
    _start_near(transformer)


def _start_near(transformer: BidirectionalTransformer) -> None:
    """Start positions as waves along both axes, and let half of the heads look at near tokens.

    From zeros, each position would have to learn by itself where it lies and which others are near.
    """
    positions = transformer.pos_emb
    grid, count = math.isqrt(transformer.positions), positions.shape[-1] // 4
    if not count:
        return
    frequencies = math.pi / torch.logspace(math.log2(2 * grid), 1, count, base=2.0)
    angles = torch.arange(grid)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], 1)  # [grid, 2 count]
    down, along = waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)
    positions.zero_()
    # Of length 1, as the embeddings of tokens are.
    positions[0, 1:, : 4 * count] = torch.cat([down, along], 2).flatten(0, 1) / math.sqrt(2 * count)
    for attention in transformer.modules():
        if isinstance(attention, Attention):
            _look_near(attention, count)


def _look_near(attention: Attention, count: int) -> None:
    """Let half of the heads compare positions: some of the `count` waves of each kind."""
    size = attention.query.weight.shape[0] // attention.heads
    chosen = torch.linspace(0, count - 1, size // 4).round().long()
    columns = torch.cat([chosen + part * count for part in range(4)])
    for head in range(attention.heads // 2):
        rows = torch.arange(len(columns)) + head * size
        for layer in (attention.query, attention.key):
            layer.weight[rows] = 0.0
            layer.weight[rows, columns] = NEARNESS
