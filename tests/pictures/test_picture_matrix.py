"""Every kind of picture comes in sample by sample, and goes out again as it was."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from inpaint_cli.pictures.picture import Picture
from inpaint_cli.pictures.reading import look, read
from inpaint_cli.pictures.writing import format_for, suffix_for, write
from tests.pictures import pictures_of as make

ORIENTATIONS = range(1, 9)
LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one strip": {"rows": make.HEIGHT},
    "deflate": {"compression": 8, "predictor": 2},
    "lzw": {"compression": 5},
    "lzw with differences": {"compression": 5, "predictor": 2},
    "packbits": {"compression": 32773},
    "planar": {"planar": True},
    "planar lzw": {"planar": True, "compression": 5},
    "tiled": {"tile": 16},
    "small tiles": {"tile": 4, "compression": 8},
    "planar tiles": {"tile": 4, "planar": True, "compression": 5},
    "big-endian": {"order": ">"},
    "big-endian differences": {"order": ">", "compression": 8, "predictor": 2},
    "BigTIFF": {"big": True},
    "big-endian BigTIFF": {"big": True, "order": ">", "compression": 5},
}
# photometric interpretation, channels, kinds of further channels, and what they are called
KINDS: dict[str, tuple[int, int, tuple[int, ...], str]] = {
    "grey": (1, 1, (), "grey"),
    "white is zero": (0, 1, (), "grey"),
    "grey and alpha": (1, 2, (2,), "grey+alpha"),
    "RGB": (2, 3, (), "rgb"),
    "RGBA": (2, 4, (2,), "rgb+alpha"),
    "premultiplied": (2, 4, (1,), "rgb+premultiplied"),
    "unspecified": (2, 4, (0,), "rgb+unspecified"),
    "five channels": (2, 5, (2, 0), "rgb+alpha+unspecified"),
    "CMYK": (5, 4, (), "cmyk"),
    "CMYK and alpha": (5, 5, (2,), "cmyk+alpha"),
    "LAB": (8, 3, (), "lab"),
    "ICC LAB": (9, 3, (), "icclab"),
}
TYPES = ("uint8", "uint16", "int8", "int16", "uint32", "int32", "float16", "float32", "float64")


def tiff_of(kind: str, dtype: str, layout: str, orientation: int) -> tuple[bytes, Any]:
    photometric, channels, extras, _ = KINDS[kind]
    array = make.samples(dtype, channels)
    settings = dict(LAYOUTS[layout])
    if dtype.startswith("float") and settings.get("predictor") == 2:
        settings["predictor"] = 3
    file = make.tiff(array, photometric, extras=extras, orientation=orientation, **settings)
    return file, array


def again(picture: Picture, folder: Path, format: str = "lossless") -> Picture:
    path = folder / f"again{suffix_for(picture, format)}"
    written = write(path, picture, picture.samples, format=format)
    assert written.exact
    return read(path)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_tiffs_of_every_layout_are_read_and_written_exactly(
    tmp_path: Path, kind: str, layout: str
) -> None:
    for number, dtype in enumerate(TYPES):
        orientation = 1 + number % 8
        file, array = tiff_of(kind, dtype, layout, orientation)
        picture = read(file)
        assert picture.samples.dtype == array.dtype
        np.testing.assert_array_equal(picture.samples, make.oriented(array, orientation))
        assert picture.mode.split()[0] == KINDS[kind][3]
        assert (picture.low > picture.high) == (kind == "white is zero")
        assert not picture.notes
        if layout not in ("plain", "big-endian"):
            continue
        back = again(picture, tmp_path)
        assert (back.mode, back.low, back.high) == (picture.mode, picture.low, picture.high)
        np.testing.assert_array_equal(back.samples, picture.samples)
        assert back.samples.dtype == array.dtype


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_tiff_is_turned_upright(kind: str, orientation: int) -> None:
    for dtype, layout in product(("uint8", "uint16", "float32"), ("one strip", "deflate")):
        file, array = tiff_of(kind, dtype, layout, orientation)
        picture = read(file)
        np.testing.assert_array_equal(picture.samples, make.oriented(array, orientation))
        seen = look(file)
        assert (seen.height, seen.width) == picture.samples.shape[:2]


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
@pytest.mark.parametrize("kind", ["grey", "white is zero", "RGB", "RGBA", "CMYK"])
def test_packed_tiffs_keep_their_bits(tmp_path: Path, kind: str, bits: int) -> None:
    photometric, channels, extras, name = KINDS[kind]
    array = make.samples("uint16", channels, bits)
    for settings in ({}, {"compression": 8}, {"planar": True}, {"tile": 16}, {"order": ">"}):
        file = make.tiff(array, photometric, bits=bits, extras=extras, **settings)
        picture = read(file)
        assert picture.mode == f"{name} {bits} bit"
        np.testing.assert_array_equal(picture.samples, array)
        back = again(picture, tmp_path)
        assert back.mode == picture.mode
        np.testing.assert_array_equal(back.samples, array)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("orientation", [1, 6])
def test_tiffs_of_one_bit_stay_so(tmp_path: Path, photometric: int, orientation: int) -> None:
    array = make.samples("uint8", 1, 1)
    for compression in (1, 5, 8, 32773):
        file = make.tiff(
            array, photometric, bits=1, compression=compression, orientation=orientation
        )
        picture = read(file)
        np.testing.assert_array_equal(picture.samples, make.oriented(array, orientation))
        back = again(picture, tmp_path)
        assert (back.mode, back.low, back.high) == ("grey 1 bit", picture.low, picture.high)
        np.testing.assert_array_equal(back.samples, picture.samples)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_two_and_four_bits_becomes_eight_in_the_same_shades(bits: int) -> None:
    array = make.samples("uint8", 1, bits)
    picture = read(make.tiff(array, 1, bits=bits))
    np.testing.assert_array_equal(picture.samples, array * (255 // (2**bits - 1)))
    assert "8" in picture.notes[0]
    assert read(make.png(array, bits, 0)).mode == "grey 8 bit"
    np.testing.assert_array_equal(read(make.png(array, bits, 0)).samples, picture.samples)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_become_colours_and_their_indices_stay_known(bits: int) -> None:
    indices = make.samples("uint8", 1, bits)
    table = np.resize(make.samples("uint8", 3, seed=1).reshape(-1, 3), (2**bits, 3))
    upright = make.oriented(indices, 6)
    # As most programs write 8 bits in 16, as others do, and as old ones did.
    for factor in (256, 257, 1):
        colours = table.T.ravel().astype(int) * factor
        palette = (320, "H", tuple(colours.tolist()))
        picture = read(make.tiff(indices, 3, bits=bits, more=[palette], orientation=6))
        assert picture.samples.dtype == np.uint8
        np.testing.assert_array_equal(picture.samples, table[upright[..., 0]])
        assert "palette" in picture.notes[0]
        assert picture.indices is not None
        np.testing.assert_array_equal(picture.indices, upright[..., 0])
    file = make.png(indices, bits, 3, before=[make.chunk(b"PLTE", table.tobytes())])
    np.testing.assert_array_equal(read(file).samples, table[indices[..., 0]])


PNG_KINDS = {"grey": (0, 1), "grey and alpha": (4, 2), "RGB": (2, 3), "RGBA": (6, 4)}


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind", PNG_KINDS)
def test_pngs_are_read_and_written_exactly(
    tmp_path: Path, kind: str, depth: int, interlaced: bool
) -> None:
    coding, channels = PNG_KINDS[kind]
    array = make.samples(f"uint{depth}", channels)
    for orientation in ORIENTATIONS:
        exif = b"II*\0\x08\0\0\0" + make.directory([(274, "H", (orientation,))], 8, "<", False)
        before = [make.chunk(b"eXIf", exif)]
        file = make.png(array, depth, coding, before=before, interlaced=interlaced)
        picture = read(file)
        assert picture.samples.dtype == array.dtype
        np.testing.assert_array_equal(picture.samples, make.oriented(array, orientation))
        back = again(picture, tmp_path)
        assert back.mode == picture.mode
        np.testing.assert_array_equal(back.samples, picture.samples)
        if channels != 2:  # OpenCV knows no grey with alpha
            other = cv2.imread(str(tmp_path / "again.png"), cv2.IMREAD_UNCHANGED)
            order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
            assert other is not None
            np.testing.assert_array_equal(
                other.reshape(*other.shape[:2], channels)[..., order], picture.samples
            )


def test_a_png_of_one_bit_stays_so(tmp_path: Path) -> None:
    array = make.samples("uint8", 1, 1)
    picture = read(make.png(array, 1, 0))
    np.testing.assert_array_equal(picture.samples, array)
    assert again(picture, tmp_path).mode == "grey 1 bit"
    np.testing.assert_array_equal(again(picture, tmp_path).samples, array)


@pytest.mark.parametrize(("depth", "coding"), [(1, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2)])
def test_a_transparent_colour_becomes_alpha_at_every_depth(depth: int, coding: int) -> None:
    array = make.samples("uint16" if depth == 16 else "uint8", 1 if coding == 0 else 3, depth)
    key = array[2, 3]
    transparency = make.chunk(b"tRNS", key.astype(">u2").tobytes())
    picture = read(make.png(array, depth, coding, before=[transparency]))
    clear = (array == key).all(axis=2)
    assert picture.extras == ("alpha",)
    np.testing.assert_array_equal(picture.samples[..., -1] == 0, clear)
    np.testing.assert_array_equal(picture.samples[..., -1] == picture.opaque, ~clear)
    assert "transparent colour" in picture.notes[0]


@pytest.mark.parametrize("bits", [10, 12])
def test_ten_and_twelve_bits_in_sixteen_are_kept(tmp_path: Path, bits: int) -> None:
    array = make.samples("uint16", 3, bits)
    picture = read(make.png(array, 16, 2))
    np.testing.assert_array_equal(again(picture, tmp_path).samples, array)


@pytest.mark.parametrize(
    ("kind", "most", "channels"),
    [(b"P2", 255, 1), (b"P5", 255, 1), (b"P3", 100, 3), (b"P6", 255, 3), (b"P6", 1023, 3),
     (b"P5", 65535, 1), (b"P5", 4095, 1)],
)  # fmt: skip
def test_the_stated_maximum_of_a_pnm_is_white(kind: bytes, most: int, channels: int) -> None:
    array = np.random.default_rng(0).integers(0, most + 1, (make.HEIGHT, make.WIDTH, channels))
    head = b"%s\n# made\n%d %d\n%d\n" % (kind, make.WIDTH, make.HEIGHT, most)
    if kind in (b"P2", b"P3"):
        body = " ".join(map(str, array.ravel())).encode()
    else:
        body = array.astype(">u2" if most > 255 else "u1").tobytes()
    picture = read(head + body)
    top = 255 if most < 256 else 65535
    assert picture.bits == (8 if top == 255 else 16)
    np.testing.assert_array_equal(picture.samples, np.floor(array / most * top + 0.5))
    assert bool(picture.notes) == (most != top)


def test_bitmaps_and_float_maps_are_read() -> None:
    array = make.samples("uint8", 1, 1)
    ascii_rows = b"".join(b"%d" % v for v in array.ravel())
    for raw in (
        b"P1 10 7\n" + ascii_rows,
        b"P4 10 7\n" + np.packbits(array[..., 0], axis=1).tobytes(),
    ):
        picture = read(raw)
        assert picture.mode == "grey 1 bit"
        np.testing.assert_array_equal(picture.samples, 1 - array)  # 1 is black
    real = make.samples("float32", 3)
    for scale, order in ((b"-1.0", "<f4"), (b"1.0", ">f4")):
        raw = b"PF\n10 7\n" + scale + b"\n" + real[::-1].astype(order).tobytes()
        np.testing.assert_array_equal(read(raw).samples, real)
    deep = make.samples("uint16", 4)
    head = b"P7\nWIDTH 10\nHEIGHT 7\nDEPTH 4\nMAXVAL 65535\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    picture = read(head + deep.astype(">u2").tobytes())
    assert picture.mode == "rgb+alpha 16 bit"
    np.testing.assert_array_equal(picture.samples, deep)


@pytest.mark.parametrize(
    ("dtype", "words"), [("uint64", "uint64"), ("int64", "int64"), ("complex64", "complex64")]
)
def test_types_that_cannot_be_held_are_refused_by_their_name(dtype: str, words: str) -> None:
    from inpaint_cli.errors import UserError

    bits = int(words[-2:])
    array = np.zeros((4, 4, 1), f"uint{min(bits, 64)}")
    kind = {"u": 1, "i": 2, "c": 6}[words[0]]
    file = make.tiff(array, 1).replace(
        np.array([339, 3, 1, 0, 1, 0], "<u2").tobytes(),
        np.array([339, 3, 1, 0, kind, 0], "<u2").tobytes(),
    )
    with pytest.raises(UserError, match=words):
        read(file)


def test_tifffile_and_this_reader_agree_both_ways(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    cases: list[tuple[str, int, dict[str, Any]]] = [
        ("uint8", 3, {"photometric": "rgb"}),
        ("uint16", 3, {"photometric": "rgb", "planarconfig": "separate"}),
        ("uint16", 1, {"photometric": "miniswhite"}),
        ("uint16", 4, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
        ("int16", 1, {"photometric": "minisblack", "byteorder": ">"}),
        ("float32", 1, {"photometric": "minisblack", "tile": (16, 16)}),
        ("float64", 3, {"photometric": "rgb", "bigtiff": True}),
        ("uint16", 4, {"photometric": "separated"}),
        ("uint8", 3, {"photometric": "rgb", "compression": "zlib"}),
        ("uint8", 3, {"photometric": "cielab"}),
    ]
    for dtype, channels, settings in cases:
        array = make.samples(dtype, channels)
        given = array[..., 0] if channels == 1 else array
        if settings.get("planarconfig") == "separate":
            given = given.transpose(2, 0, 1)
        raw = io.BytesIO()
        tifffile.imwrite(raw, given, metadata=None, **settings)
        picture = read(raw.getvalue())
        np.testing.assert_array_equal(picture.samples, array)
        path = tmp_path / "b.tiff"
        write(path, picture, picture.samples)
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            if page.predictor in (1, 3):
                back = page.asarray()
                np.testing.assert_array_equal(back.reshape(array.shape), array)
            assert page.photometric.name.lower() == settings["photometric"]
            assert page.dtype == array.dtype


@pytest.mark.parametrize(
    ("compression", "modes"),
    [("jpeg", "L RGB CMYK"), ("group3", "1"), ("group4", "1"), ("tiff_ccitt", "1"),
     ("tiff_lzw", "1 L RGB CMYK I;16"), ("packbits", "1 L RGB"), ("lzma", "RGB")],
)  # fmt: skip
@pytest.mark.parametrize("orientation", [1, 6])
def test_compressed_tiffs_are_read_as_pillow_reads_them(
    compression: str, modes: str, orientation: int
) -> None:
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)).resize((260, 170))
    for mode in modes.split():
        raw = io.BytesIO()
        image = smooth.convert("L").convert("I;16") if mode == "I;16" else smooth.convert(mode)
        image.save(raw, format="TIFF", compression=compression, tiffinfo={274: orientation})
        picture = read(raw.getvalue())
        with Image.open(io.BytesIO(raw.getvalue())) as opened:
            opened.load()
            wanted = np.asarray(opened)
        if mode == "1" and picture.low > picture.high:
            wanted = ~wanted
        np.testing.assert_array_equal(
            picture.samples.squeeze(2) if wanted.ndim == 2 else picture.samples, wanted
        )


@pytest.mark.parametrize("ends", [100, 4000, 300_000])
def test_lzw_without_any_mark_is_bounded(ends: int) -> None:
    from inpaint_cli.pictures.lzw import unpacked_lzw

    zeros = bytes(7) + b"\0" * ends
    assert len(unpacked_lzw(b"\x80" + zeros, 5000)) <= 5000
    with pytest.raises(ValueError, match="before its time"):
        unpacked_lzw(b"\xff" * 50, 100)


def test_opencv_reads_what_is_written(tmp_path: Path) -> None:
    for dtype, channels in product(("uint8", "uint16"), (1, 3, 4)):
        array = make.samples(dtype, channels)
        coding = {1: 1, 3: 2, 4: 2}[channels]
        extras = (2,) if channels == 4 else ()
        picture = read(make.tiff(array, coding, extras=extras))
        # OpenCV multiplies the colours of an 8-bit TIFF by its alpha.
        for format in ("png",) if dtype == "uint8" and channels == 4 else ("tiff", "png"):
            path = tmp_path / f"a{suffix_for(picture, format)}"
            write(path, picture, picture.samples, format=format)
            other = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert other is not None
            order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
            other = other.reshape(*array.shape[:2], channels)[..., order]
            np.testing.assert_array_equal(other, array)


def test_the_format_follows_what_png_can_hold() -> None:
    png = read(make.png(make.samples("uint8", 3), 8, 2))
    assert [format_for(png, f) for f in ("lossless", "keep", "jpeg")] == ["png", "png", "jpeg"]
    assert format_for(read(make.tiff(make.samples("uint8", 3), 2))) == "tiff"
    real = read(b"Pf\n10 7\n-1\n" + make.samples("float32", 1).tobytes())
    assert format_for(real) == "tiff"
