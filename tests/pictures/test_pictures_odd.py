"""Headers that say what decoders do not heed: kept, told in a note, or refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.pictures.mask_levels import mask_values, with_values
from inpaint_cli.pictures.picture import of_array
from inpaint_cli.pictures.reading import read
from inpaint_cli.pictures.writing import visible_change, write
from tests.pictures import pictures_of as make
from tests.pictures.pictures_of import saved


def with_tag(file: bytes, number: int, value: int) -> bytes:
    """A TIFF of ours with another number in one of its tags of one short."""
    at = file.index(struct.pack("<HHI", number, 3, 1)) + 8
    return file[:at] + struct.pack("<H", value) + file[at + 2 :]


def smooth(mode: str = "RGB") -> Image.Image:
    array = np.add.outer(np.arange(64) * 2, np.arange(80))[..., None] + np.array([0, 20, 40])
    return Image.fromarray(array.astype(np.uint8)).convert(mode)


@pytest.mark.parametrize("compression", [1, 32773])
def test_a_predictor_means_nothing_where_a_compression_has_none(compression: int) -> None:
    array = make.samples("uint8", 3)
    file = with_tag(make.tiff(array, 2, compression=compression), 317, 2)
    np.testing.assert_array_equal(read(file).samples, array)


@pytest.mark.parametrize(
    ("dtype", "bits", "predictor"), [("uint16", 12, 2), ("uint8", 8, 3), ("uint8", 8, 34892)]
)
def test_a_predictor_that_is_not_undone_is_refused(dtype: str, bits: int, predictor: int) -> None:
    file = make.tiff(make.samples(dtype, 1, bits), 1, bits=bits, compression=8)
    with pytest.raises(UserError, match=f"{bits} bits with predictor {predictor}, which is not"):
        read(with_tag(file, 317, predictor))


def test_palettes_of_deep_colours_stay_deep(tmp_path: Path) -> None:
    indices, colours = make.samples("uint8", 2, 4), make.samples("uint16", 3).reshape(-1, 3)[:16]
    palette = (320, "H", tuple(int(value) for value in colours.T.ravel()))
    picture = read(make.tiff(indices, 3, bits=4, extras=(2,), more=[palette]))
    assert picture.mode == "rgb+alpha 16 bit"
    np.testing.assert_array_equal(picture.samples[..., :3], colours[indices[..., 0]])
    np.testing.assert_array_equal(picture.samples[..., 3], indices[..., 1] * np.uint16(4369))
    write(tmp_path / "a.tiff", picture, picture.samples)
    np.testing.assert_array_equal(read(tmp_path / "a.tiff").samples, picture.samples)


@pytest.mark.parametrize("most", [32768, 40000, 65534])
def test_pnm_of_nearly_sixteen_bits_is_stretched_without_overflow(most: int) -> None:
    array = np.linspace(0, most, make.HEIGHT * make.WIDTH).astype(np.uint16)
    picture = read(b"P5 10 7 %d\n" % most + array.astype(">u2").tobytes())
    wanted = np.rint(array.astype(float) * 65535 / most)
    assert np.abs(picture.samples.ravel() - wanted).max() <= 1
    assert picture.samples.max() == 65535


def test_a_pam_of_other_samples_is_refused_by_its_name() -> None:
    array = make.samples("uint8", 4)
    head = b"P7\nWIDTH 10\nHEIGHT 7\nDEPTH 4\nMAXVAL 255\nTUPLTYPE %s\nENDHDR\n"
    np.testing.assert_array_equal(read(head % b"RGB_ALPHA" + array.tobytes()).samples, array)
    for kind in (b"CMYK", b"RGB", b"GRAYSCALE_ALPHA"):
        with pytest.raises(UserError, match=f"a PAM of 4 channels called {kind.decode()}, which"):
            read(head % kind + array.tobytes())


def test_a_comment_may_follow_the_maximum_of_a_pnm() -> None:
    array = make.samples("uint8", 1)
    np.testing.assert_array_equal(read(b"P5 10 7 255#white\n" + array.tobytes()).samples, array)


def test_several_pictures_in_a_pnm_are_told() -> None:
    array = make.samples("uint8", 1)
    one = b"P5 10 7 255\n" + array.tobytes()
    bits = b"P4 10 7\n" + bytes(14)
    floats = b"Pf 10 7 -1\n" + bytes(280)
    for file in (one, bits, floats):
        assert read(file + b"\n").notes == ()
        assert read(file + file).notes == ("the first of several frames is taken",)


def test_a_format_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    picture = read(saved(smooth(), "BMP"))
    note = "BMP cannot be written, png is taken in its place"
    assert write(tmp_path / "a.png", picture, picture.samples, format="keep").notes == (note,)
    assert write(tmp_path / "a.png", picture, picture.samples).notes == ()


def test_a_png_without_its_palette_is_refused() -> None:
    with pytest.raises(UserError, match="it has no palette"):
        read(make.png(make.samples("uint8", 1, 4), 4, 3))


@pytest.mark.parametrize("content", [b"", b"\0", bytes(8)])
def test_a_transparent_colour_of_a_false_length_is_left_out(content: bytes) -> None:
    array = make.samples("uint8", 3)
    picture = read(make.png(array, 8, 2, before=[make.chunk(b"tRNS", content)]))
    np.testing.assert_array_equal(picture.samples, array)
    assert picture.notes == ("damaged, so left out: tRNS",)


@pytest.mark.parametrize(
    ("marker", "bits", "words"),
    [(0xC0, 12, "a JPEG of 12 bits"), (0xC3, 8, "a lossless JPEG"), (0xC5, 8, "hierarchical"),
     (0xF7, 8, "a JPEG-LS picture")],
)  # fmt: skip
def test_kinds_of_jpeg_that_are_not_read_are_named(marker: int, bits: int, words: str) -> None:
    file = bytearray(saved(smooth(), "JPEG"))
    at = file.index(b"\xff\xc0")
    file[at + 1], file[at + 4] = marker, bits
    with pytest.raises(UserError, match=f"{words}.* which is not read. Save it as PNG"):
        read(bytes(file))


def test_what_a_library_does_not_know_is_not_called_damaged() -> None:
    head = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 32, 3, 64, 0, 0, 0, 0)
    masks = struct.pack("<III", 0x3FF00000, 0xFFC00, 0x3FF)
    file = b"BM" + struct.pack("<IHHI", 130, 0, 0, 66) + head + masks + bytes(64)
    with pytest.raises(UserError, match=r"of a kind that is not read \(Unsupported BMP") as error:
        read(file)
    assert "damaged" not in str(error.value)


@pytest.mark.parametrize(
    ("mode", "size", "note"),
    [("LA", 15, "16 bits are cut to 8"), ("I;16", 11, "12 bits are stored in 16, times 16"),
     ("I;16", 15 | 128, "signed samples are stored without sign")],
)  # fmt: skip
def test_jpeg_2000_tells_what_becomes_of_its_samples(mode: str, size: int, note: str) -> None:
    image = smooth("LA")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(smooth("L"), np.uint16) * np.uint16(200))
    file = bytearray(saved(image, "JPEG2000"))
    at = file.index(b"\xff\x51")
    channels = 2 if mode == "LA" else 1
    file[at + 40 : at + 40 + 3 * channels : 3] = bytes([size] * channels)
    assert note in " ".join(read(bytes(file)).notes)


@pytest.mark.parametrize(("attributes", "mode"), [(0, "rgb 8 bit"), (1, "rgb+alpha 8 bit")])
def test_the_last_bit_of_a_targa_pixel_is_alpha_only_if_it_says_so(
    attributes: int, mode: str
) -> None:
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 4, 3, 16, 0x20 | attributes)
    assert read(head + bytes(24)).mode == mode


def test_an_icon_says_that_its_largest_size_was_taken() -> None:
    picture = read(saved(smooth().crop((0, 0, 64, 64)), "ICO", sizes=[(16, 16), (32, 32)]))
    assert (picture.height, picture.width) == (32, 32)
    assert picture.notes == ("the largest of its 2 sizes is taken",)


@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_is_exact_by_its_chunks_however_late_they_come(lossless: bool) -> None:
    frames = [smooth(), smooth().rotate(90)]
    more = {"save_all": True, "append_images": frames[1:]}
    for settings in ({"icc_profile": b"VP8L" * 3000}, more):
        file = saved(frames[0], "WEBP", lossless=lossless, **settings)
        assert read(file).lossless == lossless


def test_labels_in_three_channels_or_behind_an_opaque_alpha_are_labels() -> None:
    hole = np.random.default_rng(0).random((7, 10)) < 0.3
    labels = (hole * 2).astype(np.uint8)
    opaque = np.full_like(labels, 255)
    for channels in ([labels] * 3, [labels, opaque], [labels, labels, labels, opaque]):
        picture = of_array(np.stack(channels, axis=2))
        mask = mask_values(picture)
        assert (mask.distinct, mask.white) == ((0, 2), 2)
        np.testing.assert_array_equal(mask.values >= 128, hole)
        np.testing.assert_array_equal(with_values(picture, [2]), hole)


@pytest.mark.parametrize("bits", [2, 4])
def test_labels_of_few_bits_are_named_as_they_are_stored(bits: int) -> None:
    labels = make.samples("uint8", 1, bits)
    pgm = b"P5 10 7 %d\n" % (2**bits - 1) + labels.tobytes()
    for file in (make.png(labels, bits, 0), make.tiff(labels, 1, bits=bits), pgm):
        picture = read(file)
        assert mask_values(picture).distinct == tuple(np.unique(labels))
        np.testing.assert_array_equal(with_values(picture, [3]), labels[..., 0] == 3)


def test_numbers_that_are_none_are_no_labels() -> None:
    mask = mask_values(of_array(np.array([[0, np.nan], [0, 1]], np.float32)))
    assert mask.distinct == (0, 1)


def test_a_change_is_measured_as_it_is_seen(tmp_path: Path) -> None:
    clear = make.samples("uint8", 4)
    clear[..., 3] = np.where(clear[..., 3] < 128, 0, 255)
    dark = np.asarray(smooth(), np.uint16) * np.uint16(15)  # 12 bits in 16
    everything = np.ones((7, 10), np.bool_), np.ones((64, 80), np.bool_)
    for array, visible, most in ((clear, everything[0], 40), (dark, everything[1], 3)):
        picture = of_array(array)
        if array is dark:
            from inpaint_cli.pictures.ranges import ranged

            picture = ranged(picture, visible)
        written = write(tmp_path / "a.jpg", picture, array, format="jpeg", quality=100)
        assert not written.exact
        assert visible_change(picture, visible, tmp_path / "a.jpg").largest < most
