"""The sheet of a photo: what fills the hole, near enough to choose, and where fills differ."""

from dataclasses import replace

import numpy as np
import pytest

from inpaint_cli.declarations import Detail
from inpaint_cli.photos.completing import complete_photo
from inpaint_cli.photos.overview import (
    COLUMNS,
    HOLE_COLOUR,
    TILE_PX,
    Overview,
    arrangement,
    coloured,
    outline,
    scaled,
    view_of,
)
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.photos.windows import Box
from inpaint_cli.pictures.picture import of_array
from tests.pretend_model import loaded

PEN = Detail("pen", per="completion", recorded=int, captioned=True)


def overview_of(height: int, width: int, hole: Box, n: int) -> Overview:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    visible = np.ones((height, width), np.bool_)
    visible[hole.slices] = False
    completed = complete_photo(of_array(image), visible, loaded().model, CompletionRequest(n=n))
    overview = Overview(completed)
    for index in range(n):
        overview.add(completed.samples(index), index)
    return overview


def test_the_map_is_dark_where_completions_agree() -> None:
    hole = Box(10, 10, 30, 30)
    overview = overview_of(300, 400, hole, 4)
    pixels = overview._map().pixels
    dark = coloured(np.zeros((1, 1)))[0, 0]
    seen = np.zeros((300, 400), bool)
    seen[hole.slices] = True
    inside = scaled(seen[overview.view.slices].astype(np.uint8), overview.scale) > 0
    assert (pixels[~inside] == dark).all()
    assert (pixels[inside] != dark).any()


def test_the_scale_of_the_map_is_fixed() -> None:
    overview = overview_of(300, 400, Box(10, 10, 30, 30), 3)
    half = coloured(np.full((1, 1), 0.5))[0, 0]
    shape = overview.deviation().shape
    overview.deviation = lambda: np.full(shape, 32.0)  # type: ignore[method-assign]
    assert (overview._map().pixels == half).all()
    assert "64 of 255" in overview._map().caption


def test_pictures_are_numbered_as_their_files_and_name_another_draw() -> None:
    overview = overview_of(60, 80, Box(10, 10, 30, 30), 3)
    log_prob = overview.completed.log_prob
    assert log_prob is not None
    ranked = Overview(overview.completed)
    for index in (1, 0, 2):
        ranked.add(overview.completed.samples(index), index)
    captions = [tile.caption for tile in ranked.tiles]
    assert captions == [
        f"0 (draw 1): {log_prob[1]:.1f} nats",
        f"1 (draw 0): {log_prob[0]:.1f} nats",
        f"2: {log_prob[2]:.1f} nats",
    ]


def test_small_holes_are_shown_at_1_to_1_with_a_tile_of_surroundings() -> None:
    overview = overview_of(600, 800, Box(100, 100, 200, 210), 2)
    view = overview.view
    assert (view.height, view.width, overview.scale) == (300, 300, 1)
    assert overview._outlined().caption == "the hole; the frame, shown below, begins at x=5, y=0"


def test_tiny_holes_are_shown_at_2_to_1() -> None:
    overview = overview_of(600, 800, Box(100, 100, 130, 140), 1)
    assert overview.view == Box(40, 45, 190, 195)
    assert overview.tiles[0].pixels.shape == (300, 300, 3)


def test_large_holes_are_reduced_to_the_largest_tile() -> None:
    overview = overview_of(1500, 1500, Box(100, 100, 1400, 1400), 1)
    assert overview.tiles[0].pixels.shape == (600, 600, 3)


def test_a_view_at_the_edge_keeps_its_size() -> None:
    visible = np.ones((600, 800), np.bool_)
    visible[:20, 780:] = False
    assert view_of(visible) == Box(0, 650, 150, 800)


@pytest.mark.parametrize(
    ("height", "width", "columns"), [(300, 451, 4), (400, 2304, 2), (768, 180, 4), (28, 28, 4)]
)
def test_wide_pictures_have_fewer_columns_and_none_is_short(
    height: int, width: int, columns: int
) -> None:
    across, scale = arrangement(height, width, TILE_PX, COLUMNS)
    assert across == columns
    assert scale * max(height, width) >= TILE_PX


