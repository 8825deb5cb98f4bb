"""A photo as stored, every sample as in its file; the way to a model's colours and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Samples = npt.NDArray[Any]
ColourValues = npt.NDArray[np.float32]
"""Colours in 0..255, [h, w, 1] for grey, else RGB."""
Region = tuple[slice, slice]

COLOUR_BANDS = {
    **dict.fromkeys(("1", "L", "LA", "I;16", "I", "F", "LA;16"), 1),
    **dict.fromkeys(("RGB", "RGBA", "RGB;16", "RGBA;16", "LAB"), 3),
    "CMYK": 4,
}
"""Modes that a photo can have: Pillow's, and three of 16 bits that Pillow lacks."""
TIFF_ONLY = ("CMYK", "LAB", "I", "F")
"""Modes that PNG cannot hold."""


@dataclass(frozen=True)
class Photo:
    """The first frame of an image file, its orientation applied."""

    samples: Samples
    """[H, W, bands], as stored; "1" as 0 and 255."""
    mode: str
    low: float = 0.0
    high: float = 255.0
    """The sample values that count as black and white."""
    tiff: bool = False
    """The file was a TIFF, so its completions are."""
    exif: bytes = b""
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    """What had to be changed, as remarks for the user."""

    @property
    def height(self) -> int:
        """Rows of samples."""
        return int(self.samples.shape[0])

    @property
    def width(self) -> int:
        """Columns of samples."""
        return int(self.samples.shape[1])

    @property
    def suffix(self) -> str:
        """The suffix of completions: PNG, or TIFF where the photo was one or PNG lacks the mode."""
        return ".tiff" if self.tiff or self.mode in TIFF_ONLY else ".png"

    @property
    def has_alpha(self) -> bool:
        """Whether the last band is transparency."""
        return bool(self.samples.shape[2] > COLOUR_BANDS[self.mode])

    @property
    def is_grey(self) -> bool:
        """Whether `values` have one channel."""
        return COLOUR_BANDS[self.mode] == 1

    def values(self, region: Region) -> ColourValues:
        """Return the colours of a region in 0..255: float32 [h, w, 1] for grey, else RGB."""
        stored = self.samples[region][..., : COLOUR_BANDS[self.mode]]
        if self.mode in ("CMYK", "LAB"):
            return np.asarray(_to_rgb(np.ascontiguousarray(stored), self.mode), np.float32)
        if (self.low, self.high) == (0.0, 255.0):
            return stored.astype(np.float32)
        scaled = (stored.astype(np.float64) - self.low) * (255.0 / (self.high - self.low))
        return np.nan_to_num(np.clip(scaled, 0, 255)).astype(np.float32)

    def stored(self, values: ColourValues) -> Samples:
        """Return colours in 0..255, as of `values`, as samples of this photo without alpha."""
        if self.mode in ("CMYK", "LAB"):
            return _from_rgb(np.rint(values).astype(np.uint8), self.mode)
        if self.mode == "1":
            return np.where(values >= 128, 255, 0).astype(np.uint8)
        scaled = self.low + values.astype(np.float64) * ((self.high - self.low) / 255.0)
        if self.samples.dtype.kind == "f":
            return scaled.astype(self.samples.dtype)
        return np.rint(np.clip(scaled, self.low, self.high)).astype(self.samples.dtype)

    def display(self, region: Region) -> npt.NDArray[np.uint8]:
        """Return a region as it looks on a screen: uint8 [h, w, 3], transparency ignored."""
        values = np.rint(self.values(region)).astype(np.uint8)
        return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values

    def in_colour(self) -> Photo:
        """Return a grey photo as one in colour, of 8 bits, for a fill in colour; others as is."""
        if not self.is_grey:
            return self
        coloured = of_array(self.display((slice(None), slice(None))))
        tiff = self.suffix == ".tiff"
        return replace(coloured, tiff=tiff, exif=self.exif, dpi=self.dpi, notes=self.notes)


def of_array(array: npt.NDArray[np.uint8]) -> Photo:
    """Return the photo of a uint8 array: [H, W], or [H, W, C] with 1 to 4 channels."""
    samples = array[..., None] if array.ndim == 2 else array
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    return Photo(np.ascontiguousarray(samples), mode)


def _to_rgb(stored: npt.NDArray[np.uint8], mode: str) -> Samples:
    picture = Image.frombuffer(mode, (stored.shape[1], stored.shape[0]), stored.tobytes())
    if mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, lab, rgb, outputMode="RGB")
        return np.asarray(converted)
    return np.asarray(picture.convert("RGB"))


def _from_rgb(values: npt.NDArray[np.uint8], mode: str) -> Samples:
    picture = Image.fromarray(np.ascontiguousarray(values))
    if mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, rgb, lab, outputMode="LAB")
        return np.asarray(converted)
    return np.asarray(picture.convert(mode))
