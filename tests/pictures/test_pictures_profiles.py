"""Inks with a profile of their own: shown through it, and filled through it."""

from __future__ import annotations

import struct
from itertools import product

import numpy as np

from inpaint_cli.pictures.colours import inks_of, shown, stored
from inpaint_cli.pictures.reading import read
from tests.pictures import pictures_of as make

PAPER = (95, 0, 20)
"""Lab of no ink: a yellowish paper."""
GRID = 9


def lut(inputs: int, outputs: int, points: int, table: list[int]) -> bytes:
    """A lookup of 8 bits (ICC.1, section 10.11) whose curves are straight."""
    matrix = struct.pack(">9I", *(0x10000 if n % 4 == 0 else 0 for n in range(9)))
    straight = bytes(range(256))
    head = b"mft1\0\0\0\0" + bytes([inputs, outputs, points, 0])
    return head + matrix + straight * inputs + bytes(table) + straight * outputs


def profile() -> bytes:
    """A profile of a press on which black and the other inks darken the paper alike."""
    there, back = [], []
    for inks in product((0, 1), repeat=4):
        light = (1 - max(inks[:3])) * (1 - inks[3])
        there += [round(PAPER[0] * light * 2.55), 128, 128 + PAPER[2] * light]
    for light, _, _ in product(range(GRID), repeat=3):
        back += [0, 0, 0, round(255 * (1 - light / (GRID - 1)))]
    tags = {
        b"A2B0": lut(4, 3, 2, there),
        b"B2A0": lut(3, 4, GRID, back),
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D),
    }
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", place + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def test_inks_are_shown_and_filled_through_their_profile() -> None:
    for dtype in ("uint8", "uint16"):
        most = int(np.iinfo(dtype).max)
        page = np.zeros((make.HEIGHT, make.WIDTH, 4), dtype)
        page[:, 3:5] = (most, most, most, 0)
        page[:, 5:7, 3] = most // 2
        icc = (34675, "B", tuple(profile()))
        picture = read(make.tiff(page, 5, more=[icc]))
        assert picture.metadata.icc == profile()
        colours = shown(picture)
        ink, half = colours[0, 3], colours[0, 5]
        assert half[0] - half[2] > 10  # yellowish, which ideal inks are not
        assert ink.max() < 10
        everything = np.ones((make.HEIGHT, make.WIDTH), np.bool_)
        fill = stored(picture, colours, inks=inks_of(picture, everything))
        assert fill.dtype == page.dtype
        assert (fill[0, 0] == 0).all()
        assert abs(int(fill[0, 5, 3]) - most // 2) < 0.1 * most
        assert (fill[0, 3] > [-1, -1, -1, 0.9 * most]).all()
        assert (fill[0, 3, :3] == 0).all()


def test_black_only_pages_stay_so_under_a_profile() -> None:
    page = np.zeros((make.HEIGHT, make.WIDTH, 4), np.uint8)
    page[..., 3] = np.arange(make.WIDTH) * 25
    picture = read(make.tiff(page, 5, more=[(34675, "B", tuple(profile()))]))
    everything = np.ones((make.HEIGHT, make.WIDTH), np.bool_)
    fill = stored(picture, shown(picture), inks=inks_of(picture, everything))
    assert (fill[..., :3] == 0).all()
    np.testing.assert_allclose(fill[..., 3].astype(int), page[..., 3], atol=4)


def test_a_damaged_profile_is_kept_and_not_used() -> None:
    page = make.samples("uint8", 4)
    picture = read(make.tiff(page, 5, more=[(34675, "B", tuple(b"no profile"))]))
    np.testing.assert_array_equal(shown(picture), shown(read(make.tiff(page, 5))))
    assert picture.metadata.icc == b"no profile"
