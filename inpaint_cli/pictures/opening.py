"""The one door through which picture files come in: by handle, of listed formats, explained.

Pillow's other plug-ins stay shut: some run programs, some only name what they cannot read.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import functools
import importlib
import importlib.util
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from PIL import Image, ImageFile

from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.pictures import kinds
from inpaint_cli.pictures.picture import PIXEL_LIMIT

Source = Path | bytes | BinaryIO
"""A file, its content, or an open file."""

_PLUGINS = {
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "TGA": ("TgaImagePlugin", "TgaImageFile"),
    "PCX": ("PcxImagePlugin", "PcxImageFile"),
    "ICO": ("IcoImagePlugin", "IcoImageFile"),
    "JPEG2000": ("Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "DDS": ("DdsImagePlugin", "DdsImageFile"),
}


_UNSUPPORTED = re.compile(r"unsupported|unimplemented|not (supported|implemented)", re.I)
"""How libraries say that a file may be sound, but of a kind that they do not read."""


class UnreadError(ValueError):
    """A picture of a kind that is not read, by its name: "a JPEG of 12 bits"."""


def no_such_file(path: Path) -> UserError:
    """Return the error for a file that is not there, with the nearest name in its folder."""
    return UserError(f"no such file.{advice_on(path)}", where=path)


def advice_on(path: Path) -> str:
    """Return a question for the file whose name is nearest to one that is not there, or ""."""
    try:
        names = [file.name for file in path.parent.iterdir() if file.is_file()]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f" Did you mean '{path.with_name(near[0])}'?" if near else ""


def content(source: Source, name: str) -> tuple[bytes, str]:
    """Return the bytes of a picture file and its kind, one of `kinds.READ`.

    Of a file of another kind no more than the head is read. UserError for such, and for files
    that are missing, empty, or may not be read.
    """
    if isinstance(source, bytes):
        return source, _checked_kind(source[: kinds.HEAD_BYTES], name)
    if not isinstance(source, Path):
        data = source.read()
        return data, _checked_kind(data[: kinds.HEAD_BYTES], name)
    with explained(name):
        if not source.exists():
            raise no_such_file(source)
        if not source.is_file():
            raise UserError("not an image file.", where=name)
    with explained(name), source.open("rb") as handle:
        head = handle.read(kinds.HEAD_BYTES)
        kind = _checked_kind(head, name)
        return head + handle.read(), kind


def _checked_kind(head: bytes, name: str) -> str:
    if not head:
        raise UserError("an empty file.", where=name)
    kind = kinds.kind_of(head)
    if kind not in kinds.READ or (kind == "HEIF" and not has_heif()):
        raise UserError(f"{kinds.advice(kind)}", where=name)
    return kind


@functools.cache
def has_heif() -> bool:
    """Return whether HEIC photos can be read: with pillow-heif alone."""
    try:
        return importlib.util.find_spec("pillow_heif") is not None
    except (ImportError, ValueError):
        return False


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence, and keep its warnings off the terminal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (UserError, ResourceError, MemoryError):
        raise
    except PermissionError as error:
        raise UserError("may not be read. Check its permissions.", where=name) from error
    except Image.DecompressionBombError as error:
        raise UserError(
            "too many pixels for its format. Save it as PNG or TIFF.", where=name
        ) from error
    except UnreadError as error:
        raise UserError(kinds.advice(str(error)), where=name) from error
    # Decoders of damaged files raise anything: RuntimeError, TypeError, IndexError, ...
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            raise  # a fault of the name, which commands tell in short
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        if _UNSUPPORTED.search(reason):
            raise UserError(
                f"of a kind that is not read ({reason}). Save it as PNG or TIFF.", where=name
            ) from error
        raise UserError(
            f"damaged or truncated, it cannot be read ({reason}).", where=name
        ) from error


def check_size(width: int, height: int, name: str, huge: bool) -> None:
    """Refuse a picture of too many pixels, or of none, before anything is allocated for it."""
    if width < 1 or height < 1:
        raise UserError(f"damaged, it has {width}x{height} pixels.", where=name)
    if not huge and width * height > PIXEL_LIMIT:
        raise UserError(
            f"{width}x{height} pixels, more than {PIXEL_LIMIT // 10**6} megapixels. Reduce "
            "it first, or add the setting huge if the memory is large enough.",
            where=name,
        )


def lazily(data: bytes, kind: str, name: str, huge: bool = False) -> ImageFile.ImageFile:
    """Return a Pillow image whose header is read; what it raises is for `explained` to catch."""
    handle = io.BytesIO(data)
    if kind == "HEIF":
        heif = importlib.import_module("pillow_heif")
        image = cast(ImageFile.ImageFile, heif.HeifImageFile(handle))
    else:
        module, plugin = _PLUGINS[kind]
        opener = getattr(importlib.import_module(f"PIL.{module}"), plugin)
        # Not Image.open: it would refuse, or warn about, what is large and sound.
        image = opener(handle)
    check_size(*image.size, name, huge)
    return image


def frames_of(image: Image.Image) -> int:
    """Return the number of frames; damage behind the first one is no reason to refuse that."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:
        return 1
