"""SampleOrder, division and augmentation of the samples."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.family import Training
from inpaint_cli.masks.sets import pack
from inpaint_cli.randomness import stream
from inpaint_cli.training.batches import (
    BatchDivision,
    Keys,
    MaskSource,
    MicroBatches,
    SampleOrder,
    as_batch,
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
    assert order.keys(0, 50) != SampleOrder(50, 1).keys(0, 50)


def test_the_orders_of_old_epochs_are_forgotten_and_come_out_the_same_again() -> None:
    order = SampleOrder(7, 0)
    first = order.keys(0, 7)
    order.keys(7, 70)
    assert len(order._epochs) <= 3
    assert order.keys(0, 7) == first


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


@pytest.mark.parametrize(("parts", "world", "multiple"), [(2, 4, 8), (5, 1, 5), (1, 5, 5)])
def test_a_batch_that_does_not_divide_is_refused_with_a_number_that_does(
    parts: int, world: int, multiple: int
) -> None:
    with pytest.raises(UserError, match=f"multiple of {multiple}"):
        BatchDivision(12, parts, world)


@pytest.mark.parametrize(
    ("division", "text"),
    [
        (BatchDivision(12, 1), "12 images"),
        (BatchDivision(12, 1, 2), "12 = 6 images x 2 processes"),
        (BatchDivision(12, 2, 3), "12 = 2 images x 3 processes x 2 accumulated parts"),
    ],
)
def test_a_division_reads_as_a_product(division: BatchDivision, text: str) -> None:
    assert str(division) == text


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
    source = MaskSource.of(Training(masks="freeform"), 0, (8, 8), None)
    assert not source.draw([(0, 3)]).equal(source.draw([(1, 3)]))


def test_a_batch_over_the_end_of_an_epoch_draws_masks_of_both() -> None:
    source = MaskSource.of(Training(masks="freeform"), 0, (8, 8), None)
    keys: Keys = [(0, 3), (0, 1), (1, 2)]
    assert source.draw(keys).equal(torch.cat([source.draw([key]) for key in keys]))


@pytest.mark.parametrize("kind", ["freeform", "pixels@mixture"])
def test_the_masks_of_training_are_none_of_validation_and_draw_the_range_of_a_mixture(
    kind: str,
) -> None:
    source = MaskSource.of(Training(masks=kind), 5, (8, 8), None)
    drawn = source.draw([(0, index) for index in range(9)])
    validation = masks.draw_batch(kind, 8, 8, seed=5, epoch=0, indices=range(9))
    in_turn = masks.draw_batch(kind, 8, 8, seed=5, epoch=1, indices=range(9))
    assert not drawn.equal(validation)
    assert drawn.equal(in_turn) == (kind == "freeform")
    again = masks.draw_batch(kind, 8, 8, seed=5, epoch=1, indices=range(9), training=True)
    assert drawn.equal(again)


def test_masks_drawn_beforehand_are_others_than_those_of_validation(tmp_path: Path) -> None:
    source = MaskSource.of(Training(masks="pixels", mask_cache=6), 5, (8, 8), tmp_path)
    assert source.cache is not None
    small_seeds = [masks.draw("pixels", 8, 8, seed=5, index=index) for index in range(6)]
    assert not any((source.cache.packed == pack(mask)).all(1).any() for mask in small_seeds)
    keys: Keys = [(0, 3), (4, 1)]
    for visible, key in zip(source.draw(keys), keys, strict=True):
        np.testing.assert_array_equal(visible[0].numpy(), source.cache.pick(5, *key))


@pytest.mark.parametrize("count", [0, 6])
def test_masks_are_drawn_beforehand_only_where_asked_for_and_with_a_place(
    count: int, tmp_path: Path
) -> None:
    training = Training(masks="pixels", mask_cache=count)
    assert MaskSource.of(training, 0, (8, 8), None).cache is None
    assert (MaskSource.of(training, 0, (8, 8), tmp_path).cache is None) == (count == 0)


def test_a_sample_has_its_own_image_label_and_augmentation() -> None:
    made_of = batches(BatchDivision(6, 1), seed=3)
    pixels, _, labels, keys = made_of[1]
    assert labels is not None
    assert made_of.images.labels is not None
    assert keys == SampleOrder(fake_data.COUNT, 3).keys(6, 12)
    for picture, label, (epoch, index) in zip(pixels, labels, keys, strict=True):
        image = made_of.images.images[index]
        expected = augmented(image, "crop", stream(3, "augment", epoch, index))
        np.testing.assert_array_equal(picture.numpy(), expected)
        assert label == made_of.images.labels[index]
    batch, noise = as_batch(made_of[1], torch.device("cpu"), 3, "train x")
    assert batch.label is not None
    assert batch.label.equal(labels)
    assert (noise.seed, noise.tag, noise.keys) == (3, "train x", keys)


def test_an_image_is_mirrored_half_of_the_time() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    kept = [(augmented(image, "flip", stream(0, "a", i)) == image).all() for i in range(400)]
    assert 150 < sum(kept) < 250  # five standard deviations of a fair coin


@pytest.mark.parametrize("axis", [1, 2])
def test_a_crop_takes_75_to_100_percent_of_the_side_anywhere(axis: int) -> None:
    ramp = np.arange(200, dtype=np.uint8)
    image = np.broadcast_to(ramp[:, None] if axis == 1 else ramp, (1, 200, 200))
    crops = [augmented(image, "crop", stream(0, "a", i)) for i in range(200)]
    spans = [int(np.ptp(crop)) + 1 for crop in crops]
    assert 149 <= min(spans) < 160
    assert 190 < max(spans) <= 200
    assert min(int(crop.min()) for crop in crops) == 0
    assert max(int(crop.min()) for crop in crops) > 30
    assert max(int(crop.max()) for crop in crops) == 199


@pytest.mark.parametrize("axis", [1, 2])
def test_a_crop_keeps_the_first_and_the_last_line_equally_often(axis: int) -> None:
    first, last = np.zeros((1, 8, 8), np.uint8), np.zeros((1, 8, 8), np.uint8)
    np.moveaxis(first, axis, 0)[0] = np.moveaxis(last, axis, 0)[-1] = 255
    unmirrored = [i for i in range(800) if stream(0, "a", i).random() >= 0.5]
    kept = [
        sum(bool(augmented(image, "crop", stream(0, "a", i)).any()) for i in unmirrored)
        for image in (first, last)
    ]
    assert abs(kept[0] - kept[1]) < 0.15 * len(unmirrored)


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
