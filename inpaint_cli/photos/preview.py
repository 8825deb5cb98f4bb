"""A photo with its hole laid over it, to see what would be filled in before a model is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.photos.windows import Mask
from inpaint_cli.pictures.colours import display
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.pictures.ranges import ranged

ENDING = "-preview.png"
COLOUR = (255, 0, 255)
MARK = ("inpaint", "preview")
"""A PNG text by which earlier previews are known, so that nothing else is replaced."""


def preview_of(photo: Picture, visible: Mask) -> Image.Image:
    """Return the photo as it looks on a screen, its hole half covered in magenta."""
    shown = display(ranged(photo, visible))
    tinted = (shown[~visible].astype(np.uint16) + np.array(COLOUR, np.uint16)) // 2
    shown[~visible] = tinted.astype(np.uint8)
    return Image.fromarray(shown)


def write_preview(path: Path, photo: Picture, visible: Mask, overwrite: bool) -> None:
    """Write the preview of a photo; UserError where another file is in the way."""
    if path.exists() and not overwrite and not is_preview(path):
        raise UserError("exists and is no preview. Choose another output folder.", where=path)
    text = PngImagePlugin.PngInfo()
    text.add_text(*MARK)
    with replacing(path) as temporary:
        preview_of(photo, visible).save(temporary, format="PNG", compress_level=1, pnginfo=text)


def is_preview(path: Path) -> bool:
    """Return whether a file is a preview that `write_preview` made."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(MARK[0]) == MARK[1]
    except Exception:  # whatever it is, it is none
        return False
