"""Where the hole of a completed picture is written down, and reading it again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import apply_grow, hide_boxes, parse_box, read_mask
from inpaint_cli.masks.ranges import Mask

NEWER = {"values", "painted", "colour", "polygons", "shrink", "extend"}
"""Fields of holes that stand in no file and no box."""


@dataclass(frozen=True)
class HoleFiles:
    """Where the hole of one picture is written down: a mask file, boxes, how they were read."""

    mask: Path | None = None
    boxes: tuple[str, ...] = ()
    invert: bool = False
    alpha: bool = False
    grow: int = 0
    resize: bool = False

    def visible(self, height: int, width: int) -> Mask:
        """Return bool [height, width], True = visible."""
        visible = np.ones((height, width), np.bool_)
        if self.mask is not None:
            visible = read_mask(
                self.mask,
                size=(height, width) if self.resize else None,
                invert=self.invert,
                alpha=self.alpha,
                resize=self.resize,
            )
            if visible.shape != (height, width):
                raise UserError(
                    f"{self.mask}: the mask has {visible.shape[1]}x{visible.shape[0]} pixels, its "
                    f"picture {width}x{height} (width x height)."
                )
        return apply_grow(hide_boxes(visible, map(parse_box, self.boxes)), self.grow)


def hole_of(item: Mapping[str, Any]) -> HoleFiles | None:
    """Return the hole of an item of completions.json; None where it is in no file and no box.

    >>> hole_of({"hole": {"mask": None, "boxes": [[10, 20, 5, 5]], "grow": 2}})
    HoleFiles(mask=None, boxes=('10,20,5,5',), invert=False, alpha=False, grow=2, resize=False)
    >>> hole_of({"mask": "freeform"}) is None
    True
    """
    if "hole" not in item:
        return _hole_of_words(str(item.get("mask")))
    fields = item["hole"] or {}
    if fields.get("kind") or fields.get("everything") or NEWER & fields.keys():
        return None
    boxes = tuple(",".join(map(str, box)) for box in fields.get("boxes") or ())
    alpha, name = bool(fields.get("alpha")), fields.get("mask")
    if name is None and alpha:
        name = item.get("image")  # the photo's own transparency is the hole
    if (name is None and not boxes) or (
        name is not None and (Path(name).suffix == ".npz" or not Path(name).is_file())
    ):
        return None
    return HoleFiles(
        None if name is None else Path(name),
        boxes,
        bool(fields.get("invert")),
        alpha,
        int(fields.get("grow") or 0),
        bool(fields.get("resize")),
    )


def _hole_of_words(words: str) -> HoleFiles | None:
    """Return the hole that schema 1 wrote in words: "m.png, inverted + box 1,2,3,4 + grown by 2".

    Read from the end, as long as what is left is no file: a mask may be called `a + b.png`.
    """
    parts, boxes, grow = words.split(" + "), list[str](), 0
    while parts and not Path(" + ".join(parts)).is_file():
        grown = re.fullmatch(r"grown by (\d+)", parts[-1])
        if grown:
            grow = int(grown[1])
        elif re.fullmatch(r"box [\d.,% ]+", parts[-1]):
            boxes.insert(0, parts[-1].removeprefix("box "))
        else:
            break
        parts.pop()
    name = " + ".join(parts)
    if not name:
        return HoleFiles(None, tuple(boxes), grow=grow) if boxes else None
    for ending in ("", ", its alpha", ", inverted", ", its alpha, inverted"):
        path = Path(name.removesuffix(ending))
        if name.endswith(ending) and path.is_file():
            inverted, alpha = "inverted" in ending, "alpha" in ending
            return HoleFiles(path, tuple(boxes), inverted, alpha, grow)
    return None
