"""What a file that we wrote says of itself: in the PNG chunk `inpaint`, or a TIFF's description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin, TiffImagePlugin

from inpaint_cli import __version__
from inpaint_cli.pictures.writing import TEXT_KEY


def own_text(path: Path) -> dict[str, Any]:
    """Return what a picture tells of how we made it; nothing where it is not ours."""
    try:
        with Image.open(path) as picture:
            texts = getattr(picture, "text", {})
            text = texts.get(TEXT_KEY) or picture.getexif().get(TiffImagePlugin.IMAGEDESCRIPTION)
        facts = json.loads(text or "{}")
    except Exception:  # whatever Pillow raises: a file that cannot be read says nothing
        return {}
    return facts if isinstance(facts, dict) and "version" in facts else {}


def mark(what: str) -> PngImagePlugin.PngInfo:
    """Return what a PNG file of ours that is no completion is to be saved with, as `pnginfo`.

    what: "sheet" and the like.
    """
    text = PngImagePlugin.PngInfo()
    text.add_text(TEXT_KEY, json.dumps({"version": __version__, "what": what}))
    return text
