"""Reads photos of any kind: samples as stored, upright, with EXIF and colour profile kept aside."""

from __future__ import annotations

import contextlib
import difflib
import struct
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from inpaint_cli.errors import UserError
from inpaint_cli.photos.photo import COLOUR_BANDS, Photo, Samples

KEPT_EXIF = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)
"""Tags of the first EXIF folder that describe the photo, not the layout of its file."""
KEPT_FOLDERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
ORIENTATION = ExifTags.Base.Orientation


def no_such_file(path: Path) -> UserError:
    """Return the error for a photo that is not there, with the nearest name in its folder."""
    try:
        names = [file.name for file in path.parent.iterdir() if file.is_file()]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=1)
    advice = f" Did you mean '{path.with_name(near[0])}'?" if near else ""
    return UserError(f"no such file.{advice}", where=path)


def read_photo(path: Path) -> Photo:
    """Read the first frame of an image file, orientation applied. UserError if it cannot be."""
    if not path.exists():
        raise no_such_file(path)
    if not path.is_file():
        raise UserError("not an image file.", where=path)
    with _explained(str(path)):
        with Image.open(path) as image:
            deep = _deep_mode(image)  # before load(), which forgets how the file is coded
            image.load()
            photo = _of_upright(image)
            if image.format == "TIFF":
                photo = replace(photo, tiff=True)
            orientation = image.getexif().get(ORIENTATION, 1)
        if deep is not None:
            photo = _deepened(photo, path, deep, orientation)
        return photo


def of_image(image: Image.Image) -> Photo:
    """Return the photo of a Pillow image: its first frame, upright. UserError for odd values."""
    with _explained("image"):
        return _of_upright(image)


def _of_upright(image: Image.Image) -> Photo:
    icc, dpi, exif = image.info.get("icc_profile"), image.info.get("dpi"), _kept_exif(image)
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"the first of {getattr(image, 'n_frames', 1)} frames is completed")
    upright, note = _plain(ImageOps.exif_transpose(image))
    samples, low, high = _samples(upright)
    photo = Photo(samples, _mode(upright), low, high, False, exif, icc, _dpi(dpi))
    return replace(photo, notes=(*notes, *([note] if note else [])))


def ranged(photo: Photo, visible: npt.NDArray[np.bool_]) -> Photo:
    """Return 32-bit photos with the black and white of their visible samples; others as they are.

    Such samples (floats, or integers beyond 16 bits) have no fixed range.
    """
    if photo.mode not in ("I", "F"):
        return photo
    known = photo.samples[visible]
    if not np.isfinite(known).all():
        raise UserError("holds values that are no numbers (NaN or infinite) outside the hole.")
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 255.0)
    note = (
        f"its samples of 32 bits are seen by the model as {low:g} (black) to {high:g} (white), the "
        "range outside the hole"
    )
    return replace(photo, low=low, high=max(high, low + 1e-6), notes=(*photo.notes, note))


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what Pillow raises for bad files into one sentence."""
    try:
        with warnings.catch_warnings():
            # Large is not wrong; what is far too large raises DecompressionBombError all the same.
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as error:
        raise UserError(
            f"too many pixels to be a photo ({error}). Reduce it first.", where=name
        ) from error
    except UnidentifiedImageError as error:
        raise UserError("not an image, or of a kind that cannot be read.", where=name) from error
    except PermissionError as error:
        raise UserError("may not be read. Check its permissions.", where=name) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, OverflowError) as error:
        raise UserError(
            f"damaged or truncated, it cannot be read ({error}).", where=name
        ) from error


def _plain(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Return an image in a mode of `COLOUR_BANDS`, with a note where samples cannot stay as stored.

    A palette has no room for new colours, and a colour key would make fill transparent by chance.
    """
    if image.mode in ("P", "PA"):
        mode = "RGBA" if image.has_transparency_data else "RGB"
        note = f"a palette image; its completions are {mode}, since the fill needs other colours"
        return image.convert(mode), note
    if image.mode in ("L", "RGB", "1") and "transparency" in image.info:
        mode = "RGBA" if image.mode == "RGB" else "LA"
        with_alpha = image.convert("RGBA")
        note = f"its transparent colour becomes an alpha channel; completions are {mode}"
        return (with_alpha if mode == "RGBA" else with_alpha.convert("LA")), note
    if image.mode.startswith("I;16"):
        return image, None
    if image.mode in COLOUR_BANDS:
        return image, None
    mode = "RGBA" if image.mode in ("RGBa", "La") else "RGB"
    return image.convert(mode), f"of mode {image.mode}; its completions are {mode}"


