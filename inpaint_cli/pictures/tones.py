"""Samples as even tones, for whoever works on what is stored: distances from black, float32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inpaint_cli.pictures.picture import Picture, Samples, as_floats

Tones = npt.NDArray[np.float32]

ROWS_AT_A_TIME = 256
"""Float64 takes eight times the memory of a photo's bytes, so it is never made of a whole one."""
FARTHEST = 1e30
"""Wider ranges than this are scaled to 1, since float32 ends at 3.4e38."""


def white_of(picture: Picture) -> float:
    """Return the tone that is white."""
    return abs(picture.high - picture.low) / _unit(picture)


def tones(picture: Picture, samples: Samples) -> Tones:
    """Return samples [h, w, C] of a picture as tones [h, w, colours].

    Colours that are multiplied by their alpha are divided by it; a and b of L*a*b* are made even.
    """
    result = np.empty((*samples.shape[:2], picture.channels), np.float32)
    for top in range(0, len(samples), ROWS_AT_A_TIME):
        rows = slice(top, top + ROWS_AT_A_TIME)
        result[rows] = _tones(picture, samples[rows])
    return result


def _tones(picture: Picture, samples: Samples) -> npt.NDArray[np.float64]:
    colours = samples[..., : picture.channels]
    if _wraps(picture):
        colours = colours.copy()
        colours[..., 1:] ^= colours.dtype.type(1 << (picture.bits - 1))
    distance: npt.NDArray[np.float64]
    distance = np.abs(as_floats(colours) - picture.low) / _unit(picture)
    if picture.is_multiplied:
        distance /= np.maximum(_alpha(picture, samples), 1e-6)
        distance = np.minimum(distance, white_of(picture))
    return distance


def from_tones(picture: Picture, drawn: Tones, under: Samples, *, opaque: bool) -> Samples:
    """Return tones [h, w, colours] as samples of the picture.

    under: the samples that they replace, for their alpha. opaque: that alpha will be full.
    """
    low, dtype = picture.low, picture.samples.dtype
    if picture.is_multiplied and not opaque:
        drawn = np.asarray(drawn * _alpha(picture, under), np.float32)
    values = low + np.sign(picture.high - low) * drawn.astype(np.float64) * _unit(picture)
    if picture.bits == 1:
        middle = (low + picture.high) / 2
        return np.asarray(np.where(values >= middle, 1, 0), dtype)
    if dtype.kind == "f":
        return np.asarray(values, dtype)
    least, most = picture.container
    stored: Samples = np.rint(np.clip(values, least, most)).astype(dtype)
    if _wraps(picture):
        stored[..., 1:] ^= dtype.type(1 << (picture.bits - 1))
    return stored


def _unit(picture: Picture) -> float:
    span = abs(picture.high * 0.5 - picture.low * 0.5) * 2
    return span if span > FARTHEST else 1.0


def _wraps(picture: Picture) -> bool:
    """Return whether a and b are stored as signed numbers in a type without sign."""
    return picture.colours == "lab" and picture.samples.dtype.kind == "u"


def _alpha(picture: Picture, samples: Samples) -> npt.NDArray[np.float64]:
    channel = picture.alpha_channel
    assert channel is not None  # premultiplied is one
    alpha = as_floats(samples[..., channel : channel + 1]) / picture.opaque
    return np.asarray(np.clip(np.nan_to_num(alpha), 0, 1))
