"""The hole of one photo: a mask file, a drawn mask, boxes, the photo's own transparency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.masks import files
from inpaint_cli.masks.files import UserBox
from inpaint_cli.masks.painting import Colour, of_colour, parse_colour, unpainted
from inpaint_cli.masks.polygons import UserPolygon, hide_polygons, parse_polygon
from inpaint_cli.masks.sets import read_set
from inpaint_cli.photos.extending import Extension, extended_mask
from inpaint_cli.photos.windows import Mask
from inpaint_cli.pictures.reading import read
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
    resize: bool | None = False
    """Scale a mask of another size; None = cannot be asked for."""
    values: tuple[int, ...] = ()
    """Values of the mask that are filled in, in place of white."""
    painted: Path | None = None
    """A painted-over copy of the photo: what differs is filled in."""
    colour: Colour | None = None
    """What has this colour is filled in: in the mask file, or in the photo."""
    polygons: tuple[UserPolygon, ...] = ()
    shrink: int = 0
    extension: Extension | None = None
    """The canvas grows, and what is new is filled in."""
    huge: bool = False
    """Files of more than 400 megapixels are read as well."""
    everything: bool = False
    """Nothing is kept: the photo is a drawing, and no other source is given."""

    def __post_init__(self) -> None:
        if self.grow < 0:
            raise UserError(f"must not be negative, got {self.grow}.", setting="grow")
        if self.shrink < 0:
            raise UserError(f"must not be negative, got {self.shrink}.", setting="shrink")
        if self.values and (self.alpha or self.colour is not None or self.path is None):
            raise UserError(
                "it needs a mask file, without the setting mask_alpha or the setting mask_colour.",
                setting="mask_values",
            )
        if self.colour is not None and (self.alpha or self.kind is not None):
            raise UserError(
                "it is for a mask file or the photo, without the setting mask_alpha. Leave one of "
                "them out.",
                setting="mask_colour",
            )
        if self.kind is not None and self.alpha:
            raise UserError(
                "a drawn mask has no transparency. Leave one of them out.", setting="mask_alpha"
            )
        if self._is_set:
            asked = {"alpha": self.alpha, "values": self.values, "colour": self.colour}
            for name in (name for name, value in asked.items() if value):
                raise UserError(
                    "a set of masks holds what is hidden and nothing else. Leave one of them out.",
                    setting=f"mask_{name}",
                )
        drawn = self.kind is not None or self.colour is not None
        if self.invert and self.path is None and not drawn and not self.alpha:
            raise UserError(
                "there is no mask to invert. Give one; boxes are always filled in.",
                setting="invert_mask",
            )

    @property
    def _is_set(self) -> bool:
        """Whether the masks are a set in one file."""
        return self.path is not None and self.path.suffix == ".npz"

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
        reporter: Reporter | None,
        number: int = 0,
        check: bool = True,
    ) -> Mask:
        """Return bool [H, W], True = visible; UserError where `check` finds no hole.

        photo, mask: the files of this photo; size: the photo's (height, width), upright. number:
        its place among the photos, for a set of masks. With `extension` the mask is as large as
        the new canvas.
        """
        if self.everything:
            return np.zeros(size, np.bool_)
        if self.kind is not None:
            visible = masks.draw_at_scale(self.kind, *size, model_size=model_size, seed=seed)
            visible = ~visible if self.invert else visible
        else:
            visible = self._read(photo, mask, size, reporter, number, check)
        if self.painted is not None:
            original, painted = (read(file, huge=self.huge) for file in (photo, self.painted))
            visible = visible & unpainted(original, painted, str(self.painted))
        # Grown last, so that boxes grow as well: the hole is grown, not the file.
        visible = hide_polygons(files.hide_boxes(visible, self.boxes), self.polygons)
        # To shrink the hole is to grow what is visible; the border of the picture takes nothing.
        visible = ~files.apply_grow(~visible, self.shrink)
        if self.extension is not None:
            visible = extended_mask(visible, self.extension, huge=self.huge)
        visible = files.apply_grow(visible, self.grow)
        if check:
            self._check(visible, photo, mask, reporter)
        return visible

    def _check(
        self, visible: Mask, photo: Path, mask: Path | None, reporter: Reporter | None
    ) -> None:
        """Raise UserError where nothing is to be filled, with advice that fits what was given."""
        if visible.all():
            where = mask or photo
            if self.shrink:
                raise UserError("leaves no pixel of the hole.", setting="shrink", where=where)
            if self.kind is not None and not self.invert:
                raise UserError(
                    f"the mask drawn by '{self.kind}' for this photo has no hole. Take another "
                    "kind or seed.",
                    where=photo,
                )
            if self.colour is not None:
                named = bytes(self.colour).hex()
                raise UserError(
                    f"no pixel has the colour {named}.", setting="mask_colour", where=where
                )
            if self.painted is not None:
                raise UserError(
                    f"{self.painted} does not differ from the photo. Paint over a copy of it.",
                    setting="mask_painted",
                    where=photo,
                )
        chosen = bool(self.values) or self.colour is not None
        by_polarity = not chosen and (mask is not None or self.alpha or self.invert)
        files.check_hole(
            visible,
            str(mask or self.kind or photo),
            reporter if by_polarity else None,
            source=mask if self.kind is None and not self._is_set else None,
            invert=self.invert,
            alpha=self.alpha,
        )
        if self.painted is not None and reporter and visible.mean() < 1 - files.INVERTED_SHARE:
            reporter.note(
                f"{self.painted}: nearly all of it differs from {photo}. Is it a copy of this "
                "photo?"
            )

    def _read(
        self,
        photo: Path,
        mask: Path | None,
        size: tuple[int, int],
        reporter: Reporter | None,
        number: int,
        check: bool,
    ) -> Mask:
        """Return what the mask file or the photo's transparency leaves visible; else everything.

        check: a mask that shows the photo itself is a UserError.
        """
        if self.colour is not None:
            source = mask or photo
            visible, blurred = of_colour(read(source, huge=self.huge), self.colour)
            if blurred and reporter and not (self.grow or self.invert):
                reporter.note(
                    f"{source}: what has the colour {bytes(self.colour).hex()} has a blurred edge, "
                    "which stays visible. Enlarge the hole by the setting grow, such as 3."
                )
            return self._fitted(visible, size, source)
        if mask is None and not self.alpha:
            return np.ones(size, np.bool_)
        if mask is not None and mask.suffix == ".npz":
            drawn = read_set(mask, reporter)
            return self._fitted(drawn[number % len(drawn)], size, mask)
        return files.read_mask(
            mask or photo,
            size=size,
            invert=self.invert,
            alpha=self.alpha,
            resize=self.resize,
            values=self.values,
            huge=self.huge,
            photo=photo if check else None,
            reporter=reporter,
        )

    def _fitted(self, visible: Mask, size: tuple[int, int], source: Path) -> Mask:
        """Return a mask, inverted if that was asked for, at the photo's size."""
        visible = ~visible if self.invert else visible
        same = visible.shape == size
        return visible if same else files.fit(visible, size, str(source), self.resize)

    def fields(
        self,
        mask: Path | None,
        size: tuple[int, int],
        seed: int,
        *,
        model_size: int | None = None,
        number: int = 0,
    ) -> dict[str, Any]:
        """Return the hole as plain data, for a record; `source_of` reads it again.

        mask, size, model_size, number: as for `visible`; model_size None = unknown. Boxes are in
        pixels. Newer fields stand there only where they say something.
        """
        more: dict[str, Any] = {
            "values": list(self.values),
            "painted": None if self.painted is None else str(self.painted),
            "colour": None if self.colour is None else bytes(self.colour).hex(),
            "polygons": [[list(c) for c in p.points(*size)] for p in self.polygons],
            "shrink": self.shrink,
            "extend": None if self.extension is None else self.extension.pixels(*size),
        }
        drawn: dict[str, Any] = {"number": number} if self._is_set else {}
        scaled = self.kind is not None and masks.parse(self.kind).absolute
        if scaled and model_size is not None:
            drawn["model_size"] = model_size
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
            **{name: value for name, value in more.items() if value},
            **drawn,
        }


