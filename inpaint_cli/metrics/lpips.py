"""LPIPS-GT, diversity and faithfulness weighted variance: how completions differ to the eye.

One pass over the completions of an image, in memory that does not grow with their number: a
distance is the square of a difference of embeddings, so moments of the embedding replace the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics.forecasts import distinct
from inpaint_cli.metrics.metric import Figures, Line, MeasuredCase, Metric, Results, mean_line

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.models.perceptual import PerceptualDistance

PAPER_K = 100
"""Completions per image of IPA's LPIPS-GT."""
BATCH = 16
"""Completions that the network sees at a time."""
SIGMAS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Widths of the faithfulness weights. The paper (IPA, App. H) lists none of its own."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PerceptualFigures:
    """What one image's completions give; float64."""

    to_truth: _Floats
    """[K] distances to the original, in the order of the completions."""
    to_mean: _Floats
    """[K] distances to the mean image of the completions, which is not rounded."""
    diversity: float | None
    """Mean distance of two different completions; None for K = 1."""
    diversity_hole_crop: float | None = None
    """The same on the bounding box of the hidden area; None where nothing is hidden."""
    diversity_hole_mean: float | None = None
    """The same averaged over the hidden pixels, from the spatial map; None likewise."""

    def columns(self) -> dict[str, float]:
        """Return the figures by name; one that the image does not have is left out.

        `lpips-gt@k` is the minimum expected of k of the K completions, for k = 1, 10 and K.
        """
        count = len(self.to_truth)
        depths = sorted({1, min(10, count), count})
        columns = {f"lpips-gt@{k}": expected_minimum(self.to_truth, k) for k in depths}
        diversities = {
            "lpips-diversity": self.diversity,
            "lpips-diversity-hole-crop": self.diversity_hole_crop,
            "lpips-diversity-hole-mean": self.diversity_hole_mean,
        }
        columns |= {name: value for name, value in diversities.items() if value is not None}
        for sigma in SIGMAS if count > 1 else ():
            columns[f"fwv@{sigma:g}"] = weighted_variance(self.to_truth, self.to_mean, sigma)
        return columns


def perceptual_figures(
    distance: PerceptualDistance,
    truth: Tensor,
    completions: Tensor,
    visible: Tensor,
    *,
    of_hole: bool = False,
) -> PerceptualFigures:
    """Score one image: truth uint8 [C, H, W], completions uint8 [K, C, H, W], visible [1, H, W].

    of_hole: also the diversity of the hole's box and of the hidden pixels. Equal completions pass
    the network once, so a deterministic model has a diversity of exactly 0.
    """
    import torch

    first, place = distinct(completions.cpu().numpy())
    counts = torch.bincount(torch.tensor(place)).double()
    rows = completions[first]
    with torch.inference_mode():
        to_truth, to_mean, spread = _pass(distance, truth, rows, counts)
        crop = _crop_spread(distance, rows, counts, visible) if of_hole else None
    pairs = (len(completions) - 1) / 2
    hole_mean = _over_hidden(spread.maps, visible) if of_hole else None
    return PerceptualFigures(
        to_truth.numpy()[place],
        to_mean.numpy()[place],
        spread.total() / pairs if pairs else None,
        crop / pairs if pairs and crop is not None else None,
        hole_mean / pairs if pairs and hole_mean is not None else None,
    )


def _pass(
    distance: PerceptualDistance, truth: Tensor, rows: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor, RunningSpread]:
    """Return the distances to truth and mean image, and the spread, of distinct completions."""
    import torch

    mean = (rows.double() * counts.to(rows.device)[:, None, None, None]).sum(0) / counts.sum()
    pair = torch.stack([truth.double(), mean.to(truth.device)])
    anchors = list(_members(distance, pair))
    spread = RunningSpread()
    distances = torch.empty(2, len(rows), dtype=torch.float64)
    for index, phi in enumerate(_members(distance, rows)):
        spread.update(phi, float(counts[index]))
        for row, anchor in zip(distances, anchors, strict=True):
            squares = ((p - q).square().sum() for p, q in zip(phi, anchor, strict=True))
            row[index] = math.fsum(map(float, squares))
    to_truth, to_mean = distances
    # The network rounds differently in batches of different sizes; copies are at distance 0.
    to_truth[(rows == truth.to(rows.device)).flatten(1).all(1).cpu()] = 0
    return to_truth, to_mean * (len(rows) > 1), spread


