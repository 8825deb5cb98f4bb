"""The small set of pictures that ships, so that a score can be tried offline and at once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.data.image_set import ImageSet

NAME = "samples"
"""As typed for a data set; also what is scored where none is given."""
FOLDER = Path(__file__).parent / "samples"
CONTRAST = 128


def layout() -> dict[str, Any]:
    """Return what pictures.json says: side, columns of the grid, and where each crop is from."""
    facts: dict[str, Any] = json.loads((FOLDER / "pictures.json").read_text("utf-8"))
    return facts


def load(size: int, channels: int, levels: int = 256) -> ImageSet:
    """Return the pictures as `data.load_images` gives a set: uint8 [N, channels, size, size].

    With 2 levels pixels become 0 or 255, as there.
    """
    facts = layout()
    images = np.stack([_prepared(tile, size, channels) for tile in _tiles(facts)])
    if levels == 2:
        images = np.where(images >= CONTRAST, 255, 0).astype(np.uint8)
    ids = tuple(f"{n:02}-{Path(crop['source']).stem}" for n, crop in enumerate(facts["crops"]))
    digest = hashlib.sha256(json.dumps([ids, images.shape[1:]]).encode() + images.tobytes())
    side = facts["side"]
    resized = "" if size == side else f", resized to {size}x{size} (Lanczos)"
    return ImageSet(
        name=NAME,
        split="test",
        images=images,
        labels=None,
        classes=(),
        ids=ids,
        skipped=(),
        counts={"train": 0, "validation": 0, "test": len(ids)},
        rules=(f"crops of six free photos, {side}x{side}{resized}",),
        sha256=digest.hexdigest(),
    )


def _tiles(facts: dict[str, Any]) -> list[Image.Image]:
    side, columns = facts["side"], facts["columns"]
    with Image.open(FOLDER / "pictures.png") as grid:
        grid.load()
        places = [divmod(number, columns) for number in range(len(facts["crops"]))]
        return [grid.crop((x * side, y * side, (x + 1) * side, (y + 1) * side)) for y, x in places]


def _prepared(tile: Image.Image, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """Return one picture as uint8 [channels, size, size]."""
    resized = tile.resize((size, size), Image.Resampling.LANCZOS)
    if channels == 1:
        return np.asarray(resized.convert("L"))[None]
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))
