"""The door of the texture synthesis: what a fill depends on, and what it leaves alone."""

from typing import Any

import numpy as np
import pytest

from inpaint_cli.texture import Filler, Scraps, TooLittleTexture, compiled, filler
from tests.texture.filling import fill

Array = np.ndarray[Any, np.dtype[Any]]

HOLES = {
    "dot": (50, 50, 1, 1),
    "box": (30, 30, 24, 20),
    "wide": (30, 40, 44, 40),
    "corner": (0, 0, 20, 14),
    "rows": (40, 0, 8, 110),
    "columns": (0, 70, 100, 40),
}


def texture(channels: int = 3, seed: int = 0) -> Array:
    """Bricks with grain: uint8 levels as float32 [100, 110, C]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:100, :110]
    wall = np.where((y % 12 < 2) | ((x + 9 * (y // 12)) % 20 < 2), 190, 110)
    levels = wall[..., None] + 12 * rng.standard_normal((100, 110, channels))
    return np.clip(np.rint(levels), 0, 255).astype(np.float32)


def hole_of(name: str) -> Array:
    hole = np.zeros((100, 110), bool)
    y, x, height, width = HOLES[name]
    hole[y : y + height, x : x + width] = True
    return hole


def levels_of(drawn: Array) -> Array:
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_only_the_hole_changes_and_nothing_in_it_is_read(name: str, channels: int) -> None:
    picture, hole = texture(channels), hole_of(name)
    one = fill(picture, hole, seed=1)
    two = fill(np.where(hole[..., None], 255 - picture, picture), hole, seed=1)
    assert np.array_equal(one[hole], two[hole])
    assert np.array_equal(one[~hole], picture[~hole])
    assert one.dtype == np.float32
    assert ((one >= 0) & (one <= 255)).all()


@pytest.mark.parametrize("name", HOLES)
def test_completions_differ_pairwise_and_none_depends_on_another(name: str) -> None:
    picture, hole = texture(), hole_of(name)
    filler = Filler(picture, hole, seed=2)
    drawn = [filler.draw(index) for index in (3, 1, 2, 0)]
    assert len({levels_of(one).tobytes() for one in drawn}) == 4
    assert np.array_equal(fill(picture, hole, seed=2, key=(2,)), drawn[2])
    assert not np.array_equal(fill(picture, hole, seed=3, key=2), drawn[2])


def test_a_fill_has_the_contrast_of_its_surroundings() -> None:
    picture, hole = texture(), hole_of("wide")
    drawn = fill(picture, hole, seed=0)
    assert abs(drawn[hole].mean() - picture[hole].mean()) < 12
    assert drawn[hole].std() > 0.7 * picture[hole].std()


def test_a_rough_surface_is_not_filled_from_a_smooth_one_of_its_colour() -> None:
    y, x = np.mgrid[:160, :220]
    checks = np.where((x + y) % 2, 60.0, -60.0) * (x >= 90)
    grain = np.random.default_rng(0).normal(0, 3, checks.shape)
    picture = (128 + checks + grain)[..., None].astype(np.float32)
    hole = np.zeros(checks.shape, bool)
    hole[40:120, 70:160] = True
    drawn = fill(picture, hole, seed=0)
    assert drawn[50:110, 95:115].std() > 0.7 * picture[50:110, 95:115].std()
    assert drawn[50:110, 71:85].std() < 0.4 * picture[50:110, 95:115].std()


@pytest.mark.parametrize("name", ["box", "wide"])
def test_sixteen_bits_are_filled_with_steps_of_sixteen_bits(name: str) -> None:
    picture, hole = texture() * np.float32(257) + 3, hole_of(name)
    drawn = fill(picture, hole, seed=0, scale=65535.0)
    assert np.array_equal(drawn[~hole], picture[~hole])
    assert abs(drawn[hole].mean() - picture[hole].mean()) < 12 * 257
    assert (np.rint(drawn[hole]) % 257 != 3).any()


def test_values_beyond_white_stay_possible() -> None:
    picture, hole = texture() / np.float32(100), hole_of("box")
    drawn = fill(picture, hole, seed=0, scale=1.0)
    assert 1.0 < drawn[hole].max() <= picture[~hole].max()


def test_a_guide_decides_what_wide_holes_hold() -> None:
    hole = hole_of("wide")
    picture = texture()
    picture[:, :55] *= np.float32(0.4)
    filler = Filler(picture, hole)
    dark, light = (np.full_like(picture, value) for value in (50, 140))
    means = [
        filler.draw(0, guide=guide[hole], guide_size=64, guide_weight=2.0)[hole].mean()
        for guide in (dark, light)
    ]
    assert means[1] > means[0] + 10


def test_thin_and_wide_and_plain_holes_are_filled_in_one_picture() -> None:
    picture, hole = texture(), hole_of("wide")
    picture[:, 90:] = 77
    hole[5:8, 5:60] = hole[10:20, 98:104] = True
    drawn = Filler(picture, hole).draw(0)
    assert (drawn[10:20, 98:104] == 77).all()
    assert np.array_equal(drawn[~hole], picture[~hole])


def test_too_few_patches_are_refused_and_scraps_are_drawn_instead() -> None:
    picture = texture()
    hole = np.ones((100, 110), bool)
    hole[40:48, 40:48] = False
    with pytest.raises(TooLittleTexture, match="30 whole patches"):
        Filler(picture, hole)
    scraps = Scraps(picture, hole)
    one, two = scraps.draw(0), scraps.draw((1,))
    assert np.array_equal(one, Scraps(picture, hole).draw(0))
    assert (one != two)[hole].mean() > 0.9
    assert np.array_equal(one[~hole], picture[~hole])


def test_compiling_is_announced_only_when_it_must_be() -> None:
    fill(texture(), hole_of("box"), seed=0)
    calls: list[int] = []
    Filler(texture(), hole_of("box"), compiling=lambda: calls.append(1))
    assert (compiled(), calls) == (True, [])


def test_without_a_hole_the_picture_comes_back() -> None:
    picture = texture()
    assert np.array_equal(fill(picture, np.zeros((100, 110), bool), seed=0), picture)


def test_far_pixels_have_no_say() -> None:
    picture, hole = np.zeros((100, 400, 3), np.float32), np.zeros((100, 400), bool)
    picture[:, :110], hole[:, :110] = texture(), hole_of("corner")
    other = picture.copy()
    other[:, 300:] = 200
    one, two = (fill(each, hole, seed=0) for each in (picture, other))
    assert np.array_equal(one[:, :300], two[:, :300])


def test_a_first_guess_has_less_say_the_farther_it_is_from_what_patches_draw() -> None:
    hole = np.zeros((40, 40), np.bool_)
    hole[8:32, 8:32] = True
    drawn = np.full((40, 40, 1), 100, np.float32)

    def say(apart: float, ghost: float = filler.GHOST) -> float:
        first = drawn + np.float32(apart)
        blended = filler._blended(drawn, first, hole, (0.4, 0.2), ghost)
        return float((blended[20, 20, 0] - 100) / apart)

    assert say(1) == pytest.approx(0.4, abs=0.01)
    assert say(filler.GHOST) == pytest.approx(0.2, abs=0.01)
    assert say(120) < 0.03
    assert say(120, np.inf) == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("kind", ["table", "letters", "dither"])
def test_a_drawing_is_filled_in_its_own_colours(kind: str) -> None:
    drawing = np.full((120, 140, 3), 255, np.float32)
    if kind == "table":
        drawing[::15], drawing[:, ::20] = 0, (0, 0, 90)
    elif kind == "letters":
        for top in range(8, 120, 16):
            drawing[top : top + 8, 4:136:6] = 30
            drawing[top + 4, 6:136:9] = (200, 90, 40)
    else:
        drawing[np.add(*np.mgrid[:120, :140]) % 2 == 0] = 0
    hole = np.zeros((120, 140), bool)
    hole[40:80, 50:85] = True
    drawn = levels_of(fill(drawing * ~hole[..., None], hole, seed=0))
    known = {tuple(colour) for colour in levels_of(drawing[~hole])}
    assert {tuple(colour) for colour in drawn[hole]} <= known
