"""Synthetic pictures that no model was trained on."""

from __future__ import annotations

import numpy as np
import pytest

from inpaint_cli.posterior.ood_sets import SYNTHETIC, names_of, synthetic

PICTURE = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)


def picture_of(name: str, seed: int = 0, index: int = 0) -> np.ndarray:
    return synthetic(name, lambda _: PICTURE, seed)(index)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_they_are_pictures_that_seed_and_number_decide(name: str) -> None:
    picture = picture_of(name)
    assert picture.shape == PICTURE.shape
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, picture_of(name))
    assert not np.array_equal(picture, PICTURE)


def test_noise_reaches_all_values_and_a_constant_one_a_channel() -> None:
    assert picture_of("noise").min() == 0
    assert picture_of("noise").max() == 255
    assert not np.array_equal(picture_of("noise"), picture_of("noise", seed=1))
    assert (np.ptp(picture_of("constant"), axis=(1, 2)) == 0).all()
    assert len({picture_of("constant", index=i).tobytes() for i in range(5)}) == 5


def test_a_flip_is_upside_down_and_a_rotation_anticlockwise() -> None:
    assert np.array_equal(picture_of("flip")[:, 0], PICTURE[:, -1])
    assert np.array_equal(
        picture_of("rotate")[:, 0], PICTURE[:, :, -1]
    )  # the right side comes on top


def test_a_crop_shows_the_middle_and_a_translation_a_corner() -> None:
    rows = np.broadcast_to(np.arange(0, 256, 8, dtype=np.uint8)[None, :, None], (1, 32, 32)).copy()
    crop = synthetic("crop", lambda _: rows, 0)(0)
    assert 30 < crop.min() < 60
    assert 190 < crop.max() < 220
    shifted = {int(synthetic("translate", lambda _: rows, 0)(i)[0, 0, 0]) for i in range(20)}
    assert len(shifted) == 2


def test_names_are_split_at_commas_unless_they_are_a_file(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noise,flip").mkdir()
    assert names_of(("noise,flip", "noise,crop")) == ["noise,flip", "noise", "crop"]
