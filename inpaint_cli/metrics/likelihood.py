"""How likely a model holds the true hidden values: nats of an image, bits per hidden dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from inpaint_cli.metrics.intervals import over_images, ratio_of_sums
from inpaint_cli.metrics.state import Estimate, Refused

LN2 = math.log(2)

_Floats = npt.NDArray[np.float64]


def hidden_nats(logits: Tensor, values: Tensor, visible: Tensor) -> Tensor:
    """Gives -log p of the hidden values, float64 [N], from the logits of independent categoricals.

    logits: [N, levels, C, H, W]; values: integers [N, C, H, W]; visible: bool [N, 1, H, W].
    """
    log_probs = functional.log_softmax(logits.double(), dim=1)
    own = log_probs.gather(1, values.long()[:, None])[:, 0]
    # Not a product: 0 times the infinity of an impossible visible value is not 0.
    return -own.masked_fill(visible.expand_as(own), 0.0).flatten(1).sum(1)


def importance_bound(log_weights: Tensor) -> Tensor:
    """Gives log mean exp over the last dimension: a lower bound of the log-likelihood, in nats.

    log_weights: [..., M]. M = 1 is the ELBO; the bound tightens with M (Burda et al. 2016).

    >>> importance_bound(torch.tensor([[-1000.0, -1000.0]])).tolist()
    [-1000.0]
    """
    return torch.logsumexp(log_weights.double(), -1) - math.log(log_weights.shape[-1])


def bits_per_dim(nats: float, hidden: int) -> float | None:
    """Gives the bits per hidden value of one image; None where nothing is hidden.

    >>> bits_per_dim(math.log(256), 1)
    8.0
    """
    return nats / LN2 / hidden if hidden else None


@dataclass(frozen=True)
class Likelihood:
    """The nats and numbers of hidden values of all images, in the order of their ids."""

    nats: Sequence[float]
    hidden: Sequence[int]
    bound: str = "exact"
    """"exact", "elbo" (an upper bound of the NLL) or "iw-M"."""
    levels: int = 256
    """Of each value: guessing costs log2(levels) bits."""

    def bits_pooled(self) -> Estimate:
        """Gives all nats over all hidden values, in bits per hidden dimension."""
        nats, hidden = self._kept()
        if not np.isfinite(nats).all():
            return self._labelled(over_images(nats))
        return self._labelled(ratio_of_sums(nats / LN2, hidden))

    def bits_mean(self) -> Estimate:
        """Gives the mean over images of their own bits per hidden dimension."""
        nats, hidden = self._kept()
        return self._labelled(over_images(nats / LN2 / hidden))

    def nats_mean(self) -> Estimate:
        """Gives the mean nats of an image."""
        return self._labelled(over_images(self._kept()[0]))

    def _kept(self) -> tuple[_Floats, _Floats]:
        nats, hidden = np.asarray(self.nats, np.float64), np.asarray(self.hidden, np.float64)
        if not (hidden > 0).any():
            raise Refused("nll: no image has hidden values.")
        return nats[hidden > 0], hidden[hidden > 0]

    def _labelled(self, estimate: Estimate) -> Estimate:
        excluded = len(self.nats) - estimate.n
        warnings = []
        if self.bound != "exact":
            warnings.append(f"an upper bound ({self.bound}), not comparable with exact values")
        if excluded:
            warnings.append(f"{excluded} images without hidden values are left out")
        return replace(
            estimate,
            parameters={"bound": self.bound, "levels": self.levels},
            warnings=tuple(warnings),
            extra={"excluded": excluded},
        )
