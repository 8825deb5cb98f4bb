"""Whole pictures through the VQGAN: to the nearest codes and back."""

import torch

from inpaint_cli.models.pixels import from_unit, to_unit
from tests.models.latent_codes.test_sampling import photo, task


def test_a_picture_becomes_its_codes_and_they_are_decoded() -> None:
    latent = photo()
    image, _ = task(latent)
    with torch.inference_mode():
        whole, quantised = latent.vqgan(to_unit(image))
    assert torch.equal(latent.reconstruct(image), from_unit(whole))
    assert quantised.indices.shape[1:] == (latent.config.grid,) * 2


def test_only_the_codes_pass() -> None:
    latent = photo()
    image, _ = task(latent)
    codes, given = latent.vqgan.tokens(to_unit(image)), latent.reconstruct(image)
    slightly = image.clone()
    slightly[0, 0, 0, 0] ^= 1
    if torch.equal(latent.vqgan.tokens(to_unit(slightly)), codes):
        assert torch.equal(latent.reconstruct(slightly), given)
    other, _ = task(latent, seed=1)
    assert not torch.equal(latent.vqgan.tokens(to_unit(other)), codes)
    assert not torch.equal(latent.reconstruct(other), given)
