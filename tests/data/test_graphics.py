"""The set `graphics`: drawn pictures, the same everywhere from their index alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpaint_cli import data
from inpaint_cli.data import ImageSet, Split, graphics
from inpaint_cli.data.graphics import KINDS, SIDE, TEST, TRAINING, draw


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path))


def opened(split: Split, size: int = 8) -> ImageSet:
    return data.load_images(["graphics"], size=size, channels=3, split=split)


@pytest.mark.parametrize("index", range(2 * len(KINDS)))
def test_a_picture_depends_on_its_index_alone(index: int) -> None:
    picture = draw(index)
    draw(index + 1)
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(draw(index), picture)
    assert (draw(index + len(KINDS)) != picture).any()


def test_the_kinds_take_turns_and_both_splits_hold_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []

    def noting(name: str) -> Any:
        def note(dice: object) -> Any:
            drawn.append(name)
            return np.zeros((SIDE, SIDE, 3))

        return note

    monkeypatch.setattr(graphics, "KINDS", {name: noting(name) for name in KINDS})
    for index in (*range(len(KINDS)), *range(TRAINING, TRAINING + len(KINDS))):
        draw(index)
    assert set(drawn[: len(KINDS)]) == set(drawn[len(KINDS) :]) == set(KINDS)


def test_pictures_are_not_empty_but_for_plain_paper() -> None:
    for index in range(1, len(KINDS)):
        assert draw(index).std() > 1


def test_the_last_hundred_of_1800_are_the_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbered(index: int) -> Any:
        return np.full((8, 8, 3), index // 10, np.uint8)

    monkeypatch.setattr(graphics, "draw", numbered)
    train, test = opened("train"), opened("test")
    assert (TRAINING, TEST) == (1700, 100)
    assert train.counts["train"] + train.counts["validation"] == TRAINING
    assert train.counts["validation"] > 50
    assert len(test) == test.counts["test"] == TEST
    assert set(test.images[:, 0, 0, 0].tolist()) == set(range(170, 180))
    assert train.images.max() < 170


def test_the_set_is_drawn_here_with_nothing_placed_and_nothing_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graphics, "TRAINING", 21)
    monkeypatch.setattr(graphics, "TEST", 3)
    test = opened("test", size=SIDE)
    assert (test.name, test.labels, test.skipped) == ("graphics", None, ())
    expected = [draw(index).transpose(2, 0, 1) for index in (21, 22, 23)]
    np.testing.assert_array_equal(test.images, expected)
