"""The hole of one photo: a mask file, a drawn mask, boxes, the photo's own transparency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.masks import files
from inpaint_cli.masks.files import UserBox
from inpaint_cli.photos.windows import Mask
from inpaint_cli.reporting import Reporter


@dataclass(frozen=True)
class HoleSource:
    """What says which pixels are to be filled in, for all photos of a run."""

    path: Path | None = None
    """A mask file or a folder of them."""
    kind: str | None = None
    """A kind to draw."""
    boxes: tuple[UserBox, ...] = ()
    alpha: bool = False
    """Transparency is the hole: the mask file's, or the photo's where there is no mask file."""
    invert: bool = False
    grow: int = 0
    resize: bool = False
    everything: bool = False
    """Nothing is kept: the photo is a drawing, and no other source is given."""

    def __post_init__(self) -> None:
        if self.grow < 0:
            raise UserError(f"must not be negative, got {self.grow}.", setting="grow")
        if self.kind is not None and self.alpha:
            raise UserError(
                "a drawn mask has no transparency. Leave one of them out.", setting="mask_alpha"
            )
        if self.invert and self.path is None and self.kind is None and not self.alpha:
            raise UserError(
                "there is no mask to invert. Boxes are always filled in.", setting="invert_mask"
            )

    @property
    def own_alpha(self) -> bool:
        """Whether the photo's own transparency is the hole."""
        return self.alpha and self.path is None

    def visible(
        self,
        photo: Path,
        mask: Path | None,
        size: tuple[int, int],
        *,
        model_size: int,
        seed: int,
        reporter: Reporter,
    ) -> Mask:
        """Return bool [H, W], True = visible; UserError if nothing is to be filled.

        photo, mask: the files of this photo; size: the photo's (height, width), upright.
        """
        if self.everything:
            return np.zeros(size, np.bool_)
        if self.kind is not None:
            visible = masks.draw_at_scale(self.kind, *size, model_size=model_size, seed=seed)
            visible = ~visible if self.invert else visible
        else:
            visible = self._read(photo, mask, size, reporter)
        # Grown last, so that boxes grow as well: the hole is grown, not the file.
        visible = files.apply_grow(files.hide_boxes(visible, self.boxes), self.grow)
        by_polarity = mask is not None or self.alpha or self.invert
        files.check_hole(
            visible,
            str(mask or self.kind or photo),
            reporter if by_polarity else None,
            source=mask if self.kind is None else None,
            invert=self.invert,
            alpha=self.alpha,
        )
        return visible

    def _read(
        self, photo: Path, mask: Path | None, size: tuple[int, int], reporter: Reporter
    ) -> Mask:
        """Return what the mask file or the photo's transparency leaves visible; else everything."""
        if mask is None and not self.alpha:
            return np.ones(size, np.bool_)
        return files.read_mask(
            mask or photo,
            size=size,
            invert=self.invert,
            alpha=self.alpha,
            resize=self.resize,
            reporter=reporter,
        )

    def fields(self, mask: Path | None, size: tuple[int, int], seed: int) -> dict[str, Any]:
        """Return the hole as plain data, for a record; mask, size: as for `visible`.

        What is drawn by `kind` also depends on the model's size. Boxes are in pixels.
        """
        return {
            "mask": None if mask is None else str(mask),
            "kind": self.kind,
            "seed": None if self.kind is None else seed,
            "boxes": [_in_pixels(box, *size) for box in self.boxes],
            "invert": self.invert,
            "alpha": self.alpha,
            "grow": self.grow,
            "resize": self.resize,
            "everything": self.everything,
        }


def _in_pixels(box: UserBox, height: int, width: int) -> list[int]:
    """Return x, y, width, height of a box on a photo."""
    if not box.percent:
        return [int(box.x), int(box.y), int(box.width), int(box.height)]
    top, bottom, left, right = box.edges(height, width)
    return [left, top, right - left, bottom - top]
