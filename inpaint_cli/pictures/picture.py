"""A picture as its file holds it: samples, what they mean, and what else the file says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from inpaint_cli.pictures.ifd import Directory

Samples = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

Colours = Literal["grey", "rgb", "cmyk", "lab", "icclab"]
"""What the first channels are. The a and b of "lab" are signed (TIFF 6.0, section 23)."""
COLOUR_CHANNELS = {"grey": 1, "rgb": 3, "cmyk": 4, "lab": 3, "icclab": 3}

Extra = Literal["alpha", "premultiplied", "unspecified"]
"""What a further channel is: alpha, alpha that the colours are multiplied by, or unknown."""

PIXEL_LIMIT = 400_000_000
"""Larger pictures are read only where the caller says so."""
FIRST_OF = "the first of "
"""How the note begins that a file holds more pictures than the one that was read."""


def first_of(frames: int) -> list[str]:
    """Return the note on a file of several frames; none where there is but one."""
    return [f"{FIRST_OF}{frames} frames is taken"] if frames > 1 else []


@dataclass(frozen=True)
class Density:
    """Pixels per unit across and down; without a unit it is the shape of the pixels alone."""

    across: float
    down: float
    unit: Literal["inch", "cm", "none"] = "inch"

    @property
    def per_inch(self) -> tuple[float, float] | None:
        """Dots per inch, or None where no unit is known."""
        factor = {"inch": 1.0, "cm": 2.54}.get(self.unit)
        return None if factor is None else (self.across * factor, self.down * factor)


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels, without thumbnails and orientation."""

    folder: Directory = field(default_factory=Directory)
    """EXIF, or the tags of a TIFF that do not describe its layout."""
    icc: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    """Records of IPTC as TIFF holds them."""
    photoshop: bytes = b""
    """Photoshop's resources; IPTC is one of them."""
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    """Chunks of a PNG that are not among the other fields, in their order."""
    comments: tuple[bytes, ...] = ()
    density: Density | None = None


@dataclass(frozen=True)
class LossyCoding:
    """How a JPEG file was coded, so that it can be coded in the same way again."""

    tables: tuple[tuple[int, ...], ...]
    """Quantisation tables of 64 values, in the order of the file's rows."""
    subsampling: int
    """As Pillow numbers them: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0, -1 = another one."""
    progressive: bool = False

    def upright(self, orientation: int) -> LossyCoding:
        """Return the coding of the upright picture: where rows become columns, in tables too.

        Otherwise other frequencies would be rounded than those that were.
        """
        if not 5 <= orientation <= 8:
            return self
        tables = tuple(
            tuple(table[8 * row + column] for column in range(8) for row in range(8))
            for table in self.tables
        )
        # 4:2:2 becomes colours of half the height, which Pillow does not write.
        subsampling = -1 if self.subsampling == 1 else self.subsampling
        return replace(self, tables=tables, subsampling=subsampling)


