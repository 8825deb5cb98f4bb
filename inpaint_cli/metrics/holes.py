"""Where the hole of a completed picture is written down, and reading it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import apply_grow, hide_boxes, parse_box, read_mask
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.photos.old_records import hole_fields
from inpaint_cli.reporting import Reporter

NEWER = {"values", "painted", "colour", "polygons", "shrink", "extend"}
"""Fields of holes that stand in no file and no box."""

WAYS = {"hole": ("hole", "mask"), "model": ("model", "weights_sha256"), "options": ("options",)}
"""In what completions of one photo may differ, so that they are none of one forecast."""


@dataclass(frozen=True)
class HoleFiles:
    """Where the hole of one picture is written down: a mask file, boxes, how they were read."""

    mask: Path | None = None
    boxes: tuple[str, ...] = ()
    invert: bool = False
    alpha: bool = False
    grow: int = 0
    resize: bool = False

    def visible(
        self,
        height: int,
        width: int,
        *,
        any_size: bool = False,
        reporter: Reporter | None = None,
    ) -> Mask:
        """Return bool [height, width], True = visible; UserError for a mask of another size.

        any_size: such a mask is returned as it is.
        """
        visible = np.ones((height, width), np.bool_)
        if self.mask is not None:
            visible = read_mask(
                self.mask,
                size=(height, width) if self.resize else None,
                invert=self.invert,
                alpha=self.alpha,
                resize=self.resize,
                reporter=reporter,
            )
            if visible.shape != (height, width) and not any_size:
                raise UserError(
                    f"{self.mask}: the mask has {visible.shape[1]}x{visible.shape[0]} pixels, its "
                    f"picture {width}x{height} (width x height)."
                )
        return apply_grow(hide_boxes(visible, map(parse_box, self.boxes)), self.grow)


def completed(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an item for each photo, its completions as they were drawn, those of all seeds.

    Of whole photos that were given back only if there are no others. UserError for a photo that was
    completed in two ways: it would count twice.

    >>> one, two = ({"image": "a", "completions": [{"file": f}]} for f in ("a-0", "a-s7-0"))
    >>> completed([one, two, {**one, "options": {"reconstruct": True}}])
    [{'image': 'a', 'completions': [{'file': 'a-0'}, {'file': 'a-s7-0'}]}]
    """
    kept = [item for item in items if not (item.get("options") or {}).get("reconstruct")]
    photos: dict[str, dict[str, Any]] = {}
    for item in kept or items:
        lines = sorted(item["completions"], key=lambda line: line.get("index", 0))
        first = photos.setdefault(str(item.get("image")), {**item, "completions": []})
        for what, keys in WAYS.items():
            if any(item.get(key) != first.get(key) for key in keys):
                files = f"{first['completions'][0]['file']} and {lines[0]['file']}"
                raise UserError(
                    f"{item.get('image')}: {files} differ in {what}, and a photo counts once. "
                    "Complete it into folders of their own, and score each."
                )
        first["completions"] += lines
    return list(photos.values())


def hole_of(item: Mapping[str, Any]) -> HoleFiles | None:
    """Return the hole of an item of completions.json; None where it is in no file and no box.

    >>> hole_of({"hole": {"mask": None, "boxes": [[10, 20, 5, 5]], "grow": 2}})
    HoleFiles(mask=None, boxes=('10,20,5,5',), invert=False, alpha=False, grow=2, resize=False)
    >>> hole_of({"mask": "freeform"}) is None
    True
    """
    if "hole" in item:
        fields = item["hole"] or {}
    else:
        fields = hole_fields(str(item.get("mask")), str(item.get("image")), seed=0) or {}
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
