"""The sheet of a photo: bright where completions differ, and zoomed to small holes."""

from dataclasses import replace

import numpy as np

from inpaint_cli.family import Detail
from inpaint_cli.photos.completing import CompletionRequest, complete_photo
from inpaint_cli.photos.overview import Overview, coloured, reduced, view_of
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
    pixels, caption = overview_of(60, 80, hole, 4)._uncertainty()
    dark = coloured(np.zeros((1, 1)))[0, 0]
    inside = np.zeros((60, 80), bool)
    inside[hole.slices] = True
    assert (pixels[~inside] == dark).all()
    assert (pixels[inside] != dark).any()
    assert caption.startswith("std: 0 dark to ")


def test_pictures_are_numbered_as_their_files_and_name_another_draw() -> None:
    overview = overview_of(60, 80, Box(10, 10, 30, 30), 3)
    log_prob = overview.completed.log_prob
    assert log_prob is not None
    ranked = Overview(overview.completed)
    for index in (1, 0, 2):
        ranked.add(overview.completed.samples(index), index)
    captions = [caption for _, caption in ranked.tiles]
    assert captions == [
        f"0 (draw 1): {log_prob[1]:.1f} nats",
        f"1 (draw 0): {log_prob[0]:.1f} nats",
        f"2: {log_prob[2]:.1f} nats",
    ]


def test_captions_say_where_the_input_is_cut_and_what_bright_means() -> None:
    overview = overview_of(600, 800, Box(100, 100, 120, 130), 2)
    assert overview._input_caption() == "input, cut at x 85, y 85"
    assert overview._uncertainty()[1].endswith(" of 255 bright")


def test_the_sheet_zooms_to_small_holes_only() -> None:
    small = overview_of(600, 800, Box(100, 100, 120, 130), 1)
    assert view_of(small.completed) == Box(85, 85, 135, 145)
    large = overview_of(600, 800, Box(100, 100, 400, 500), 1)
    assert view_of(large.completed) == Box(0, 0, 600, 800)


def test_a_single_completion_has_no_map() -> None:
    one, two = (overview_of(60, 80, Box(9, 9, 20, 20), n).sheet() for n in (1, 2))
    assert one.height < two.height


def test_tiles_are_never_larger_than_a_tile() -> None:
    assert reduced(np.zeros((3000, 10, 3), np.uint8)).shape == (192, 1, 3)


def test_a_bound_is_marked_as_one() -> None:
    overview = overview_of(60, 80, Box(10, 10, 30, 30), 1)
    (window,) = overview.completed.windows
    bound = replace(overview.completed, windows=(replace(window, lower_bound=True),))
    assert Overview(bound)._caption(0, 0).startswith("0: >= ")


def test_captions_tell_declared_details_of_each_window() -> None:
    overview = overview_of(60, 80, Box(10, 10, 30, 30), 2)
    (window,) = overview.completed.windows
    windows = [replace(window, details={"pen": np.array(pens)}) for pens in ([2, 0], [1, 1])]
    request = CompletionRequest(n=2, details=(PEN,))
    two = replace(overview.completed, windows=tuple(windows), log_prob=None, request=request)
    assert Overview(two)._caption(0, 1) == "0 (draw 1)\npen 0, 1"