def _crop_spread(
    distance: PerceptualDistance,
    rows: Tensor,
    counts: Tensor,
    visible: Tensor,
) -> float | None:
    box = hole_box(visible)
    if box is None:
        return None
    spread = RunningSpread()
    for index, phi in enumerate(_members(distance, rows[:, :, box[0], box[1]])):
        spread.update(phi, float(counts[index]))
    return spread.total()


class RunningSpread:
    """Running mean and squared deviations of embeddings (Welford), member by member."""

    def __init__(self) -> None:
        self.count = 0.0
        self.means: list[Tensor] = []
        self.maps: list[Tensor] = []
        """Per level [H_l, W_l]: the squared deviations, summed over members and channels."""

    def update(self, phi: Sequence[Tensor], times: float) -> None:
        """Take in a member that occurs `times` times: float64 levels [C_l, H_l, W_l]."""
        self.count += times
        if not self.means:
            self.means = list(phi)
            self.maps = [level.new_zeros(level.shape[1:]) for level in phi]
            return
        for level, values in enumerate(phi):
            deviation = values - self.means[level]
            self.means[level] = self.means[level] + deviation * (times / self.count)
            self.maps[level] += (deviation * (values - self.means[level])).sum(0) * times

    def total(self) -> float:
        """Return sum_k |phi_k - mean|^2; 2 / (K - 1) of it is the mean distance of two members."""
        return math.fsum(float(level.sum()) for level in self.maps)


def hole_box(visible: Tensor) -> tuple[slice, slice] | None:
    """Return rows and columns of the bounding box of what is hidden; None where nothing is.

    visible: bool [1, H, W].
    """
    rows, columns = (~visible[0]).nonzero(as_tuple=True)
    if not len(rows):
        return None
    return (
        slice(int(rows.min()), int(rows.max()) + 1),
        slice(int(columns.min()), int(columns.max()) + 1),
    )


