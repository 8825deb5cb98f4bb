"""Whole pictures through the VAE: the means of q, and of the likeliest logistics."""

from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.posterior import FORWARD, walk
from tests.models.ipa.small_vaes import random_images, random_vae


@pytest.mark.parametrize("changes", [{}, {"share_encoders": True, "trained": "all"}])
def test_every_layer_takes_the_mean_of_the_full_encoder(changes: dict[str, Any]) -> None:
    model, image = random_vae(**changes), random_images(1)

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(1, *shape)

    with torch.inference_mode():
        sides = {
            "q": model.full_sides(image),
            "c": model.partial_sides(image, torch.ones(1, 1, 8, 8, dtype=torch.bool)),
        }
        walked = walk(model, 1, sides, zeros, FORWARD, keep=True)
        assert all(torch.equal(step.z, step.first.mean) for step in walked.steps)
        params = model.decoder.read(model.decoder.finish(walked.states))
    expected = dmol.to_bytes(dmol.likeliest(params, 3))
    assert torch.equal(model.reconstruct(image), expected)


def test_every_part_of_the_picture_counts() -> None:
    model, image = random_vae(), random_images(1)
    given = model.reconstruct(image)
    for corner in (0, 7):
        changed = image.clone()
        changed[..., corner, corner] = 255 - changed[..., corner, corner]
        assert not torch.equal(model.reconstruct(changed), given)
