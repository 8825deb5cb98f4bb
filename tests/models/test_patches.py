"""The family `patches`: texture of the image itself behind the common interface."""

import pytest
import torch
from torch import Tensor

from inpaint_cli import models
from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions, Model
from inpaint_cli.randomness import Noise


def model() -> Model:
    family = models.get("patches")
    return family.build(family.presets["default"])


def completed(image: Tensor, visible: Tensor, *indices: int) -> Completions:
    return model().complete(image, visible, Noise.of_completions(5, b"", indices))


def case(channels: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, channels, 60, 50), generator=generator).to(torch.uint8)
    visible = torch.ones(1, 1, 60, 50, dtype=torch.bool)
    visible[..., 20:40, 15:35] = False
    return image, visible


@pytest.mark.parametrize("channels", [1, 3])
def test_completions_differ_and_keep_what_is_visible(channels: int) -> None:
    image, visible = case(channels)
    images = completed(image, visible, 0, 1, 2, 3).images
    assert len({picture.numpy().tobytes() for picture in images}) == 4
    assert torch.equal(
        torch.where(visible, images, 0), torch.where(visible, image, 0).expand(4, -1, -1, -1)
    )


def test_order_and_number_of_completions_play_no_part() -> None:
    image, visible = case()
    whole, some = completed(image, visible, 0, 1, 2).images, completed(image, visible, 2, 0).images
    assert torch.equal(whole[[2, 0]], some)


def test_a_plain_image_is_continued_plainly() -> None:
    image, visible = torch.full((1, 3, 40, 40), 245, dtype=torch.uint8), torch.ones(1, 1, 40, 40)
    visible = visible.bool()
    visible[..., :20, 10:] = False
    assert torch.equal(completed(torch.where(visible, image, 0), visible, 0).images, image)


def test_an_image_without_whole_patches_is_filled_all_the_same() -> None:
    image, visible = case()
    visible = torch.zeros_like(visible)
    visible[..., ::3, ::2] = True
    images = completed(image, visible, 0, 1).images
    assert not torch.equal(images[0], images[1])
    assert torch.equal(torch.where(visible, images[:1], 0), torch.where(visible, image, 0))


def test_an_image_without_a_visible_pixel_is_refused() -> None:
    image, visible = case()
    with pytest.raises(UserError, match="nothing is visible"):
        completed(image, torch.zeros_like(visible), 0)


def test_a_temperature_and_unknown_options_are_refused() -> None:
    image, visible = case()
    noise = Noise.of_completions(0, b"", [0])
    with pytest.raises(UserError, match="temperature: patches has none"):
        model().complete(image, visible, noise, temperature=1.0)
    with pytest.raises(UserError, match="no option 'trace'"):
        model().complete(image, visible, noise, trace=True)


def test_there_is_nothing_to_train_or_convert() -> None:
    family = models.get("patches")
    assert (family.stage_names, family.stages()) == ((), ())
    with pytest.raises(UserError, match="no weights"):
        family.convert("any", [])