def enlarged(levels: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Return the sum [N, *size] of maps [N, H_l, W_l] of sums, enlarged as maps of means."""
    import torch
    from torch.nn.functional import interpolate

    parts = [
        interpolate(
            level[:, None] * (level.shape[-2] * level.shape[-1]),
            list(size),
            mode="bilinear",
            align_corners=False,
        )
        for level in levels
    ]
    return torch.cat(parts, 1).sum(1)


def _over_hidden(maps: Sequence[Tensor], visible: Tensor) -> float | None:
    if bool(visible.all()):
        return None
    whole = enlarged([level[None] for level in maps], visible.shape[-2:])[0]
    return float(whole[~visible[0].to(whole.device)].mean())


def expected_minimum(distances: _Floats, k: int) -> float:
    """Return the mean of the smallest of k distances, over all choices of k among these K.

    >>> expected_minimum(np.array([3.0, 1.0, 2.0]), 2)
    1.3333333333333333
    """
    count = len(distances)
    ways = math.comb(count, k)
    ranked = sorted(float(value) for value in distances)
    return math.fsum(
        value * (math.comb(count - 1 - rank, k - 1) / ways) for rank, value in enumerate(ranked)
    )


def weighted_variance(to_truth: _Floats, to_mean: _Floats, sigma: float) -> float:
    """Return sum_k exp(-d(x_k, x) / (2 sigma^2)) d(x_k, mean) of one image (IPA, App. G.3).

    It grows with K: the paper's FWV is its mean over the images, with K = 100.
    """
    return float(np.exp(-to_truth / (2 * sigma**2)) @ to_mean)


def _members(distance: PerceptualDistance, images: Tensor) -> Iterator[list[Tensor]]:
    """Yield each image's embedding, float64 [C_l, H_l, W_l], of images of levels 0..255.

    One image at a time becomes float64: that is where the memory would go.
    """
    like = next(distance.parameters())
    in_float64 = "cpu" if like.device.type == "mps" else like.device  # MPS has none
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH].to(like.device)
        phi = distance.embedding(batch.to(like.dtype) / 127.5 - 1)
        for index in range(len(batch)):
            yield [level[index].to(in_float64).double() for level in phi]


def perceptual_columns(case: MeasuredCase) -> Figures:
    """Return what one pass of the network over the completions gives, for all three metrics."""
    distance = case.instruments.distance
    assert distance is not None  # the metrics are refused without one
    # The box of the hole costs another pass, which only the diversity needs.
    of_hole = case.case.visible is not None and Diversity.name in case.wanted
    figures = perceptual_figures(
        distance, case.truth, case.completions, case.visible, of_hole=of_hole
    )
    return cast(Figures, figures.columns())


class PerceptualMetric(Metric):
    """A figure of perceptual distances."""

    needs = frozenset({"perceptual"})

    def figures(self, case: MeasuredCase) -> Figures:
        return case.once(perceptual_columns)

    def line(
        self, results: Results, column: str, variant: str, warnings: Sequence[str] = (), **more: Any
    ) -> Line:
        """Return the line of the mean of a column, with what must be known of its network."""
        distance = results.instruments.distance
        assert distance is not None  # the metrics are refused without one
        if not distance.is_published:
            warnings = [*warnings, f"{distance.name}: not comparable with published LPIPS"]
        return mean_line(
            self, results, column, variant, feature_id=distance.name, warnings=warnings, **more
        )


class LpipsGt(PerceptualMetric):
    """How near the nearest of some completions is to the original."""

    name = "lpips-gt"
    summary = "perceptual distance of the original to the nearest of K"
    by_default = True

    def lines(self, results: Results) -> Iterator[Line]:
        warnings = [f"its value depends on K: the paper's is of {PAPER_K}"]
        for count in sorted({1, min(10, results.k), results.k}):
            yield self.line(
                results,
                f"lpips-gt@{count}",
                f"@{count}, " + ("min over K" if count == results.k else f"of {results.k}"),
                warnings if results.k != PAPER_K else (),
            )


class Diversity(PerceptualMetric):
    """How far two completions of one image are from each other."""

    name = "lpips-diversity"
    summary = "perceptual distance between completions of one image"
    better = "higher"
    needs = frozenset({"perceptual", "several"})
    by_default = True

    def lines(self, results: Results) -> Iterator[Line]:
        variants = {
            "lpips-diversity": "whole image",
            "lpips-diversity-hole-crop": "bounding box of the hole",
            "lpips-diversity-hole-mean": "map averaged over hidden pixels",
        }
        for column, variant in variants.items():
            if column in results.columns.figures:
                yield self.line(results, column, variant)


class FaithfulVariance(PerceptualMetric):
    """The spread of those completions that are near the original."""

    name = "fwv"
    summary = "faithfulness weighted variance, for seven widths"
    better = "higher"
    needs = frozenset({"perceptual", "several"})

    def lines(self, results: Results) -> Iterator[Line]:
        for sigma in SIGMAS:
            yield self.line(
                results,
                f"fwv@{sigma:g}",
                f"sigma {sigma:g}, sum over K",
                params={"sigma": sigma, "fwv_mean_is_value_over_k": results.k},
                depends_on_k=True,
            )


METRICS = {one.name: one for one in (LpipsGt(), Diversity(), FaithfulVariance())}
