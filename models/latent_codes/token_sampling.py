"""Filling a grid of codes in a few steps, each position drawn once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import get_args

import torch
from torch import Tensor

from inpaint_cli.bounds import NOT_NEGATIVE
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.models.latent_codes.config import LatentConfig, TokenOrder
from inpaint_cli.randomness import Noise

ORDER_NOISE = 4.5
"""Weight of the noise in the order "sampled" at its start (the choice of MaskGIT's code)."""
COLDEST = 1e-30
"""Lower temperatures, as annealing over many steps gives, draw the likeliest codes as this one
does; but logits over them have no place in float32, and no probabilities."""

Network = Callable[[Tensor, Tensor], Tensor]
"""Tokens int64 [n, L] and known bool [n, L] to logits [n, L, K]."""
Gumbel = Callable[..., Tensor]
"""A source of standard Gumbel noise, float32 [n, *shape]: called with (L, K) at every step, and
with (L,) after it in the order "sampled", once before all in the order "spread"."""


@dataclass(frozen=True)
class Drawing:
    """How unknown tokens are drawn. UserError for what makes no sense."""

    steps: int = 5
    """Calls of the network, at most."""
    temperature: float = 1.0
    """Divides the logits; 0 = the likeliest codes, in the order in which 1 would draw them."""
    annealing: float = 0.9
    """The temperature is multiplied by this after each step."""
    top_k: int | None = None
    """Only so many of the likeliest codes are drawn; None = all."""
    order: TokenOrder = "confidence"
    """confidence: the positions that are surest before anything is drawn (the authors). sampled:
    codes are drawn everywhere, and those kept that were likeliest, with noise that fades (Chang et
    al. 2022), so completions differ in their order too. spread: positions that are drawn together
    lie far apart (Besnier et al. 2025), by Bayer's matrix from a random place of the grid on. What
    is drawn at once is drawn independently, so the less such positions tell of each other, the
    nearer completions are to the distribution that the network describes. And the surest first,
    as in the other two, makes completions less varied than that distribution."""

    def __post_init__(self) -> None:
        NOT_NEGATIVE.require(self.temperature, "temperature")
        for name in ("steps", "top_k"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"must be at least 1, got {value}.", setting=name)
        if not 0 < self.annealing <= 1:
            raise UserError(f"must lie in (0, 1], got {self.annealing}.", setting="annealing")
        if self.order not in get_args(TokenOrder):
            raise unknown_name("no order", self.order, get_args(TokenOrder), setting="order")

    @classmethod
    def usual(cls, config: LatentConfig) -> Drawing:
        """Return how a model draws unless it is told otherwise."""
        return cls(config.sampling_steps, config.temperature, config.annealing, order=config.order)

    @property
    def spreads(self) -> bool:
        """True where the order is known beforehand; the likeliest codes have one of their own."""
        return self.order == "spread" and self.temperature > 0


def tokens_per_step(unknown: int, steps: int) -> list[int]:
    """Return how many tokens each step draws: along a cosine, at least 1, `unknown` in all.

    At most `steps` steps, fewer where `unknown` is small.

    >>> tokens_per_step(48, 5), tokens_per_step(5, 5), tokens_per_step(0, 5)
    ([3, 7, 10, 14, 14], [1, 1, 2, 1], [])
    """
    counts: list[int] = []
    before = remaining = unknown
    for step in range(1, steps + 1):
        # The cosine of a right angle is not quite 0 in floating point, but 0 is meant.
        left = math.floor(unknown * math.cos(math.pi * step / (2 * steps))) if step < steps else 0
        if remaining:
            counts.append(min(max(before - left, 1), remaining))
            remaining -= counts[-1]
        before = left
    return counts


def evenly(unknown: int, steps: int) -> list[int]:
    """Return how many tokens each step of the order "spread" draws: as many in each.

    >>> evenly(48, 5), evenly(3, 5), evenly(0, 5)
    ([9, 10, 9, 10, 10], [1, 1, 1], [])
    """
    steps = min(steps, unknown)
    ends = [unknown * step // steps for step in range(steps + 1)] if steps else [0]
    return [end - start for start, end in pairwise(ends)]


def gumbel_of(noise: Noise, device: torch.device) -> Gumbel:
    """Return Gumbel noise with one stream per completion, whose draws no other shifts."""

    def draw(*shape: int) -> Tensor:
        # 0 has no logarithm; the largest double below 1 has one that still has a logarithm.
        uniform = noise.uniform(*shape).clamp_min(torch.finfo(torch.float64).tiny)
        return -torch.log(-torch.log(uniform)).float().to(device)

    return draw


def draw_tokens(
    network: Network,
    tokens: Tensor,
    known: Tensor,
    gumbel: Gumbel,
    how: Drawing,
    first_logits: Tensor | None = None,
) -> Tensor:
    """Return tokens with the unknown ones filled in, int64 [n, L]; known ones stay as they are.

    tokens: int64 [n, L], any value where unknown; known: bool [n, L]. Each item has its own
    schedule. first_logits: what `network` gives for the input, [n or 1, L, K], where the caller
    has it. Nothing unknown: `network` is not called.
    """
    for state in drawing(network, tokens, known, gumbel, how, first_logits):
        tokens = state[0]
    return tokens


@torch.no_grad()
def drawing(
    network: Network,
    tokens: Tensor,
    known: Tensor,
    gumbel: Gumbel,
    how: Drawing,
    first_logits: Tensor | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield tokens and known after each step of `draw_tokens`."""
    unknown = (~known).sum(1).tolist()
    earliness = _spread_scores(gumbel, tokens) if how.spreads else None
    schedule_of = evenly if how.spreads else tokens_per_step
    schedules = [schedule_of(count, how.steps) for count in unknown]
    for step in range(max(map(len, schedules), default=0)):
        logits = first_logits if step == 0 else None
        if logits is None:
            logits = network(tokens, known)
        log_probs = _log_probs(logits.float().expand(len(tokens), -1, -1), how, step)
        drawn, scores = _drawn(log_probs, gumbel, how, step)
        scores = scores if earliness is None else earliness
        counts = [schedule[step] if step < len(schedule) else 0 for schedule in schedules]
        chosen = _best(scores.masked_fill(known, -math.inf), counts)
        tokens, known = torch.where(chosen, drawn, tokens), known | chosen
        yield tokens, known


def _log_probs(logits: Tensor, how: Drawing, step: int) -> Tensor:
    """Return the log-probabilities [n, L, K] of a step, -inf for codes that top-k leaves out."""
    logits = logits / max((how.temperature or 1.0) * how.annealing**step, COLDEST)
    if how.top_k is not None and how.top_k < logits.shape[-1]:
        least = logits.topk(how.top_k).values[..., -1:]
        logits = logits.masked_fill(logits < least, -math.inf)
    return torch.log_softmax(logits, -1)


def _drawn(log_probs: Tensor, gumbel: Gumbel, how: Drawing, step: int) -> tuple[Tensor, Tensor]:
    """Return a code for every position [n, L], and how sure each is, the larger the surer."""
    highest, likeliest = log_probs.max(-1)
    # The odds instead of the probability: the same order, but cold ones do not all round to 1.
    others = log_probs.scatter(-1, likeliest[..., None], -math.inf).logsumexp(-1)
    sureness = highest - others
    if how.temperature == 0:
        return likeliest, sureness
    # The largest of log p + Gumbel is a draw from p.
    drawn = (log_probs + gumbel(*log_probs.shape[1:])).argmax(-1)
    if how.order != "sampled":
        return drawn, sureness
    weight = ORDER_NOISE * (1 - (step + 1) / how.steps)
    of_drawn = log_probs.gather(-1, drawn[..., None]).squeeze(-1)
    return drawn, of_drawn + weight * gumbel(log_probs.shape[1])


def _spread_scores(gumbel: Gumbel, tokens: Tensor) -> Tensor:
    """Return how early each position is drawn [n, L], the larger the earlier.

    Each completion enters the order at another place.
    """
    length = tokens.shape[1]
    width = math.isqrt(length - 1) + 1  # of the grid, which is square
    ranks = spread_ranks(width)
    # The largest of Gumbel noise lies anywhere, equally likely.
    start = gumbel(ranks.numel()).argmax(-1, keepdim=True).cpu()
    position = torch.arange(length)
    row = (position // width + start // len(ranks)) % len(ranks)
    column = (position % width + start % len(ranks)) % len(ranks)
    return -ranks[row, column].float().to(tokens.device)


@cache
def spread_ranks(width: int) -> Tensor:
    """Return the place of each cell in the order "spread", int64 [side, side].

    Bayer's matrix of ordered dithering, of the first power of two from `width` on: each quarter of
    the order is a grid of every other row and column.

    >>> spread_ranks(4).tolist()
    [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]
    """
    ranks = torch.zeros(1, 1, dtype=torch.int64)
    while len(ranks) < width:
        finer = 4 * ranks
        ranks = torch.cat((torch.cat((finer, finer + 2), 1), torch.cat((finer + 3, finer + 1), 1)))
    return ranks


def _best(scores: Tensor, counts: list[int]) -> Tensor:
    """Return where each item's `counts` largest scores are, bool [n, L]; of ties the first."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    wanted = torch.tensor(counts, device=scores.device)[:, None]
    first = torch.arange(scores.shape[1], device=scores.device) < wanted
    return torch.zeros_like(first.expand_as(scores)).scatter(1, order, first.expand_as(scores))
