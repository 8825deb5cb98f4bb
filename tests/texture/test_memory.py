"""What a fill holds at most: so many bytes for a pixel of the surroundings."""

import tracemalloc

import numpy as np

from inpaint_cli.texture import Filler


def test_a_guided_fill_holds_at_most_150_bytes_for_a_pixel_of_the_surroundings() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (300, 400, 3)).astype(np.float32)
    hole = np.zeros((300, 400), np.bool_)
    hole[75:225, 100:300] = True
    Filler(picture[:150, :150], hole[:150, :150]).draw(0)  # the machine code, if it is not there
    tracemalloc.start()
    try:
        filler = Filler(picture.copy(), hole, keep=False)
        tracemalloc.reset_peak()
        filler.values(0, guide=picture[hole], guide_size=64)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 150 * hole.size


def test_a_fill_is_the_same_whether_samples_are_kept_or_not() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (120, 120, 3)).astype(np.float32)
    hole = np.zeros((120, 120), np.bool_)
    hole[40:80, 40:80] = hole[100:103, 5:90] = True
    guide = np.full_like(picture, 90)
    whole = Filler(picture, hole).draw(2, guide=guide[hole], guide_size=32, guide_weight=1.0)
    lean = Filler(picture, hole, keep=False)
    values = lean.values(2, guide=guide[hole], guide_size=32, guide_weight=1.0)
    np.testing.assert_array_equal(values, whole[hole])
