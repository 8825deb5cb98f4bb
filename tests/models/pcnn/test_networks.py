"""What a logit may depend on, by gradients; and what the config refuses."""

from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.pcnn.config import PRESETS, PixelConfig
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from tests.models.pcnn.small_networks import random_network, random_task


def gradient_of(logit: Tensor, image: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(logit, image, retain_graph=True)
    return gradient


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kernel", [3, 5])
def test_a_prior_logit_depends_on_all_earlier_entries_and_no_other(
    channels: int, kernel: int
) -> None:
    model = random_network(channels=channels, depth=7, kernel=kernel).double()
    image = torch.rand(1, channels, 5, 6, dtype=torch.float64, requires_grad=True)
    logits = model.prior(image)
    order = torch.arange(5 * 6 * channels).view(5, 6, channels).permute(2, 0, 1)
    for colour in range(channels):
        for row, column in ((0, 0), (2, 3), (4, 5), (3, 0)):
            gradient = gradient_of(logits[0, :, colour, row, column].sum(), image)[0]
            assert torch.equal(gradient != 0, order < order[colour, row, column])


def test_a_conditioning_logit_does_not_depend_on_hidden_pixels() -> None:
    model = random_network(channels=3, levels=4)
    levels, visible = random_task(model, 6, 6, seed=1)
    changed = torch.where(visible, levels, (levels + 1) % model.levels)
    with torch.no_grad():
        assert torch.equal(model.cond_logits(levels, visible), model.cond_logits(changed, visible))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_on_the_meta_device(name: str) -> None:
    with torch.device("meta"):
        model = PixelConstrainedCNN(PRESETS[name])
    assert next(model.parameters()).is_meta
    assert set(PRESETS[name].training) == {"pixels"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": 7}, "divisible by 3"),
        ({"kernel": 4}, "odd"),
        ({"depth": 1}, r"depth: must lie in 2\.\.256"),
        ({"levels": 1}, r"2\.\.256"),
        ({"channels": 2}, "1 or 3"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(settings: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "size": 8,
        "channels": 3,
        "levels": 4,
        "depth": 3,
        "filters": 6,
        "cond_filters": 4,
        "head": 9,
    }
    with pytest.raises(UserError, match=message):
        PixelConfig(**{**good, **settings})
