"""Walks down the decoder with the partial encoder beside the full one: rates, bounds, weights.

Names of distributions as in the papers: q(z|x) of the full encoder, c(z|y) of the partial encoder,
p(z) of the decoder. IPA and AIPO walk along z ~ q and compare with c; IPA-R and AIPO-R walk along
z ~ c and compare with p.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.ipa.elbo import Bound, Draw, like
from inpaint_cli.models.ipa.gaussians import Gaussian
from inpaint_cli.models.ipa.vdvae import recomputed

if TYPE_CHECKING:
    from inpaint_cli.models.ipa.networks import CompletingVae
    from inpaint_cli.models.ipa.vdvae import DecBlock

Name = Literal["q", "c", "p"]
Sides = Mapping[int, Tensor]
"""Side of the feature maps -> GELU of an encoder's activations there."""
FORWARD: tuple[Name, Name] = ("q", "c")
REVERSE: tuple[Name, Name] = ("c", "p")


@dataclass(frozen=True)
class LayerStep:
    """What happened at one layer."""

    first: Gaussian
    """z was drawn from it."""
    second: Gaussian
    z: Tensor


@dataclass(frozen=True)
class Walk:
    """The end of a walk down the decoder, and the divergences on the way."""

    states: Mapping[int, Tensor]
    nats: Tensor
    """[N, L]: KL of every layer, or log first(z) - log second(z) where `sampled`."""
    steps: list[LayerStep] = field(default_factory=list)


def walk(
    model: CompletingVae,
    batch: int,
    sides: Mapping[str, Sides],
    draw: Draw,
    pair: tuple[Name, Name],
    *,
    sampled: bool = False,
    keep: bool = False,
    recompute: bool = False,
    shares: Mapping[int, Tensor] | None = None,
    ceiling: float | None = None,
) -> Walk:
    """Draw z from the first of `pair` at every layer, and compares with the second there.

    sides: those of "q" and "c", as far as they are in `pair`; of `batch` images, or of one for all.
    sampled: the difference of the log densities at z instead of the analytic divergence.
    recompute: keeps of each layer the state and the noise alone for the backward pass.
    shares: side -> 0..1, [1, 1, side, side]: z comes from what lies between the two, 1 = the first
    (`Gaussian.towards`); None = 1 everywhere.
    ceiling: the largest log standard deviation of the first; None = any.
    """
    states, nats, steps = dict(model.decoder.start(batch)), [], []
    for block in model.decoder.blocks():
        x = block.enter(states)
        eps = like(draw(block.zdim, block.res, block.res), x)
        given = [sides[name][block.res] for name in pair if name != "p"]
        share = None if shares is None else shares[block.res]
        work = partial(_step, block, pair, sampled, share, ceiling)
        step, terms, states[block.res] = recomputed(work, x, eps, *given, wanted=recompute)
        nats.append(terms)
        if keep:
            steps.append(step)
    return Walk(states, torch.stack(nats, 1), steps)


def _step(
    block: DecBlock,
    pair: tuple[Name, Name],
    sampled: bool,
    share: Tensor | None,
    ceiling: float | None,
    x: Tensor,
    eps: Tensor,
    *given: Tensor,
) -> tuple[LayerStep, Tensor, Tensor]:
    """Return what happens at a layer, its divergence [N], and the state it leaves.

    given: the sides there of those of `pair` that have an encoder.
    """
    known, skip = _distributions(block, F.gelu(x), given, pair)
    first, second = known[pair[0]], known[pair[1]]
    if share is not None:
        first = second.towards(first, share)
    if ceiling is not None:
        first = first._replace(log_std=first.log_std.clamp(max=ceiling))
    z = first.sample(eps)
    terms = first.log_prob(z) - second.log_prob(z) if sampled else first.kl(second)
    return LayerStep(first, second, z), terms.flatten(1).sum(1), block.leave(x, skip, z)


def _distributions(
    block: DecBlock, seen: Tensor, given: Sequence[Tensor], pair: Sequence[Name]
) -> tuple[dict[Name, Gaussian], Tensor]:
    """Return the Gaussians of a layer that are asked for, and what the layer adds to the state."""
    heads = {"q": block.enc, "c": block.part_enc}
    encoded = [name for name in pair if name != "p"]
    known: dict[Name, Gaussian] = {
        name: heads[name](seen, heads[name].side(side))
        for name, side in zip(encoded, given, strict=True)
    }
    if "p" not in pair:
        return known, block.skip(seen)
    known["p"], skip = block.describe(seen)
    return known, skip


def forward_bound(
    model: CompletingVae,
    image: Tensor,
    condition: Sides,
    draw: Draw,
    counted: Tensor | None,
    *,
    sampled: bool = False,
    recompute: bool = False,
) -> Bound:
    """Return -O_for in nats per dimension: z ~ q(z|image), divergences KL(q || c).

    condition: the partial encoder's sides; counted: bool [N, 1, H, W], the pixels whose likelihood
    counts; None = all.
    """
    sides = {"q": model.full_sides(image), "c": condition}
    walked = walk(model, len(image), sides, draw, FORWARD, sampled=sampled, recompute=recompute)
    return per_dimension(walked, _nll(model, walked.states, image, counted), image)


