"""The set that ships: what its page says it is, in any size and colour."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint_cli.metrics import sample_set


def test_the_pictures_are_the_crops_that_are_listed() -> None:
    skimage_data = pytest.importorskip("skimage.data")
    folder = Path(skimage_data.__file__).parent
    facts, images = sample_set.layout(), sample_set.load(64, 3).images
    photos: dict[str, Image.Image] = {}
    for crop, image in zip(facts["crops"], images, strict=True):
        name = crop["source"]
        if name not in photos:
            photos[name] = Image.open(folder / name).convert("RGB")
        left, top, side = crop["left"], crop["top"], crop["side"]
        box = (left, top, left + side, top + side)
        again = photos[name].resize((64, 64), Image.Resampling.LANCZOS, box=box)
        # JPEG decoders and filters differ by a level between builds.
        assert np.abs(np.asarray(again).transpose(2, 0, 1).astype(int) - image).max() <= 2


@pytest.mark.parametrize(("size", "channels", "levels"), [(64, 3, 256), (32, 1, 2), (16, 3, 32)])
def test_it_comes_in_any_size_and_colour(size: int, channels: int, levels: int) -> None:
    samples = sample_set.load(size, channels, levels)
    assert samples.images.shape == (60, channels, size, size)
    assert len(set(samples.ids)) == 60
    if levels == 2:
        assert set(np.unique(samples.images)) == {0, 255}


def test_the_page_names_every_source() -> None:
    page = (sample_set.FOLDER / "README.md").read_text("utf-8")
    assert all(crop["source"] in page for crop in sample_set.layout()["crops"])
    assert (sample_set.FOLDER / "pictures.png").stat().st_size < 500_000
