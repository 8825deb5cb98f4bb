"""Samples in the form that a file format can hold, with a word on what that costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from inpaint_cli.pictures.colours import shown
from inpaint_cli.pictures.picture import Metadata, Picture, Samples, as_floats, natural_range


@dataclass(frozen=True)
class Plain:
    """What PNG, JPEG and WebP hold: grey or RGB of 1, 8 or 16 bits, with or without alpha."""

    samples: Samples
    """[H, W, 1 to 4], black at zero."""
    bits: int
    metadata: Metadata
    notes: tuple[str, ...] = ()
    inks: bool = False
    """The samples are CMYK, which JPEG holds as well."""


def is_plain(picture: Picture) -> bool:
    """Return whether PNG holds the picture exactly."""
    return (
        picture.colours in ("grey", "rgb")
        and picture.samples.dtype in (np.uint8, np.uint16)
        and picture.bits in (1, 8, 16)
        and picture.extras in ((), ("alpha",))
        and picture.low <= picture.high
    )


def plain(picture: Picture, samples: Samples) -> Plain:
    """Return samples of a picture as PNG can hold them; as they are wherever that is possible."""
    if is_plain(picture):
        return Plain(samples, picture.bits, picture.metadata)
    picture = replace(picture, samples=samples)
    deep = picture.bits > 8 and picture.colours in ("grey", "rgb")
    values = shown(in_its_type(picture)).astype(np.float64)
    parts = [values * (257 if deep else 1)]
    metadata, notes = picture.metadata, list(_costs(picture))
    if picture.colours not in ("grey", "rgb"):
        metadata = replace(metadata, icc=b"")
    if (channel := picture.alpha_channel) is not None:
        alpha = np.clip(as_floats(samples[..., channel : channel + 1]) / picture.opaque, 0, 1)
        parts.append(alpha * (65535 if deep else 255))
    whole = np.rint(np.concatenate(parts, axis=2))
    return Plain(
        whole.astype(np.uint16 if deep else np.uint8), 16 if deep else 8, metadata, tuple(notes)
    )


def in_its_type(picture: Picture) -> Picture:
    """Return integers of up to 16 bits with their type's black and white again."""
    if picture.is_float or picture.bits > 16:
        return picture
    low, high = natural_range(picture.samples.dtype, picture.bits)
    if picture.low > picture.high:
        low, high = high, low
    return replace(picture, low=low, high=high)


def _costs(picture: Picture) -> list[str]:
    """Return what a plain picture cannot say of this one."""
    notes = []
    if picture.colours not in ("grey", "rgb"):
        without = ", without its colour profile" if picture.metadata.icc else ""
        notes.append(f"{picture.colours.upper()} becomes RGB, as it is shown{without}")
    elif picture.is_float or picture.bits > 16:
        what = "floats" if picture.is_float else "samples"
        notes.append(
            f"{what} of {picture.bits} bits are cut to whole numbers of 16, over the range outside "
            "the hole"
        )
    elif picture.samples.dtype.kind == "i":
        notes.append("signed samples are stored without sign, black at zero")
    elif picture.bits not in (1, 8, 16):
        notes.append(f"samples of {picture.bits} bits are stretched to 16, white to white")
    if "premultiplied" in picture.extras:
        notes.append("colours are stored without their alpha multiplied in")
    first = picture.alpha_channel
    dropped = len(picture.extras) - (0 if first is None else 1)
    if dropped:
        notes.append(f"{dropped} further channel{'s are' if dropped > 1 else ' is'} left out")
    return notes


def eight_bits(form: Plain) -> Plain:
    """Return a plain picture with 8 bits, as JPEG and WebP have them."""
    if form.bits == 8:
        return form
    if form.bits == 1:
        return replace(form, samples=form.samples * np.uint8(255), bits=8)
    samples = ((form.samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return replace(form, samples=samples, bits=8, notes=(*form.notes, "16 bits are cut to 8"))


def on_white(form: Plain) -> Plain:
    """Return a plain picture of 8 bits without alpha."""
    if form.inks or form.samples.shape[2] in (1, 3):
        return form
    alpha = form.samples[..., -1:].astype(np.float64) / 255
    flat = np.rint(form.samples[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return replace(form, samples=flat, notes=(*form.notes, "transparent parts are put on white"))
