"""Whole pictures through the posterior alone: nothing of them is visible to the decoder."""

import pytest
import torch

from inpaint_cli.models.picme.mixture import Gaussian
from tests.models.picme.small import batch_of, model_of


def test_the_latent_variable_is_all_that_the_decoder_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, image = model_of(), batch_of(2).image
    given = model.reconstruct(image)
    assert not torch.equal(given[0], given[1])
    shape = (1, model.config.latent_channels, model.config.side, model.config.side)
    one = Gaussian(torch.full(shape, 0.3), torch.ones(shape))
    monkeypatch.setattr(model.encoder, "posterior", lambda z: one)
    same = model.reconstruct(image)
    assert torch.equal(same[0], same[1])


def test_levels_are_those_of_the_model() -> None:
    model = model_of()
    from inpaint_cli.models.quantise import to_bytes, to_levels

    given = model.reconstruct(batch_of(1).image)
    assert torch.equal(to_bytes(to_levels(given, model.levels), model.levels), given)
