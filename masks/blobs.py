"""Visible blobs that grow from random pixels (Dupont & Suresha 2018, Algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inpaint_cli.masks.chance import integer
from inpaint_cli.masks.ranges import Distribution, Mask, Range

MAX_BLOBS = 4
ITERATIONS = (2, 7)
"""Upper end excluded, as in the authors' code; Algorithm 1 reads as if it were not."""

NEIGHBOUR_ROWS = np.array([-1, -1, -1, 0, 0, 1, 1, 1])
NEIGHBOUR_COLUMNS = np.array([-1, 0, 1, -1, 1, -1, 0, 1])

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Blobs(Distribution):
    """One to four visible blobs, each up to 6 pixels in radius at any image size."""

    absolute = True

    def parameters(self, height: int, width: int) -> str:
        low, high = ITERATIONS
        return f"blobs(max={MAX_BLOBS};iterations={low}:{high};p=0.5)"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask:
        mask = np.zeros((height, width), np.bool_)
        # A seed may stand in its list many times; seeds of all blobs grow together, which gives
        # the same union as one blob after the other. Blobs that grow longer stand first.
        iterations = sorted(
            (integer(rng, *ITERATIONS) for _ in range(integer(rng, 1, MAX_BLOBS + 1))), reverse=True
        )
        # The last row and column never hold a centre: the authors' upper ends are exclusive.
        centres = rng.random((2, len(iterations)))
        rows = (centres[0] * (height - 1)).astype(np.intp)
        columns = (centres[1] * (width - 1)).astype(np.intp)
        mask[rows, columns] = True
        ends = list(range(1, len(iterations) + 1))
        for done in range(iterations[0]):
            growing = ends[sum(n > done for n in iterations) - 1]
            rows, columns, parents = grow(rng, mask, rows[:growing], columns[:growing])
            ends = np.searchsorted(parents, ends).tolist()
        return mask


def grow(
    rng: np.random.Generator, mask: Mask, rows: Indices, columns: Indices
) -> tuple[Indices, Indices, Indices]:
    """Make each of the 8 neighbours of each seed visible with probability 1/2, in `mask`.

    Gives rows and columns of these neighbours, the next seeds, and the ordered index of the seed
    that each comes from. Neighbours outside are clamped to the border, so that a seed there may
    count itself, or one neighbour twice, as in the authors' code.
    """
    height, width = mask.shape
    bits = np.unpackbits(np.frombuffer(rng.bytes(len(rows)), np.uint8))
    chosen = np.flatnonzero(bits)
    parents, neighbour = chosen >> 3, chosen & 7
    rows = np.clip(rows[parents] + NEIGHBOUR_ROWS[neighbour], 0, height - 1)
    columns = np.clip(columns[parents] + NEIGHBOUR_COLUMNS[neighbour], 0, width - 1)
    mask[rows, columns] = True
    return rows, columns, parents
