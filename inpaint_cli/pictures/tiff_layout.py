"""How a TIFF lays out its pixels, from its tags; what cannot be held is refused by its name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import kinds
from inpaint_cli.pictures.ifd import Directory
from inpaint_cli.pictures.picture import COLOUR_CHANNELS, Colours, Extra

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
COLOURS: dict[int, Colours] = {
    WHITE_IS_ZERO: "grey",
    BLACK_IS_ZERO: "grey",
    RGB: "rgb",
    PALETTE: "grey",
    CMYK: "cmyk",
    YCBCR: "rgb",
    CIELAB: "lab",
    ICCLAB: "icclab",
}
"""By tag 262. The colours of a palette are looked up afterwards."""
RAW_PHOTOMETRIC = (32803, 34892)
UNREAD_PHOTOMETRIC = {4: "a transparency mask", 10: "ITU L*a*b*", 32844: "LogL", 32845: "LogLuv"}
JPEG, CCITT = 7, (2, 3, 4)
MOST_RATIO = {
    1: 1,
    2: 700,
    3: 2000,
    4: 10**6,
    5: 2800,
    JPEG: 10**6,
    8: 1032,
    32773: 64,
    32946: 1032,
    34925: 8000,
}
"""Compressions that are read; none can shrink anything further than this."""
UNREAD_COMPRESSIONS = {
    6: "old JPEG",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    50000: "zstd",
    50001: "WebP",
    50002: "JPEG XL",
}
WITH_PREDICTOR = (5, 8, 32946, 34925)
"""Compressions that take a predictor; elsewhere its tag means nothing, as libtiff has it."""
MOST_CHANNELS = 64
WEIGHTS, SUBSAMPLING, BLACK_AND_WHITE = 529, 530, 532
"""Of YCbCr."""
BT601 = (0.299, 0.587, 0.114)
FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
DNG_VERSION, MAKE, SUB_FOLDERS = 50706, 271, 330


@dataclass(frozen=True)
class TiffLayout:
    """What the tags say about the pixels."""

    width: int
    height: int
    bits: int
    kind: str
    """Of samples, as numpy spells it: "u", "i" or "f"."""
    channels: int
    planes: bool
    """Channels lie one after the other, not pixel by pixel."""
    photometric: int
    compression: int
    predictor: int
    reversed_bits: bool
    order: str
    """Of bytes: "<" or ">"."""
    tile: tuple[int, int] | None
    """Height and width, or None for strips."""
    rows: int
    """Of a strip or tile."""
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    extras: tuple[Extra, ...]
    tables: bytes = b""
    """Of JPEG, shared by all strips."""
    fax_options: tuple[int, int] = (0, 0)
    """Of CCITT's third and fourth group."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that holds a sample."""
        size = 1 if self.bits <= 8 else 2 if self.bits <= 16 else self.bits // 8
        return np.dtype(f"{self.kind}{size}")


def layout_of(folder: Directory, order: str, name: str) -> TiffLayout:
    """Return the layout of a directory; UserError for what is missing or cannot be held."""
    _refuse_raw(folder, name)
    width, height = folder.integer(256, 0), folder.integer(257, 0)
    channels = folder.integer(277, 1)
    photometric = folder.integer(262, RGB if channels >= 3 else BLACK_IS_ZERO)
    bits, kind = _sample_type(folder, channels, name)
    compression = folder.integer(259, 1)
    _refuse_unread(compression, photometric, folder, name)
    needed = COLOUR_CHANNELS[COLOURS[photometric]]
    if not needed <= channels <= MOST_CHANNELS:
        raise UserError(
            f"a TIFF of {channels} channels, where its colours need {needed} and at most "
            f"{MOST_CHANNELS} are read.",
            where=name,
        )
    layout = TiffLayout(
        width,
        height,
        bits,
        kind,
        channels,
        folder.integer(284, 1) == 2 and channels > 1,
        photometric,
        compression,
        folder.integer(317, 1) if compression in WITH_PREDICTOR else 1,
        folder.integer(266, 1) == 2,
        order,
        None,
        height,
        (),
        (),
        _extras(folder, channels - needed),
        folder.tags[347].data if 347 in folder.tags else b"",
        (folder.integer(292, 0), folder.integer(293, 0)),
    )
    _check_coding(layout, name)
    _check_brightness(layout, folder, name)
    return _with_segments(layout, folder, name)


def _refuse_unread(compression: int, photometric: int, folder: Directory, name: str) -> None:
    """Refuse compressions and colours that are not read, by their names."""
    if compression not in MOST_RATIO:
        what = UNREAD_COMPRESSIONS.get(compression, str(compression))
        raise UserError(f"a TIFF of compression {what}, which is not read. {_SAVE}", where=name)
    if photometric not in COLOURS:
        what = UNREAD_PHOTOMETRIC.get(photometric, f"photometric interpretation {photometric}")
        raise UserError(f"a TIFF of {what}, which is not read. {_SAVE}", where=name)
    if photometric == CMYK and folder.integer(332, 1) != 1:
        raise UserError(f"a TIFF of other inks than CMYK, which is not read. {_SAVE}", where=name)


