"""Odd and hostile pictures are read as they look, or refused in one sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import kinds
from inpaint_cli.pictures.colours import in_bytes, inks_of, shown, stored
from inpaint_cli.pictures.flat import flat_image
from inpaint_cli.pictures.mask_levels import alpha_of, is_coloured, mask_values, with_values
from inpaint_cli.pictures.picture import invisible, of_array
from inpaint_cli.pictures.ranges import ranged
from inpaint_cli.pictures.reading import look, of_image, read, reduced_jpeg
from tests.pictures import pictures_of as make

RNG = np.random.default_rng(0)
EVERYTHING = np.ones((make.HEIGHT, make.WIDTH), np.bool_)


def saved(image: Image.Image, format: str, **settings: Any) -> bytes:
    handle = io.BytesIO()
    image.save(handle, format=format, **settings)
    return handle.getvalue()


def photo(mode: str = "RGB", size: tuple[int, int] = (24, 20)) -> Image.Image:
    data = RNG.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    return Image.fromarray(data).convert(mode)


def mutated(data: bytes, **changes: int) -> bytes:
    changed = bytearray(data)
    for place, value in changes.items():
        changed[int(place[1:])] = value
    return bytes(changed)


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
    monkeypatch.setattr("inpaint_cli.pictures.opening._has_heif", lambda: False)
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
            read(make.tiff(array, 2, more=more))  # type: ignore[arg-type]


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
    assert read(tiff).notes == ("the first of 2 frames is completed",)
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


def test_twelve_bits_in_sixteen_have_a_range_of_their_own() -> None:
    picture = of_array(make.samples("uint16", 1, 12))
    seen = ranged(picture, EVERYTHING)
    assert (seen.low, seen.high) == (0, 4095)
    assert "12" not in seen.notes[0]
    assert "4095" in seen.notes[0]
    steps = np.unique(
        np.diff(np.unique(stored(seen, np.arange(256.0).reshape(1, -1, 1).astype(np.float32))))
    )
    assert steps.max() <= 17
    bright = of_array(make.samples("uint16", 1))
    assert ranged(bright, EVERYTHING) is bright
    dark = of_array(make.samples("uint8", 1, 4))
    assert ranged(dark, EVERYTHING) is dark


def test_the_range_of_white_is_zero_stays_the_other_way_round() -> None:
    picture = read(make.tiff(make.samples("uint16", 1, 12), 0))
    seen = ranged(picture, EVERYTHING)
    assert (seen.low, seen.high) == (4095, 0)
    np.testing.assert_array_equal(stored(seen, shown(seen)), seen.samples)
    full = read(make.tiff(make.samples("uint16", 1), 0))
    np.testing.assert_allclose(
        shown(full), 255 - shown(read(make.tiff(make.samples("uint16", 1), 1))), atol=1e-4
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "uint32"])
@pytest.mark.parametrize("value", [0, 1, -7, 1.49e32, -1.49e32, 3e-40, 1.7e308])
def test_flat_pictures_of_any_value_keep_it(dtype: str, value: float) -> None:
    kind = np.dtype(dtype)
    most = float(np.finfo(kind).max if kind.kind == "f" else np.iinfo(kind).max)
    least = float(np.finfo(kind).min if kind.kind == "f" else np.iinfo(kind).min)
    flat = np.full((make.HEIGHT, make.WIDTH), np.clip(value, least, most)).astype(kind)
    picture = ranged(of_array(flat), EVERYTHING)
    values = shown(picture)
    assert np.isfinite(values).all()
    spread = max(abs(picture.high - picture.low), 1e-300)
    assert spread <= max(abs(float(flat.flat[0])) * 0.05, 1)
    back = stored(picture, values)
    np.testing.assert_allclose(back[..., 0].astype(float), flat.astype(float), rtol=1e-2)


def test_floats_of_the_whole_range_do_not_overflow() -> None:
    wide = np.array([[-1.7e308, 0, 1.7e308]])
    picture = ranged(of_array(wide), np.ones((1, 3), np.bool_))
    np.testing.assert_allclose(shown(picture)[0, :, 0], [0, 127.5, 255], atol=1e-3)
    np.testing.assert_allclose(stored(picture, shown(picture))[..., 0], wide, rtol=1e-6, atol=1e302)


def test_numbers_that_are_none_are_refused_outside_the_hole_alone() -> None:
    real = make.samples("float32", 1)
    real[0, 0] = np.nan
    with pytest.raises(UserError, match="NaN"):
        ranged(of_array(real), EVERYTHING)
    visible = EVERYTHING.copy()
    visible[0, 0] = False
    assert np.isfinite(shown(ranged(of_array(real), visible))).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_invisible_pixels_are_known_by_their_alpha(dtype: str) -> None:
    array = make.samples(dtype, 4).astype(dtype)
    array[..., 3] = 1
    array[2:4, 3:5, 3] = 0
    for extra in (1, 2):
        clear = invisible(read(make.tiff(array, 2, extras=(extra,))))
        assert clear is not None
        np.testing.assert_array_equal(clear, array[..., 3] == 0)
    assert invisible(read(make.tiff(array, 2, extras=(0,)))) is None
    assert invisible(of_array(make.samples("uint8", 3))) is None


def test_premultiplied_colours_are_shown_and_stored_with_their_alpha() -> None:
    alpha = np.full((make.HEIGHT, make.WIDTH, 1), 32768, np.uint16)
    colours = (make.samples("uint16", 3) // 2).astype(np.uint16)
    picture = read(make.tiff(np.concatenate([colours, alpha], axis=2), 2, extras=(1,)))
    straight = shown(of_array(colours)) * 65535 / 32768
    np.testing.assert_allclose(shown(picture), straight, atol=0.01)
    np.testing.assert_allclose(stored(picture, shown(picture)).astype(int), colours, atol=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("kind", [8, 9])
def test_lab_looks_as_its_profile_says_and_comes_back(dtype: str, kind: int) -> None:
    from PIL import ImageCms

    rgb = RNG.integers(0, 256, (make.HEIGHT, make.WIDTH, 3), dtype=np.uint8)
    picture = read(make.tiff(make.samples(dtype, 3), kind))
    inside = stored(picture, rgb.astype(np.float32))
    again = shown(read(make.tiff(inside, kind)))
    assert np.abs(again - rgb).mean() < (3 if dtype == "uint8" else 0.02)
    if (dtype, kind) == ("uint8", 8):
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = Image.frombytes("LAB", (make.WIDTH, make.HEIGHT), inside.tobytes())
        wanted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert wanted is not None
        # Little CMS counts in 8 bits on the way, which shows in dark colours.
        assert np.abs(again - np.asarray(wanted)).mean() < 2


def test_fills_of_black_only_pages_have_black_ink_alone() -> None:
    page = np.zeros((make.HEIGHT, make.WIDTH, 4), np.uint8)
    page[..., 3] = RNG.choice([0, 128, 255], (make.HEIGHT, make.WIDTH))
    picture = read(make.tiff(page, 5))
    fill = stored(picture, shown(picture), inks=inks_of(picture, EVERYTHING))
    np.testing.assert_allclose(fill.astype(int), page, atol=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_fills_use_as_much_black_as_their_surroundings(dtype: str) -> None:
    most = np.iinfo(dtype).max
    rgb = RNG.random((make.HEIGHT, make.WIDTH, 3))
    darkness = 1 - rgb.max(axis=2, keepdims=True)
    for share in (0.0, 0.5, 1.0):
        black = share * darkness
        inks = np.concatenate([1 - rgb / np.maximum(1 - black, 1e-6), black], axis=2)
        page = np.rint(np.clip(inks, 0, 1) * most).astype(dtype)
        picture = read(make.tiff(page, 5))
        fill = stored(picture, shown(picture), inks=inks_of(picture, EVERYTHING))
        black_of_fill = fill[..., 3].astype(float) / most
        np.testing.assert_allclose(black_of_fill, page[..., 3] / most, atol=0.03)
        seen = shown(read(make.tiff(fill, 5)))
        np.testing.assert_allclose(seen, shown(picture), atol=1.5)


def test_masks_of_two_dark_values_are_labels() -> None:
    hole = RNG.random((make.HEIGHT, make.WIDTH)) < 0.3
    for dtype, value in (
        ("uint8", 1),
        ("uint8", 100),
        ("uint16", 1),
        ("uint16", 255),
        ("int32", 1),
    ):
        mask = mask_values(of_array((hole * value).astype(dtype)))
        np.testing.assert_array_equal(mask.values >= 128, hole)
        assert mask.found == (0, value)
        if (dtype, value) != ("uint16", 255):
            assert mask.note is not None
            assert f"{value} counts as white" in mask.note
    labels = of_array((RNG.integers(0, 5, hole.shape)).astype(np.uint8))
    assert mask_values(labels).found == (0, 1, 2, 3, 4)
    assert not (mask_values(labels).values >= 128).any()
    np.testing.assert_array_equal(
        with_values(labels, [2, 3]), np.isin(labels.samples[..., 0], [2, 3])
    )
    with pytest.raises(UserError, match="it has 0, 1, 2, 3, 4"):
        with_values(labels, [9])


def test_masks_are_judged_by_their_own_range_at_any_depth() -> None:
    hole = RNG.random((make.HEIGHT, make.WIDTH)) < 0.3
    soft = np.where(hole, 1.0, 0.05 * RNG.random(hole.shape))
    soft[0, 0], hole[0, 0] = 0.2, False
    for dtype, white in (
        ("uint8", 255), ("uint16", 65535), ("uint16", 4095), ("uint16", 255), ("float32", 1),
        ("float32", 255), ("int32", 255), ("uint32", 2**32 - 1), ("int16", 32767),
    ):  # fmt: skip
        mask = mask_values(of_array((soft * white).astype(dtype)))
        np.testing.assert_array_equal(mask.values >= 128, hole)
        assert not mask.stretched
    white_is_zero = read(make.tiff((65535 - soft * 65535).astype(np.uint16)[..., None], 0))
    np.testing.assert_array_equal(mask_values(white_is_zero).values >= 128, hole)


def test_indices_of_a_palette_are_labels() -> None:
    indices = RNG.integers(0, 3, (make.HEIGHT, make.WIDTH)).astype(np.uint8)
    table = bytes([0, 0, 0, 128, 0, 0, 0, 128, 0])
    picture = read(make.png(indices[..., None], 8, 3, before=[make.chunk(b"PLTE", table)]))
    assert mask_values(picture).found == (0, 1, 2)
    np.testing.assert_array_equal(with_values(picture, [1]), indices == 1)
    assert is_coloured(picture)


def test_alpha_is_found_at_every_depth_and_of_a_transparent_colour() -> None:
    array = make.samples("uint16", 1)
    array[array == array[1, 1]] = 7
    key = make.chunk(b"tRNS", struct.pack(">H", 7))
    alpha = alpha_of(read(make.png(array, 16, 0, before=[key])))
    assert alpha is not None
    np.testing.assert_array_equal(alpha == 0, array[..., 0] == 7)
    four = make.samples("uint8", 4)
    unknown = alpha_of(read(make.tiff(four, 2, extras=(0,))))
    assert unknown is not None
    np.testing.assert_array_equal(unknown, four[..., 3])
    assert alpha_of(of_array(four[..., :3])) is None


def test_training_pictures_are_put_on_white_in_eight_bits() -> None:
    clear = np.zeros((2, 2, 4), np.uint8)
    assert np.asarray(flat_image(of_array(clear))).min() == 255
    deep = make.samples("uint16", 1)
    wanted = (deep.astype(np.uint32) + 128) // 257
    np.testing.assert_array_equal(np.asarray(flat_image(of_array(deep))), wanted[..., 0])
    with pytest.raises(ValueError, match="float32 values"):
        flat_image(of_array(np.full((2, 2), 9, np.float32)))
