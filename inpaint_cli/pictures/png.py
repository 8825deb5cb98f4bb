"""PNG files: chunks read here, pixels by Pillow from a file that has nothing but pixels.

So damaged texts hide no sound picture, and no library writes to the terminal.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import ImageFile, PngImagePlugin

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import png_metadata
from inpaint_cli.pictures.opening import check_size
from inpaint_cli.pictures.picture import (
    Colours,
    Extra,
    Picture,
    Samples,
    first_of,
    upright,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {
    GREY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GREY_ALPHA: (8, 16),
    RGB_ALPHA: (8, 16),
}
TRANSPARENCIES = {
    GREY: range(2, 3),
    RGB: range(6, 7),
    PALETTE: range(1, 257),
    GREY_ALPHA: range(0),
    RGB_ALPHA: range(0),
}
"""Bytes that a chunk tRNS may have (PNG specification, section 11.3.2.1)."""
PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Of interlaced files: left, top, step across, step down (PNG specification, section 8.2)."""
SHADES = {2: 85, 4: 17}
"""The step between shades of grey that have so many bits, stretched to 8."""
MOST_RATIO = 1032
"""Deflate cannot shrink anything further than this."""


@dataclass
class PngFile:
    """The chunks of a file, up to its end or as far as they are whole."""

    width: int
    height: int
    depth: int
    coding: int
    interlaced: bool
    palette: bytes = b""
    transparency: bytes = b""
    frames: int = 1
    data: list[memoryview] = field(default_factory=list)
    others: list[tuple[bytes, bytes]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def read(data: bytes, name: str, huge: bool) -> Picture:
    """Return the picture of a PNG file; UserError, or whatever decoders raise, if it is damaged."""
    file = opened(data, name, huge)
    samples, indices = _samples(file, _inflated(file, name))
    metadata, orientation, damaged, left_out = png_metadata.of_chunks(file.others, file)
    notes = _notes(file, [*file.damaged, *damaged], left_out)
    colours: Colours = "grey" if samples.shape[2] < 3 else "rgb"
    extras: tuple[Extra, ...] = ("alpha",) if samples.shape[2] in (2, 4) else ()
    bits = max(file.depth, 8) if file.depth != 1 or file.coding == PALETTE or extras else 1
    return Picture(
        upright(samples, orientation),
        colours,
        bits,
        0.0,
        2.0**bits - 1,
        extras,
        "PNG",
        metadata,
        tuple(notes),
        None if indices is None else upright(indices, orientation),
    )


def _notes(file: PngFile, damaged: list[str], left_out: list[str]) -> Iterator[str]:
    yield from first_of(file.frames)
    if file.coding == PALETTE:
        mode = "RGBA" if file.transparency else "RGB"
        yield f"a palette image, taken as {mode}, since the fill needs other colours"
    elif file.transparency:
        mode = "LA" if file.coding == GREY else "RGBA"
        yield f"its transparent colour becomes an alpha channel ({mode})"
    if file.depth in (2, 4) and file.coding == GREY:
        yield f"grey of {file.depth} bits, taken as 8, in the same shades"
    if damaged:
        yield f"damaged, so left out: {', '.join(dict.fromkeys(damaged))}"
    if left_out:
        yield f"not kept: chunks {', '.join(dict.fromkeys(left_out))}"


def opened(data: bytes, name: str, huge: bool = False) -> PngFile:
    """Return the chunks of a file whose header is sound and whose pixels can be allocated."""
    chunks = _chunks(data)
    kind, header, sound = next(chunks, (b"", memoryview(b""), False))
    if kind != b"IHDR" or len(header) != 13 or not sound:
        raise UserError("damaged, it has no PNG header.", where=name)
    width, height, depth, coding, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth not in DEPTHS.get(coding, ()):
        raise UserError(f"damaged, PNG has no colour type {coding} of {depth} bits.", where=name)
    check_size(width, height, name, huge)
    file = PngFile(width, height, depth, coding, bool(interlaced))
    for kind, content, sound in chunks:
        _add(file, kind, content, sound, name)
    if coding == PALETTE and len(file.palette) < 3:
        raise UserError("damaged, it has no palette.", where=name)
    return file


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, bool]]:
    """Yield name, content and soundness of each chunk; a last one that is cut off as it is."""
    view, place = memoryview(data), len(SIGNATURE)
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", view[place : place + 8])
        content = view[place + 8 : place + 8 + length]
        after = bytes(view[place + 8 + length : place + 12 + length])
        sound = len(after) == 4 and zlib.crc32(content, zlib.crc32(kind)) == int.from_bytes(after)
        yield kind, content, sound
        if kind == b"IEND":
            return
        place += 12 + length


def _add(file: PngFile, kind: bytes, content: memoryview, sound: bool, name: str) -> None:
    """Put a chunk where it belongs. Damage is an error in what pixels depend on alone."""
    if kind in (b"PLTE", b"IDAT", b"tRNS") and not sound:
        raise UserError(
            f"damaged or truncated, it cannot be read (chunk {kind.decode()}).", where=name
        )
    if kind == b"PLTE":
        file.palette = bytes(content)
    elif kind == b"tRNS":
        if len(content) in TRANSPARENCIES[file.coding]:
            file.transparency = bytes(content)
        else:
            file.damaged.append("tRNS")
    elif kind == b"IDAT":
        file.data.append(content)
    elif kind == b"acTL" and sound and len(content) == 8:
        file.frames = int.from_bytes(content[:4])
    elif kind not in (b"IEND", b"fcTL", b"fdAT"):
        if sound:
            file.others.append((kind, bytes(content)))
        else:
            file.damaged.append(kind.decode("latin-1"))


