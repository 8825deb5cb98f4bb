"""What metadata says of a picture's pixels, kept true where the pixels are others by now.

A file of several pages is written as its first one, and a canvas can grow: descriptions that
count pages, sides that a camera noted and the tie of a GeoTIFF to places would then lie.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from inpaint_cli.pictures import exif
from inpaint_cli.pictures.ifd import Directory, Tag, long
from inpaint_cli.pictures.picture import Metadata

DESCRIPTION = 270
TIE_POINTS, TRANSFORMATION = 33922, 34264
"""GeoTIFF 1.1, sections 7.1.2 and 7.1.3: points of (i, j, k, x, y, z); a matrix of 4x4."""
_PAGES = re.compile(rb"^(?:images|channels|slices|frames)=(\d+)\s*$", re.MULTILINE)
_OME = re.compile(rb"\bSize([XYZTC])\s*=\s*[\"'](\d{1,9})[\"']")

_XMP_SIDES = re.compile(
    rb"((?:tiff:Image|exif:Pixel)(?:(Width|XDimension)|(?:Length|YDimension))"
    rb"(?:\s*=\s*[\"']|>)\s*)\d+"
)
"""Width, or else height, as XMP repeats them (XMP part 2, 3.5 and 3.6)."""


def true_of(metadata: Metadata, shape: tuple[int, int, int]) -> Metadata:
    """Return metadata without what is false of samples of `shape`, [H, W, C]."""
    folder = metadata.folder
    described = folder.tags.get(DESCRIPTION)
    if described is not None and counts_otherwise(described.data, shape):
        folder = folder.without((DESCRIPTION,))
    if exif.CAMERA in folder.folders:
        folder = Directory(folder.tags, {**folder.folders, exif.CAMERA: _sides(folder, shape)})
    sides = [b"%d" % side for side in shape[:2]]
    xmp = _XMP_SIDES.sub(lambda m: m[1] + (sides[1] if m[2] else sides[0]), metadata.xmp)
    return replace(metadata, folder=folder, xmp=xmp)


def counts_otherwise(text: bytes, shape: tuple[int, int, int]) -> bool:
    """Return whether a description by tifffile, ImageJ or OME speaks of another array."""
    text = text.strip(b"\0 \t\r\n")
    if text.startswith(b"{") and b'"shape"' in text:
        return _product(text) not in (None, math.prod(shape))
    if text.startswith(b"ImageJ="):
        return any(int(count) > 1 for count in _PAGES.findall(text) if len(count) < 10)
    if b"<OME" in text[:2000]:
        sizes = {key: int(value) for key, value in _OME.findall(text)}
        height, width, channels = shape
        return (
            (sizes.get(b"X", width), sizes.get(b"Y", height)) != (width, height)
            or sizes.get(b"Z", 1) * sizes.get(b"T", 1) > 1
            or sizes.get(b"C", channels) != channels
        )
    return False


def _product(text: bytes) -> int | None:
    """Return how many samples tifffile's description counts; None where it is no such one."""
    try:
        shape = json.loads(text)["shape"]
        return math.prod(int(length) for length in shape)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _sides(folder: Directory, shape: tuple[int, int, int]) -> Directory:
    """Return the camera's notes with the sides as they are, where it noted them."""
    camera = folder.folders[exif.CAMERA]
    now = zip(exif.SIDES, (shape[1], shape[0]), strict=True)
    false = {
        tag: long(side)
        for tag, side in now
        if tag in camera.tags and camera.integer(tag, 0) != side
    }
    return camera.joined(false) if false else camera


def moved(metadata: Metadata, down: int, right: int) -> Metadata:
    """Return metadata whose tie to places holds for a canvas with new rows above, columns left."""
    tags = metadata.folder.tags
    new: dict[int, Tag] = {}
    if (points := _floats(tags, TIE_POINTS, 6)) is not None:
        points[:, 0] += right
        points[:, 1] += down
        new[TIE_POINTS] = _doubles(points)
    if (matrix := _floats(tags, TRANSFORMATION, 16)) is not None:
        square = matrix.reshape(-1, 4, 4)
        square[:, :, 3] -= square[:, :, 0] * right + square[:, :, 1] * down
        new[TRANSFORMATION] = _doubles(square)
    return replace(metadata, folder=metadata.folder.joined(new)) if new else metadata


def _floats(tags: Mapping[int, Tag], number: int, each: int) -> np.ndarray | None:
    """Return float64 [N, each] of a tag of doubles; None where there is none, or a damaged one."""
    tag = tags.get(number)
    if tag is None or tag.kind != 12 or not tag.count or tag.count % each:
        return None
    return np.frombuffer(tag.data, "<f8").reshape(-1, each).copy()


def _doubles(values: np.ndarray) -> Tag:
    return Tag(12, values.size, values.astype("<f8").tobytes())
