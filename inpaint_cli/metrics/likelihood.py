"""How likely a model holds the true hidden values: nats of an image, bits per hidden dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inpaint_cli.data.image_set import counted
from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import Strata, over_images, ratio_of_sums
from inpaint_cli.metrics.metric import Chosen, Line, Metric, Results

LN2 = math.log(2)
FEW = 20
"""Effective number of images (Kish 1965) below which errors of pooled figures are too small."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NatsOfImages:
    """The nats and the number of hidden values of each image, in the order of their ids."""

    nats: Sequence[float]
    hidden: Sequence[int]
    bound: str = "exact"
    """"exact", "elbo" (an upper bound of the NLL) or "iw-M"."""
    levels: int = 256
    """Of each value: guessing costs log2(levels) bits."""
    strata: Strata = None
    """The range of each image."""

    def bits_pooled(self) -> Estimate:
        """Return all nats over all hidden values, in bits per hidden dimension."""
        nats, hidden, strata = self._kept()
        if not np.isfinite(nats).all():
            return self._labelled(over_images(nats))
        estimate = self._labelled(ratio_of_sums(nats / LN2, hidden, strata))
        effective = hidden.sum() ** 2 / (hidden**2).sum()
        if effective < min(FEW, 0.75 * len(hidden)):
            text = f"effective number of images {effective:.1f}: the error is too small"
            estimate = replace(estimate, warnings=(*estimate.warnings, text))
        return estimate

    def bits_mean(self) -> Estimate:
        """Return the mean over images of their own bits per hidden dimension."""
        nats, hidden, strata = self._kept()
        return self._labelled(over_images(nats / LN2 / hidden, strata=strata))

    def nats_mean(self) -> Estimate:
        """Return the mean nats of an image."""
        nats, _, strata = self._kept()
        return self._labelled(over_images(nats, strata=strata))

    def _kept(self) -> tuple[_Floats, _Floats, Strata]:
        nats, hidden = np.asarray(self.nats, np.float64), np.asarray(self.hidden, np.float64)
        if not (hidden > 0).any():
            raise Refused("nll: no image has hidden values.")
        strata = None if self.strata is None else self.strata[hidden > 0]
        return nats[hidden > 0], hidden[hidden > 0], strata

    def _labelled(self, estimate: Estimate) -> Estimate:
        excluded = len(self.nats) - estimate.n
        warnings = []
        if self.bound != "exact":
            warnings.append(f"an upper bound ({self.bound}), not comparable with exact values")
        if excluded:
            warnings.append(f"left out: {counted(excluded, 'image')} without hidden values")
        return replace(
            estimate,
            parameters={"bound": self.bound, "levels": self.levels},
            warnings=tuple(warnings),
            extra={"excluded": excluded},
        )


class LikelihoodMetric(Metric):
    """A figure of -log p(hidden | visible) of the originals, which `Case.nats` holds."""

    needs = frozenset({"hole", "likelihood"})
    by_picture = False
    digits = 3

    def nats(self, results: Results, chosen: Chosen) -> NatsOfImages:
        """Return the nats of the chosen images."""
        columns = results.columns.figures
        if "nats" not in columns:
            raise Refused("no image here has a likelihood: nothing is hidden")
        hidden = columns["hidden"][chosen]
        nats = np.where(hidden > 0, columns["nats"][chosen], 0.0)
        bound = results.bound or "exact"
        counts, strata = hidden.astype(int).tolist(), results.ranges(chosen)
        return NatsOfImages(nats.tolist(), counts, bound, results.levels, strata)


class Nll(LikelihoodMetric):
    """Nats of an image, and of a hidden value."""

    name = "nll"
    summary = "negative log-likelihood of the hidden values"
    unit = "nats"

    def lines(self, results: Results) -> Iterator[Line]:
        def per_value(chosen: Chosen) -> Estimate:
            bits = self.nats(results, chosen).bits_mean()
            se, sd = (None if part is None else part * LN2 for part in (bits.se, bits.sd))
            return replace(bits, value=bits.value * LN2, se=se, sd=sd)

        yield Line(self, "nll", "per image", lambda c: self.nats(results, c).nats_mean())
        yield Line(self, "nll per value", "per hidden value, mean over images", per_value)


class BitsPerDim(LikelihoodMetric):
    """All bits over all hidden values."""

    name = "bits-per-dim"
    summary = "the same in bits per hidden value, pooled"
    unit = "bits"

    def lines(self, results: Results) -> Iterator[Line]:
        yield Line(
            self,
            self.name,
            "per hidden value, pooled",
            lambda chosen: self.nats(results, chosen).bits_pooled(),
        )


METRICS = {"nll": Nll(), "bits-per-dim": BitsPerDim()}
