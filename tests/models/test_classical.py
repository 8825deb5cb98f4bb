"""The classical baselines: OpenCV behind the common interface."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inpaint_cli import models
from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions, Model
from inpaint_cli.models.classical.config import ClassicalConfig
from inpaint_cli.randomness import Noise

NAMES = ["telea", "navier-stokes"]


def model_of(name: str) -> Model:
    family = models.get(name)
    return family.build(next(iter(family.presets.values())))


def completed(name: str, image: Tensor, visible: Tensor, n: int = 1) -> Completions:
    noise = Noise.of_completions(0, b"", range(n))
    return model_of(name).complete(image, visible, noise)


def random_case(seed: int, height: int, width: int, channels: int = 3) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.integers(0, 256, (1, channels, height, width), dtype=np.uint8))
    visible = torch.from_numpy(rng.random((1, 1, height, width)) < 0.6)
    visible[..., 0, 0] = True
    return image, visible


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(0, 999), st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3]))
def test_visible_pixels_stay_and_hidden_ones_have_no_say(
    name: str, seed: int, height: int, width: int, channels: int
) -> None:
    image, visible = random_case(seed, height, width, channels)
    first = completed(name, image, visible).images
    second = completed(name, torch.where(visible, image, 99), visible).images
    assert torch.equal(first, second)
    assert torch.equal(torch.where(visible, first, 0), torch.where(visible, image, 0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0, 255])
def test_a_flat_image_is_continued_flat_even_at_the_border(name: str, level: int) -> None:
    # Telea drifts by a few levels at other values: OpenCV's gradient term, not ours.
    image = torch.full((1, 3, 30, 40), level, dtype=torch.uint8)
    visible = torch.ones(1, 1, 30, 40, dtype=torch.bool)
    visible[..., :12, 25:] = False
    hidden = torch.where(visible, image, 77)
    assert torch.equal(completed(name, hidden, visible).images, image)


@pytest.mark.parametrize("name", NAMES)
def test_several_completions_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="deterministic"):
        completed(name, *random_case(0, 8, 8), n=2)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_without_a_visible_pixel_is_refused(name: str) -> None:
    image, visible = random_case(0, 8, 8)
    with pytest.raises(UserError, match="nothing is visible"):
        completed(name, image, torch.zeros_like(visible))


def test_a_temperature_is_refused() -> None:
    image, visible = random_case(0, 8, 8)
    noise = Noise.of_completions(0, b"", [0])
    with pytest.raises(UserError, match=r"^temperature: "):
        model_of("telea").complete(image, visible, noise, temperature=1.0)


def test_a_radius_beyond_reason_is_refused() -> None:
    with pytest.raises(UserError, match="radius"):
        ClassicalConfig(radius=0)


def test_the_two_methods_differ() -> None:
    image, visible = random_case(0, 20, 20)
    assert not torch.equal(*(completed(name, image, visible).images for name in NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_there_is_nothing_to_train_or_convert(name: str) -> None:
    family = models.get(name)
    assert (family.stage_names, family.stages()) == ((), ())
    with pytest.raises(UserError, match="no weights"):
        family.convert("any", [])
