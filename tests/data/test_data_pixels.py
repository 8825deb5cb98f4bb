import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file

from inpaint_cli import data
from inpaint_cli.data.names import SETS
from inpaint_cli.data.pixels import decode
from inpaint_cli.data.preparation import Crop, Preparation
from tests.golden_files import golden

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F")


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(
    raw: bytes | npt.NDArray[Any], size: int = 4, channels: int = 3, **options: Any
) -> npt.NDArray[np.uint8]:
    return decode(raw, Preparation(size, channels, **options)).pixels


@given(
    st.sampled_from(MODES),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 20),
    st.sampled_from([1, 3]),
)
def test_every_mode_and_size_becomes_a_square(
    mode: str, width: int, height: int, size: int, channels: int
) -> None:
    raw = file_of(Image.new(mode, (width, height)), "TIFF")
    assert decoded(raw, size, channels).shape == (channels, size, size)


def test_sixteen_bits_are_rounded_to_eight() -> None:
    values = np.array([[0, 128, 129, 65535]] * 4, np.uint16)
    pixels = decoded(file_of(Image.fromarray(values)), channels=1)
    assert pixels[0, 0].tolist() == [0, 0, 1, 255]


def test_alpha_is_composited_on_white() -> None:
    image = Image.new("RGBA", (4, 4), (0, 100, 200, 128))
    image.putpixel((0, 0), (0, 0, 0, 0))
    pixels = decoded(file_of(image))
    assert pixels[:, 0, 0].tolist() == [255, 255, 255]
    assert pixels[:, 1, 1].tolist() == pytest.approx([127, 177, 227], abs=1)


def test_a_transparent_palette_colour_becomes_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((2, 2), 0)
    pixels = decoded(file_of(image, "GIF", transparency=0))
    assert pixels[:, 2, 2].tolist() == [255, 255, 255]
    assert pixels[:, 0, 0].tolist() == [10, 20, 30]


def test_the_orientation_of_a_camera_is_applied() -> None:
    image = Image.new("L", (4, 4))
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    assert decoded(file_of(image, exif=exif), channels=1)[0, 0].tolist() == [0, 0, 0, 255]


def test_damaged_exif_data_do_not_hide_a_picture() -> None:
    raw = file_of(Image.new("L", (4, 4), 50), "JPEG", exif=b"Exif\0\0no TIFF header")
    assert decoded(raw, channels=1).tolist() == [[[50] * 4] * 4]


def test_grey_is_repeated_and_colour_weighed() -> None:
    assert decoded(file_of(Image.new("L", (4, 4), 77)))[:, 0, 0].tolist() == [77, 77, 77]
    colours = {"red": 76, "lime": 150, "blue": 29}  # Rec. 601: 0.299, 0.587, 0.114
    for colour, grey in colours.items():
        raw = file_of(Image.new("RGB", (4, 4), colour))
        assert decoded(raw, channels=1)[0, 0, 0] == pytest.approx(grey, abs=1)


def test_the_square_in_the_middle_is_taken() -> None:
    strip = np.zeros((4, 10), np.uint8)
    strip[:, 3:7] = 200
    assert (decoded(strip, channels=1) == 200).all()
    assert (decoded(strip.T.copy(), channels=1) == 200).all()


def test_pixels_beside_the_square_do_not_leak_in() -> None:
    strip = np.zeros((32, 96), np.uint8)
    strip[:, 32:64] = 200
    assert (decoded(strip, size=8, channels=1) == 200).all()


def test_reducing_is_antialiased() -> None:
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    pixels = decoded(checks.astype(np.uint8), size=8, channels=1)
    assert np.abs(pixels.astype(int) - 127.5).max() < 12


def test_a_large_jpeg_is_reduced_like_its_pixels() -> None:
    rng = np.random.Generator(np.random.Philox(0))
    smooth = Image.fromarray((rng.random((24, 24)) * 255).astype(np.uint8)).resize((768, 768))
    raw = file_of(smooth, "JPEG", quality=95)
    full = np.asarray(Image.open(io.BytesIO(raw)).resize((24, 24), Image.Resampling.LANCZOS))
    difference = decoded(raw, size=24, channels=1)[0].astype(int) - full
    assert np.abs(difference).max() <= 6


def test_an_image_of_the_right_size_is_taken_as_it_is() -> None:
    values = np.random.Generator(np.random.Philox(0)).random((8, 8, 3)) * 256
    image = values.astype(np.uint8)
    assert (decoded(file_of(Image.fromarray(image)), size=8) == image.transpose(2, 0, 1)).all()


@given(st.integers(0, 255))
def test_two_levels_part_at_128(value: int) -> None:
    pixels = decoded(np.full((4, 4), value, np.uint8), channels=1, binary=True)
    assert set(np.unique(pixels)) == {255 if value >= 128 else 0}


def test_the_right_half_of_a_pair_is_taken() -> None:
    pair = np.zeros((4, 8), np.uint8)
    pair[:, 4:] = 9
    assert (decoded(pair, channels=1, right_half=True) == 9).all()
    square = np.full((4, 4), 5, np.uint8)
    assert (decoded(square, channels=1, right_half=True) == 5).all()


def test_a_crop_of_another_size_is_noted_and_taken_from_the_middle() -> None:
    preparation = Preparation(4, 1, crop=Crop((9, 9), 0, 0, 4, 4))
    image = np.zeros((8, 8), np.uint8)
    image[2:6, 2:6] = 1
    assert decode(image, preparation).uncropped
    assert not decode(np.zeros((9, 9), np.uint8), preparation).uncropped


@pytest.mark.golden
@pytest.mark.pcnn
def test_celeba32_is_cropped_and_resized_as_by_the_authors() -> None:
    recorded = load_file(golden("pcnn") / "preprocess.safetensors")
    preparation = Preparation(32, 3, **SETS["celeba32"].preparation)
    decoded_image = decode(recorded["photo"], preparation)
    difference = decoded_image.pixels.astype(int) - recorded["crop32"].transpose(2, 0, 1)
    # +-1 for Pillow versions other than the one that recorded it (see the folder's README).
    assert np.abs(difference).max() <= 1
    assert not decoded_image.uncropped
    assert not decoded_image.enlarged


def test_celeba64_takes_the_usual_crop_from_the_middle() -> None:
    crop = SETS["celeba64"].preparation["crop"]
    assert (crop.left * 2 + crop.width, crop.top * 2 + crop.height) == crop.of


def test_the_crop_s_rule_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path))
    folder = tmp_path / "data" / "celeba"
    folder.mkdir(parents=True)
    for i in range(5):
        Image.new("RGB", (178, 218)).save(folder / f"{i:06}.jpg")
    Image.new("RGB", (50, 50)).save(folder / "000005.jpg")
    lines = data.load_images(["celeba32"], size=32, channels=3, split="train").describe()
    assert any("89x89 at row 64, column 44 of 178x218 files" in line for line in lines)
    assert any(line.startswith("1 image of another size than the set's") for line in lines)
