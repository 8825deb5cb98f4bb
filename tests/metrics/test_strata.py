"""Ranges: parts of the images that are balanced over them, and drawn at random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.metrics.intervals import block_count, jackknife_blocks, permutation

RANGES = np.arange(200) % 5


@given(st.integers(1, 60), st.integers(1, 25), st.booleans())
def test_blocks_hold_every_image_once_and_differ_by_one_at_most(
    n: int, count: int, ranged: bool
) -> None:
    blocks = jackknife_blocks(n, count, np.arange(n) % 5 if ranged else None)
    assert sorted(np.concatenate(blocks).tolist()) == list(range(n))
    sizes = {len(block) for block in blocks}
    assert max(sizes) - min(sizes) <= 1
    # In the order of the images, so that a file of features is read forwards.
    assert all((np.diff(block) > 0).all() for block in blocks)


def test_orders_are_drawn_at_random_by_tag_and_key() -> None:
    keys: tuple[tuple[str, int], ...] = (("a", 0), ("a", 0), ("a", 1), ("b", 0))
    drawn = [permutation(40, tag, key).tolist() for tag, key in keys]
    assert drawn[0] == drawn[1]
    assert len({*map(tuple, drawn), tuple(range(40))}) == 4


@pytest.mark.parametrize("count", [20, 10, 40])
def test_every_block_holds_as_many_images_of_each_range(count: int) -> None:
    for block in jackknife_blocks(200, count, RANGES):
        assert set(np.bincount(RANGES[block])) == {200 // count // 5}


def test_every_beginning_of_an_order_is_balanced() -> None:
    order = permutation(200, "test", strata=RANGES)
    for size in (5, 50, 125):
        assert set(np.bincount(RANGES[order[:size]])) == {size // 5}


def test_there_are_no_more_blocks_than_images_in_the_smallest_range() -> None:
    assert block_count(200, 20, RANGES) == 20
    assert block_count(60, 20, RANGES[:60]) == 12
    assert block_count(60, 20) == 20
