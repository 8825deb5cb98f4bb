"""Writes JPEG and WebP: a JPEG again with its own tables, so that visible pixels hardly change."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import exif, jpeg
from inpaint_cli.pictures.converting import Plain
from inpaint_cli.pictures.ifd import Directory, Tag, block, rational, short
from inpaint_cli.pictures.picture import LossyCoding, Metadata, Samples
from inpaint_cli.pictures.tiff_writing import UNITS

QUALITY = {"jpeg": 95, "webp": 90}
"""Where neither the caller nor the file says one."""
LONGEST_SIDE = {"jpeg": 65535, "webp": 16383}
FULL_COLOUR_FROM = 90
"""From this quality on colours keep their resolution."""


def write_jpeg(
    handle: BinaryIO, form: Plain, coding: LossyCoding | None, quality: int | None
) -> list[str]:
    """Write grey, RGB or CMYK of 8 bits; return what of the metadata did not fit.

    coding: how the source was coded, which is used where no quality is asked for.
    """
    check_sides(form.samples, "jpeg")
    settings: dict[str, Any] = {"quality": quality or QUALITY["jpeg"]}
    if form.samples.shape[2] > 1:
        settings["subsampling"] = 0 if settings["quality"] >= FULL_COLOUR_FROM else 2
    if coding is not None:
        settings["progressive"] = coding.progressive
        if quality is None:
            settings["qtables"] = [list(table) for table in coding.tables]
            settings["subsampling"] = max(coding.subsampling, 0)
            del settings["quality"]
    plain = io.BytesIO()
    _image(form).save(plain, format="JPEG", **settings)
    file, lost = jpeg.with_metadata(plain.getvalue(), form.metadata)
    handle.write(file)
    return lost


def write_webp(handle: BinaryIO, form: Plain, quality: int | None, lossless: bool) -> list[str]:
    """Write grey or RGB of 8 bits with or without alpha, invisible colours as they are.

    Return what of the metadata is left out: a profile of grey, since WebP holds RGB alone.
    """
    check_sides(form.samples, "webp")
    image = _image(form)
    image = image.convert("RGBA" if image.mode == "LA" else "RGB" if image.mode == "L" else None)
    metadata, of_grey = form.metadata, form.metadata.icc[16:20] == b"GRAY"
    settings = {} if lossless else {"quality": quality or QUALITY["webp"]}
    folder = _with_density(metadata)
    image.save(
        handle,
        format="WEBP",
        lossless=lossless,
        exact=True,
        icc_profile=b"" if of_grey else metadata.icc,
        exif=block(exif.with_orientation(folder)),
        xmp=metadata.xmp,
        **settings,
    )
    return ["its colour profile, which is one of grey"] if of_grey else []


def _with_density(metadata: Metadata) -> Directory:
    """Return EXIF that states the density, for formats that have no other place for it."""
    density, folder = metadata.density, metadata.folder
    if density is None or all(tag in folder.tags for tag in exif.RESOLUTIONS):
        return folder
    tags: dict[int, Tag] = {282: rational(density.across), 283: rational(density.down)}
    return folder.joined({**tags, 296: short(UNITS[density.unit])})


def _image(form: Plain) -> Image.Image:
    samples = np.ascontiguousarray(form.samples)
    height, width, channels = samples.shape
    mode = "CMYK" if form.inks else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    return Image.frombuffer(mode, (width, height), samples.tobytes(), "raw", mode, 0, 1)


def check_sides(samples: Samples, name: str) -> None:
    """Raise UserError for a picture that is too long for a format; the exact ones hold any."""
    most = LONGEST_SIDE.get(name)
    height, width = samples.shape[:2]
    if most is not None and max(height, width) > most:
        raise UserError(
            f"{name} holds sides of up to {most} pixels, this picture has {width}x{height}. Write "
            "png or tiff.",
            setting="format",
        )
