"""Ranges that images were drawn from in fixed numbers, and parts of the images balanced over them.

Under a mixture of mask ranges every range has its fixed share of the images. What differs between
ranges is then no sampling error: only the spread within each counts (Cochran 1977, chapter 5).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inpaint_cli.randomness import stream

Indices = npt.NDArray[np.int64]
Strata = npt.NDArray[np.int64] | None
"""[n], the range that each image was drawn from; None where images are one plain sample."""
FEWEST_BLOCKS = 8
"""Fewer give an error that is itself too uncertain; then blocks hold some of most ranges only."""


def groups_of(n: int, strata: Strata, least: int = 2) -> list[Indices]:
    """Return the images of each range; all as one range where some range has fewer than `least`.

    A spread within a range needs two images. Without ranges an error is too large, never too small.

    >>> [group.tolist() for group in groups_of(4, np.array([1, 0, 1, 0]))]
    [[1, 3], [0, 2]]
    """
    if strata is not None:
        groups = [np.flatnonzero(strata == name) for name in np.unique(strata)]
        if all(len(group) >= least for group in groups):
            return groups
    return [np.arange(n)]


def are_used(n: int, strata: Strata) -> bool:
    """Return whether an error of these images is one within ranges."""
    return len(groups_of(n, strata)) > 1


def permutation(n: int, seed: int, tag: str, *key: int, strata: Strata = None) -> Indices:
    """Return the order of n images that (seed, tag, key) draws.

    With strata every part of the order, from its beginning or its middle, is balanced over them.
    """
    drawn = stream(seed, tag, *key).random(n)
    if strata is None:
        return np.argsort(drawn, kind="stable")
    place = np.empty(n)
    for group in groups_of(n, strata, least=1):
        order = np.argsort(drawn[group], kind="stable")
        place[group[order]] = (np.arange(len(group)) + 0.5) / len(group)
    return np.lexsort((drawn, place))


def blocks_of(n: int, count: int, seed: int, tag: str, strata: Strata = None) -> list[Indices]:
    """Part n images at random into `count` blocks whose sizes differ by one at most.

    At random, because files are often sorted by class, and then neighbours are no fair sample; but
    balanced over the strata.
    """
    order = permutation(n, seed, tag, strata=strata)
    return [np.sort(block) for block in np.array_split(order, count)]


def block_count(n: int, most: int, strata: Strata = None) -> int:
    """Return into how many blocks to part n images, so that each holds some of every range."""
    groups = groups_of(n, strata, least=FEWEST_BLOCKS)
    return min(most, *(len(group) for group in groups))
