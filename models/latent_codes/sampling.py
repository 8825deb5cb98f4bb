"""From one partly visible image to n completions: what is seen once, then codes and pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions
from inpaint_cli.models.evaluation import filled_up, side_by_side
from inpaint_cli.models.latent_codes.blocks import at_side
from inpaint_cli.models.latent_codes.config import TokenOrder
from inpaint_cli.models.latent_codes.decoding import compose, composite, without_seams
from inpaint_cli.models.latent_codes.restrictive import token_mask
from inpaint_cli.models.latent_codes.token_sampling import (
    Drawing,
    draw_tokens,
    gumbel_of,
)
from inpaint_cli.models.pixels import paste_visible, to_unit
from inpaint_cli.randomness import Noise

if TYPE_CHECKING:
    from inpaint_cli.models.latent_codes.networks import LatentCodes

CPU_BATCH, DEVICE_BATCH = 1, 8
"""Completions that go through the networks together. A product of another size may round otherwise,
and one rounding can turn one token; so a batch always has this size, the last one filled up with
copies, and completion i is the same whatever n is. What this relies on: one kernel treats the items
of a batch alike. On a CPU one at a time takes no longer, and relies on nothing."""


@dataclass(frozen=True)
class TokenContext:
    """What depends on the visible pixels only, at the side at which the networks work."""

    x: Tensor
    """[1, C, side, side] in [-1, 1]; no network looks at it where hidden."""
    visible: Tensor
    """bool [1, 1, side, side]."""
    tokens: Tensor
    """int64 [1, L]; 0 where unknown."""
    known: Tensor
    """bool [1, L]."""
    features: Tensor
    """[1, D, h, w], of the partial encoder."""
    logits: Tensor | None
    """[1, L, K], of the transformer's first step; None where every token is known."""


def complete(
    model: LatentCodes,
    image: Tensor,
    visible: Tensor,
    noise: Noise,
    *,
    temperature: float | None = None,
    steps: int | None = None,
    annealing: float | None = None,
    top_k: int | None = None,
    order: TokenOrder | None = None,
    keep_seams: bool = False,
) -> Completions:
    """Complete one image len(noise) times; `details["tokens"]` holds the codes, int64 [n, h, w].

    The model is in eval mode and gradients are off. None = as the model's config says. keep_seams:
    hidden pixels are as the networks drew them, as in the authors' code; otherwise they are
    shifted, smoothly, to meet the visible ones.
    """
    config = model.config
    told = {"steps": steps, "temperature": temperature, "annealing": annealing, "order": order}
    given: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    how = replace(Drawing.usual(config), top_k=top_k, **given)
    if order is not None and how.temperature == 0:
        raise UserError(
            "the likeliest codes have an order of their own. Leave it out.", setting="order"
        )
    # Weights of the authors' form answer as their code does, which asks for half of a token.
    whole = config.restrictive != "released"
    context = encode_context(model, *at_side(image, visible, config.coarse_side), whole)
    # Where every token is known nothing is drawn, and one picture serves all.
    drawn = noise if context.logits is not None else noise[:1]
    size = CPU_BATCH if image.device.type == "cpu" else DEVICE_BATCH
    images, tokens = [], []
    for group in drawn.split(DEVICE_BATCH):
        drawn_tokens, picture = pictures_of(model, context, group, how, size)
        if not keep_seams:  # element by element, so the number of pictures changes nothing
            picture = without_seams(picture, to_unit(image), visible)
        images.append(paste_visible(picture, image, visible, model.levels))
        tokens.append(drawn_tokens)
    copies = len(noise) // len(drawn)
    grids = torch.cat(tokens).view(-1, *context.features.shape[-2:])
    return Completions(
        torch.cat(images).repeat(copies, 1, 1, 1),
        details={"tokens": grids.repeat(copies, 1, 1)},
    )


def encode_context(
    model: LatentCodes, x: Tensor, visible: Tensor, whole: bool = False
) -> TokenContext:
    """Run what needs no noise: encoders, labels of known tokens, the transformer's first step.

    whole: only tokens under which every pixel is visible are known. The encoder's own share lets
    holes narrower than a token vanish, and then there is nothing to draw: all completions of a
    long or thin hole would be one and the same.
    """
    labels, known = model.encoder(x, visible)
    if whole:
        known = known & token_mask(visible, x.shape[-1] // known.shape[-1], 1.0)
    known = known.flatten(1)
    tokens = torch.where(known, labels.argmax(1).flatten(1), 0)
    features = model.decoder.encode(x, visible)
    logits = None if known.all() else model.transformer(tokens, known)
    return TokenContext(x, visible, tokens, known, features, logits)


def pictures_of(
    model: LatentCodes, context: TokenContext, noise: Noise, how: Drawing, size: int
) -> tuple[Tensor, Tensor]:
    """Return tokens [n, L] and whole pictures [n, C, H, W], drawn `size` at a time."""

    def drawn(part: Noise) -> tuple[Tensor, Tensor]:
        tokens = tokens_of(model, context, part, how, size)
        return tokens, filled_up(lambda some: picture_of(model, context, some), size, tokens)

    tokens, pictures = zip(*side_by_side(model, drawn, list(noise.split(size))), strict=True)
    return torch.cat(tokens), torch.cat(pictures)


def tokens_of(
    model: LatentCodes, context: TokenContext, noise: Noise, how: Drawing, size: int
) -> Tensor:
    """Return the tokens [n, L] of n <= `size` completions, the networks run on `size` at once."""
    n = len(noise)
    return draw_tokens(
        lambda tokens, known: filled_up(model.transformer, size, tokens, known),
        context.tokens.expand(n, -1),
        context.known.expand(n, -1),
        gumbel_of(noise, context.tokens.device),
        how,
        context.logits,
    )


def picture_of(model: LatentCodes, context: TokenContext, tokens: Tensor) -> Tensor:
    """Return the whole pictures [n, C, size, size] for tokens [n, L], on [-1, 1], not clamped."""
    known = context.known.view(1, 1, *context.features.shape[-2:])
    h = compose(context.features, model.code_vectors(tokens), known)
    picture = model.decoder.decode(h)
    if model.refinement is not None:
        picture = model.refinement(composite(context.x, context.visible, picture))
    return picture.float()
