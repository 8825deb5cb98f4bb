"""Nothing leaks from under the hole, and the fill joins its surroundings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.photos.blending import fill_of, reduce

RNG = np.random.default_rng(1)


@given(st.integers(1, 70), st.sampled_from([8, 16]), st.integers(0, 10**6))
def test_a_model_pixel_is_visible_only_if_no_hidden_pixel_lies_under_it(
    side: int, size: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    visible = rng.random((side, side)) < rng.choice([0.5, 0.97])
    _, small = reduce(np.zeros((side, side, 1), np.float32), visible, size)
    for y, x in zip(*np.nonzero(~visible), strict=True):
        rows, columns = ((int(p * size / side), -(-(p + 1) * size // side)) for p in (y, x))
        assert not small[rows[0] : rows[1], columns[0] : columns[1]].all()


@pytest.mark.parametrize("side", [5, 16, 37, 64])
def test_hidden_values_have_no_influence(side: int) -> None:
    visible = RNG.random((side, side)) < 0.7
    first = RNG.random((side, side, 3)).astype(np.float32) * 255
    second = np.where(visible[..., None], first, 7).astype(np.float32)
    picture = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(reduce(first, visible, 16)[0], reduce(second, visible, 16)[0])
    np.testing.assert_array_equal(
        fill_of(picture, first, visible, None), fill_of(picture, second, visible, None)
    )


def test_an_offset_of_the_model_is_gone_at_the_edge_and_kept_deep_inside() -> None:
    values = np.full((160, 160, 1), 100, np.float32)
    visible = np.ones((160, 160), bool)
    visible[40:120, 40:120] = False
    picture = np.full((16, 16, 1), 130, np.uint8)
    fill = fill_of(picture, values, visible, 20)[..., 0]
    assert abs(fill[40, 80] - 100) < 1
    assert abs(fill[80, 80] - 130) < 1
    # No step anywhere: the offset of 30 is spread over the 20 pixels of the feather.
    assert np.abs(np.diff(fill[80, 39:81])).max() < 3


def test_without_feather_the_fill_is_the_scaled_picture() -> None:
    values = np.full((64, 64, 1), 100, np.float32)
    visible = np.ones((64, 64), bool)
    visible[20:40, 20:40] = False
    fill = fill_of(np.full((16, 16, 1), 130, np.uint8), values, visible, 0)
    assert np.allclose(fill, 130, atol=1e-3)  # cubic weights sum to 1 up to rounding
