"""Importance-weighted bounds of likelihoods (Burda et al. 2016); not in the papers.

With one sample they are O_for and O_rev in expectation. The weights of thousands of latents are
uneven, so the effective sample size comes with each bound.

Any distribution of z gives a bound of log p(hidden | visible), the log of the integral of
p(hidden | z) c(z | y). q(z | x) has to tell visible pixels as well, and pays for it wherever c is
not quite q: even where all is visible. So each latent is drawn from the normalised
c^(1 - s) q^s, s the share of its place that is hidden: q within holes, c far from them. That is
another proposal, not another model, and a tighter bound (docs/ipa.md).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.ipa.elbo import Draw
from inpaint_cli.models.ipa.partial_encoder import drawing_and_photo
from inpaint_cli.models.ipa.posterior import FORWARD, Name, Sides, walk
from inpaint_cli.randomness import Noise, content_key

if TYPE_CHECKING:
    from inpaint_cli.models.ipa.networks import CompletingVae

SAMPLES = 16
"""Importance samples of `log_prob`."""
AT_ONCE = 16
"""Samples that go through the networks together, which bounds memory."""


class LogBound(NamedTuple):
    """A lower bound of a log-likelihood, per image."""

    nats: Tensor
    """float64 [N]."""
    effective: Tensor
    """float64 [N]: (sum w)^2 / sum w^2, between 1 and the number of samples."""

    @classmethod
    def of(cls, log_weights: Tensor) -> LogBound:
        """Return the bound of log weights [N, K].

        A weight that is no number, after states that no training saw, counts as 0: still a bound.
        """
        precise = log_weights.double()
        precise = torch.where(precise.isnan(), -torch.inf, precise)
        nats = torch.logsumexp(precise, 1) - math.log(precise.shape[1])
        effective = torch.exp(2 * torch.logsumexp(precise, 1) - torch.logsumexp(2 * precise, 1))
        return cls(nats, effective)


def log_weights(
    model: CompletingVae,
    sides: Mapping[str, Sides],
    image: Tensor,
    counted: Tensor,
    draw: Draw,
    pair: tuple[Name, Name],
    samples: int,
    shares: Mapping[int, Tensor] | None = None,
) -> Tensor:
    """Return `samples` log weights of one image, float64 [samples], all terms at the drawn z.

    FORWARD: log p(counted|z) + log c(z) - log q(z), z ~ q; REVERSE: with p, c in their place.
    shares: how far z is drawn from the first of the pair, see `walk`.
    """
    walked = walk(model, samples, sides, draw, pair, sampled=True, shares=shares)
    repeated = image.expand(samples, -1, -1, -1)
    nats = model.log_pixels(model.decoder.finish(walked.states), repeated)
    # In float64, which MPS lacks.
    likelihood = torch.where(counted[:, 0], nats, 0.0).cpu().double().flatten(1).sum(1)
    return likelihood - walked.nats.cpu().double().sum(1)


def hidden_shares(hidden: Tensor, sides: Iterable[int]) -> dict[int, Tensor]:
    """Return side -> the share of each place that is hidden, [1, 1, side, side], of one mask.

    >>> hidden = torch.tensor([[[[True, False], [False, False]]]])
    >>> hidden_shares(hidden, [1])[1].item()
    0.25
    """
    whole = hidden.float()
    return {side: F.adaptive_avg_pool2d(whole, side) for side in sides}


@torch.no_grad()
def log_prob_hidden(
    model: CompletingVae,
    image: Tensor,
    visible: Tensor,
    samples: int = SAMPLES,
    pair: tuple[Name, Name] = FORWARD,
) -> LogBound:
    """Bound log p(hidden | visible) by z near q(z|image) in holes; 0 where nothing is hidden.

    pair: with "p" in place of "c" log p(hidden) instead, as if nothing were visible. Of a model of
    edges: log p(photo | drawing), of pairs side by side. The noise is keyed by image and mask, so
    the same input has the same bound.
    """
    if model.config.condition == "edges":
        drawing, photo = drawing_and_photo(image, draw_edges=False)
        hidden = torch.zeros_like(photo[:, :1], dtype=torch.bool)
        return _each(model, photo, hidden, samples, pair, drawing)
    bound = _each(model, image, visible, samples, pair, image)
    complete = visible.flatten(1).all(1).cpu()
    return LogBound(torch.where(complete, 0.0, bound.nats), bound.effective)


def _each(
    model: CompletingVae,
    image: Tensor,
    visible: Tensor,
    samples: int,
    pair: tuple[Name, Name],
    condition: Tensor,
) -> LogBound:
    """Return the bounds of images one by one."""
    rows = []
    for row in range(len(image)):
        x, seen, given = (t[row : row + 1] for t in (image, visible, condition))
        sides: dict[str, Sides] = {}
        if "c" in pair:
            sides["c"] = model.partial_sides(given, seen)
        if "q" in pair:
            sides["q"] = model.full_sides(x)
        shares = hidden_shares(~seen, model.decoder.sides)
        key = content_key(x, torch.ones_like(seen))
        key = hashlib.sha256(key + seen.cpu().numpy().tobytes()).digest()
        noise = Noise.of_completions(0, key, range(samples))
        parts = [
            log_weights(model, sides, x, ~seen, streams.normal, pair, len(streams), shares)
            for streams in noise.split(AT_ONCE)
        ]
        rows.append(torch.cat(parts))
    return LogBound.of(torch.stack(rows))
