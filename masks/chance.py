"""Integers and reals from a generator's `random` alone, as all mask kinds draw them.

numpy keeps `Generator.random` stable between versions, but not `integers`, `normal` or `choice`.
"""

from __future__ import annotations

import numpy as np


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    """Draw a uniform integer of low..high-1.

    >>> integer(np.random.Generator(np.random.Philox(0)), 3, 4)
    3
    """
    return low + int(rng.random() * (high - low))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a uniform real of [low, high)."""
    return low + rng.random() * (high - low)


def coin(rng: np.random.Generator) -> bool:
    """Draw True or False, with probability 1/2 each."""
    return rng.random() < 0.5
