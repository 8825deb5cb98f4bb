"""The transformer that guesses hidden codes from all known ones (layers and names of minGPT)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

START_OR_MASK = 0
"""Id of the start token and of every unknown one; code y has the id y + 1."""
INITIAL_DEVIATION = 0.02


class Attention(nn.Module):
    """Attention with several heads; [N, T, width] to the same, under a mask [N, 1, T, T]."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide the width {width}")
        self.heads, self.dropout = heads, dropout
        self.key = nn.Linear(width, width)
        self.query = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, allowed: Tensor | None) -> Tensor:
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        attend = (
            attention_in_steps if _is_trained_in_bfloat16(q) else F.scaled_dot_product_attention
        )
        mixed = attend(q, k, v, attn_mask=allowed, dropout_p=dropout)
        result: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return result


def _is_trained_in_bfloat16(query: Tensor) -> bool:
    """Tell whether PyTorch's fused attention would be the slower one.

    On a CPU its backward pass in bfloat16 takes three times as long as that of the single steps
    (16 x 8 heads, 257 tokens of 32 values: 95 and 32 ms on one core with AMX). The steps keep the
    attention of every layer, which the fused one computes again.
    """
    return query.device.type == "cpu" and query.dtype == torch.bfloat16 and query.requires_grad


def attention_in_steps(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, dropout_p: float
) -> Tensor:
    """Return what `F.scaled_dot_product_attention` returns, step by step.

    Under autocast as well all steps are of the type of `query`.
    """
    with torch.autocast("cpu", enabled=False):
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if attn_mask is not None:
            scores = scores + torch.zeros_like(attn_mask, dtype=scores.dtype).masked_fill_(
                ~attn_mask, float("-inf")
            )
        return F.dropout(scores.softmax(-1), dropout_p) @ value


class Block(nn.Module):
    """Attention, then two dense layers, each normalised first and beside a skip."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, dropout)
        self.ln2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor | None) -> Tensor:
        x = x + self.drop(self.attn(self.ln1(x), allowed))
        result: Tensor = x + self.drop(self.mlp(self.ln2(x)))
        return result


class BidirectionalTransformer(nn.Module):
    """Known codes of a grid to logits of every code at every position.

    codes: size of the codebook K; positions: tokens of a grid L. `forward` maps tokens int64
    [N, L] in 0..K-1 (any value where unknown) and known bool [N, L] to logits [N, L, K].
    """

    def __init__(
        self, codes: int, positions: int, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.codes, self.positions = codes, positions
        self.tok_emb = nn.Embedding(codes + 1, width)
        self.pos_emb = nn.Parameter(torch.zeros(1, positions + 1, width))
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        self.head = nn.Linear(width, codes + 1, bias=False)
        self.apply(_initialise)

    def forward(self, tokens: Tensor, known: Tensor) -> Tensor:
        ids = torch.where(known, tokens + 1, START_OR_MASK)
        # The start token is one that all may see: padding puts it before the first position.
        ids = F.pad(ids, (1, 0), value=START_OR_MASK)
        visible = F.pad(known, (1, 0), value=True)
        return self.logits_of(ids, may_attend(visible))[:, 1:, 1:]

    def logits_of(self, ids: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Return the logits [N, L + 1, K + 1] of ids [N, L + 1], with start position and [MASK].

        allowed: bool [N, 1, L + 1, L + 1], True where a query (row) may see a key; None: all may.
        """
        x = self.drop(self.tok_emb(ids) + self.pos_emb)
        for block in self.blocks:
            x = block(x, allowed)
        logits: Tensor = self.head(self.ln_f(x))
        return logits


def may_attend(visible: Tensor) -> Tensor:
    """Return who may see whom, bool [N, 1, T, T]: each the visible ones, and itself.

    visible: bool [N, T]. So hidden positions do not see each other, nor are they seen.
    """
    itself = torch.eye(visible.shape[1], dtype=torch.bool, device=visible.device)
    return visible[:, None, None, :] | itself


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_DEVIATION)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