def _in_pixels(box: UserBox, height: int, width: int) -> list[int]:
    """Return x, y, width, height of a box on a photo."""
    if not box.percent:
        return [int(box.x), int(box.y), int(box.width), int(box.height)]
    top, bottom, left, right = box.edges(height, width)
    return [left, top, right - left, bottom - top]


def source_of(fields: Mapping[str, Any]) -> HoleSource:
    """Return what `HoleSource.fields` wrote down, without an extended canvas.

    UserError for fields that no hole has.

    >>> source_of(HoleSource(polygons=(parse_polygon("0,0,4,0,0,4"),), shrink=1).fields(
    ...     None, (8, 8), seed=0)).polygons[0].points(8, 8)
    [(0, 0), (4, 0), (0, 4)]
    """
    mask, painted, colour = (fields.get(name) for name in ("mask", "painted", "colour"))
    return HoleSource(
        path=None if mask is None else Path(mask),
        kind=fields.get("kind"),
        boxes=tuple(files.parse_box(_typed(box)) for box in fields.get("boxes") or ()),
        alpha=bool(fields.get("alpha")),
        invert=bool(fields.get("invert")),
        grow=int(fields.get("grow") or 0),
        resize=bool(fields.get("resize")) or None,
        values=tuple(fields.get("values") or ()),
        painted=None if painted is None else Path(painted),
        colour=None if colour is None else parse_colour(colour),
        polygons=tuple(
            parse_polygon(_typed(chain.from_iterable(corners)))
            for corners in fields.get("polygons") or ()
        ),
        shrink=int(fields.get("shrink") or 0),
        everything=bool(fields.get("everything")),
    )


def _typed(numbers: Iterable[int]) -> str:
    """Return numbers with commas between, as a person types them."""
    return ",".join(map(str, numbers))
