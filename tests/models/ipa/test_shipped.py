"""What the shipped weights learnt of the method: where nothing is visible, c is the prior."""

import pytest
import torch

from inpaint_cli.api import load_model
from inpaint_cli.randomness import Noise


@pytest.mark.parametrize("name", ["ipa-cifar32", "ipa-mnist", "ipa-photos32", "ipa-photos64"])
def test_with_nothing_visible_completions_are_samples_of_the_vae(name: str) -> None:
    model = load_model(name, device="cpu").model
    shape = (model.size, model.size)
    image = torch.zeros(1, model.channels, *shape, dtype=torch.uint8)
    nothing = torch.zeros(1, 1, *shape, dtype=torch.bool)
    noise = Noise.of_completions(0, b"nothing visible", range(4))
    completed, sampled = (
        model.complete(image, nothing, noise, **options).images.float()
        for options in ({}, {"prior_after": 0})
    )
    same, other = ((completed - sampled.roll(by, 0)).abs().mean() for by in (0, 1))
    assert same < other / 4
