"""The VQGAN of stage one: images to grids of codes and back (Esser et al. 2021)."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.device import full_precision, rank, sum_over_ranks, world_size
from inpaint_cli.models.latent_codes.blocks import Decoder, Encoder, Shape
from inpaint_cli.models.layers import at_least_float32
from inpaint_cli.randomness import stream

DECAY = 0.99
"""Of the moving averages that the codes follow."""
COMMITMENT = 0.25
REVIVE_EVERY = 100
REVIVE_BELOW = 0.03
"""A code is dead if it was chosen less often than this share of the mean."""
REVIVE_UNTIL = 0.7
"""Share of the steps after which no code is replaced any more."""
LLOYD_ITERATIONS = 10


class Quantised(NamedTuple):
    """What a codebook makes of features."""

    vectors: Tensor
    """[N, D, h, w], the nearest codes, with the gradient of the features (straight through)."""
    indices: Tensor
    """int64 [N, h, w]."""
    loss: Tensor
    """Scalar: what draws features and codes together."""


class Codebook(nn.Module):
    """K code vectors.

    averaged: features and codes are normalised, and codes follow moving averages of the features
    that chose them (van den Oord et al. 2017, appendix A.1). gradient: plain vectors that are
    trained, with the weight 0.25 on the codes' side, as in the authors' code.
    """

    counts: Tensor
    """[K], moving average of how often each code is chosen; averaged codebooks only."""
    sums: Tensor
    """[K, D], moving average of the features that chose it."""
    ready: Tensor
    """1 once the codes have started by k-means."""

    def __init__(self, codes: int, width: int, kind: Literal["averaged", "gradient"]) -> None:
        super().__init__()
        self.codes, self.averaged = codes, kind == "averaged"
        table = torch.empty(codes, width).uniform_(-1 / codes, 1 / codes)
        self.embedding = nn.Module()
        if not self.averaged:
            self.embedding.weight = nn.Parameter(table)
            return
        self.embedding.register_buffer("weight", F.normalize(table, dim=1))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", F.normalize(table, dim=1))
        self.register_buffer("ready", torch.zeros((), dtype=torch.int64))

    @property
    def table(self) -> Tensor:
        """The code vectors [K, D]; normalised in an averaged codebook."""
        weight = cast(Tensor, self.embedding.weight)
        return F.normalize(at_least_float32(weight), dim=1) if self.averaged else weight

    def features(self, z: Tensor) -> Tensor:
        """Return encoder outputs [N, D, h, w] in the precision in which they meet the codes."""
        rows = at_least_float32(z)
        return F.normalize(rows, dim=1) if self.averaged else rows

    def vectors(self, indices: Tensor) -> Tensor:
        """Return the codes [N, D, h, w] of indices [N, h, w]."""
        return F.embedding(indices, self.table).permute(0, 3, 1, 2)

    @torch.no_grad()
    def nearest(self, z: Tensor) -> Tensor:
        """Return the indices int64 [N, h, w] of the codes nearest to z [N, D, h, w]."""
        with full_precision(z.device):
            rows = self.features(z).permute(0, 2, 3, 1)
            table = self.table
            closeness = rows @ table.T
            if not self.averaged:
                closeness = 2 * closeness - table.square().sum(1)
            return closeness.argmax(-1)

    def forward(self, z: Tensor) -> Quantised:
        indices = self.nearest(z)
        features, codes = self.features(z), self.vectors(indices)
        loss = F.mse_loss(features, codes.detach())
        if self.averaged:
            loss = COMMITMENT * loss
        else:
            loss = loss + COMMITMENT * F.mse_loss(codes, features.detach())
        return Quantised(features + (codes - features).detach(), indices, loss)

    @torch.no_grad()
    def follow(self, z: Tensor, indices: Tensor, step: int, seed: int, revive: bool) -> None:
        """Move averaged codes towards the features that chose them, in training."""
        rows = self.features(z).permute(0, 2, 3, 1).flatten(0, 2)
        counts, sums = self._assigned(rows, indices.flatten())
        self.counts.mul_(DECAY).add_(counts, alpha=1 - DECAY)
        self.sums.mul_(DECAY).add_(sums, alpha=1 - DECAY)
        if revive and step % REVIVE_EVERY == 0:
            self._revive(rows, seed, step)
        self._set_codes(self.sums)

    @torch.no_grad()
    def start(self, z: Tensor, seed: int) -> None:
        """Set averaged codes to the k-means of a batch, by Lloyd's iterations."""
        rows = self.features(z).permute(0, 2, 3, 1).flatten(0, 2)
        table = self._some(rows, seed, 0, self.codes)
        for _ in range(LLOYD_ITERATIONS):
            counts, sums = self._assigned(rows, (rows @ table.T).argmax(1))
            table = torch.where(counts[:, None] > 0, F.normalize(sums, dim=1), table)
        self.counts.copy_(counts.clamp_min(1))
        self.sums.copy_(table * self.counts[:, None])
        self._set_codes(self.sums)
        self.ready.fill_(1)

    def _assigned(self, rows: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return how many rows [M, D] chose each code, and their sums, over all processes."""
        counts = torch.bincount(indices, minlength=self.codes).to(rows.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, indices, rows)
        return sum_over_ranks(counts), sum_over_ranks(sums)

    def _some(self, rows: Tensor, seed: int, step: int, count: int) -> Tensor:
        """Return `count` random rows of all processes' rows in their order, the same in all."""
        draws = torch.from_numpy(stream(seed, "codebook", step).random(count)).to(rows.device)
        at = (draws * (len(rows) * world_size())).long()
        is_here = at // len(rows) == rank()
        return sum_over_ranks(rows[at % len(rows)] * is_here[:, None])

    def _revive(self, rows: Tensor, seed: int, step: int) -> None:
        mean = self.counts.mean()
        dead = self.counts < REVIVE_BELOW * mean
        fresh = self._some(rows, seed, step, self.codes)
        self.counts.copy_(torch.where(dead, mean, self.counts))
        self.sums.copy_(torch.where(dead[:, None], mean * fresh, self.sums))

    def _set_codes(self, sums: Tensor) -> None:
        cast(Tensor, self.embedding.weight).copy_(F.normalize(sums, dim=1))


class VQGAN(nn.Module):
    """Encoder, codebook and decoder; parameter names are those of the reference files.

    codes_only: the codebook alone, which is all that completing needs.
    """

    def __init__(
        self,
        channels: int,
        shape: Shape,
        embed_dim: int,
        codes: int,
        codebook: Literal["averaged", "gradient"],
        codes_only: bool = False,
    ) -> None:
        super().__init__()
        self.quantize = Codebook(codes, embed_dim, codebook)
        if codes_only:
            return
        self.encoder = Encoder(channels, shape)
        self.quant_conv = nn.Conv2d(shape.latent_channels, embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, shape.latent_channels, 1)
        self.decoder = Decoder(channels, shape)

    def encode(self, x: Tensor) -> Tensor:
        """Return z [N, D, h, w] of x [N, C, H, W] in [-1, 1], before quantisation."""
        z: Tensor = self.quant_conv(self.encoder(x))
        return z

    def decode(self, vectors: Tensor) -> Tensor:
        """Return the image [N, C, H, W] of code vectors [N, D, h, w]."""
        x: Tensor = self.decoder(self.post_quant_conv(vectors))
        return x

    @torch.no_grad()
    def tokens(self, x: Tensor) -> Tensor:
        """Return the code indices int64 [N, h, w] of x [N, C, H, W] in [-1, 1]."""
        return self.quantize.nearest(self.encode(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Quantised]:
        quantised = self.quantize(self.encode(x))
        return self.decode(quantised.vectors), quantised


def uses(indices: Tensor, codes: int) -> Tensor:
    """Return how often each code is among indices, float32 [K]."""
    ones = torch.ones_like(indices, dtype=torch.float32)
    return torch.zeros(codes, device=indices.device).index_add_(0, indices, ones)


def perplexity(counts: Tensor) -> Tensor:
    """Return exp(entropy) of how often each code is used: at most the number of codes."""
    share = counts / counts.sum().clamp_min(1e-12)
    return torch.exp(-(share * share.clamp_min(1e-12).log()).sum())
