"""Unpacks LZW and PackBits of TIFF (TIFF 6.0, sections 13 and 9), silently and within bounds.

libtiff would write its complaints about damaged files to the terminal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

CLEAR, END, FIRST = 256, 257, 258
AT_ONCE = 4200
"""Codes that are looked at together: the table is full, and cleared, after fewer."""

Array = npt.NDArray[Any]


def unpacked_lzw(data: bytes, size: int) -> bytes:
    """Return up to `size` unpacked bytes. ValueError where the codes make no sense.

    Between two clearings of the table all codes are looked up together.
    """
    if data[:2] == b"\x00\x01":
        raise ValueError("LZW of an old kind")
    codes_of = _Codes(data)
    parts, length, bit = [], 0, 0
    while length < size:
        codes, bit, ended = codes_of.until_mark(bit)
        if len(codes):
            parts.append(_one_table(codes, size - length))
            length += len(parts[-1])
        if ended:
            break
    return b"".join(parts)[:size]


class _Codes:
    """The codes of a packed text, of 9 to 12 bits by how many came since the table was cleared."""

    def __init__(self, data: bytes) -> None:
        padded = np.frombuffer(data + b"\0\0\0\0", np.uint8).astype(np.uint32)
        self.windows = padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]
        """24 bits from each byte on."""
        self.bits = 8 * len(data)
        self.widths, self.starts = _widths(AT_ONCE)

    def until_mark(self, bit: int) -> tuple[Array, int, bool]:
        """Return the codes from a bit on until a mark, the bit behind it, and whether it ends all.

        The end of the data is an end too.
        """
        count = AT_ONCE
        while True:
            widths, starts = (self.widths, self.starts) if count == AT_ONCE else _widths(count)
            places = bit + starts
            whole = int(np.searchsorted(places + widths, self.bits, side="right"))
            places, widths = places[:whole], widths[:whole]
            codes = self.windows[places >> 3] >> (24 - (places & 7) - widths)
            codes = codes & ((1 << widths) - 1)
            marks = np.flatnonzero((codes == CLEAR) | (codes == END))
            if len(marks):
                mark = int(marks[0])
                return codes[:mark], int(places[mark] + widths[mark]), bool(codes[mark] == END)
            if whole < count:
                return codes, self.bits, True
            count *= 4


def _widths(count: int) -> tuple[Array, Array]:
    """Return width and first bit of codes after a clear; widths grow one code early (page 60)."""
    number = np.arange(count)
    widths = 9 + (number >= 254).astype(np.int64) + (number >= 766) + (number >= 1790)
    return widths, np.cumsum(widths) - widths


def _one_table(codes: Array, room: int) -> bytes:
    """Return what codes say between two clearings of the table, and little more than `room` bytes.

    What a code says is what an earlier one says, and the first byte of the one behind that. So the
    bytes are put in their places from the last of each code to its first.
    """
    earlier = codes.astype(np.int32) - FIRST
    count = len(earlier)
    if (earlier >= np.arange(count)).any() or (codes == CLEAR).any():
        raise ValueError("LZW with a code before its time")
    literal = earlier < 0
    depths, roots = _depths(np.where(literal, np.arange(count), earlier), literal)
    first = codes.astype(np.uint8)[roots]
    last = np.where(literal, first, first[np.where(literal, 0, earlier + 1)])
    places: Array = np.cumsum(depths + 1) - 1
    count = min(count, int(np.searchsorted(places, room)) + 1)
    places = places[:count]
    values = np.empty(int(places[-1]) + 1, np.uint8)
    current: Array = np.arange(count)
    while len(current):
        values[places] = last[current]
        current = earlier[current]
        going_on = current >= 0
        current, places = current[going_on], places[going_on] - 1
    return values.tobytes()


def _depths(parents: Array, literal: Array) -> tuple[Array, Array]:
    """Return how many steps lead from each code to a literal one, and to which.

    parents: of each code, literal ones being their own. The steps are doubled until all are there.
    """
    depths = (~literal).astype(np.int64)
    while not literal[parents].all():
        depths = depths + depths[parents]
        parents = parents[parents]
    return depths, parents


def unpacked_bits(data: bytes, size: int) -> bytes:
    """Return up to `size` bytes of PackBits: runs, and stretches as they are."""
    parts, length, place = [], 0, 0
    while length < size and place + 1 < len(data):
        head = data[place]
        if head < 128:
            parts.append(data[place + 1 : place + 2 + head])
            place += 2 + head
        elif head > 128:
            parts.append(data[place + 1 : place + 2] * (257 - head))
            place += 2
        else:
            place += 1
            continue
        length += len(parts[-1])
    return b"".join(parts)[:size]
