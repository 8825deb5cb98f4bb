"""What the random numbers of a picture hang on: its visible samples and its hole."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def key_of(samples: Array, hole: Array, scale: float) -> bytes:
    """Return the 32-byte hash of what is visible: the hole and the samples round it, never in it.

    samples: float32 [H, W, C]; hole: bool [H, W].
    """
    digest = hashlib.sha256(repr((samples.shape, float(scale))).encode())
    digest.update(np.packbits(hole).tobytes())
    for row, hidden in zip(samples, hole, strict=True):  # not at once: that takes much memory
        digest.update(np.where(hidden[:, None], np.float32(0), row).tobytes())
    return digest.digest()
