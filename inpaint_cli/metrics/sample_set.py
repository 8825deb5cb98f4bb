"""The pictures that are scored: of the data asked for, or the small set that ships.

With that one a score can be tried offline and at once.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli import data
from inpaint_cli.data.image_set import ImageSet
from inpaint_cli.errors import UserError

if TYPE_CHECKING:
    from inpaint_cli.metrics.options import CompletionOptions
    from inpaint_cli.metrics.protocol import Setting
    from inpaint_cli.reporting import Reporter

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


def load_images(options: CompletionOptions, setting: Setting, reporter: Reporter) -> ImageSet:
    """Return the images of the data and split asked for, or the set that ships, in one setting."""
    if options.data in ((), (NAME,)):
        if options.split != "test":
            raise UserError(
                f"{options.split}: the sample set has a test split only.", setting="split"
            )
        return load(setting.height, setting.channels, setting.levels)
    return data.load_images(
        options.data,
        size=setting.height,
        channels=setting.channels,
        levels=setting.levels,
        split=options.split,  # type: ignore[arg-type]
        download=options.download,
        split_map=options.split_map,
        check_leaks=options.check_leaks,
        reporter=reporter,
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
