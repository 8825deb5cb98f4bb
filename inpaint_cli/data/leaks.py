"""Pictures of one split that are almost those of another: saved again, resized, brightened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from inpaint_cli.data.image_set import SPLITS, ImageSet, Split

SIDE = 8
"""Side to which pictures are reduced before they are compared."""
NEAR = 2.5
"""Reduced pictures whose root mean square difference is below this, of 255, are near-equal."""
FLATTEST = 4.0
"""Pictures of less contrast than this are all near each other, so they are not compared."""
NAMED = 3
CHUNK = 1024

Floats = npt.NDArray[np.float32]


def found(sets: Mapping[Split, ImageSet]) -> Iterator[tuple[bool, str]]:
    """Yield for each split whether it has near-equal pictures in those before it, in words."""
    before = [_reduced(sets["train"])] if "train" in sets else []
    others = ["train"] if "train" in sets else []
    for split in SPLITS[1:]:
        if split not in sets:
            continue
        reduced, ids = _reduced(sets[split])
        if before:
            known = np.concatenate([part for part, _ in before])
            names = [name for _, part in before for name in part]
            pairs = [(ids[row], names[near]) for row, near in _near(reduced, known)]
            yield bool(pairs), _sentence(pairs, len(sets[split]), split, " or ".join(others))
        before.append((reduced, ids))
        others.append(split)


def _sentence(pairs: list[tuple[str, str]], count: int, split: Split, others: str) -> str:
    if not pairs:
        return f"no {split} image is near-equal to one in {others}."
    named = ", ".join(f"{one} and {other}" for one, other in pairs[:NAMED])
    more = ", ..." if len(pairs) > NAMED else ""
    return (
        f"{len(pairs)} of {count} {split} images are near-equal to one in {others} ({named}{more})."
    )


def _reduced(images: ImageSet) -> tuple[Floats, list[str]]:
    """Return grey pictures of SIDE x SIDE without their mean, [N, SIDE * SIDE], and their names."""
    size = images.images.shape[2]
    edges = np.linspace(0, size, min(SIDE, size) + 1).astype(int)
    parts: list[Floats] = []
    for start in range(0, len(images), CHUNK):
        grey = images.images[start : start + CHUNK].mean(axis=1, dtype=np.float32)
        rows = np.add.reduceat(grey, edges[:-1], axis=1)
        sums = np.add.reduceat(rows, edges[:-1], axis=2)
        areas = np.diff(edges)[:, None] * np.diff(edges)
        small = (sums / areas).reshape(len(grey), -1)
        parts.append((small - small.mean(axis=1, keepdims=True)).astype(np.float32))
    whole = np.concatenate(parts)
    kept = np.flatnonzero(whole.std(axis=1) >= FLATTEST)
    return whole[kept], [images.ids[row] for row in kept]


def _near(held: Floats, train: Floats) -> Iterator[tuple[int, int]]:
    """Yield (row, row of the nearest in train) for the rows that are near one."""
    if not len(held) or not len(train):
        return
    lengths = (train**2).sum(axis=1)
    for start in range(0, len(held), CHUNK):
        part = held[start : start + CHUNK]
        best = np.full(len(part), np.inf, np.float32)
        index = np.zeros(len(part), np.int64)
        for first in range(0, len(train), 8 * CHUNK):
            some = train[first : first + 8 * CHUNK]
            squares = lengths[first : first + 8 * CHUNK] - 2 * part @ some.T
            nearest = squares.argmin(axis=1)
            value = squares[np.arange(len(part)), nearest]
            better = value < best
            best[better], index[better] = value[better], nearest[better] + first
        means = (best + (part**2).sum(axis=1)) / part.shape[1]
        for row in np.flatnonzero(means <= NEAR**2):
            yield start + int(row), int(index[row])
