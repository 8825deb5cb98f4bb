"""Pictures as plain images of 8 bits, grey or RGB, for training and scoring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from inpaint_cli.pictures.colours import in_bytes
from inpaint_cli.pictures.picture import Picture


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
