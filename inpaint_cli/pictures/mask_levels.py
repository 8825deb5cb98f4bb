"""Pictures as masks: one grey value a pixel, judged against the mask's own range at any depth."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.pictures.colours import in_bytes
from inpaint_cli.pictures.picture import Mask, Picture, Samples, as_floats

Grey = npt.NDArray[np.uint8]

HALF = 128
MOST_LABELS = 16
"""A mask with more values than this is a picture; fewer may be labels."""


@dataclass(frozen=True)
class MaskLevels:
    """A mask as values 0..255, and which values its file has."""

    values: Grey
    """[H, W]; luminance, on black where the mask is transparent."""
    distinct: tuple[float, ...]
    """The values as stored (indices of a palette), smallest first; none if there are many."""
    white: float | None = None
    """Where the file has two values, both dark or both bright: the one that counts as white."""

    @property
    def note(self) -> str | None:
        """What was done to the values, as a remark; None where nothing was."""
        if self.white is None:
            return None
        low, high = self.distinct
        return f"a mask of the values {low:g} and {high:g}: {self.white:g} counts as white"


def mask_values(picture: Picture) -> MaskLevels:
    """Return a mask's values, at any depth and of any type, in 0..255.

    Two values that are both dark (labels 0 and 1) or both bright are stretched to black and white.
    More than two stay as they are, since any of them may be meant: see `with_values`.
    """
    picture = _as_grey(picture)
    labels = _labels(picture)
    distinct = _distinct(labels)
    if picture.channels == 1 and not picture.extras and picture.indices is None:
        values = _own_range(picture)
    else:
        values = _luminance(picture)
    levels = np.unique(values)
    alike = int(levels[-1]) < HALF or int(levels[0]) >= HALF
    if labels is not None and len(distinct) == 2 and len(levels) == 2 and alike:
        bright = values == levels[-1]
        stretched = np.where(bright, np.uint8(255), np.uint8(0))
        return MaskLevels(stretched, distinct, float(labels[bright][0]))
    return MaskLevels(values, distinct)


def _as_grey(picture: Picture) -> Picture:
    """Return a picture that has shades of grey in three channels, or is all opaque, without them.

    Labels are often saved so.
    """
    colours, extras = picture.samples[..., : picture.channels], picture.extras
    if extras == ("alpha",) and (picture.samples[..., -1] == picture.opaque).all():
        extras = ()
    if picture.colours == "rgb" and (colours[..., 1:] == colours[..., :1]).all():
        colours = colours[..., :1]
    if colours.shape[2] == picture.channels and extras == picture.extras:
        return picture
    further = picture.samples[..., picture.samples.shape[2] - len(extras) :]
    return replace(
        picture,
        samples=np.concatenate([colours, further], axis=2),
        colours="grey" if colours.shape[2] == 1 else picture.colours,
        extras=extras,
    )


def _labels(picture: Picture) -> Samples | None:
    """Return one value for each pixel as the file holds it [H, W]; None where it has several."""
    if picture.indices is not None:
        return picture.indices
    return picture.samples[..., 0] if picture.channels == 1 else None


def _distinct(labels: Samples | None) -> tuple[float, ...]:
    if labels is None or not labels.size:
        return ()
    if labels.dtype == np.uint8:
        values = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    else:
        values = np.unique(labels[np.isfinite(labels)])
    return tuple(float(value) for value in values) if len(values) <= MOST_LABELS else ()


def _own_range(picture: Picture) -> Grey:
    """Return grey samples in 0..255, white being the type's or, where that is far off, their own.

    Values up to 255 in a deeper type are taken for those of 8 bits, unless there are but two.
    """
    stored = picture.samples[..., 0]
    if picture.bits == 1:
        values = np.asarray(stored * np.uint8(255))
    elif stored.dtype == np.uint8:
        values = stored
    else:
        scaled = np.nan_to_num(as_floats(stored))
        most = float(scaled.max(initial=0))
        white = _white(picture, most)
        if white == 65535 and not picture.is_float:
            values = np.clip(scaled // 257, 0, 255).astype(np.uint8)
        else:
            values = np.rint(np.clip(scaled / white, 0, 1) * 255).astype(np.uint8)
    return np.asarray(255 - values) if picture.low > picture.high else values


def _white(picture: Picture, most: float) -> float:
    if picture.is_float:
        # What was resized or computed lies a little beyond 1.
        return 1.0 if most < 2 else max(most, 255.0)
    if most <= 255:
        return 255.0
    top = picture.container[1]
    return top if most >= top / 4 else most


def _luminance(picture: Picture) -> Grey:
    """Return the luminance of colours (ITU-R BT.601), on black where they are transparent."""
    flat = in_bytes(picture)
    if flat.shape[2] in (1, 3):
        image = Image.fromarray(flat[..., 0] if flat.shape[2] == 1 else flat)
        return np.asarray(image.convert("L"))
    if flat.shape[2] == 2:
        flat = np.concatenate([np.repeat(flat[..., :1], 3, axis=2), flat[..., 1:]], axis=2)
    coloured = Image.fromarray(flat)
    black = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
    return np.asarray(Image.alpha_composite(black, coloured).convert("RGB").convert("L"))


def with_values(picture: Picture, wanted: Collection[int], name: str = "mask") -> Mask:
    """Return where a mask has one of some values (of a palette: indices), bool [H, W].

    UserError for masks in colour, and for values that it does not have.
    """
    labels = _labels(_as_grey(picture))
    if labels is None:
        raise UserError("a mask in colour has no single values to choose from.", where=name)
    chosen = np.isin(labels, list(wanted))
    if not chosen.any():
        distinct = _distinct(labels)
        has = (
            f"it has {', '.join(f'{v:g}' for v in distinct)}" if distinct else "it has many others"
        )
        values = ", ".join(map(str, sorted(wanted)))
        raise UserError(f"no pixel has the value {values}; {has}.", where=name)
    return np.asarray(chosen)


def alpha_of(picture: Picture) -> Grey | None:
    """Return the alpha channel [H, W] in 0..255, 0 = transparent; None where there is none.

    A further channel of unknown meaning counts, since the caller asked for alpha.
    """
    channel = picture.likely_alpha
    if channel is None:
        return None
    stored = as_floats(picture.samples[..., channel])
    values = np.clip(np.nan_to_num(stored / picture.opaque), 0, 1) * 255
    return np.rint(values).astype(np.uint8)


def is_coloured(picture: Picture) -> bool:
    """Return whether any pixel is more than a shade of grey, by at least an eighth of white."""
    if picture.channels == 1:
        return False
    colours = in_bytes(picture)[..., :3].astype(np.int16)
    return bool(np.ptp(colours, axis=2).max(initial=0) >= 32)
