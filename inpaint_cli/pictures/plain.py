"""Pictures as plain images of 8 bits, grey or RGB: for training, and of other tools for scoring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.pictures.colours import in_bytes
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.pictures.ranges import range_of_all
from inpaint_cli.pictures.reading import look, read

PLAIN = ("grey", "rgb")


Span = tuple[float, float]
"""Black and white of samples of 9 to 16 bits."""


def common_span(paths: Iterable[Path]) -> Span | None:
    """Return black and white of files that hold 12 bits in 16 or the like; None: their type's.

    All of them have a say, so that one dark picture among others stays dark.
    """
    return range_of_all(read(path) for path in paths if look(path).deep)


def plain_bytes(
    path: Path, span: Span | None = None
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Return uint8 [H, W, 1 or 3] of a file, and what was converted: depth, an opaque alpha.

    span: black and white of deeper samples; None = those of their type. UserError for transparency,
    which no metric sees, and for samples that have no certain black and white (floating point, 32
    bits).
    """
    picture = read(path)
    if picture.colours not in PLAIN or picture.samples.dtype.kind not in "ub" or picture.bits > 16:
        raise UserError(
            f"{path}: {picture.mode} samples; grey or RGB of whole numbers of up to 16 bits is "
            "needed. Save it as such."
        )
    remarks = []
    if picture.alpha_channel is not None:
        if not _is_opaque(picture):
            raise UserError(
                f"{path}: has transparent pixels, which no metric sees. Save it without alpha."
            )
        remarks.append("an opaque alpha channel was dropped")
    elif picture.extras:
        raise UserError(f"{path}: {picture.mode} samples; save it as plain grey or RGB.")
    if picture.bits not in (1, 8):
        least = ""
        if span is not None and picture.bits > 8:
            low, high = span if picture.low <= picture.high else span[::-1]
            picture = replace(picture, low=low, high=high)
            least = f", of which the originals use {span[1]:.0f} levels alone"
        remarks.append(f"{picture.bits}-bit samples were reduced to 8 bits{least}")
    return in_bytes(picture)[..., : picture.channels], tuple(remarks)


def _is_opaque(picture: Picture) -> bool:
    alpha = picture.samples[..., picture.alpha_channel]
    return bool((alpha == picture.opaque).all())


def flat_image(picture: Picture, span: tuple[float, float] | None = None) -> Image.Image:
    """Return a Pillow image of mode L or RGB, alpha composited on white.

    span: the samples that are dark and bright, as decided for all pictures of a set; without it
    they are those of the type: 16 bits are scaled with rounding, floats lie in 0..1. ValueError for
    floats and for integers of 32 bits that reach beyond 0..1 and 0..65535.
    """
    if span is None:
        picture = _scaled(picture)
    else:
        low, high = span if picture.low <= picture.high else span[::-1]
        picture = replace(_with_alpha(picture, max(span)), low=low, high=high)
    values = in_bytes(picture)
    if values.shape[2] in (1, 3):
        return Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    grey = values.shape[2] == 2
    coloured = Image.fromarray(values)
    white = Image.new("RGBA", coloured.size, "white")
    flat = Image.alpha_composite(white, coloured.convert("RGBA"))
    return flat.convert("L" if grey else "RGB")


def _with_alpha(picture: Picture, white: float) -> Picture:
    """Return the picture with its alpha in its type's range, where it ends at `white` as well."""
    channel = picture.alpha_channel
    if channel is None or white == picture.opaque or white <= 0:
        return picture
    samples = picture.samples.copy()
    alpha = samples[..., channel].astype(np.float64) * (picture.opaque / white)
    samples[..., channel] = np.clip(alpha, 0, picture.opaque).astype(samples.dtype)
    return replace(picture, samples=samples)


def _scaled(picture: Picture) -> Picture:
    """Return the picture with a range that training can rely on: the type's, never the data's."""
    if picture.bits <= 16 and not picture.is_float:
        return picture
    colours = picture.samples[..., : picture.channels]
    low, high = float(colours.min()), float(colours.max())
    top = 1.0 if picture.is_float else 65535.0
    if not (low >= 0 and high <= top):
        raise ValueError(f"{picture.samples.dtype} values from {low:g} to {high:g}")
    return replace(picture, low=0.0, high=top)
