"""LPIPS-GT, diversity and faithfulness weighted variance of one image's completions.

One pass over the completions, in memory that does not grow with their number: a distance is the
square of a difference of embeddings, so moments of the embedding replace the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.forecasts import distinct
from inpaint_cli.metrics.lpips import SIGMAS
from inpaint_cli.models.perceptual import PerceptualDistance

BATCH = 16
"""Completions that the network sees at a time."""

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
        columns |= self._diversities()
        for sigma in SIGMAS if count > 1 else ():
            columns[f"fwv@{sigma:g}"] = weighted_variance(self.to_truth, self.to_mean, sigma)
        return columns

    def _diversities(self) -> dict[str, float]:
        named = {
            "lpips-diversity": self.diversity,
            "lpips-diversity-hole-crop": self.diversity_hole_crop,
            "lpips-diversity-hole-mean": self.diversity_hole_mean,
        }
        return {name: value for name, value in named.items() if value is not None}


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
            self.maps = [torch.zeros_like(level[0]) for level in phi]
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
    parts = [
        functional.interpolate(
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
    if not 1 <= k <= count:
        raise Refused(f"lpips-gt@{k}: there are {count} completions.")
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
    in_float64 = like.device if like.device.type != "mps" else torch.device("cpu")  # MPS has none
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH].to(like.device)
        phi = distance.embedding(batch.to(like.dtype) / 127.5 - 1)
        for index in range(len(batch)):
            yield [level[index].to(in_float64).double() for level in phi]
