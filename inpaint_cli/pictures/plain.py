"""Pictures of other tools as 8-bit grey or RGB, with a remark on whatever had to be converted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.pictures.colours import in_bytes
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.pictures.reading import read

PLAIN = ("grey", "rgb")


def plain_bytes(path: Path) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Return uint8 [H, W, 1 or 3] of a file, and what was converted: depth, an opaque alpha.

    UserError for transparency, which no metric sees, and for samples that have no certain black
    and white (floating point).
    """
    picture = read(path)
    if picture.colours not in PLAIN or picture.samples.dtype.kind not in "ub":
        raise UserError(
            f"{path}: {picture.mode} samples; grey or RGB of whole numbers is needed. Save it as "
            "such."
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
        remarks.append(f"{picture.bits}-bit samples were reduced to 8 bits")
    return in_bytes(picture)[..., : picture.channels], tuple(remarks)


def _is_opaque(picture: Picture) -> bool:
    alpha = picture.samples[..., picture.alpha_channel]
    return bool((alpha == picture.opaque).all())
