"""What makes figures or training wrong though every file of a set could be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from inpaint_cli.data.decoding import Decoding, MemberRow, SourcePlan
from inpaint_cli.data.image_set import SPLITS
from inpaint_cli.data.value_ranges import LEAST_USED

STRAY = 0.001
"""The darkest and the brightest pixels may be strays, such as dead ones of a camera: this share."""

Counts = npt.NDArray[np.int64]


def found(rows: Sequence[MemberRow], ends: Counts, result: Decoding) -> list[str]:
    """Return a sentence for each doubt: hardly any contrast, or files that are in two splits."""
    ranges = _ranges(result.pixels) if len(rows) > 1 else ()
    return [*ranges, *_copies(ends, result.contents)]


def doubles(plans: Sequence[SourcePlan]) -> Iterator[str]:
    """Yield a sentence for each source that is given again."""
    known: list[object] = []
    for plan in plans:
        if (source := plan.source.fingerprint()) in known:
            yield f"{plan.source.name} is given more than once: its images count as often."
        known.append(source)


def _ranges(pixels: Mapping[str, Counts]) -> Iterator[str]:
    """Yield the sources that use little of black to white, but for stray pixels."""
    for name, counts in pixels.items():
        used = np.flatnonzero(counts)
        if _is_narrow(int(used[0]), int(used[-1])):
            yield (
                f"the pixels of {name} lie between {used[0]} and {used[-1]}, less than a tenth of "
                "black (0) to white (255). Is it scaled as it should be?"
            )
            continue
        sums = np.cumsum(counts)
        low = int(np.searchsorted(sums, STRAY * sums[-1], side="right"))
        high = int(np.searchsorted(sums, (1 - STRAY) * sums[-1]))
        if _is_narrow(low, high):
            share = counts[low : high + 1].sum() / sums[-1]
            yield (
                f"{int(1000 * share) / 10:g} % of the pixels of {name} lie between {low} and "
                f"{high}, less than a tenth of black (0) to white (255), and a few far from them. "
                "Do strays among its samples set what is black or white?"
            )


def _is_narrow(low: int, high: int) -> bool:
    return high - low < LEAST_USED * 255


def _copies(ends: Counts, contents: Mapping[int, bytes]) -> Iterator[str]:
    """Yield the splits that have files of those before them."""
    known = set[bytes]()
    for place, (split, (start, end)) in enumerate(
        zip(SPLITS, pairwise([0, *ends.tolist()]), strict=True)
    ):
        held = [contents[row] for row in range(start, end) if row in contents]
        same = sum(content in known for content in held)
        if same:
            others = " or ".join(SPLITS[:place])
            yield (
                f"{same} of {len(held)} {split} images are also in {others}, byte for byte: "
                "figures on them say nothing of new pictures."
            )
        known.update(held)
