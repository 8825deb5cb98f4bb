"""Photos come back in their mode, depth and place; what was read is what is written."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from inpaint_cli.errors import UserError
from inpaint_cli.photos.reading import of_image, ranged, read_photo
from inpaint_cli.photos.writing import write_photo

HEIGHT, WIDTH = 9, 14
RNG = np.random.default_rng(0)


def picture(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(RNG.integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16))
    if mode == "I":
        return Image.fromarray(RNG.integers(-9, 99999, (HEIGHT, WIDTH)).astype(np.int32))
    if mode == "F":
        return Image.fromarray(RNG.random((HEIGHT, WIDTH)).astype(np.float32) * 3)
    if mode in ("LAB", "CMYK"):
        data = RNG.integers(0, 256, HEIGHT * WIDTH * len(mode), dtype=np.uint8)
        return Image.frombytes(mode, (WIDTH, HEIGHT), data.tobytes())
    return Image.fromarray(RNG.integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)).convert(mode)


PNG_MODES = ("1", "L", "LA", "RGB", "RGBA", "I;16")
TIFF_MODES = (*PNG_MODES, "I", "F", "CMYK", "LAB")


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [*((mode, ".png") for mode in PNG_MODES), *((mode, ".tiff") for mode in TIFF_MODES)],
)
def test_every_mode_is_written_as_it_was_read(tmp_path: Path, mode: str, suffix: str) -> None:
    source = picture(mode)
    source.save(tmp_path / f"a{suffix}")
    photo = read_photo(tmp_path / f"a{suffix}")
    assert photo.suffix == suffix
    write_photo(tmp_path / f"b{suffix}", photo, photo.samples)
    with Image.open(tmp_path / f"b{suffix}") as back:
        assert back.mode == source.mode
        np.testing.assert_array_equal(np.asarray(back), np.asarray(source))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("bands", [3, 4])
def test_all_16_bits_of_colour_are_kept(tmp_path: Path, bands: int, suffix: str) -> None:
    wide = RNG.integers(0, 65536, (HEIGHT, WIDTH, bands)).astype(np.uint16)
    (tmp_path / f"a{suffix}").write_bytes(cv2.imencode(suffix, wide)[1].tobytes())
    photo = read_photo(tmp_path / f"a{suffix}")
    write_photo(tmp_path / f"b{suffix}", photo, photo.samples, '{"a": 1}')
    back = cv2.imread(str(tmp_path / f"b{suffix}"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(back, wide)


def test_grey_of_16_bits_with_alpha_is_kept(tmp_path: Path) -> None:
    samples = RNG.integers(0, 65536, (HEIGHT, WIDTH, 2)).astype(np.uint16)
    photo = of_image(picture("LA"))
    deep = type(photo)(samples, "LA;16", 0.0, 65535.0)
    write_photo(tmp_path / "a.png", deep, samples)
    again = read_photo(tmp_path / "a.png")
    assert again.mode == "LA;16"
    np.testing.assert_array_equal(again.samples, samples)


def oriented(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Applies an EXIF orientation by its definition (EXIF 2.3, section 4.6.4 A)."""
    if orientation in (5, 6, 7, 8):
        array = array.transpose(1, 0, 2)
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return array[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_the_orientation_is_applied_once(
    tmp_path: Path, orientation: int, deep: bool, suffix: str
) -> None:
    rgb = RNG.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint16 if deep else np.uint8)
    photo = of_image(Image.fromarray(rgb.astype(np.uint8)))
    exif = Image.Exif()
    exif[274] = orientation
    kind = type(photo)
    stored = kind(rgb, "RGB;16" if deep else "RGB", 0, 65535 if deep else 255, exif=exif.tobytes())
    write_photo(tmp_path / f"a{suffix}", stored, rgb)
    read = read_photo(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read.samples, oriented(rgb, orientation))
    write_photo(tmp_path / f"b{suffix}", read, read.samples)
    with Image.open(tmp_path / f"b{suffix}") as back:
        assert back.getexif().get(274, 1) == 1


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("deep", [False, True])
def test_exif_and_colour_profile_are_kept(tmp_path: Path, suffix: str, deep: bool) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    exif[34665] = {33434: 0.01, 36867: "2020:01:02 03:04:05"}
    picture("RGB").save(tmp_path / "a.jpg", exif=exif, icc_profile=profile)
    photo = read_photo(tmp_path / "a.jpg")
    if deep:
        wide = photo.samples.astype(np.uint16) * 257
        photo = type(photo)(wide, "RGB;16", 0, 65535, exif=photo.exif, icc=photo.icc)
    write_photo(tmp_path / f"b{suffix}", photo, photo.samples)
    with Image.open(tmp_path / f"b{suffix}") as back:
        assert back.info["icc_profile"] == profile
        assert back.getexif()[271] == "Maker"
        assert back.getexif().get_ifd(34665)[36867] == "2020:01:02 03:04:05"


def test_the_preview_inside_exif_is_dropped(tmp_path: Path) -> None:
    # 513 and 514 of the second folder are the preview's place and length (EXIF 2.3, 4.5.5).
    exif = Image.Exif()
    exif[271] = "Maker"
    picture("RGB").save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        image.getexif().get_ifd(1)[513] = 1
        photo = of_image(image)
    kept = Image.Exif()
    kept.load(photo.exif)
    assert dict(kept.get_ifd(1)) == {}


def test_a_palette_photo_becomes_colour_with_a_note(tmp_path: Path) -> None:
    source = picture("RGB").quantize(8)
    source.save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.mode == "RGB"
    assert "palette" in photo.notes[0]
    np.testing.assert_array_equal(photo.samples, np.asarray(source.convert("RGB")))


def test_only_the_first_frame_is_read_and_said_so(tmp_path: Path) -> None:
    frames = [picture("L"), picture("L")]
    frames[0].save(tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    photo = read_photo(tmp_path / "a.tiff")
    assert "first of 2 frames" in photo.notes[0]
    np.testing.assert_array_equal(photo.samples[..., 0], np.asarray(frames[0]))


def test_float_photos_take_their_range_from_outside_the_hole() -> None:
    values = np.full((4, 4), 2.0, np.float32)
    values[0, 0], values[3, 3] = 1.0, 1e9
    visible = np.ones((4, 4), bool)
    visible[3, 3] = False
    photo = ranged(of_image(Image.fromarray(values)), visible)
    assert (photo.low, photo.high) == (1.0, 2.0)


def test_values_that_are_no_numbers_are_refused_outside_the_hole() -> None:
    values = np.full((4, 4), np.nan, np.float32)
    with pytest.raises(UserError, match="no numbers"):
        ranged(of_image(Image.fromarray(values)), np.ones((4, 4), bool))


def damaged(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("no picture")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        picture("RGB").resize((200, 200)).save(path, format="PNG")
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "truncated", "folder"])
def test_what_is_no_photo_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    damaged(tmp_path / "ä b.png", kind)
    with pytest.raises(UserError, match=r"ä b\.png: "):
        read_photo(tmp_path / "ä b.png")


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20000, 20000)).save(tmp_path / "bomb.png")
    with pytest.raises(UserError, match="too many pixels"):
        read_photo(tmp_path / "bomb.png")


def test_damaged_exif_does_not_stop_a_photo(tmp_path: Path) -> None:
    picture("RGB").save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_photo(tmp_path / "a.jpg").exif == b""