def reverse_bound(
    model: CompletingVae,
    image: Tensor,
    condition: Sides,
    draw: Draw,
    visible: Tensor,
    *,
    sampled: bool = False,
    recompute: bool = False,
) -> Bound:
    """Return -O_rev in nats per dimension: z ~ c, divergences KL(c || p), visible pixels alone."""
    sides = {"c": condition}
    walked = walk(model, len(image), sides, draw, REVERSE, sampled=sampled, recompute=recompute)
    return per_dimension(walked, _nll(model, walked.states, image, visible), image)


def per_dimension(walked: Walk, nll: Tensor, image: Tensor) -> Bound:
    """Return nats as nats per dimension; the divisor is that of whole images, always."""
    dimensions = image[0].numel()
    return Bound(nll / dimensions, walked.nats / dimensions)


def _nll(
    model: CompletingVae, states: Mapping[int, Tensor], image: Tensor, counted: Tensor | None
) -> Tensor:
    """Return minus the log-likelihood of the counted pixels of each image, in nats."""
    nats = model.log_pixels(model.decoder.finish(states), image)
    if counted is not None:
        nats = torch.where(counted[:, 0], nats, 0.0)
    return -nats.flatten(1).sum(1)


class _WithGradients(torch.autograd.Function):
    """A scalar whose gradients with respect to some tensors were computed before."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: Sequence[Tensor], *inputs: Tensor) -> Tensor:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        return None, None, *(upstream[0] * gradient for gradient in ctx.gradients)


@dataclass(frozen=True)
class FrozenRate:
    """The rate of a walk that keeps nothing of the VAE for the backward pass."""

    total: Tensor
    """The sum of all divergences, a scalar; carries the gradient of the partial encoder."""
    nats: Tensor
    """[J * N, L], without a gradient."""
    px_z: Tensor
    """The decoder's last state [N, ...], without a gradient."""


def frozen_rate(
    model: CompletingVae, image: Tensor, condition: Sides, draw: Draw, *, sampled: bool = False
) -> FrozenRate:
    """Return the rate of O_for with the VAE frozen, its gradient taken layer by layer.

    Neither z ~ q nor any state of the decoder depends on the partial encoder, so the VAE runs
    without a graph, and each head's graph is freed before the next layer. condition: of N images,
    or of J * N, several masks for each image (all images with their first mask, then all with
    their second, ...): one pass of the VAE serves them all.
    """
    leaves = {res: side.detach().requires_grad_() for res, side in condition.items()}
    heads = [p for block in model.decoder.blocks() for p in block.part_enc.parameters()]
    gradients: dict[Tensor, Tensor] = {}
    with torch.no_grad():
        full = model.full_sides(image)
        states, nats = dict(model.decoder.start(len(image))), []
        for block in model.decoder.blocks():
            x = block.enter(states)
            seen = F.gelu(x)
            q = block.enc(seen, block.enc.side(full[block.res]))
            z = q.sample(like(draw(*q.mean.shape[1:]), q.mean))
            nats.append(_layer(block, (seen, q, z), leaves[block.res], gradients, sampled))
            states[block.res] = block.leave(x, block.skip(seen), z)
        px_z = model.decoder.finish(states)
    table = torch.stack(nats, 1)
    inputs: list[Tensor] = [p for p in heads if p in gradients]
    inputs += [condition[res] for res, leaf in leaves.items() if leaf in gradients]
    known = [gradients[p] for p in heads if p in gradients]
    known += [gradients[leaf] for leaf in leaves.values() if leaf in gradients]
    total: Tensor = _WithGradients.apply(table.sum(), known, *inputs)  # type: ignore[no-untyped-call]
    return FrozenRate(total, table, px_z)


def _layer(
    block: DecBlock,
    drawn: tuple[Tensor, Gaussian, Tensor],
    leaf: Tensor,
    gradients: dict[Tensor, Tensor],
    sampled: bool,
) -> Tensor:
    """Return the divergences [J * N] of one layer, and adds their gradients to `gradients`."""
    seen, q, z = drawn
    masks = len(leaf) // len(seen)
    if masks > 1:
        seen, z = seen.repeat(masks, 1, 1, 1), z.repeat(masks, 1, 1, 1)
        q = Gaussian(*(part.repeat(masks, 1, 1, 1) for part in q))
    with torch.enable_grad():
        c = block.part_enc(seen, block.part_enc.side(leaf))
        terms = q.log_prob(z) - c.log_prob(z) if sampled else q.kl(c)
        inputs = [p for p in (*block.part_enc.parameters(), leaf) if p.requires_grad]
        partial_gradients = torch.autograd.grad(terms.sum(), inputs, allow_unused=True)
    for tensor, gradient in zip(inputs, partial_gradients, strict=True):
        if gradient is not None:
            gradients[tensor] = gradients[tensor] + gradient if tensor in gradients else gradient
    return terms.detach().flatten(1).sum(1)