@dataclass(frozen=True)
class Picture:
    """The first frame of a picture file, its orientation applied."""

    samples: Samples
    """[H, W, C] in the file's own type; a picture of 1 bit holds 0 and 1."""
    colours: Colours
    bits: int
    """Of a sample, as the header says; less than those of its type in a packed TIFF."""
    low: float
    high: float
    """The samples that count as black and white; low > high where white is zero."""
    extras: tuple[Extra, ...] = ()
    format: str = ""
    """Pillow's name of the file's format; "" for arrays."""
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()
    """What is not as it was in the file, as remarks for the user."""
    indices: Samples | None = None
    """[H, W]: what the file holds where the samples are others: the indices of a palette, grey of
    2 to 7 bits."""
    coding: LossyCoding | None = None
    lossless: bool = True
    """The file's format holds its pixels exactly."""

    def __post_init__(self) -> None:
        channels = COLOUR_CHANNELS[self.colours] + len(self.extras)
        if self.samples.ndim != 3 or self.samples.shape[2] != channels:
            raise ValueError(f"{self.samples.shape} samples for {channels} channels")

    @property
    def height(self) -> int:
        return int(self.samples.shape[0])

    @property
    def width(self) -> int:
        return int(self.samples.shape[1])

    @property
    def channels(self) -> int:
        """How many channels are colours: 1, 3 or 4."""
        return COLOUR_CHANNELS[self.colours]

    @property
    def mode(self) -> str:
        """A name of colours and depth for messages and records, such as "rgb+alpha 16 bit".

        >>> of_array(np.zeros((1, 1, 2), np.uint16)).mode
        'grey+alpha 16 bit'
        """
        kind = {"f": " float", "i": " signed"}.get(self.samples.dtype.kind, "")
        return f"{'+'.join((self.colours, *self.extras))} {self.bits} bit{kind}"

    @property
    def is_float(self) -> bool:
        return self.samples.dtype.kind == "f"

    @property
    def container(self) -> tuple[float, float]:
        """The smallest and the largest sample that the file's type can hold; 0 and 1 for floats."""
        if self.is_float:
            return 0.0, 1.0
        if self.samples.dtype.kind == "i":
            return -(2.0 ** (self.bits - 1)), 2.0 ** (self.bits - 1) - 1
        return 0.0, 2.0**self.bits - 1

    @property
    def opaque(self) -> float:
        """The value of an alpha channel that hides nothing of the pixel."""
        return self.container[1]

    @property
    def alpha_channel(self) -> int | None:
        """The index of the channel that is alpha by the header, or None."""
        for number, extra in enumerate(self.extras):
            if extra != "unspecified":
                return self.channels + number
        return None

    @property
    def is_multiplied(self) -> bool:
        """Whether colours are multiplied by their alpha, which needs a black of zero."""
        return "premultiplied" in self.extras and self.low == 0

    @property
    def likely_alpha(self) -> int | None:
        """The index of the channel that is alpha, or of the only further one, for who asks so."""
        unknown = self.channels if self.extras == ("unspecified",) else None
        return unknown if self.alpha_channel is None else self.alpha_channel

    def with_notes(self, *notes: str) -> Picture:
        """Return the picture with further notes."""
        return replace(self, notes=(*self.notes, *notes)) if notes else self


def of_array(array: Samples) -> Picture:
    """Return the picture of an array [H, W] or [H, W, C] with 1 to 4 channels, or of bool [H, W].

    ValueError for other shapes and types.
    """
    samples = np.ascontiguousarray(array[..., None] if array.ndim == 2 else array)
    channels = samples.shape[2] if samples.ndim == 3 else 0
    if not 1 <= channels <= 4 or not samples.size or samples.dtype.kind not in "buif":
        raise ValueError(f"an array {list(array.shape)} of {array.dtype}, not of a picture")
    bits = samples.dtype.itemsize * 8
    if samples.dtype == np.bool_:
        samples, bits = samples.astype(np.uint8), 1 if samples.shape[2] == 1 else 8
        samples = samples if bits == 1 else samples * np.uint8(255)
    colours: Colours = "grey" if samples.shape[2] < 3 else "rgb"
    extras: tuple[Extra, ...] = ("alpha",) if samples.shape[2] in (2, 4) else ()
    low, high = natural_range(samples.dtype, bits)
    return Picture(samples, colours, bits, low, high, extras)


def as_floats(array: Samples) -> npt.NDArray[np.float64]:
    """Return samples as float64, without numpy's word on those that are no numbers."""
    with np.errstate(invalid="ignore"):
        return array.astype(np.float64)


def natural_range(dtype: np.dtype[Any], bits: int) -> tuple[float, float]:
    """Return black and white of a type: its whole range, or 0 and 1 of floats."""
    if dtype.kind == "f":
        return 0.0, 1.0
    if dtype.kind == "i":
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1


def upright(array: Samples, orientation: int) -> Samples:
    """Return an array [H, W, ...] with an EXIF orientation of 1 to 8 applied (EXIF 2.3, 4.6.4)."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(array[rows, columns])


def invisible(picture: Picture) -> Mask | None:
    """Return which pixels [H, W] are fully transparent; None where there are none.

    Their colours are nothing that a person ever saw, so they tell a model nothing.
    """
    channel = picture.alpha_channel
    if channel is None:
        return None
    clear = np.asarray(picture.samples[..., channel] <= 0)
    return clear if clear.any() else None
