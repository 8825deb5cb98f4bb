"""What a model is shown of a picture, what a mask says, and the way back to samples."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from inpaint_cli.errors import UserError
from inpaint_cli.pictures.colours import inks_of, shown, stored
from inpaint_cli.pictures.mask_levels import alpha_of, is_coloured, mask_values, with_values
from inpaint_cli.pictures.picture import invisible, of_array
from inpaint_cli.pictures.plain import flat_image
from inpaint_cli.pictures.ranges import ranged
from inpaint_cli.pictures.reading import read
from tests.pictures import pictures_of as make

RNG = np.random.default_rng(0)
EVERYTHING = np.ones((make.HEIGHT, make.WIDTH), np.bool_)


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
    values = np.array([[-1.7e308, 0, 1.7e308]])
    picture = ranged(of_array(values), np.ones((1, 3), np.bool_))
    np.testing.assert_allclose(shown(picture)[0, :, 0], [0, 127.5, 255], atol=1e-3)
    np.testing.assert_allclose(
        stored(picture, shown(picture))[..., 0], values, rtol=1e-6, atol=1e302
    )


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
        assert mask.distinct == (0, value)
        if (dtype, value) != ("uint16", 255):
            assert mask.note is not None
            assert f"{value} counts as white" in mask.note
    labels = of_array((RNG.integers(0, 5, hole.shape)).astype(np.uint8))
    assert mask_values(labels).distinct == (0, 1, 2, 3, 4)
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
        assert mask.white is None
    white_is_zero = read(make.tiff((65535 - soft * 65535).astype(np.uint16)[..., None], 0))
    np.testing.assert_array_equal(mask_values(white_is_zero).values >= 128, hole)


def test_indices_of_a_palette_are_labels() -> None:
    indices = RNG.integers(0, 3, (make.HEIGHT, make.WIDTH)).astype(np.uint8)
    table = bytes([0, 0, 0, 128, 0, 0, 0, 128, 0])
    picture = read(make.png(indices[..., None], 8, 3, before=[make.chunk(b"PLTE", table)]))
    assert mask_values(picture).distinct == (0, 1, 2)
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


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "float32"])
@pytest.mark.parametrize("alpha", [0.15, 0.5])
def test_colours_multiplied_by_alpha_are_seen_without_and_stored_with_it(
    dtype: str, alpha: float
) -> None:
    most = 1.0 if dtype == "float32" else float(np.iinfo(dtype).max)
    colours = 0.1 + 0.9 * RNG.random((make.HEIGHT, make.WIDTH, 3))
    share = np.full((make.HEIGHT, make.WIDTH, 1), alpha)
    samples = (np.dstack([colours * share, share]) * most).astype(dtype)
    picture = ranged(read(make.tiff(samples, 2, extras=(1,))), EVERYTHING)
    assert picture.low == 0
    seen = shown(picture)
    np.testing.assert_allclose(seen / seen.max(), colours / colours.max(), atol=0.02)
    np.testing.assert_allclose(
        stored(picture, seen) / most, samples[..., :3] / most, atol=0.01 * alpha
    )


def test_what_is_hardly_visible_has_no_say_in_the_range() -> None:
    samples = np.full((make.HEIGHT, make.WIDTH, 4), 0.5, np.float32)
    samples[..., 3] = 1
    samples[0, 0] = (40, 40, 40, 0.001)  # a glow, as renderers store it
    picture = ranged(read(make.tiff(samples, 2, extras=(1,))), EVERYTHING)
    assert picture.high == 0.5
