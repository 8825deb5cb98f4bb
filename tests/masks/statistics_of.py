"""Statistics of mask samples as the golden files record them, and the distances between two."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inpaint_cli.masks.ranges import Mask

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Of N masks; names and columns as in statistics.npz."""

    visible: Values
    components: Values
    """[N, 4]: hole 8-connected, hole 4, visible 8, visible 4."""
    edges: Values
    mean_map: Values
    """[4, 4]: mean visibility of equal cells."""


def components(mask: Mask) -> list[int]:
    parts = ((~mask, 8), (~mask, 4), (mask, 8), (mask, 4))
    return [cv2.connectedComponents(part.astype(np.uint8), None, c)[0] - 1 for part, c in parts]


def edges(mask: Mask) -> int:
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    return int(np.count_nonzero(across) + np.count_nonzero(down))


def cells(mask: Mask) -> Values:
    height, width = mask.shape
    grid = mask.reshape(4, height // 4, 4, width // 4).mean((1, 3))
    return np.asarray(grid, np.float64)


def statistics_of(masks: Iterable[Mask]) -> Statistics:
    rows = [(mask.sum(), components(mask), edges(mask), cells(mask)) for mask in masks]
    visible, parts, edge_counts, maps = (np.asarray(c, np.float64) for c in zip(*rows, strict=True))
    return Statistics(visible, parts, edge_counts, maps.mean(0))


def ks_distance(a: Values, b: Values) -> float:
    """Return the greatest distance between two empirical distribution functions."""
    places = np.union1d(a, b)
    below = [np.searchsorted(np.sort(v), places, side="right") / len(v) for v in (a, b)]
    return float(np.abs(below[0] - below[1]).max())
