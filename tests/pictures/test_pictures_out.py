"""What stands beside the pixels comes out again, but for what would lie."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from inpaint_cli.errors import UserError
from inpaint_cli.pictures import exif, png_writing
from inpaint_cli.pictures.picture import Density, Picture, of_array
from inpaint_cli.pictures.reading import read
from inpaint_cli.pictures.writing import suffix_for, visible_change, write
from tests.pictures import pictures_of as make
from tests.pictures.pictures_of import saved

RNG = np.random.default_rng(0)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:Rating="5"/></x:xmpmeta>'
RECORDS = b"\x1c\x02\x50\x00\x02Me"
RESOURCES = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(RECORDS)) + RECORDS + b"\0"
THUMBNAIL = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 4) + b"tiny"


def smooth(size: tuple[int, int] = (48, 40)) -> Image.Image:
    data = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(data).resize(size, Image.Resampling.BICUBIC)


def camera(orientation: int = 1) -> Image.Exif:
    tags = Image.Exif()
    tags[270], tags[271], tags[274], tags[18246] = "A title", "Maker", orientation, 5
    tags[282], tags[283], tags[296] = 72.5, 36.0, 2
    tags.get_ifd(34665).update(
        {33434: 0.01, 36867: "2020:01:02 03:04:05", 40962: 48, 40963: 40, 37500: b"note"}
    )
    tags.get_ifd(34853).update({1: "N", 2: (1.0, 2.0, 3.0)})
    return tags


def through(picture: Picture, folder: Path, format: str = "lossless", **settings: Any) -> Picture:
    path = folder / f"out{suffix_for(picture, format)}"
    write(path, picture, picture.samples, format=format, **settings)
    return read(path)


def png_with(*before: bytes) -> Picture:
    return read(make.png(make.samples("uint8", 3), 8, 2, before=before))


CHUNKS = {
    b"gAMA": struct.pack(">I", 100000),
    b"cHRM": struct.pack(">8I", *range(30000, 30008)),
    b"sRGB": b"\0",
    b"cICP": bytes([9, 16, 0, 1]),
    b"sBIT": bytes([5, 6, 5]),
    b"tEXt": b"parameters\0a cat, steps: 20",
    b"zTXt": b"Author\0\0" + zlib.compress(b"Me"),
    b"iTXt": b"Title\0\0\0de\0Titel\0Katze",
    b"prVt": b"anything",
}


@pytest.mark.parametrize("kind", CHUNKS)
def test_chunks_of_a_png_come_out_as_they_were(tmp_path: Path, kind: bytes) -> None:
    picture = png_with(make.chunk(kind, CHUNKS[kind]))
    assert (kind, CHUNKS[kind]) in through(picture, tmp_path, text="{}").metadata.chunks


def test_chunks_that_would_lie_are_left_out(tmp_path: Path) -> None:
    picture = png_with(make.chunk(b"tIME", bytes(7)), make.chunk(b"prVT", b"unsafe to copy"))
    assert not through(picture, tmp_path).metadata.chunks
    palette = [make.chunk(b"sBIT", b"\5\5\5"), make.chunk(b"PLTE", bytes(range(9)))]
    indices = make.samples("uint8", 1, 1)
    assert not read(make.png(indices, 8, 3, before=palette)).metadata.chunks


def test_the_text_of_an_earlier_completion_is_replaced(tmp_path: Path) -> None:
    once = through(png_with(), tmp_path, text='{"index": 0}')
    twice = through(once, tmp_path, text='{"index": 1}')
    assert [content for _, content in twice.metadata.chunks] == [b'inpaint\0\0\0\0\0{"index": 1}']
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["inpaint"] == '{"index": 1}'


def test_pixel_shapes_and_densities_come_out_exactly(tmp_path: Path) -> None:
    for across, down, unit in ((2, 1, 0), (11811, 11811, 1), (2835, 1417, 1)):
        physical = struct.pack(">IIB", across, down, unit)
        through(png_with(make.chunk(b"pHYs", physical)), tmp_path)
        assert physical in (tmp_path / "out.png").read_bytes()
    jpeg = read(saved(smooth(), "JPEG", dpi=(300, 150)))
    assert jpeg.metadata.density == Density(300, 150)
    assert through(jpeg, tmp_path, "tiff").metadata.density == Density(300, 150)
    assert through(jpeg, tmp_path, "jpeg").metadata.density == Density(300, 150)
    back = through(jpeg, tmp_path, "png").metadata.density
    assert back is not None
    assert back.across == pytest.approx(300, abs=0.02)


@pytest.mark.parametrize("format", ["png", "tiff", "jpeg", "webp"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_xmp_and_profile_go_from_every_format_to_every_other(
    tmp_path: Path, source: str, format: str
) -> None:
    settings: dict[str, Any] = {"exif": camera(), "icc_profile": PROFILE}
    if source == "PNG":
        from PIL.PngImagePlugin import PngInfo

        settings["pnginfo"] = PngInfo()
        settings["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    else:
        settings["xmp"] = XMP
    if source == "TIFF":  # Pillow writes none with a folder of EXIF
        picture = through(read(saved(smooth(), "JPEG", **settings)), tmp_path, "tiff")
    else:
        picture = read(saved(smooth(), source, **settings))
    metadata = through(picture, tmp_path, format).metadata
    assert metadata.icc == PROFILE
    assert metadata.xmp == XMP
    folder = metadata.folder
    assert folder.tags[271].data == b"Maker\0"
    assert folder.integer(18246, 0) == 5
    assert folder.folders[34665].tags[36867].data == b"2020:01:02 03:04:05\0"
    assert folder.folders[34665].tags[37500].data == b"note"
    assert folder.folders[34853].tags[2].numbers() == (1, 2, 3)
    with Image.open(tmp_path / f"out{suffix_for(picture, format)}") as image:
        seen = image.getexif()
        assert seen[271] == "Maker"
        assert seen.get(274, 1) == 1
        assert seen.get_ifd(34665)[36867] == "2020:01:02 03:04:05"
        assert seen.get_ifd(34853)[2] == (1, 2, 3)
        assert image.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("format", ["png", "tiff", "jpeg"])
def test_iptc_and_comments_are_kept(tmp_path: Path, format: str) -> None:
    raw = saved(smooth(), "JPEG", comment=b"taken in 1999")
    resources = b"Photoshop 3.0\0" + RESOURCES + THUMBNAIL
    segment = b"\xff\xed" + struct.pack(">H", len(resources) + 2) + resources
    picture = read(raw[:2] + segment + raw[2:])
    assert picture.metadata.comments == (b"taken in 1999",)
    assert picture.metadata.iptc == RECORDS
    metadata = through(picture, tmp_path, format).metadata
    assert metadata.iptc == RECORDS
    assert b"tiny" not in (tmp_path / f"out{suffix_for(picture, format)}").read_bytes()
    data = (tmp_path / f"out{suffix_for(picture, format)}").read_bytes()
    assert b"taken in 1999" in data


def test_a_comment_is_worth_more_than_our_own_words(tmp_path: Path) -> None:
    for comment, description in ((b"taken in 1999", "taken in 1999"), (b"", "made by us")):
        picture = read(saved(smooth(), "JPEG", comment=comment))
        write(tmp_path / "a.tiff", picture, picture.samples, format="tiff", text="made by us")
        with Image.open(tmp_path / "a.tiff") as image:
            assert image.getexif()[270] == description


def test_segments_of_a_jpeg_that_are_not_kept_are_named() -> None:
    raw = io.BytesIO()
    Image.new("RGB", (9, 8)).save(raw, format="JPEG")
    long_xmp = b"http://ns.adobe.com/xmp/extension/\0" + bytes(80)
    segments = b"".join(
        struct.pack(">HH", 0xFF00 | marker, len(content) + 2) + content
        for marker, content in ((0xE1, long_xmp), (0xEB, b"JP"), (0xE3, b"x"), (0xEB, b"JP"))
    )
    picture = read(raw.getvalue()[:2] + segments + raw.getvalue()[2:])
    assert picture.notes == ("not kept: extended XMP, segments APP11, segments APP3",)


def test_chunks_of_a_png_that_are_not_kept_are_named() -> None:
    array = make.samples("uint8", 3)
    told = [make.chunk(kind, b"1 2") for kind in (b"sCAL", b"caBX", b"prVT", b"caBX")]
    untrue = [make.chunk(kind, bytes(7)) for kind in (b"tIME", b"sPLT")]
    picture = read(make.png(array, 8, 2, before=told + untrue))
    assert picture.notes == ("not kept: chunks sCAL, caBX, prVT",)
    packed = make.chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0no deflated data")
    assert read(make.png(array, 8, 2, before=[packed])).notes == ("damaged, so left out: XMP",)


def test_a_profile_of_which_a_segment_is_missing_is_told() -> None:
    raw = saved(smooth(), "JPEG")
    first = b"\xff\xe2" + struct.pack(">H", 18) + b"ICC_PROFILE\0\1\2" + b"xx"
    picture = read(raw[:2] + first + raw[2:])
    assert picture.metadata.icc == b""
    assert picture.notes == ("damaged, so left out: its colour profile",)


def test_a_comment_for_which_a_tiff_has_no_place_is_told(tmp_path: Path) -> None:
    words = Image.Exif()
    words[270] = "a street"
    picture = read(saved(smooth(), "JPEG", comment=b"taken in 1999", exif=words))
    written = write(tmp_path / "a.tiff", picture, picture.samples, format="tiff")
    assert written.notes == ("not kept in tiff: comments, since there is a description",)


def test_geotiff_and_unknown_tags_are_kept(tmp_path: Path) -> None:
    place = (33922, "I", tuple(range(12)))
    mine = (65000, "H", (7, 8, 9))
    array = make.samples("uint16", 1)
    back = through(read(make.tiff(array, 1, more=[place, mine])), tmp_path)
    assert back.metadata.folder.integers(33922) == tuple(range(12))
    assert back.metadata.folder.integers(65000) == (7, 8, 9)
    turned = read(make.tiff(array, 1, more=[place, mine], orientation=6))
    assert 33922 not in turned.metadata.folder.tags
    assert "places on the earth" in turned.notes[0]


def test_what_would_lie_is_left_out(tmp_path: Path) -> None:
    xmp = b'<x tiff:Orientation="6"><xmp:Thumbnails>data</xmp:Thumbnails></x>'
    raw = saved(smooth(), "JPEG", exif=camera(orientation=6), xmp=xmp)
    picture = read(raw)
    assert picture.samples.shape[:2] == (48, 40)
    camera_folder = picture.metadata.folder.folders[34665]
    assert (camera_folder.integer(40962, 0), camera_folder.integer(40963, 0)) == (40, 48)
    assert picture.metadata.density == Density(36.0, 72.5)
    assert picture.metadata.xmp == b'<x tiff:Orientation="1"></x>'
    assert through(picture, tmp_path).samples.shape[:2] == (48, 40)
    preview = b"II*\0" + struct.pack("<I", 8)
    first = make.directory([(271, "B", (77, 0))], 8, "<", False)
    second = make.directory([(513, "I", (60,)), (514, "I", (4,))], 8 + len(first), "<", False)
    block = preview + first[:-4] + struct.pack("<I", 8 + len(first)) + second + b"tiny"
    kept = exif.clean(block).folder
    assert set(kept.tags) == {271}


@pytest.mark.parametrize(
    "preview",
    [
        b"<xap:Thumbnails><rdf:Alt><xapGImg:image>SECRET</xapGImg:image></rdf:Alt></xap:Thumbnails>",
        b'<xmp:Thumbnails rdf:parseType="Resource">SECRET</xmp:Thumbnails >',
        b"<GImage:Data>SECRET</GImage:Data>",
    ],
)
def test_previews_in_xmp_are_left_out_whatever_their_spelling(preview: bytes) -> None:
    rest = b"<x xmp:Rating='5'>", b"</x>"
    assert exif.clean_xmp(preview.join(rest))[0] == b"".join(rest)


def test_a_picture_in_an_attribute_of_xmp_is_left_out() -> None:
    xmp = b'<x GImage:Mime="image/jpeg" GDepth:Data=\'SECRET\' xmp:Rating="5"/>'
    assert exif.clean_xmp(xmp)[0] == b'<x GImage:Mime="image/jpeg" xmp:Rating="5"/>'


def test_xmp_says_nothing_of_what_stood_behind_the_photo() -> None:
    xmp = (
        b'<x hdrgm:Version="1.0" GCamera:MotionPhoto="1" xmp:Rating="5" '
        b"GCamera:MicroVideoOffset='4022143'><Container:Directory><rdf:Seq>"
        b'<rdf:li><Container:Item Item:Length="30"/></rdf:li></rdf:Seq></Container:Directory>'
        b"<GCamera:MotionPhoto>1</GCamera:MotionPhoto></x>"
    )
    assert exif.clean_xmp(xmp)[0] == b'<x xmp:Rating="5"></x>'


def test_xmp_as_imagemagick_writes_it_is_xmp(tmp_path: Path) -> None:
    xmp = b'<x tiff:Orientation="6"><xmp:Thumbnails>SECRET</xmp:Thumbnails></x>'
    text = f"Raw profile type xmp\0\nxmp\n{len(xmp):8d}\n{xmp.hex()}\n".encode()
    picture = png_with(make.chunk(b"tEXt", text))
    assert picture.metadata.xmp == b'<x tiff:Orientation="1"></x>'
    assert picture.metadata.chunks == ()
    assert picture.samples.shape[:2] == (make.WIDTH, make.HEIGHT)


def test_layers_of_photoshop_which_show_the_hole_are_left_out(tmp_path: Path) -> None:
    layers = (37724, "B", tuple(b"what was there"))
    back = through(read(make.tiff(make.samples("uint8", 3), 2, more=[layers])), tmp_path)
    assert not back.metadata.folder.tags


def test_a_jpeg_goes_out_with_its_own_tables(tmp_path: Path) -> None:
    for quality, sampling in ((60, "4:2:0"), (92, "4:4:4"), (75, "4:2:2")):
        settings = {"quality": quality, "subsampling": sampling, "progressive": quality == 60}
        raw = saved(smooth(), "JPEG", **settings)
        picture = read(raw)
        assert suffix_for(picture, "keep") == ".jpg"
        back = through(picture, tmp_path, "keep")
        assert back.coding == picture.coding
        visible = np.ones((40, 48), np.bool_)
        change = visible_change(picture, visible, tmp_path / "out.jpg")
        assert change.mean < 4
        assert abs(len(raw) - (tmp_path / "out.jpg").stat().st_size) < 300
    grey = read(saved(smooth().convert("L"), "JPEG", quality=70))
    assert through(grey, tmp_path, "keep").coding == grey.coding
    inks = read(saved(smooth().convert("CMYK"), "JPEG", quality=95))
    again = through(inks, tmp_path, "keep")
    assert again.colours == "cmyk"
    assert np.abs(again.samples.astype(int) - inks.samples).mean() < 3


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 7, 8])
@pytest.mark.parametrize(("quality", "sampling"), [(60, "4:2:0"), (90, "4:4:4"), (80, "4:2:2")])
def test_a_jpeg_of_any_orientation_hardly_changes(
    tmp_path: Path, orientation: int, quality: int, sampling: str
) -> None:
    noise = np.random.default_rng(0).integers(60, 190, (32, 48, 1), dtype=np.uint8)
    photo = Image.fromarray(noise + np.array([0, 20, 40], np.uint8))  # of one hue
    settings = {"quality": quality, "subsampling": sampling, "exif": camera(orientation)}
    picture = read(saved(photo, "JPEG", **settings))
    through(picture, tmp_path, "keep")
    visible = np.ones(picture.samples.shape[:2], np.bool_)
    assert visible_change(picture, visible, tmp_path / "out.jpg").mean < 0.5


def test_changes_of_visible_pixels_are_measured_outside_the_hole_alone(tmp_path: Path) -> None:
    picture = of_array(make.samples("uint8", 3))
    filled = picture.samples.copy()
    filled[2, 3] = 255 - filled[2, 3]
    write(tmp_path / "a.png", picture, filled)
    visible = np.ones((make.HEIGHT, make.WIDTH), np.bool_)
    change = visible_change(picture, visible, tmp_path / "a.png")
    assert (change.largest > 0, change.share) == (True, 1 / 70)
    visible[2, 3] = False
    assert str(visible_change(picture, visible, tmp_path / "a.png")) == "visible pixels are equal"


def test_webp_is_exact_unless_a_quality_or_a_lossy_source_says_otherwise(tmp_path: Path) -> None:
    array = make.samples("uint8", 4)
    picture = of_array(array)
    written = write(tmp_path / "a.webp", picture, array, format="webp")
    assert written.exact
    np.testing.assert_array_equal(read(tmp_path / "a.webp").samples, array)
    assert not write(tmp_path / "b.webp", picture, array, format="webp", quality=50).exact
    lossy = read(saved(smooth(), "WEBP", quality=80))
    exact = read(saved(smooth(), "WEBP", lossless=True))
    assert not write(tmp_path / "c.webp", lossy, lossy.samples, format="keep").exact
    assert write(tmp_path / "d.webp", exact, exact.samples, format="keep").exact


def test_a_profile_of_grey_does_not_go_into_a_webp_which_is_rgb(tmp_path: Path) -> None:
    grey = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    picture = read(saved(smooth().convert("L"), "PNG", icc_profile=grey))
    written = write(tmp_path / "a.webp", picture, picture.samples, format="webp")
    assert written.notes == ("not kept in webp: its colour profile, which is one of grey",)
    assert read(tmp_path / "a.webp").metadata.icc == b""
    assert through(picture, tmp_path, "jpeg").metadata.icc == grey


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    inks = saved(smooth().convert("CMYK"), "TIFF", icc_profile=PROFILE)
    cases = [
        (make.tiff(make.samples("uint16", 4), 5), "png", "CMYK becomes RGB"),
        (inks, "png", "CMYK becomes RGB, as it is shown, without its colour profile"),
        (make.tiff(make.samples("int16", 1), 1), "png", "without sign"),
        (make.tiff(make.samples("uint16", 1, 12), 1, bits=12), "png", "stretched to 16"),
        (make.tiff(make.samples("float32", 1), 1), "png", "cut to whole numbers of 16"),
        (make.tiff(make.samples("uint8", 5), 2, extras=(2, 0)), "png", "1 further channel"),
        (make.tiff(make.samples("uint16", 3), 2), "jpeg", "16 bits are cut to 8"),
        (make.tiff(make.samples("uint8", 4), 2, extras=(2,)), "jpeg", "put on white"),
        (make.tiff(make.samples("uint8", 4), 2, extras=(1,)), "png", "multiplied"),
    ]
    for number, (raw, format, words) in enumerate(cases):
        picture = read(raw)
        path = tmp_path / f"{number}{suffix_for(picture, format)}"
        written = write(path, picture, picture.samples, format=format)
        assert words in " ".join(written.notes)
        assert not written.exact
        assert read(path).samples.shape[:2] == picture.samples.shape[:2]
    gamma = png_with(make.chunk(b"gAMA", CHUNKS[b"gAMA"]))
    assert "gAMA" in write(tmp_path / "a.tiff", gamma, gamma.samples, format="tiff").notes[0]


def test_png_of_white_is_zero_looks_like_the_tiff(tmp_path: Path) -> None:
    array = make.samples("uint16", 1)
    back = through(read(make.tiff(array, 0)), tmp_path, "png")
    np.testing.assert_array_equal(back.samples, 65535 - array)


def test_quality_and_format_are_checked(tmp_path: Path) -> None:
    picture = of_array(make.samples("uint8", 3))
    for settings, words in (
        ({"format": "gif"}, "format: no format called 'gif'"),
        ({"format": "jpeg", "quality": 0}, "quality: must be 1 to 100"),
        ({"quality": 90}, "quality: png is exact"),
    ):
        with pytest.raises(UserError, match=words):
            write(tmp_path / "a.png", picture, picture.samples, **settings)
    long = of_array(np.zeros((1, 70000), np.uint8))
    with pytest.raises(UserError, match="format: jpeg holds sides of up to 65535"):
        write(tmp_path / "a.jpg", long, long.samples, format="jpeg")
    assert not list(tmp_path.iterdir())


def test_drawings_and_photos_are_packed_well(tmp_path: Path) -> None:
    drawing = of_array(np.repeat(make.samples("uint8", 3), 40, axis=0))
    for picture in (of_array(np.asarray(smooth((300, 200)))), drawing):
        write(tmp_path / "a.png", picture, picture.samples)
        best = len(saved(Image.fromarray(picture.samples), "PNG", compress_level=3))
        assert (tmp_path / "a.png").stat().st_size < 1.1 * best


def test_a_file_that_would_be_large_is_packed_more_thoroughly() -> None:
    ramp = np.add.outer(np.arange(600) * 0.37, np.arange(500) * 0.21)[..., None]
    soft = np.repeat(ramp.astype(np.uint8), 3, axis=2)
    grain = np.random.default_rng(0).integers(0, 256, (600, 500, 3)).astype(np.uint8)
    rippled = (soft + (np.add.outer(np.arange(600) % 7, np.arange(500) % 5) % 3)[..., None]).astype(
        np.uint8
    )
    assert png_writing._setting_for(grain) == png_writing.FAST
    assert png_writing._setting_for(rippled) == png_writing.THOROUGH


def test_a_jpeg_of_inks_keeps_its_density(tmp_path: Path) -> None:
    inks = read(saved(smooth().convert("CMYK"), "JPEG", dpi=(150, 150)))
    assert inks.metadata.density == Density(150, 150)
    assert through(inks, tmp_path, "keep").metadata.density == Density(150, 150)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sides_beyond_those_of_libpng_are_written(
    tmp_path: Path, dtype: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(png_writing, "LONGEST", 9)
    picture = of_array(np.random.default_rng(0).integers(0, 256, (5, 10, channels), np.uint8))
    samples = picture.samples.astype(dtype) * np.array(257 if dtype == "uint16" else 1, dtype)
    bits = samples.itemsize * 8
    picture = replace(picture, samples=samples, bits=bits, high=2.0**bits - 1)
    write(tmp_path / "a.png", picture, samples)
    np.testing.assert_array_equal(read(tmp_path / "a.png").samples, samples)


def test_a_photo_of_more_than_a_million_columns_is_written(tmp_path: Path) -> None:
    samples = np.zeros((1, 1_000_001, 1), np.uint8)
    samples[0, ::2] = 200
    write(tmp_path / "a.png", of_array(samples), samples)
    np.testing.assert_array_equal(read(tmp_path / "a.png").samples, samples)
