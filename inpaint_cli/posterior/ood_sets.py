"""Pictures a model was not trained on: synthetic ones made of held-out ones, and other sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.randomness import stream

Bytes = npt.NDArray[np.uint8]
Picture = Callable[[int], Bytes]
"""Index -> uint8 [C, S, S]."""
ZOOMED, KEPT = 1.5, 0.9
"""crop shows 1 / 1.5 of a side, translate 0.9 of it."""


def noise(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """Return values that are uniform on 0..255."""
    return np.floor(256 * rng.random(picture.shape)).astype(np.uint8)


def constant(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """Return one colour everywhere, each channel uniform on 0..255."""
    colour = np.floor(256 * rng.random(len(picture))).astype(np.uint8)
    return np.broadcast_to(colour[:, None, None], picture.shape).copy()


def flip(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """Return the picture upside down, mirrored."""
    return np.ascontiguousarray(picture[:, ::-1])


def rotate(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """Return the picture turned by 90 degrees anticlockwise."""
    return np.ascontiguousarray(np.rot90(picture, axes=(1, 2)))


def crop(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """Return the middle of the picture, enlarged."""
    side = round(picture.shape[-1] / ZOOMED)
    start = (picture.shape[-1] - side) // 2
    return _enlarged(picture, start, start, side)


def translate(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """Return one of the four corners of the picture, a little enlarged."""
    side = round(KEPT * picture.shape[-1])
    far, corner = picture.shape[-1] - side, int(4 * rng.random())
    return _enlarged(picture, far * (corner // 2), far * (corner % 2), side)


def _enlarged(picture: Bytes, top: int, left: int, side: int) -> Bytes:
    """Return a square of the picture at the size of the whole, by Lanczos."""
    size = picture.shape[-1]
    part = picture[:, top : top + side, left : left + side]
    return np.stack(
        [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(channel)).resize(
                    (size, size), Image.Resampling.LANCZOS
                )
            )
            for channel in part
        ]
    )


SYNTHETIC: dict[str, Callable[[Bytes, np.random.Generator], Bytes]] = {
    change.__name__: change for change in (noise, constant, flip, rotate, crop, translate)
}


def synthetic(name: str, source: Picture, seed: int) -> Picture:
    """Return pictures made of those of `source`; picture i depends on name, seed and i alone."""

    def altered(index: int) -> Bytes:
        return SYNTHETIC[name](source(index), stream(seed, f"ood {name}", index))

    return altered


def names_of(given: tuple[str, ...]) -> list[str]:
    """Return the names that were given, split at commas unless there is such a file.

    >>> names_of(("noise, flip,", "mnist"))
    ['noise', 'flip', 'mnist']
    """
    names = list[str]()
    for text in given:
        names += [text] if Path(text).exists() else map(str.strip, text.split(","))
    return list(dict.fromkeys(filter(None, names)))
