"""Black and white of deep pictures: one decision for a source, in words, or a refusal."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from inpaint_cli import data
from inpaint_cli.data import ImageSet
from inpaint_cli.data.value_ranges import SampleKind, decide
from inpaint_cli.errors import UserError
from tests.data.image_files import folder_of, png

SHARES = np.linspace(0, 1, 40)[:, None, None] * np.ones((40, 8, 8))
"""40 pictures, each of one grey, from black to white."""


def opened(source: str, split: data.Split = "train") -> ImageSet:
    return data.load_images([source], size=8, channels=1, split=split)


def greys(source: str) -> dict[int, int]:
    """Return the grey of each picture of an npz, by its row."""
    parts = [opened(source, split) for split in data.SPLITS]
    return {
        int(name): int(image.max())
        for part in parts
        for name, image in zip(part.ids, part.images, strict=True)
    }


def assert_right(path: Path, images: npt.NDArray[Any]) -> ImageSet:
    np.savez(path, images=images)
    for row, grey in greys(str(path)).items():
        assert grey == pytest.approx(255 * SHARES[row, 0, 0], abs=1), row
    return opened(str(path))


@pytest.mark.parametrize(
    ("white", "dtype", "remark"),
    [
        (255, np.uint16, "0 (black) to 255"),
        (255, np.int64, "0 (black) to 255"),
        (1023, np.uint16, "10 bits"),
        (4095, np.uint16, "12 bits"),
        (4095, ">u2", "12 bits"),
        (4095, np.int16, "12 bits"),
        (65535, np.uint16, ""),
        (65535, ">u2", ""),
        (65535, np.int32, ""),
        (1, np.float32, ""),
        (1, np.float16, ""),
        (1, ">f8", ""),
        (255, np.float32, "0 (black) to 255"),
        (255, np.float16, "0 (black) to 255"),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_type_range_and_order_gives_the_same_pictures(
    white: int, dtype: Any, remark: str, order: Any, tmp_path: Path
) -> None:
    values = SHARES * white if np.dtype(dtype).kind == "f" else np.rint(SHARES * white)
    images = assert_right(tmp_path / "a.npz", np.asarray(values, dtype, order=order))
    told = [line for line in images.describe() if line.startswith("values: ")]
    assert (remark in told[0]) if remark else not told


def test_floats_from_minus_one_to_one_are_read(tmp_path: Path) -> None:
    assert_right(tmp_path / "a.npz", (SHARES * 2 - 1).astype(np.float32))


def test_alpha_ends_where_white_does(tmp_path: Path) -> None:
    grey = np.rint(SHARES * 4095).astype(np.uint16)
    opaque = np.full_like(grey, 4095)
    assert_right(tmp_path / "a.npz", np.stack([grey, grey, grey, opaque], axis=3))


def test_hounsfield_units_take_the_range_of_all_pictures(tmp_path: Path) -> None:
    assert_right(tmp_path / "a.npz", np.rint(SHARES * 4000 - 1000).astype(np.int16))


@pytest.mark.parametrize(
    ("type", "low", "high"), [("f", -2.1, 2.6), ("f", 0, 9), ("f", 0, 4095), ("u", 0, 1e6)]
)
def test_ranges_that_cannot_be_told_are_refused(type: str, low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"neither|more than 16 bits"):
        decide(SampleKind(type, 32), low, high)


def test_a_refusal_names_the_pictures_at_both_ends(tmp_path: Path) -> None:
    images = SHARES.astype(np.float32)
    images[7] = 5000
    np.savez(tmp_path / "a.npz", images=images)
    with pytest.raises(UserError, match=r"a: floats .* from 0 \(0000000\) to 5000 \(0000007\)"):
        opened(str(tmp_path / "a.npz"))


def test_dark_pictures_stay_dark_beside_bright_ones(tmp_path: Path) -> None:
    def deep(value: int) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.full((8, 8), value, np.uint16)).save(buffer, "PNG")
        return buffer.getvalue()

    tree = {f"{value}.png": deep(value) for value in range(15, 4096, 120)}
    parts = {**tree, "plain.png": png(200, mode="L")}
    source = folder_of(tmp_path / "a", parts)
    for split in data.SPLITS:
        part = opened(source, split)
        for name, image in zip(part.ids, part.images, strict=True):
            value = 200 if name == "plain.png" else int(name[:-4]) * 255 / 4095
            assert int(image.max()) == pytest.approx(value, abs=1)


def test_a_set_that_hardly_uses_its_range_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", images=np.rint(SHARES * 20).astype(np.uint8))
    opened(str(tmp_path / "a.npz"))
    assert "the pixels of a lie between 0 and 20, less than a tenth" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("images", "stray"),
    [
        ((SHARES * 4095).astype(np.uint16), 65535),  # a dead pixel of a camera of 12 bits
        ((SHARES * 255).astype(np.uint16), 4095),
        (SHARES.copy(), 200),
    ],
)
def test_a_stray_sample_that_makes_all_others_dark_is_warned_of(
    images: npt.NDArray[Any], stray: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images[7, 3, 3] = stray
    np.savez(tmp_path / "a.npz", images=images)
    opened(str(tmp_path / "a.npz"))
    assert "99.9 % of the pixels of a lie between 0 and " in capsys.readouterr().err


def test_a_few_bright_pixels_on_black_are_no_strays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.zeros((40, 8, 8), np.uint8)
    images[:, 3, 3] = 255
    np.savez(tmp_path / "a.npz", images=images)
    opened(str(tmp_path / "a.npz"))
    assert "pixels of a lie" not in capsys.readouterr().err


@pytest.mark.parametrize(("broken", "refused"), [(1, False), (2, False), (3, True)])
def test_more_than_a_twentieth_of_broken_pictures_is_an_error(
    broken: int, refused: bool, tmp_path: Path
) -> None:
    tree = {f"{i}.png": b"" if i < broken else png(i * 6) for i in range(40)}
    source = folder_of(tmp_path / "a", tree)
    if not refused:
        assert len(opened(source).skipped) == broken
        return
    with pytest.raises(UserError, match=r"a: 3 of 40 images cannot be read, more than 5%.*empty"):
        opened(source)


def test_a_picture_with_nan_is_left_out_by_name(tmp_path: Path) -> None:
    images = SHARES.astype(np.float32)
    images[3, 0, 0] = np.nan
    np.savez(tmp_path / "a.npz", images=images)
    ((name, why),) = opened(str(tmp_path / "a.npz")).skipped
    assert (name, why) == ("0000003", "holds values that are no numbers (NaN or infinite)")