def _mode(image: Image.Image) -> str:
    if image.mode == "I" and _fits_16_bits(np.asarray(image)):
        return "I;16"
    return "I;16" if image.mode.startswith("I;16") else image.mode


def _samples(image: Image.Image) -> tuple[Samples, float, float]:
    """Return the samples [H, W, bands] of a plain image, and what counts as black and white."""
    stored = np.array(image)
    if stored.ndim == 2:
        stored = stored[..., None]
    if image.mode == "1":
        return stored.astype(np.uint8) * 255, 0.0, 255.0
    if _mode(image) == "I;16":
        return stored.astype(np.uint16), 0.0, 65535.0
    return stored, 0.0, 255.0


def _fits_16_bits(stored: Samples) -> bool:
    return bool(stored.min(initial=0) >= 0 and 255 < stored.max(initial=0) <= 65535)


def _deep_mode(image: Image.Image) -> str | None:
    """Return the mode of a file with colours of 16 bits, which Pillow would cut to 8; else None."""
    if image.mode not in ("RGB", "RGBA", "LA"):
        return None
    for tile in image.tile if isinstance(image, ImageFile.ImageFile) else ():
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if image.format == "PPM" and any(isinstance(a, int) and a > 255 for a in arguments):
            return image.mode
        coded = [a for a in arguments if isinstance(a, str) and ";16" in a]
        if coded:  # Pillow opens grey with alpha of 16 bits as RGBA
            return "LA" if coded[0].startswith("LA") else image.mode
    return None


def _deepened(photo: Photo, path: Path, mode: str, orientation: int) -> Photo:
    """Return the photo with all 16 bits of its samples, which Pillow cuts to 8."""
    import cv2

    data = np.fromfile(path, np.uint8)
    deep = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    order = {"LA": [0, -1], "RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}[mode]
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3 or deep.shape[2] <= max(order):
        note = "its 16-bit samples cannot be read; it is completed with 8 bits"
        return replace(photo, notes=(*photo.notes, note))
    samples = np.ascontiguousarray(_upright(deep[..., order], orientation, photo))
    return replace(photo, samples=samples, mode=f"{mode};16", low=0.0, high=65535.0)


def _upright(samples: Samples, orientation: int, photo: Photo) -> Samples:
    """Apply an EXIF orientation, unless OpenCV has done so, as it does for TIFF."""
    if photo.tiff or not 2 <= orientation <= 8:
        return samples
    turned = samples.transpose(1, 0, 2) if orientation >= 5 else samples
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned


def _kept_exif(image: Image.Image) -> bytes:
    """Return the camera's EXIF with a normal orientation.

    The preview in it, which shows what lies under the hole, is left out.
    """
    try:
        source = image.getexif()
        kept = Image.Exif()
        for tag in KEPT_EXIF:
            if tag in source:
                kept[tag] = source[tag]
        for folder in KEPT_FOLDERS:
            if content := dict(source.get_ifd(folder)):
                kept[int(folder)] = content
        if not len(kept):
            return b""
        kept[ORIENTATION] = 1
        return kept.tobytes()
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error, OverflowError):
        return b""  # damaged EXIF is no reason to refuse the picture


def _dpi(dpi: object) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in dpi)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None
