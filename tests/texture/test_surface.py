"""Holes in paper, in a table row, in an even sky."""

from typing import Any

import cv2
import numpy as np
import pytest

from inpaint_cli.texture import Filler
from inpaint_cli.texture.surface import step_of, surface_of
from tests.texture.filling import fill

Array = np.ndarray[Any, np.dtype[Any]]


def hole_of(height: int, width: int, *box: int) -> Array:
    hole = np.zeros((height, width), bool)
    y, x, h, w = box
    hole[y : y + h, x : x + w] = True
    return hole


def paper(seed: int = 0, deviation: float = 4.0, level: float = 245.5) -> Array:
    rng = np.random.default_rng(seed)
    noise = deviation * rng.standard_normal((120, 140, 3))
    return np.clip(np.rint(level + noise), 0, 255).astype(np.float32)


def test_blank_paper_goes_on_with_its_own_grain() -> None:
    picture, hole = paper(), hole_of(120, 140, 40, 40, 50, 60)
    filler = Filler(picture, hole)
    one, two = filler.draw(0)[hole], filler.draw(1)[hole]
    for drawn in (one, two):
        assert abs(drawn.mean() - 245.5) < 0.6
        assert abs(drawn.std() - picture[~hole].std()) < 0.5
    assert (one != two).mean() > 0.7
    assert filler.varied


@pytest.mark.parametrize("box", [(40, 40, 12, 60), (0, 30, 20, 40), (0, 0, 120, 20)])
def test_a_constant_rim_is_continued_exactly(box: tuple[int, int, int, int]) -> None:
    picture = np.full((120, 140, 3), (250, 250, 252), np.float32)
    picture[100:, 100:] = np.random.default_rng(0).random((20, 40, 3)) * 255
    hole = hole_of(120, 140, *box)
    filler = Filler(np.where(hole[..., None], 7, picture), hole)
    assert not filler.varied
    assert np.array_equal(filler.draw(3)[hole], picture[hole])


def test_a_table_row_goes_on_between_its_lines() -> None:
    picture = np.full((120, 140, 3), 255, np.float32)
    picture[::20] = 200
    picture[20:40, :, 2] = 240
    hole = hole_of(120, 140, 25, 30, 10, 70)
    assert np.array_equal(fill(picture * ~hole[..., None], hole, seed=0), picture)


@pytest.mark.parametrize("curve", [0.0, 0.004])
def test_a_smooth_sky_goes_on_within_a_level(curve: float) -> None:
    y, x = np.mgrid[:120, :140]
    sky = 120 + 0.3 * x + 0.2 * y + curve * (x - 70) ** 2
    rng = np.random.default_rng(1)
    picture = np.rint(sky + rng.standard_normal(sky.shape))[..., None].astype(np.float32)
    hole = hole_of(120, 140, 40, 50, 40, 40)
    drawn = fill(picture, hole, seed=0)
    assert np.abs((drawn[..., 0] - sky)[hole]).max() < 6
    assert abs((drawn[..., 0] - sky)[hole].mean()) < 0.5
    assert 0.7 < (drawn[..., 0] - sky)[hole].std() < 1.4


def test_a_slope_is_not_continued_beyond_the_border() -> None:
    slope = np.broadcast_to(np.arange(140.0)[None, :, None], (120, 140, 1)).astype(np.float32)
    part = hole_of(120, 140, 0, 110, 120, 30)
    assert surface_of(slope, part, part, 1.0) is None


@pytest.mark.parametrize("kind", ["edge", "line", "waves", "coarse"])
def test_a_pattern_is_no_surface(kind: str) -> None:
    picture = paper(deviation=1.0, level=200)
    if kind == "edge":
        picture[:, 70:] -= 40
    elif kind == "line":
        picture[60:62] -= 60
    elif kind == "waves":
        picture += 4 * np.sin(np.arange(140) / 6)[None, :, None].astype(np.float32)
    else:
        picture = paper(deviation=30, level=128)
    hole = hole_of(120, 140, 40, 50, 40, 40)
    assert surface_of(picture, hole, hole, 1.0) is None


FINE = {
    "checker": lambda y, x: 6 * ((x + y) % 2),
    "stripes": lambda y, x: 8 * (x % 3 == 0),
    "waves": lambda y, x: 6 * np.sin(2 * np.pi * x / 5),
    "weave": lambda y, x: 5 * np.sin(2 * np.pi * x / 2.5) + 5 * np.sin(2 * np.pi * y / 2.5),
}


@pytest.mark.parametrize("kind", FINE)
def test_a_fine_pattern_is_no_grain(kind: str) -> None:
    y, x = np.mgrid[0:120, 0:140]
    picture = paper(deviation=0.5, level=120) + FINE[kind](y, x)[..., None].astype(np.float32)
    hole = hole_of(120, 140, 40, 40, 40, 50)
    assert surface_of(picture, hole, hole, 1.0) is None


@pytest.mark.parametrize("deviation", [2.0, 8.0, 20.0])
def test_a_noisy_slope_goes_on_whatever_its_noise(deviation: float) -> None:
    y, x = np.mgrid[0:120, 0:140].astype(np.float32)
    slope = (60 + 0.6 * x + 0.4 * y)[..., None]
    noise = paper(deviation=deviation, level=128) - 128
    hole = hole_of(120, 140, 40, 40, 40, 50)
    surface = surface_of(slope + noise, hole, hole, 1.0)
    assert surface is not None
    assert surface.grainy
    assert np.abs(surface.smooth[surface.hole] - slope[hole]).max() < deviation


def test_rough_texture_is_no_white_noise() -> None:
    picture = 128 + 4 * cv2.GaussianBlur(paper(deviation=8, level=128) - 128, (0, 0), 0.8)
    hole = hole_of(120, 140, 40, 40, 40, 50)
    assert surface_of(picture, hole, hole, 1.0) is None


@pytest.mark.parametrize("scale", [65535.0, 4095.0, 1.0])
def test_steps_of_eight_bits_are_a_surface_in_other_types_too(scale: float) -> None:
    y, x = np.mgrid[:120, :140]
    levels = np.rint(np.stack([40 + 0.9 * x, 60 + y, 200 - 0.5 * x], -1))
    hole = hole_of(120, 140, 40, 50, 30, 40)
    steps = np.rint(levels / 255 * scale) if scale > 1 else levels / 255
    drawn = fill(np.asarray(steps, np.float32), hole, seed=0, scale=scale)
    assert np.abs(drawn * (255 / scale) - levels)[hole].max() < 1.6


def test_a_step_is_never_finer_than_the_type_nor_coarser_than_eight_bits() -> None:
    noise = np.random.default_rng(0).random((200, 3)).astype(np.float32)
    assert step_of(noise * 255, 1.0) < 0.1
    assert step_of(np.rint(noise * 255), 65535.0) == 1.0
    assert step_of(np.rint(noise * 255), 255.0) == 1.0
    assert step_of(np.array([[0, 200]], np.float32), 1.0) == 1.0
    assert step_of(np.array([[7, 7]], np.float32), 65535.0) == 255 / 65535
    assert step_of(np.array([[7, 7]], np.float32), 1.0) > 0
