"""Recorded completions of the authors' code from recorded noise."""

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.partial_encoder import drawing_and_photo
from inpaint_cli.models.ipa.sampling import CompletionDecoder, CompletionPlan
from tests.models.ipa.recorded import (
    MODELS,
    assert_recorded,
    listed,
    model,
    pictures,
    tensors,
    visible,
)

pytestmark = [pytest.mark.golden, pytest.mark.ipa]
each_model = pytest.mark.parametrize("name", MODELS)
TEMPERATURES = {"t1.0": 1.0, "t0.85": 0.85, "t0.7": 0.7, "perlayer": None}


def unbounded(uniform: Tensor) -> Tensor:
    """Undoes what moves uniform numbers away from 0 and 1: recorded ones were moved already."""
    return (uniform.double() - dmol.MARGIN) / (1 - 2 * dmol.MARGIN)


def drawn(name: str, plan: CompletionPlan) -> tuple[Tensor, Tensor]:
    """Return the decoder's last states and the pixels; two images, one completion of each."""
    vae, recorded = model(name), tensors(f"{name}_io")
    image = pictures(recorded["x_uint8"])
    given = image
    if vae.config.condition == "edges":
        given = drawing_and_photo(image, draw_edges=False)[0]
    noise = listed(recorded, "samp.eps")
    with torch.no_grad():
        decoder = CompletionDecoder(vae, given, visible(recorded), plan)
        px_z, latents = decoder.walk(len(image), lambda index, shape: noise[index].double())
        uniform = (unbounded(recorded[f"samp.u_{kind}"]) for kind in ("mixture", "logistic"))
        assert len(latents) == len(noise)
        return px_z, decoder.read(px_z, *uniform)


@each_model
@pytest.mark.parametrize("tag", TEMPERATURES)
def test_completions_at_each_temperature_are_recorded(name: str, tag: str) -> None:
    recorded = tensors(f"{name}_io")
    layers = len(listed(recorded, "samp.eps"))
    heat = TEMPERATURES[tag]
    heats = recorded[f"samp.{tag}.t"].tolist() if heat is None else [heat] * layers
    px_z, pixels = drawn(name, CompletionPlan(heats, 0, layers))
    if f"samp.{tag}.px_z" in recorded:
        assert_recorded(px_z, recorded[f"samp.{tag}.px_z"])
    assert_recorded(pixels, recorded[f"samp.{tag}.float"])
    assert torch.equal(dmol.to_bytes(pixels, "trunc"), pictures(recorded[f"samp.{tag}.uint8"]))


@each_model
def test_layers_of_the_partial_encoder_followed_by_those_of_the_prior_are_recorded(
    name: str,
) -> None:
    recorded = tensors(f"{name}_io")
    layers = len(listed(recorded, "samp.eps"))
    top = layers // 2
    px_z, _ = drawn(name, CompletionPlan([1.0] * top + [0.1] * (layers - top), 0, top))
    assert_recorded(px_z, recorded["samp.first_half_part_rest_prior_t0.1.px_z"])
