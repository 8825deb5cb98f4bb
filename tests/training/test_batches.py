"""SampleOrder, division and augmentation of the samples."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.errors import UserError
from inpaint_cli.family import Training
from inpaint_cli.randomness import stream
from inpaint_cli.training.batches import (
    BatchDivision,
    Keys,
    MaskSource,
    MicroBatches,
    SampleOrder,
    augmented,
    held_out,
)
from tests.training import fake_data


@given(st.integers(1, 30), st.integers(0, 3))
def test_an_epoch_shows_every_image_once(count: int, seed: int) -> None:
    keys = SampleOrder(count, seed).keys(count, 2 * count)
    assert sorted(index for _, index in keys) == list(range(count))
    assert {epoch for epoch, _ in keys} == {1}


def test_epochs_have_different_orders() -> None:
    order = SampleOrder(50, 0)
    assert [i for _, i in order.keys(0, 50)] != [i for _, i in order.keys(50, 100)]


@given(st.sampled_from([(12, 1, 1), (12, 2, 3), (12, 3, 2), (8, 4, 1)]), st.integers(0, 5))
def test_ranks_and_parts_divide_a_batch_without_overlap(
    shape: tuple[int, int, int], step: int
) -> None:
    size, parts, world = shape
    seen: list[int] = []
    for rank in range(world):
        split = BatchDivision(size, parts, world, rank)
        for part in range(parts):
            start = split.start(step * parts + part)
            seen += range(start, start + split.size)
    assert sorted(seen) == list(range(step * size, (step + 1) * size))


def test_a_batch_that_does_not_divide_is_refused_with_a_number_that_does() -> None:
    with pytest.raises(UserError, match="multiple of 8"):
        BatchDivision(12, 2, 4)


def batches(split: BatchDivision, augment: str = "crop", seed: int = 0) -> MicroBatches:
    images = fake_data.open_fake(["x"], size=8, channels=1, split="train")
    masks = MaskSource.of(Training(masks="freeform"), seed, (8, 8), None)
    return MicroBatches(images, SampleOrder(len(images.images), seed), split, masks, augment)


def test_a_sample_is_the_same_in_whatever_batch_it_comes() -> None:
    whole = batches(BatchDivision(12, 1))[0]
    halves = [batches(BatchDivision(12, 1, 2, rank))[0] for rank in (0, 1)]
    for i in range(3):
        joined = torch.cat([half[i] for half in halves])  # type: ignore[misc]
        assert joined.equal(whole[i])  # type: ignore[arg-type]


def test_data_and_masks_differ_between_ranks_and_epochs() -> None:
    one, other = (batches(BatchDivision(4, 1, 2, rank))[0] for rank in (0, 1))
    assert not one[0].equal(other[0])
    assert not one[1].equal(other[1])
    masks = MaskSource.of(Training(masks="freeform"), 0, (8, 8), None)
    assert not masks.draw([(0, 3)]).equal(masks.draw([(1, 3)]))


def test_a_batch_over_the_end_of_an_epoch_draws_masks_of_both() -> None:
    masks = MaskSource.of(Training(masks="freeform"), 0, (8, 8), None)
    keys: Keys = [(0, 3), (0, 1), (1, 2)]
    assert masks.draw(keys).equal(torch.cat([masks.draw([key]) for key in keys]))


@pytest.mark.parametrize("kind", ["flip", "crop"])
def test_augmented_images_keep_shape_and_depend_on_the_stream_alone(kind: str) -> None:
    image = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8)
    drawn = [augmented(image, kind, stream(0, "a", i)) for i in range(12)]
    again = [augmented(image, kind, stream(0, "a", i)) for i in range(12)]
    assert all(a.shape == image.shape and a.dtype == np.uint8 for a in drawn)
    assert all((a == b).all() for a, b in zip(drawn, again, strict=True))
    assert any((a != image).any() for a in drawn)


def test_mirroring_only_mirrors() -> None:
    image = np.arange(8 * 8, dtype=np.uint8).reshape(1, 8, 8)
    for i in range(10):
        result = augmented(image, "flip", stream(0, "a", i))
        assert (result == image).all() or (result == image[:, :, ::-1]).all()


def test_held_out_images_spread_over_the_whole_set() -> None:
    images = fake_data.open_fake(["x"], size=8, channels=1, split="validation")
    assert list(held_out(images, 3)) == [0, 3, 6]
    assert list(held_out(images, 100)) == list(range(9))
