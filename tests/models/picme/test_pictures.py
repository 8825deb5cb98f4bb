"""The picture of sampled latent variables, and the figures that go with it."""

import numpy as np
import pytest

from inpaint_cli.models.picme.pictures import (
    INK,
    PAPER,
    colour_of,
    projected,
    scatter,
    separation,
)


def clusters(apart: float, k: int = 3, each: int = 20) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(k), each)
    rng = np.random.Generator(np.random.Philox(0))
    points = rng.random((k * each, 5)) - 0.5
    points[np.arange(k * each), labels] += apart
    return points, labels


def test_components_far_apart_are_separated_and_alike_ones_are_not() -> None:
    far, near = separation(*clusters(20.0)), separation(*clusters(0.0))
    assert far["silhouette"] > 0.9
    assert far["distance_ratio"] > 5
    assert abs(near["silhouette"]) < 0.1
    assert near["distance_ratio"] == pytest.approx(1, abs=0.1)


def test_one_component_is_separated_from_nothing() -> None:
    points, _ = clusters(0.0)
    assert separation(points, np.zeros(len(points), np.int64)) == {}


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_projection_keeps_far_components_apart_and_is_the_same_each_time(method: str) -> None:
    points, labels = clusters(20.0)
    flat = projected(points, method)
    assert flat.shape == (len(points), 2)
    assert np.array_equal(flat, projected(points, method))
    assert separation(flat, labels)["silhouette"] > 0.5


def test_the_picture_shows_every_component_in_its_colour() -> None:
    points, labels = clusters(20.0)
    picture = np.asarray(scatter(projected(points, "pca"), labels, [0.5, 0.3, 0.2]))
    shown = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert {colour_of(i, 3) for i in range(3)} | {PAPER, INK} <= shown


def test_points_that_all_fall_together_are_drawn_all_the_same() -> None:
    picture = scatter(np.zeros((4, 2)), np.zeros(4, np.int64), [1.0])
    assert picture.getpixel((240, 240)) == colour_of(0, 1)
