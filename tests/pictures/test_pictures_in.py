"""Odd and hostile pictures are read as they look, or refused in one sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import kinds
from inpaint_cli.pictures.colour_boxes import with_colours
from inpaint_cli.pictures.colours import in_bytes
from inpaint_cli.pictures.picture import Metadata
from inpaint_cli.pictures.reading import look, of_image, read, reduced_jpeg
from inpaint_cli.pictures.writing import write
from tests.pictures import pictures_of as make
from tests.pictures.pictures_of import saved

RNG = np.random.default_rng(0)


def photo(mode: str = "RGB", size: tuple[int, int] = (24, 20)) -> Image.Image:
    data = RNG.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    return Image.fromarray(data).convert(mode)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "GIF", "BMP", "TGA", "PCX", "JPEG2000"])
def test_pictures_of_other_formats_are_read_as_pillow_reads_them(format: str) -> None:
    for mode in ("L", "RGB"):
        data = saved(photo(mode), format)
        picture = read(data)
        with Image.open(io.BytesIO(data)) as image:
            wanted = np.asarray(image.convert("RGB"))
        seen = in_bytes(picture)
        np.testing.assert_array_equal(np.broadcast_to(seen, wanted.shape), wanted)
        assert picture.format == format
        assert look(data).height == 20


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_of_cameras_are_turned_upright(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    plain = read(saved(photo("RGB"), format, quality=90)).samples
    turned = saved(Image.fromarray(plain), format, exif=exif, quality=100)
    straight = read(saved(Image.fromarray(plain), format, quality=100)).samples
    np.testing.assert_array_equal(read(turned).samples, make.oriented(straight, orientation))
    assert (look(turned).height, look(turned).width) == read(turned).samples.shape[:2]


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_a_tiff_of_ycbcr_is_read_as_it_is_shown(compression: str | None) -> None:
    image = photo("YCbCr")
    picture = read(saved(image, "TIFF", compression=compression))
    np.testing.assert_array_equal(picture.samples, np.asarray(image.convert("RGB")))
    assert "YCbCr" in picture.notes[0]


def test_a_tiff_of_ycbcr_at_half_the_size_is_refused() -> None:
    image = photo("YCbCr")
    with pytest.raises(UserError, match="colours at less than its size"):
        read(saved(image, "TIFF", tiffinfo={530: (2, 2)}))


def test_a_cmyk_jpeg_keeps_its_inks() -> None:
    picture = read(saved(photo("CMYK"), "JPEG", quality=95))
    assert picture.mode == "cmyk 8 bit"


def test_a_jpeg_is_reduced_for_training_only() -> None:
    data = saved(photo("RGB", (640, 480)), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + make.directory(
        [(274, "H", (6,))], 8, "<", False))  # fmt: skip
    image = reduced_jpeg(data, "a.jpg", 64)
    assert image is not None
    assert image.size == (120, 160)
    assert reduced_jpeg(saved(photo(), "PNG"), "a.png", 64) is None


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"\0\0\0\x18ftypheic", "pillow-heif"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "pillow-heif"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"II*\0\x10\0\0\0CR\2\0", "raw photo"),
        (b"FUJIFILMCCD-RAW 0201", "raw photo"),
        (b"8BPS\0\1", "Photoshop"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'>", "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"hello, this is text and no picture at all", "not an image"),
        (b"\0" * 100, "not an image"),
        (b"", "empty"),
    ],
)
def test_other_files_are_named_by_their_content(
    tmp_path: Path, head: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpaint_cli.pictures.opening.has_heif", lambda: False)
    path = tmp_path / "a.png"
    path.write_bytes(head)
    with pytest.raises(UserError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_raw_photos_that_look_like_tiff_are_refused() -> None:
    array = make.samples("uint8", 3)
    make_tag = (271, "B", (65, 0))
    preview = [(254, "I", (1,)), (330, "I", (8,)), make_tag]
    dng = [(50706, "B", (1, 4, 0, 0))]
    for more in (preview, dng):
        with pytest.raises(UserError, match="raw photo"):
            read(make.tiff(array, 2, more=more))


def test_too_many_pixels_are_refused_before_anything_is_allocated() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + make.chunk(b"IHDR", header)
    with pytest.raises(UserError, match="400 megapixels"):
        read(start + make.chunk(b"IDAT", zlib.compress(bytes(10**6))))
    small = struct.pack(">IIBBBBB", 24, 4194324, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + make.chunk(b"IHDR", small)
    with pytest.raises(UserError, match="truncated"):
        read(data + make.chunk(b"IDAT", zlib.compress(bytes(3000))) + make.chunk(b"IEND", b""))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_pictures_beyond_the_limit_of_pillow_are_read(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # twice that is refused
    assert read(saved(photo(), format)).samples.shape[:2] == (20, 24)


def test_huge_pictures_are_read_where_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inpaint_cli.pictures.opening.PIXEL_LIMIT", 20)
    for format in ("PNG", "JPEG", "TIFF", "PPM", "BMP"):
        data = saved(photo(), format)
        with pytest.raises(UserError, match="24x20 pixels"):
            read(data)
        assert read(data, huge=True).width == 24


def test_a_truncated_file_of_each_kind_is_one_sentence() -> None:
    for format in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "TGA", "JPEG2000", "PPM"):
        data = saved(photo(size=(64, 64)), format)
        with pytest.raises(UserError, match=r"^x: ") as caught:
            read(data[: len(data) // 2], name="x")
        assert "\n" not in str(caught.value), format


def test_a_short_stream_of_pixels_is_no_black_picture() -> None:
    whole = make.png(make.samples("uint8", 3), 8, 2)
    rows = zlib.compress(make.filtered(make.samples("uint8", 3)[:3], 8))
    at = whole.index(b"IDAT") - 4
    with pytest.raises(UserError, match="fewer rows"):
        read(whole[:at] + make.chunk(b"IDAT", rows) + make.chunk(b"IEND", b""))


def test_damaged_metadata_hide_no_sound_picture(capfd: pytest.CaptureFixture[str]) -> None:
    array = make.samples("uint8", 3)
    bad = [
        make.chunk(b"tEXt", b"Author\0Me", sound=False),
        make.chunk(b"iCCP", b"ICC Profile\0\0"),
        make.chunk(b"iCCP", b"x"),
        make.chunk(b"eXIf", b"\x9d\xb5\x89\x9a"),
        make.chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
        make.chunk(b"zTXt", b"a\0\0" + b"broken"),
        make.chunk(b"pHYs", b"1"),
        make.chunk(b"tIME", b""),
        make.chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(2**21))),
    ]
    for one in bad:
        picture = read(make.png(array, 8, 2, before=[one]))
        np.testing.assert_array_equal(picture.samples, array)
    picture = read(make.png(array, 8, 2, before=bad, after=[b"\0\0\0\5tEXtab"]))
    np.testing.assert_array_equal(picture.samples, array)
    assert "damaged" in picture.notes[0]
    assert not picture.metadata.chunks
    jpeg = saved(photo(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert "EXIF" in read(jpeg).notes[0]
    assert capfd.readouterr() == ("", "")


def test_an_orientation_that_is_text_is_none() -> None:
    exif = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHI4sI", 274, 2, 2, b"6", 0)
    array = make.samples("uint16", 3)
    before = [make.chunk(b"eXIf", exif)]
    np.testing.assert_array_equal(read(make.png(array, 16, 2, before=before)).samples, array)


def test_damage_behind_the_first_frame_hides_no_sound_frame() -> None:
    frames = [photo(), photo()]
    gif = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    second = gif.index(b"\x21\xf9", 800)
    whole, cut = read(gif), read(gif[: second + 9] + b"\x2c\1")
    np.testing.assert_array_equal(whole.samples, cut.samples)
    assert "first of 2 frames" in " ".join(whole.notes)
    tiff = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert read(tiff).notes == ("the first of 2 frames is taken",)
    first = read(saved(frames[0], "TIFF"))
    np.testing.assert_array_equal(read(tiff[: len(tiff) - 700]).samples, first.samples)


def test_a_stream_and_bytes_are_sources_too() -> None:
    data = saved(photo(), "PNG")
    np.testing.assert_array_equal(read(io.BytesIO(data)).samples, read(data).samples)


def test_a_pillow_image_is_a_source_and_a_broken_one_a_sentence() -> None:
    image = photo("LA")
    np.testing.assert_array_equal(of_image(image).samples, np.asarray(image))
    half = saved(photo(size=(64, 64)), "PNG")[:2000]
    with pytest.raises(UserError, match="image: "):
        of_image(Image.open(io.BytesIO(half)))


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(saved(photo(), "PNG"))
    with pytest.raises(UserError, match=r"no such file. Did you mean .*cat\.png"):
        read(tmp_path / "cta.png")
    with pytest.raises(UserError, match="not an image file"):
        read(tmp_path)


def test_mixed_brands_of_one_container_are_told_apart() -> None:
    assert kinds.kind_of(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif") == "AVIF"
    assert kinds.kind_of(b"\0\0\0\x18ftypmif1\0\0\0\0heic") == "HEIF"


@pytest.mark.parametrize("orientation", [1, 6])
def test_photos_of_phones_are_read_upright(orientation: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    image, handle, exif = photo("RGB"), io.BytesIO(), Image.Exif()
    exif[274] = orientation
    heif.from_pillow(image).save(handle, quality=-1, chroma=444, exif=exif.tobytes())
    picture = read(handle.getvalue())
    wanted = make.oriented(np.asarray(image), orientation).astype(int)
    assert picture.format == "HEIF"
    assert picture.samples.shape == wanted.shape
    assert np.abs(picture.samples - wanted).mean() < 1  # of YCbCr, which rounds
    assert look(handle.getvalue()).height == len(wanted)


def test_a_heic_of_ten_bits_says_that_it_is_cut() -> None:
    heif = pytest.importorskip("pillow_heif")
    deep = (RNG.integers(0, 1024, (20, 24, 3)) << 6).astype("<u2")
    handle = io.BytesIO()
    picture = heif.from_bytes("RGB;16", (24, 20), deep.tobytes())
    picture.save(handle, quality=-1, chroma=444, matrix_coefficients=0)
    held = read(handle.getvalue())
    assert held.notes == ("its samples of 10 bits are cut to 8",)
    assert np.abs(held.samples - (deep >> 8).astype(int)).max() <= 1


def test_a_damaged_heic_is_one_sentence() -> None:
    heif = pytest.importorskip("pillow_heif")
    handle = io.BytesIO()
    heif.from_pillow(photo("RGB")).save(handle, quality=90)
    data = handle.getvalue()
    for end in (40, len(data) // 2, len(data) - 10):
        with pytest.raises(UserError, match="damaged"):
            read(data[:end])


def test_colours_that_an_avif_states_by_code_points_stay(tmp_path: Path) -> None:
    data = saved(photo(), "AVIF")
    usual = b"colrnclx\0\1\0\x0d"
    assert usual in data
    assert read(data).metadata.chunks == ()
    wide = read(data.replace(usual, b"colrnclx\0\x0c\0\x0d"))
    assert wide.metadata.chunks == ((b"cICP", b"\x0c\x0d\0\1"),)
    write(tmp_path / "wide.png", wide, wide.samples)
    assert read(tmp_path / "wide.png").metadata.chunks == wide.metadata.chunks


def test_letters_among_the_pixels_state_no_colours() -> None:
    data = saved(photo(), "AVIF")
    at = struct.unpack(">I", data[:4])[0]
    stray = b"colrnclx\0\x0c\0\x0d"
    mislead = data[:at] + struct.pack(">I", 8 + len(stray)) + b"free" + stray + data[at:]
    assert with_colours(Metadata(), mislead, "AVIF") == Metadata()
    wide = mislead.replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\x0b\0\x0d")
    assert with_colours(Metadata(), wide, "AVIF").chunks == ((b"cICP", b"\x0b\x0d\0\1"),)
    for size in range(len(data)):  # wherever the file is cut
        assert with_colours(Metadata(), data[:size], "AVIF") == Metadata()


def test_the_profile_of_a_jpeg_2000_stays() -> None:
    data = saved(photo(), "JPEG2000")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    box = struct.pack(">I", 11 + len(profile)) + b"colr\2\0\0" + profile
    at, header = data.find(b"colr") - 4, data.find(b"jp2h") - 4
    (length,) = struct.unpack(">I", data[header : header + 4])
    longer = struct.pack(">I", length - 15 + len(box)) + data[header + 4 : at] + box
    with_profile = data[:header] + longer + data[at + 15 :]
    picture = read(with_profile)
    assert picture.metadata.icc == profile
    np.testing.assert_array_equal(picture.samples, read(data).samples)
    assert read(with_profile.replace(b"acsp", b"????")).metadata.icc == b""


def test_a_picture_is_no_raw_photo_for_its_first_pixel() -> None:
    samples = np.full((make.HEIGHT, make.WIDTH, 3), (67, 82, 2), np.uint8)
    data = make.tiff(samples, 2)
    assert data[8:10] == b"CR"  # where raw photos say what they are
    np.testing.assert_array_equal(read(data).samples, samples)
