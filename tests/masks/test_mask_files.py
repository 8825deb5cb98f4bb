"""Masks of people: white is filled in, whatever the format; boxes; what is refused, and how."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from inpaint_cli.errors import UserError, with_flags
from inpaint_cli.masks.files import (
    apply_grow,
    check_hole,
    hide_boxes,
    parse_box,
    read_mask,
    write_mask,
)
from inpaint_cli.pictures.picture import of_array
from inpaint_cli.reporting import Reporter

HOLE = np.zeros((6, 9), bool)
HOLE[1:4, 2:7] = True
GREY = np.where(HOLE, 255, 0).astype(np.uint8)


def palette() -> Image.Image:
    image = Image.fromarray(HOLE.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 255, 255, 255] + [9] * 762)
    return image


def transparent_palette() -> Image.Image:
    image = Image.fromarray(HOLE.astype(np.uint8), "P")
    image.putpalette([255, 255, 255, 255, 255, 255])
    image.info["transparency"] = 0
    return image


def overshooting() -> npt.NDArray[np.float32]:
    """A mask of 0 and 1 as a resizing leaves it, a little beyond both."""
    noise = np.random.default_rng(0).uniform(-0.03, 0.03, HOLE.shape)
    return (HOLE + noise).astype(np.float32)


def with_alpha(mode: str) -> Image.Image:
    image = Image.new("RGBA", (9, 6), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), mask=Image.fromarray(GREY))
    return image.convert(mode)


IMAGES: dict[str, tuple[str, Callable[[], Image.Image]]] = {
    "1": ("png", lambda: Image.fromarray(GREY).convert("1")),
    "L": ("png", lambda: Image.fromarray(GREY)),
    "L bmp": ("bmp", lambda: Image.fromarray(GREY)),
    "L webp": ("webp", lambda: Image.fromarray(GREY).convert("RGB")),
    "P": ("png", palette),
    "P gif": ("gif", palette),
    "RGB": ("png", lambda: Image.fromarray(GREY).convert("RGB")),
    "RGBA": ("png", lambda: Image.fromarray(GREY).convert("RGBA")),
    "CMYK": ("tiff", lambda: Image.fromarray(GREY).convert("RGB").convert("CMYK")),
    "I;16": ("png", lambda: Image.fromarray(GREY.astype(np.uint16) * 257)),
    "I;16 of 8 bits": ("png", lambda: Image.fromarray(GREY.astype(np.uint16))),
    "I": ("tiff", lambda: Image.fromarray(GREY.astype(np.int32) * 257)),
    "F of 0 to 1": ("tiff", lambda: Image.fromarray(HOLE.astype(np.float32))),
    "F beyond 0 to 1": ("tiff", lambda: Image.fromarray(overshooting())),
    "F of 0 to 255": ("tiff", lambda: Image.fromarray(GREY.astype(np.float32))),
    "transparent RGBA": ("png", lambda: with_alpha("RGBA")),
    "transparent LA": ("png", lambda: with_alpha("LA")),
    "transparent P": ("png", transparent_palette),
}


@pytest.mark.parametrize("name", IMAGES)
def test_white_is_filled_in_whatever_the_mode(name: str, tmp_path: Path) -> None:
    suffix, make = IMAGES[name]
    path = tmp_path / f"mask.{suffix}"
    make().save(path, lossless=True)  # which only WebP reads
    np.testing.assert_array_equal(read_mask(path), ~HOLE)


@pytest.mark.parametrize(
    ("colour", "hidden"),
    [((255, 0, 0), False), ((0, 255, 0), True), ((0, 0, 255), False), ((128, 128, 128), True)],
)
def test_colours_count_by_their_luminance(colour: tuple[int, int, int], hidden: bool) -> None:
    assert read_mask(Image.new("RGB", (8, 8), colour)).all() != hidden


@pytest.mark.parametrize(("value", "hidden"), [(0, False), (127, False), (128, True), (255, True)])
def test_the_threshold_is_128(value: int, hidden: bool) -> None:
    assert read_mask(Image.new("L", (8, 8), value)).all() != hidden
    assert read_mask(Image.new("I;16", (8, 8), value * 257)).all() != (hidden and value > 0)


def test_the_16_bit_threshold_lies_at_128_of_255() -> None:
    sixteen_bits = np.array([[0, 255, 256, 128 * 257 - 1, 128 * 257, 65535]], np.uint16)
    expected = [True, True, True, True, False, False]
    assert read_mask(Image.fromarray(sixteen_bits))[0].tolist() == expected


def test_inverting_fills_black() -> None:
    np.testing.assert_array_equal(read_mask(Image.fromarray(GREY), invert=True), HOLE)


def test_transparency_is_the_hole_only_when_asked_for() -> None:
    image = Image.new("RGBA", (9, 6), (255, 255, 255, 255))
    image.putalpha(Image.fromarray(255 - GREY))
    np.testing.assert_array_equal(read_mask(image, alpha=True), ~HOLE)
    np.testing.assert_array_equal(read_mask(image, alpha=True, invert=True), HOLE)
    np.testing.assert_array_equal(read_mask(image), HOLE)


@pytest.mark.parametrize(("alpha", "hidden"), [(127, True), (128, False)])
def test_alpha_up_to_127_is_transparent(alpha: int, hidden: bool) -> None:
    assert read_mask(Image.new("LA", (8, 8), (0, alpha)), alpha=True).any() != hidden


def test_transparency_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="has no transparency"):
        read_mask(Image.fromarray(GREY), alpha=True)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_as_for_the_photo(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(path, exif=exif)
    upright = {
        1: HOLE,
        2: HOLE[:, ::-1],
        3: HOLE[::-1, ::-1],
        4: HOLE[::-1],
        5: HOLE.T,
        6: np.rot90(HOLE, -1),
        7: np.rot90(HOLE, 2).T,
        8: np.rot90(HOLE),
    }[orientation]
    np.testing.assert_array_equal(read_mask(path, size=upright.shape), ~upright)


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_what_is_written_is_read_back(visible: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ä b.png"
        write_mask(path, visible)
        np.testing.assert_array_equal(read_mask(path, size=visible.shape), visible)


def test_a_written_mask_is_grey_with_white_where_to_fill(tmp_path: Path) -> None:
    write_mask(tmp_path / "new" / "mask.png", ~HOLE)
    with Image.open(tmp_path / "new" / "mask.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), GREY)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((9, 6), r"the mask has 9x6 pixels, the photo 6x9 \(width x height\). Is it rotated\?"),
        ((12, 18), r"the mask has 9x6 pixels, the photo 18x12 \(width x height\). Draw"),
    ],
)
def test_another_size_is_refused_with_both_sizes(size: tuple[int, int], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        read_mask(Image.fromarray(GREY), size=size, resize=False)
    assert "resize_mask" in str(error.value)
    with pytest.raises(UserError, match=r"at the photo's size\.$"):  # as where there is none
        read_mask(Image.fromarray(GREY), size=size)


def test_resizing_takes_the_nearest_pixel_of_the_binary_mask() -> None:
    twice = read_mask(Image.fromarray(GREY), size=(12, 18), resize=True)
    np.testing.assert_array_equal(twice, (~HOLE).repeat(2, 0).repeat(2, 1))
    assert read_mask(Image.fromarray(GREY), size=(3, 5), resize=True).shape == (3, 5)


def test_growing_adds_a_disc() -> None:
    visible = np.ones((11, 11), bool)
    visible[5, 5] = False
    hidden = ~apply_grow(visible, 2)
    rows, columns = np.indices(hidden.shape) - 5
    np.testing.assert_array_equal(hidden[:, 5], np.abs(np.arange(11) - 5) <= 2)
    assert not hidden[rows**2 + columns**2 > 8].any()
    assert hidden[rows**2 + columns**2 <= 4].all()


def test_growing_stops_at_the_border_and_zero_changes_nothing() -> None:
    np.testing.assert_array_equal(apply_grow(~HOLE, 0), ~HOLE)
    assert not apply_grow(~HOLE, 1000).any()
    assert apply_grow(np.ones((4, 4), bool), 3).all()


def test_a_negative_growth_is_refused() -> None:
    with pytest.raises(UserError, match="grow: must not be negative"):
        apply_grow(~HOLE, -1)


def test_a_soft_mask_is_remarked_on(capsys: pytest.CaptureFixture[str]) -> None:
    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (8, 1))
    read_mask(Image.fromarray(ramp), reporter=Reporter())
    assert "a grey or soft mask" in capsys.readouterr().err
    read_mask(Image.fromarray(GREY), reporter=Reporter())
    assert capsys.readouterr().err == ""


def test_a_photo_and_its_mask_in_each_others_place_are_asked_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo, _ = photo_and("")
    hole = np.zeros((40, 50), np.uint8)
    hole[10:20, 10:20] = 255
    question = "The photo is black and white: are photo and mask swapped?"
    read_mask(photo, photo=of_array(hole), reporter=Reporter())
    assert question in capsys.readouterr().err
    read_mask(hole, photo=of_array(photo), reporter=Reporter())
    read_mask(photo[:, ::-1], photo=of_array(photo), reporter=Reporter())
    assert question not in capsys.readouterr().err


def photo_and(change: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A photo, and what is given as its mask."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    mask = photo.copy()
    if change == "painted":
        mask[10:20, 10:20] = 255
    elif change == "lossy":
        mask = np.clip(mask + rng.integers(-6, 7, mask.shape), 0, 255).astype(np.uint8)
    elif change == "other":
        mask = mask[:, ::-1]
    return photo, mask


@pytest.mark.parametrize("change", ["", "painted", "lossy"])
@pytest.mark.parametrize("resize", [None, False])
def test_the_photo_itself_is_no_mask(change: str, resize: bool | None) -> None:
    photo, mask = photo_and(change)
    with pytest.raises(UserError, match="shows the photo itself, which is no mask") as error:
        read_mask(mask, photo=of_array(photo), resize=resize)
    assert ("mask_painted" in str(error.value)) == (resize is False)


def test_soft_masks_and_other_pictures_are_no_photo() -> None:
    photo, mask = photo_and("other")
    assert read_mask(mask, photo=of_array(photo)).any()
    ramp = np.tile(np.linspace(0, 255, 50).astype(np.uint8), (40, 1))
    for value in (0, 128, 255):
        flat = np.full((40, 50, 3), value, np.uint8)
        np.testing.assert_array_equal(read_mask(ramp, photo=of_array(flat)), ramp < 128)


def test_a_photo_may_hold_its_hole_in_its_own_alpha_or_labels() -> None:
    photo = np.full((6, 9, 4), 90, np.uint8)
    photo[..., 3] = np.where(HOLE, 0, 255)
    np.testing.assert_array_equal(read_mask(photo, photo=of_array(photo), alpha=True), ~HOLE)
    labels = np.where(HOLE, 90, 60).astype(np.uint8)
    np.testing.assert_array_equal(read_mask(labels, photo=of_array(labels), values=[90]), ~HOLE)


def test_a_mask_without_a_hole_is_refused_with_advice() -> None:
    with pytest.raises(UserError, match="nothing to fill") as error:
        check_hole(np.ones((4, 4), bool), "black.png")
    assert "black.png" in str(error.value)
    assert "invert_mask" not in str(error.value)  # it would hide everything


def test_a_mask_of_a_large_hole_is_remarked_on(capsys: pytest.CaptureFixture[str]) -> None:
    visible = np.zeros((10, 10), bool)
    visible[:2] = True
    visible[2, :9] = True
    check_hole(visible, reporter=Reporter())
    assert "71.0 % is to be filled. Is the mask inverted?" in capsys.readouterr().err
    visible[2, 9] = True
    check_hole(visible, reporter=Reporter())
    assert capsys.readouterr().err == ""


def test_of_a_white_mask_with_an_erased_hole_transparency_is_advised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    white = np.full((8, 16, 4), 255, np.uint8)
    white[2:4, 2:4] = 0
    check_hole(read_mask(white), reporter=Reporter(), source=white)
    assert "what is transparent is the hole, add --mask-alpha." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("invert", "alpha", "advice"),
    [
        (True, False, "leave out the setting invert_mask"),
        (False, True, "leave out the setting mask_alpha"),
        (True, True, "leave out the setting invert_mask"),
    ],
)
def test_the_remark_on_a_full_or_empty_mask_fits_the_options(
    invert: bool, alpha: bool, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check_hole(np.zeros((4, 4), bool), reporter=Reporter(), invert=invert, alpha=alpha)
    assert with_flags(advice) in capsys.readouterr().err
    with pytest.raises(UserError, match=advice):
        check_hole(np.ones((4, 4), bool), invert=invert, alpha=alpha)


@pytest.mark.parametrize("mode", ["RGBA", "RGB"])
def test_a_coloured_brush_is_told_to_be_white(mode: str, tmp_path: Path) -> None:
    image = Image.new("RGBA", (9, 6), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (2, 1, 7, 4))
    image.convert(mode).save(tmp_path / "red.png")
    visible = read_mask(tmp_path / "red.png")
    with pytest.raises(UserError, match="Paint the hole in white: other colours count"):
        check_hole(visible, source=tmp_path / "red.png")
    Image.new(mode, (9, 6)).convert("L").save(tmp_path / "black.png")
    with pytest.raises(UserError, match=r"its only value is 0\. Paint the hole in white\."):
        check_hole(visible, source=tmp_path / "black.png")


def test_a_mask_of_two_dark_values_has_its_hole_where_the_brighter_one_is() -> None:
    np.testing.assert_array_equal(read_mask(Image.fromarray(HOLE.astype(np.uint8))), ~HOLE)
    np.testing.assert_array_equal(read_mask(HOLE.astype(np.uint8) * np.uint8(9)), ~HOLE)


def test_of_several_labels_the_values_are_named_and_can_be_chosen(tmp_path: Path) -> None:
    labels = HOLE.astype(np.uint8)
    labels[5] = 2
    Image.fromarray(labels).save(tmp_path / "labels.png")
    visible = read_mask(tmp_path / "labels.png")
    with pytest.raises(UserError, match="its values are 0, 1 and 2, none of them bright") as error:
        check_hole(visible, source=tmp_path / "labels.png")
    assert "invert_mask" not in str(error.value)
    np.testing.assert_array_equal(read_mask(tmp_path / "labels.png", values=[1]), ~HOLE)


def test_a_label_below_zero_is_the_one_to_choose() -> None:
    labels = -HOLE.astype(np.float32)
    with pytest.raises(UserError, match=r"mask_values, such as -1\."):
        check_hole(read_mask(labels), source=labels)
    np.testing.assert_array_equal(read_mask(labels, values=[-1]), ~HOLE)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_mask_of_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(UserError, match=r"no numbers .* Write 1 where to fill in and 0 elsewhere"):
        read_mask(np.where(HOLE, np.float32(value), np.float32(0)))


def test_an_array_is_read_like_a_file_of_its_values() -> None:
    noisy = GREY.copy()
    noisy[0, 0] = 3
    np.testing.assert_array_equal(read_mask(noisy), ~HOLE)
    np.testing.assert_array_equal(read_mask(HOLE), ~HOLE)


def test_a_mask_of_several_frames_says_that_the_first_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = Image.fromarray(GREY), Image.fromarray(255 - GREY)
    for name in ("a.png", "a.tif"):
        first.save(tmp_path / name, save_all=True, append_images=[second])
        visible = read_mask(tmp_path / name, reporter=Reporter())
        np.testing.assert_array_equal(visible, ~HOLE)
        assert f"{name}: the first of 2 frames is taken." in capsys.readouterr().err


def test_a_reduced_mask_keeps_what_is_thinner_than_a_pixel() -> None:
    thin = np.zeros((100, 90), np.uint8)
    thin[41] = 255
    visible = read_mask(thin, size=(10, 9), resize=True)
    np.testing.assert_array_equal(np.flatnonzero(~visible.all(axis=1)), [4])


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("not an image")
    with pytest.raises(UserError, match=r"notes\.png: not an image"):
        read_mask(path)


def test_a_truncated_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UserError, match=r"cut\.png: damaged or truncated"):
        read_mask(path)


@pytest.mark.parametrize("name", ["nowhere.png", "."])
def test_a_file_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such mask file"):
        read_mask(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "edges"),
    [
        ("0,0,1,1", (0, 1, 0, 1)),
        ("10,20,5,6", (20, 26, 10, 15)),
        (" 190, 90, 50, 50", (90, 100, 190, 200)),
        ("10%,20%,50%,50%", (20, 70, 20, 120)),
        ("0%,0%,0.25%,100%", (0, 100, 0, 1)),
        ("33.3%,0%,33.3%,100%", (0, 100, 67, 133)),
    ],
)
def test_boxes_are_read_in_pixels_and_percent_and_clipped(
    text: str, edges: tuple[int, int, int, int]
) -> None:
    top, bottom, left, right = edges
    hidden = ~hide_boxes(np.ones((100, 200), bool), [parse_box(text)])
    assert hidden[top:bottom, left:right].all()
    assert hidden.sum() == (bottom - top) * (right - left)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "-1,2,3,4", "1.5,2,3,4", "1%,2,3,4", "a,b,c,d", "1,2,3,٤"]
)
def test_a_box_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write X,Y,W,H"):
        parse_box(text)


@pytest.mark.parametrize("text", ["1,2,0,4", "1,2,3,0", "10%,10%,0%,5%"])
def test_an_empty_box_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="must be above 0"):
        parse_box(text)


@pytest.mark.parametrize("text", ["200,0,5,5", "0,100,5,5", "100%,0%,10%,10%", "0%,0%,0.1%,10%"])
def test_a_box_that_holds_no_pixel_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"holds no pixel of the photo, which has 200x100"):
        hide_boxes(np.ones((100, 200), bool), [parse_box(text)])


def test_boxes_are_joined_with_each_other_and_the_mask() -> None:
    visible = ~HOLE
    joined = hide_boxes(visible, [parse_box("0,0,1,1"), parse_box("8,5,1,1")])
    assert (~joined).sum() == HOLE.sum() + 2
    np.testing.assert_array_equal(visible, ~HOLE)


@pytest.mark.parametrize("pair", [(0, 1), (3, 100), (128, 255), (250, 255)])
def test_of_two_values_that_are_alike_the_brighter_is_filled_in(
    pair: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.where(HOLE, pair[1], pair[0]).astype(np.uint8)
    assert (read_mask(mask, reporter=Reporter()) == ~HOLE).all()
    assert f"{pair[0]} and {pair[1]}: {pair[1]} counts as white." in capsys.readouterr().err


def test_the_value_that_counts_as_white_is_named_as_the_file_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Image.fromarray(HOLE.astype(np.uint8), "P")
    image.putpalette([90, 0, 0, 0, 0, 0] + [9] * 762)
    image.save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png", reporter=Reporter()) == HOLE).all()
    assert "a mask of the values 0 and 1: 0 counts as white" in capsys.readouterr().err
