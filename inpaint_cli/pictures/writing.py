"""Writes completed pictures: exactly, or in the photo's own lossy format where that is wanted.

What a file of ours says of itself stands in the PNG chunk `inpaint`, or in a TIFF's description.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from inpaint_cli import __version__
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.files import replacing
from inpaint_cli.pictures import lossy_writing, png_writing, tiff_writing
from inpaint_cli.pictures.claims import DESCRIPTION, true_of
from inpaint_cli.pictures.colours import in_bytes
from inpaint_cli.pictures.converting import (
    Plain,
    eight_bits,
    in_its_type,
    is_plain,
    on_white,
    plain,
)
from inpaint_cli.pictures.picture import Mask, Metadata, Picture, Samples
from inpaint_cli.pictures.reading import read

Format = Literal["png", "tiff", "jpeg", "webp"]
FORMATS = ("lossless", "keep", "png", "tiff", "jpeg", "webp")
"""What can be asked for: "lossless" is PNG or TIFF, "keep" the photo's own format."""
SUFFIXES: dict[Format, str] = {"png": ".png", "tiff": ".tiff", "jpeg": ".jpg", "webp": ".webp"}
_KEPT: dict[str, Format] = {"PNG": "png", "TIFF": "tiff", "JPEG": "jpeg", "WEBP": "webp"}
TEXT_KEY = "inpaint"
Placing = Callable[[Path], AbstractContextManager[Path]]
"""Like `files.replacing`: path -> a block with the temporary path that takes its place."""


@dataclass(frozen=True)
class Written:
    """What became of a picture on its way into a file."""

    format: Format
    exact: bool
    """Every visible sample is as it was."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """How far visible pixels of a written file are from those of the photo, in levels of 255."""

    mean: float
    largest: int
    share: float
    """Of visible pixels, those that differ at all."""

    def __str__(self) -> str:
        """Return the figures in words.

        >>> print(Change(0.21, 4, 0.5))
        visible pixels differ by 0.21 of 255 on average, 4 at most
        """
        if not self.share:
            return "visible pixels are equal"
        return f"visible pixels differ by {self.mean:.2f} of 255 on average, {self.largest} at most"


def format_for(picture: Picture, asked: str = "lossless") -> Format:
    """Return the format of a picture's completions, for what was asked (one of `FORMATS`)."""
    if asked not in FORMATS:
        raise unknown_name("no format", asked, FORMATS, setting="format")
    if asked == "keep" and picture.format in _KEPT:
        return _KEPT[picture.format]
    if asked in ("lossless", "keep"):
        return "tiff" if picture.format == "TIFF" or not is_plain(picture) else "png"
    return asked  # type: ignore[return-value]


def suffix_for(picture: Picture, asked: str = "lossless") -> str:
    """Return the suffix that goes with `format_for`."""
    return SUFFIXES[format_for(picture, asked)]


def write(
    path: Path,
    picture: Picture,
    samples: Samples,
    *,
    format: str = "lossless",
    quality: int | None = None,
    text: str | None = None,
    placing: Placing = replacing,
) -> Written:
    """Write samples of a picture, [H, W, C] as its own, in one piece; return what that costs.

    quality: 1 to 100 for jpeg and webp; without it a JPEG keeps its own tables, and webp is exact
    where the source is. text: how it was made, kept in the PNG chunk `inpaint` or the description
    of a TIFF.
    """
    chosen = format_for(picture, format)
    check_quality(quality, chosen)
    height, width, channels = samples.shape
    metadata = true_of(picture.metadata, (height, width, channels))
    written = replace(picture, samples=samples, metadata=metadata)
    with placing(path) as temporary, temporary.open("wb") as handle:
        result = _write(handle, chosen, written, quality, text)
    if format == "keep" and picture.format and picture.format not in _KEPT:
        note = f"{picture.format} cannot be written, {chosen} is taken in its place"
        return replace(result, notes=(note, *result.notes))
    return result


def check_quality(quality: int | None, chosen: Format) -> None:
    """Refuse a quality that is none, or that the format does not have."""
    if quality is None:
        return
    if not 1 <= quality <= 100:
        raise UserError(f"must be 1 to 100, got {quality}.", setting="quality")
    if chosen in ("png", "tiff"):
        raise UserError(
            f"{chosen} is exact and has none. Leave it out, or take jpeg or webp with the setting "
            "format.",
            setting="quality",
        )


def _write(
    handle: BinaryIO, chosen: Format, picture: Picture, quality: int | None, text: str | None
) -> Written:
    if chosen == "tiff":
        tiff_writing.write(handle, picture, picture.samples, text)
        return Written(chosen, True, _lost(picture.metadata, "tiff"))
    if chosen == "png":
        form = plain(picture, picture.samples)
        png_writing.write(handle, form, (TEXT_KEY, text) if text else None)
        return Written(chosen, is_plain(picture), form.notes)
    if chosen == "jpeg":
        form = _inks(picture) or on_white(eight_bits(plain(picture, picture.samples)))
        too_long = lossy_writing.write_jpeg(handle, form, picture.coding, quality)
        lost = [f"{what} is too long for JPEG and left out" for what in too_long]
        return Written(chosen, False, (*form.notes, *_lost(picture.metadata, "jpeg"), *lost))
    form = eight_bits(plain(picture, picture.samples))
    lossless = quality is None and picture.lossless
    left_out = lossy_writing.write_webp(handle, form, quality, lossless)
    exact = lossless and is_plain(picture) and picture.bits <= 8
    return Written(chosen, exact, (*form.notes, *_lost(picture.metadata, "webp", left_out)))


def _inks(picture: Picture) -> Plain | None:
    """Return CMYK of 8 bits as JPEG holds it; None for other pictures."""
    if picture.colours != "cmyk" or picture.samples.dtype != np.uint8 or picture.extras:
        return None
    return Plain(picture.samples, 8, picture.metadata, inks=True)


def _lost(metadata: Metadata, chosen: Format, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Return a note on metadata that a format has no place for."""
    names = list(dict.fromkeys(kind.decode("latin-1") for kind, _ in metadata.chunks))
    what = [f"PNG's chunks {', '.join(names)}"] if names else []
    what += more
    if chosen == "tiff" and metadata.comments and DESCRIPTION in metadata.folder.tags:
        what += ["comments, since there is a description"]
    if chosen == "webp":
        what += ["IPTC"] if metadata.iptc or metadata.photoshop else []
        what += ["comments"] if metadata.comments else []
    return (f"not kept in {chosen}: {' and '.join(what)}",) if what else ()


def visible_change(picture: Picture, visible: Mask, path: Path) -> Change:
    """Return how much the visible pixels of a written file differ from the photo's.

    visible: bool [H, W], True = outside the hole. What is transparent is seen on white.
    """
    pair = [_on_white(seen)[visible] for seen in (picture, read(path, huge=True))]
    difference = np.abs(pair[0].astype(np.int16) - pair[1])
    if not difference.size:
        return Change(0.0, 0, 0.0)
    return Change(
        float(difference.mean()),
        int(difference.max()),
        float((difference.max(axis=1) > 0).mean()),
    )


def _on_white(picture: Picture) -> Samples:
    """Return uint8 [H, W, 3], black and white as the file's type has them."""
    values = in_bytes(in_its_type(picture))
    flat = on_white(Plain(values, 8, picture.metadata)).samples
    return np.broadcast_to(flat, (*flat.shape[:2], 3))


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
