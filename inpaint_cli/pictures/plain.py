"""Pictures of other tools as 8-bit grey or RGB, with a remark on whatever had to be converted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
