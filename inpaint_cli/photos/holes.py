"""The hole of one photo: a mask file, a drawn mask, boxes, the photo's own transparency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
        if self.everything:
            self._check_alone()
        elif self.path is None and self.kind is None and not self.boxes and not self.alpha:
            raise UserError(
                "no hole is given. Use --mask FILE (white = fill in), --mask KIND, --box X,Y,W,H, "
                "or --mask-alpha if the photo's transparent pixels are to be filled."
            )
        if self.grow < 0:
            raise UserError(f"--grow: must not be negative, got {self.grow}.")
        if self.kind is not None and self.alpha:
            raise UserError(
                "--mask-alpha: a drawn mask has no transparency. Leave one of them out."
            )
        if self.invert and self.path is None and self.kind is None and not self.alpha:
            raise UserError(
                "--invert-mask: there is no mask to invert. Boxes are always filled in."
            )

    def _check_alone(self) -> None:
        others = (self.path, self.kind, self.boxes, self.alpha, self.invert, self.grow, self.resize)
        if any(others):
            raise UserError(
                "--condition edges: everything is filled in. Leave out --mask, --box and all other "
                "options of the hole."
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
        """Gives bool [H, W], True = visible; UserError if nothing is to be filled.

        photo, mask: the files of this photo; size: the photo's (height, width), upright.
        """
        height, width = size
        if self.everything:
            return np.zeros(size, np.bool_)
        name = str(mask or self.kind or photo)
        if self.kind is not None:
            visible = masks.draw_at_scale(
                self.kind, height, width, model_size=model_size, seed=seed
            )
            visible = ~visible if self.invert else visible
        elif mask is not None or self.alpha:
            visible = files.read_mask(
                mask or photo,
                size=size,
                invert=self.invert,
                alpha=self.alpha,
                resize=self.resize,
                reporter=reporter,
            )
        else:
            visible, name = np.ones(size, np.bool_), "--box"
        # Grown last, so that boxes grow as well: --grow is about the hole, not about the file.
        visible = files.apply_grow(files.hide_boxes(visible, self.boxes), self.grow)
        given = mask is not None or self.alpha or self.invert
        files.check_hole(
            visible,
            name,
            reporter if given else None,
            source=mask if self.kind is None else None,
            invert=self.invert,
            alpha=self.alpha,
        )
        return visible

    def label(self, mask: Path | None) -> str:
        """Gives the words for the hole in a record."""
        if self.everything:
            return "everything"
        parts = [str(mask)] if mask else [self.kind] if self.kind else ["alpha"] * self.alpha
        if mask and self.alpha:
            parts.append("its alpha")
        if self.invert:
            parts.append("inverted")
        boxes = [f"box {box.text}" for box in self.boxes]
        grown = [f"grown by {self.grow}"] * (self.grow > 0)
        return " + ".join([", ".join(parts)] * bool(parts) + boxes + grown)