def _check_coding(layout: TiffLayout, name: str) -> None:
    """Refuse depths that a compression or a predictor does not have."""
    wanted = 8 if layout.compression == JPEG else 1 if layout.compression in CCITT else layout.bits
    if layout.bits != wanted:
        raise UserError(
            f"a TIFF of {layout.bits} bits in a compression of {wanted}. {_SAVE}", where=name
        )
    whole_bytes = layout.bits in (8, 16, 32, 64)
    if not {1: True, 2: whole_bytes, 3: layout.kind == "f"}.get(layout.predictor, False):
        raise UserError(
            f"a TIFF of {layout.bits} bits with predictor {layout.predictor}, which is not read. "
            f"{_SAVE}",
            where=name,
        )


def _check_brightness(layout: TiffLayout, folder: Directory, name: str) -> None:
    """Refuse brightness apart from colours in other forms than that of a JPEG (TIFF 6.0, 21)."""
    if layout.photometric != YCBCR or layout.compression == JPEG:
        return
    thin = (folder.integers(SUBSAMPLING) or (2, 2)) != (1, 1)
    levels = (
        folder.tags[BLACK_AND_WHITE].numbers() if BLACK_AND_WHITE in folder.tags else FULL_RANGE
    )
    weights = folder.tags[WEIGHTS].numbers() if WEIGHTS in folder.tags else BT601
    unlike = max(abs(a - b) for a, b in zip(weights, BT601, strict=False)) > 1e-3
    if thin or unlike or levels != FULL_RANGE or (layout.bits, layout.kind) != (8, "u"):
        what = "colours at less than its size" if thin else "other levels or weights than a JPEG's"
        raise UserError(f"a TIFF of YCbCr with {what}, which is not read. {_SAVE}", where=name)


_SAVE = "Save it as an ordinary TIFF."


def _refuse_raw(folder: Directory, name: str) -> None:
    """Refuse raw photos that pass for TIFF, whose first picture is a small preview."""
    preview = folder.integer(254, 0) & 1 and SUB_FOLDERS in folder.tags and MAKE in folder.tags
    raw = DNG_VERSION in folder.tags or folder.integer(262, 1) in RAW_PHOTOMETRIC
    if raw or preview:
        raise UserError(f"{kinds.advice('a raw photo' + (' (DNG)' if raw else ''))}", where=name)


def _sample_type(folder: Directory, channels: int, name: str) -> tuple[int, str]:
    """Return bits and kind of the samples; UserError, by its name, for a type that is not held."""
    bits = set((folder.integers(258) or (1,))[:channels])
    formats = set((folder.integers(339) or (1,))[:channels])
    if len(bits) > 1 or len(formats) > 1:
        raise UserError(f"a TIFF whose channels have different types. {_SAVE}", where=name)
    (depth,), (sample_format,) = bits, formats
    kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(sample_format, "c")
    held = {"u": (*range(1, 17), 32), "i": (8, 16, 32), "f": (16, 32, 64), "c": ()}[kind]
    if depth not in held:
        words = {"u": "uint", "i": "int", "f": "float", "c": "complex"}[kind]
        raise UserError(
            f"a TIFF of {words}{depth} samples, which are not read. Save it with 8, 16 or "
            "32 bits a sample.",
            where=name,
        )
    return depth, kind


def _extras(folder: Directory, count: int) -> tuple[Extra, ...]:
    kinds_of: dict[int, Extra] = {1: "premultiplied", 2: "alpha"}
    stated = folder.integers(338)[:count]
    stated += (0,) * (count - len(stated))
    return tuple(kinds_of.get(value, "unspecified") for value in stated)


def _with_segments(layout: TiffLayout, folder: Directory, name: str) -> TiffLayout:
    """Return the layout with the places of its strips or tiles."""
    tiled = 322 in folder.tags
    offsets = folder.integers(324 if tiled else 273)
    counts = folder.integers(325 if tiled else 279)
    if tiled:
        tile = folder.integer(323, 0), folder.integer(322, 0)
        rows = tile[0]
        if min(tile) < 1 or tile[0] * tile[1] > 2**28:
            raise UserError(f"damaged, it has tiles of {tile[1]}x{tile[0]} pixels.", where=name)
        across = -(-layout.width // tile[1])
        wanted = across * -(-layout.height // tile[0])
    else:
        tile, rows = None, min(max(folder.integer(278, layout.height), 1), max(layout.height, 1))
        wanted = -(-layout.height // rows)
    wanted *= layout.channels if layout.planes else 1
    if len(offsets) < wanted or (len(counts) < wanted and layout.compression != 1):
        raise UserError("damaged or truncated, places of its pixels are missing.", where=name)
    return replace(layout, tile=tile, rows=rows, offsets=offsets[:wanted], counts=counts[:wanted])