def test_the_outline_lies_outside_the_hole() -> None:
    pixels, hidden = np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.bool_)
    hidden[4, 4] = True
    outline(pixels, hidden)
    assert pixels[4, 4].tolist() == [0, 0, 0]
    assert pixels[4, 5].tolist() == pixels[4, 6].tolist() == list(HOLE_COLOUR)
    assert pixels[4, 7].tolist() == [0, 0, 0]


def test_a_photo_that_is_all_hole_is_outlined_at_its_border() -> None:
    pixels = np.zeros((9, 9, 3), np.uint8)
    outline(pixels, np.ones((9, 9), np.bool_))
    assert pixels[0, 0].tolist() == list(HOLE_COLOUR)
    assert pixels[4, 4].tolist() == [0, 0, 0]


def test_the_line_round_a_hole_is_closed_at_the_border_of_the_photo() -> None:
    pixels, hidden = np.zeros((30, 30, 3), np.uint8), np.ones((30, 30), np.bool_)
    hidden[10:20, 10:20] = False
    outline(pixels, hidden)
    drawn = (pixels == HOLE_COLOUR).all(axis=2)
    assert drawn[0].all()
    assert drawn[:, -1].all()
    assert drawn[10, 10:20].all()
    assert [drawn[5, 5], drawn[15, 15]] == [False, False]


@pytest.mark.parametrize(
    ("hole", "caption"),
    [
        (Box(0, 0, 30, 40), "the hole"),
        (Box(0, 0, 60, 72), "the hole: all but 10 % of the photo"),
        (Box(0, 0, 60, 80), "the hole: all of the photo"),
    ],
)
def test_words_say_how_much_is_left_where_most_is_hidden(hole: Box, caption: str) -> None:
    assert overview_of(60, 80, hole, 1)._outlined().caption == caption


def test_the_words_above_name_photo_model_seed_and_numbers() -> None:
    completed = overview_of(60, 80, Box(10, 10, 30, 30), 2).completed
    overview = Overview(completed, "cat.jpg", "patches")
    assert overview._title() == "cat.jpg, patches, seed 0, 2 completions"
    assert overview._figures("they differ").startswith("80 x 60 pixels, 8.3 % hidden; they differ.")


def test_the_words_above_tell_how_many_of_the_drawn_ones_were_kept() -> None:
    completed = overview_of(60, 80, Box(10, 10, 30, 30), 70).completed
    overview = Overview(completed, "cat.jpg", "patches")
    for index in (40, 7):
        overview.add(completed.samples(index), index)
    assert overview._title() == "cat.jpg, patches, seed 0, 2 of 70 completions"


def test_a_single_completion_and_equal_ones_have_no_map() -> None:
    one, two = (overview_of(60, 80, Box(9, 9, 20, 20), n) for n in (1, 2))
    equal = Overview(two.completed)
    for _ in range(2):
        equal.add(two.completed.samples(0), 0)
    assert len(one.tiles) == 1
    assert not equal.deviation().any()
    pictures: list[int] = []
    for overview in (two, equal):
        overview._map = lambda: pictures.append(1) or two.tiles[0]  # type: ignore
        overview.sheet()
    assert pictures == [1]


def test_a_bound_is_marked_as_one() -> None:
    overview = overview_of(60, 80, Box(10, 10, 30, 30), 1)
    (window,) = overview.completed.windows
    bound = replace(overview.completed, windows=(replace(window, lower_bound=True),))
    assert Overview(bound)._caption(0, 0).startswith("0: >= ")


def test_captions_tell_declared_details_of_each_window() -> None:
    overview = overview_of(60, 80, Box(10, 10, 30, 30), 2)
    (window,) = overview.completed.windows
    silent = replace(window, log_prob=None)
    windows = [replace(silent, details={"pen": np.array(pens)}) for pens in ([2, 0], [1, 1])]
    request = CompletionRequest(n=2, details=(PEN,))
    two = replace(overview.completed, windows=tuple(windows), request=request)
    assert Overview(two)._caption(0, 1) == "0 (draw 1)\npen 0, 1"