def _row_bytes(file: PngFile, width: int) -> int:
    return (width * CHANNELS[file.coding] * file.depth + 7) // 8


def _expected(file: PngFile) -> int:
    """Return the bytes of all rows, each with the number of its filter."""
    if not file.interlaced:
        return file.height * (1 + _row_bytes(file, file.width))
    total = 0
    for left, top, across, down in PASSES:
        width, height = -((left - file.width) // across), -((top - file.height) // down)
        total += max(height, 0) * (1 + _row_bytes(file, width)) if width > 0 else 0
    return total


def _inflated(file: PngFile, name: str) -> bytes:
    """Return the filtered rows. UserError where there are fewer than the header says."""
    expected, packed = _expected(file), sum(map(len, file.data))
    truncated = UserError(
        "truncated, it has fewer rows of pixels than its header says.", where=name
    )
    if packed * MOST_RATIO < expected:
        raise truncated
    inflater = zlib.decompressobj()
    rows = inflater.decompress(b"".join(file.data), expected)
    if len(rows) < expected:
        raise truncated
    return rows


def _samples(file: PngFile, rows: bytes) -> tuple[Samples, Samples | None]:
    """Return samples [H, W, C], and what the file holds [H, W] where that is something else."""
    packed = zlib.compress(rows, 0)
    samples: Samples
    if file.coding == PALETTE:
        indices = _decoded(file, packed, file.depth, PALETTE).astype(np.uint8)
        return _coloured(file, indices), indices
    if file.depth < 16:
        samples = _decoded(file, packed, file.depth, file.coding).astype(np.uint8)
    elif file.coding == GREY:
        samples = _decoded(file, packed, 16, GREY).astype(np.uint16)
    elif file.coding == GREY_ALPHA:
        # Two samples of 16 bits are four bytes, as four samples of 8 bits are.
        bytewise = _decoded(file, packed, 8, RGB_ALPHA)
        samples = bytewise.view(">u2").astype(np.uint16)
    else:
        # Pillow knows 16-bit colours by their high or their low bytes.
        kind = "RGB" if file.coding == RGB else "RGBA"
        samples = _decoded(file, packed, 16, file.coding, f"{kind};16B").astype(np.uint16) << 8
        samples |= _decoded(file, packed, 16, file.coding, f"{kind};16L")
    samples = samples if samples.ndim == 3 else samples[..., None]
    held = samples[..., 0] // SHADES[file.depth] if file.depth in SHADES else None
    return (_with_key(file, samples) if file.transparency else samples), held


def _decoded(file: PngFile, packed: bytes, depth: int, coding: int, raw: str = "") -> Samples:
    """Return what Pillow makes of the rows, read as of a given depth and colour type."""
    header = struct.pack(">IIBBBBB", file.width, file.height, depth, coding, 0, 0, file.interlaced)
    plain = io.BytesIO()
    plain.write(SIGNATURE)
    PngImagePlugin.putchunk(plain, b"IHDR", header)
    if coding == PALETTE:
        PngImagePlugin.putchunk(plain, b"PLTE", file.palette[: 3 * 2**depth] or b"\0\0\0")
    PngImagePlugin.putchunk(plain, b"IDAT", packed)
    PngImagePlugin.putchunk(plain, b"IEND", b"")
    plain.seek(0)
    with PngImagePlugin.PngImageFile(plain) as image:
        if raw:
            tile = image.tile[0]
            image.tile = [ImageFile._Tile("zip", tile.extents, tile.offset, raw)]
        image.load()
        return np.array(image)


def _coloured(file: PngFile, indices: Samples) -> Samples:
    """Return the colours of a palette; indices beyond it are black, and opaque."""
    entries = np.frombuffer(file.palette[: len(file.palette) // 3 * 3], np.uint8).reshape(-1, 3)
    table = np.zeros((256, 4 if file.transparency else 3), np.uint8)
    table[: len(entries[:256]), :3] = entries[:256]
    if file.transparency:
        table[:, 3] = 255
        alphas = np.frombuffer(file.transparency[:256], np.uint8)
        table[: len(alphas), 3] = alphas
    return np.asarray(table[indices])


def _with_key(file: PngFile, samples: Samples) -> Samples:
    """Return samples with an alpha channel that is 0 where they have the transparent colour."""
    key = np.frombuffer(file.transparency, ">u2").astype(np.int64)
    if file.coding == GREY and file.depth < 8:
        key = (key & 2**file.depth - 1) * SHADES.get(file.depth, 1)
    clear = (samples == key).all(axis=2, keepdims=True)
    opaque = 255 if samples.dtype == np.uint8 else 65535
    if file.depth == 1 and file.coding == GREY:
        samples = samples * np.uint8(255)
    alpha = np.where(clear, 0, opaque).astype(samples.dtype)
    return np.concatenate([samples, alpha], axis=2)
