"""A photo that is open in the page: where it came from, how it looks, what its files are called."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.files import Stamp, stamp_of
from inpaint_cli.masks.files import read_mask
from inpaint_cli.photos.journal import NAME as JOURNAL
from inpaint_cli.photos.record import NAME as RECORD
from inpaint_cli.photos.windows import Box, Mask
from inpaint_cli.pictures.colours import display
from inpaint_cli.pictures.jpeg import with_metadata
from inpaint_cli.pictures.picture import Metadata, Picture
from inpaint_cli.pictures.ranges import ranged_whole
from inpaint_cli.pictures.reading import read
from inpaint_cli.reporting import Told

ScreenPixels = npt.NDArray[np.uint8]
STRIP = 1 << 18
"""Pixels that are turned into colours at a time, since that takes many times their memory."""
EXACT_PIXELS = 1_000_000
"""Photos up to this size are shown exactly, larger ones as JPEG of high quality."""
QUALITY = 92
JPEG_SIDE = 65500
"""The longest side that a JPEG can have."""
LONGEST_NAME = 80
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
"""Names that mean devices on some systems."""


@dataclass(frozen=True)
class OpenedPhoto:
    """A photo that was read, with what a save has to know of it."""

    name: str
    """As the page shows it."""
    path: Path
    """What the command would be given: the user's file, or where a save puts it."""
    source: Path
    """The file that it was read from; another one than `path` for uploads and continued photos."""
    picture: Picture
    origin: tuple[int, int] | None = None
    """The round and the number of the completion that it is."""
    stamp: Stamp | None = None
    """Of the file when it was read."""

    @classmethod
    def of_picture(cls, picture: Picture) -> Self:
        """Return a picture that no file is named for."""
        return cls("image", Path("image"), Path("image"), picture)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        return self.picture.height, self.picture.width

    @property
    def changed(self) -> bool:
        """Whether the user's file is no more what was read."""
        return self.source == self.path and stamp_of(self.source) != self.stamp

    @property
    def uploaded(self) -> bool:
        return self.origin is None and self.source != self.path

    def facts(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        notes = list(self.picture.notes)
        height, width = self.size
        return {
            "name": self.name,
            "width": width,
            "height": height,
            "grey": self.picture.channels == 1,
            "mode": self.picture.mode,
            "notes": notes,
            "origin": self.origin,
        }

    def read_mask(
        self,
        source: Path,
        name: str,
        *,
        invert: bool = False,
        alpha: bool = False,
        resize: bool | None = None,
    ) -> tuple[Mask, list[str]]:
        """Return a mask file of this photo, white = fill in, as True = visible, and remarks.

        name: what the user calls it. resize: None = no, and no flag for it is advised.
        """
        told = Told(quiet=True)

        def named(text: str) -> str:
            return text.replace(str(source), plain_text(name))

        try:
            visible = read_mask(
                source,
                size=self.size,
                photo=self.picture,
                invert=invert,
                alpha=alpha,
                resize=resize,
                reporter=told,
            )
        except UserError as error:
            raise UserError(named(str(error))) from error
        return visible, [named(line) for line in told.lines]

    def shown(self) -> tuple[bytes, str]:
        """Return the upright photo for a screen, and its media type."""
        pixels = screen(ranged_whole(self.picture), Box(0, 0, *self.size))
        height, width = self.size
        if height * width <= EXACT_PIXELS or max(height, width) > JPEG_SIDE:
            return png(pixels, profile_of(self.picture)), "image/png"
        return jpeg(pixels, profile_of(self.picture)), "image/jpeg"


def open_photo(path: Path) -> OpenedPhoto:
    """Read a photo of the user's; UserError if it is none."""
    stamp = stamp_of(path)
    return OpenedPhoto(plain_text(path.name), path, path, read(path), stamp=stamp)


def screen(picture: Picture, box: Box) -> ScreenPixels:
    """Return a region as it looks on a screen, uint8 [h, w, 3], in little memory."""
    pixels = np.empty((box.height, box.width, 3), np.uint8)
    rows = max(1, STRIP // max(1, box.width))
    for top in range(0, box.height, rows):
        region = Box(box.top + top, box.left, min(box.top + top + rows, box.bottom), box.right)
        pixels[top : top + rows] = display(picture, region.slices)
    return pixels


def profile_of(picture: Picture) -> bytes:
    """Return the colour profile by which a browser shows `screen` of a picture; empty = sRGB.

    Inks and L*a*b* are turned into sRGB by `screen`, and grey is shown as three colours.
    """
    icc = picture.metadata.icc
    return icc if picture.colours == "rgb" and icc[16:20] == b"RGB " else b""


def jpeg(pixels: ScreenPixels, profile: bytes) -> bytes:
    """Return a JPEG of uint8 [h, w, 3], without reducing its colours; `pixels` is used up."""
    cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR, dst=pixels)
    settings = [
        *(cv2.IMWRITE_JPEG_QUALITY, QUALITY),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    # OpenCV takes the pixels as they lie; Pillow would copy them into four bytes each.
    encoded, file = cv2.imencode(".jpg", pixels, settings)
    if not encoded:
        raise ResourceError("the photo cannot be shown: it is too large for a JPEG.")
    return with_metadata(file.tobytes(), Metadata(icc=profile))[0]


def png(pixels: ScreenPixels, profile: bytes = b"") -> bytes:
    """Return a PNG of uint8 [h, w, 3 or 4]."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=1, icc_profile=profile or None)
    return file.getvalue()


def plain_text(name: str) -> str:
    """Return a file's name as text that can be shown, whatever bytes it has."""
    return os.fsencode(name).decode("utf-8", "replace")


def safe_name(name: str) -> str:
    """Return the name under which an upload may be written: no folder, no odd characters.

    UserError for names of devices and of our own records.

    >>> safe_name("../My cat (1).JPG"), safe_name("<img onerror=x>.png")
    ('My cat _1_.JPG', '_img onerror_x_.png')
    """
    last = re.split(r"[/\\]", name)[-1]
    stem, dot, suffix = last.rpartition(".")
    if not dot:
        stem, suffix = last, ""
    stem = re.sub(r"[^\w\-. ]", "_", stem, flags=re.ASCII).strip(" .")[:LONGEST_NAME].strip(" .")
    suffix = re.sub(r"\W", "", suffix, flags=re.ASCII)[:8]
    stem = stem or "photo"
    # What begins with a dash would be taken for an option of the command.
    stem = "_" + stem[1:] if stem.startswith("-") else stem
    safe = f"{stem}.{suffix}" if suffix else stem
    if stem.lower() in RESERVED or safe.lower() in (RECORD, JOURNAL):
        raise UserError("is no name for a photo. Rename it.", where=plain_text(last))
    return safe
