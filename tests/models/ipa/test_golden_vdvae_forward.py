"""Recorded forward passes, bounds and gradients of openai/vdvae."""

import pytest
import torch

from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.elbo import Bound, bound
from inpaint_cli.models.ipa.networks import CompletingVae
from tests.models.ipa.vdvae_recordings import (
    FLOAT32,
    assert_recorded,
    each_network,
    images,
    in_turn,
    meta,
    network,
    tensors,
)

pytestmark = [pytest.mark.golden, pytest.mark.vdvae]


def recorded_bound(name: str, model: CompletingVae) -> Bound:
    recorded = tensors(f"{name}_io")
    return bound(model, images(recorded), in_turn(recorded, "fwd.eps."), keep=True)


@each_network
def test_inputs_and_targets_are_those_of_the_authors(name: str) -> None:
    recorded, model = tensors(f"{name}_io"), network(name)
    image = images(recorded)
    target = dmol.to_target(image, model.config.likelihood, torch.float64)
    ours = {"input": model.scaled(image).permute(0, 2, 3, 1), "target": target}
    for key in ours.keys() & recorded.keys():
        assert_recorded(ours[key], recorded[key], key)
    assert target.shape == recorded["x_uint8"].shape


@each_network
def test_the_encoder_keeps_the_activations_of_the_authors(name: str) -> None:
    recorded, model = tensors(f"{name}_io"), network(name)
    with torch.no_grad():
        activations = model.encoder(model.scaled(images(recorded)))
    known = {key: value for key, value in recorded.items() if key.startswith("enc.act.")}
    assert known
    for key, value in known.items():
        assert_recorded(activations[int(key.rpartition(".")[2])], value, key)


@each_network
def test_posteriors_priors_latents_and_states_of_every_layer_are_recorded(name: str) -> None:
    recorded = tensors(f"{name}_io")
    with torch.no_grad():
        layers = recorded_bound(name, network(name)).layers
    compared = 0
    for number, layer in enumerate(layers):
        ours = {
            "qm": layer.posterior.mean,
            "qlogs": layer.posterior.log_std,
            "pm": layer.prior.mean,
            "plogs": layer.prior.log_std,
            "z": layer.z,
            "kl": layer.kl,
            "h": layer.state,
        }
        for key, value in ours.items():
            if f"fwd.{key}.{number}" in recorded:
                assert_recorded(value, recorded[f"fwd.{key}.{number}"], f"{key}.{number}")
                compared += 1
    assert compared > 5 * (len(layers) - 1)


@each_network
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 0.0), (torch.float32, FLOAT32)])
def test_the_bound_and_its_parts_are_those_of_the_authors(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    recorded, model = tensors(f"{name}_io"), network(name, dtype)
    with torch.no_grad():
        elbo = recorded_bound(name, model)
    dimensions = images(recorded)[0].numel()
    ours = {
        "distortion": elbo.distortion,
        "rate": elbo.rate,
        "kl_per_layer": elbo.rates * dimensions,
        "mean_elbo": elbo.total.mean(),
        "mean_distortion": elbo.distortion.mean(),
        "mean_rate": elbo.rate.mean(),
    }
    for key, value in ours.items():
        assert_recorded(value, recorded[f"fwd.{key}"], key, tolerance)


@each_network
def test_the_last_state_and_the_mixtures_are_those_of_the_authors(name: str) -> None:
    recorded, model = tensors(f"{name}_io"), network(name)
    with torch.no_grad():
        last = recorded_bound(name, model).layers[-1].state
        px_z = model.decoder.finish({model.size: last})
        params = model.decoder.read(px_z)
    for key, value in {"px_z": px_z, "dmol_params": params}.items():
        if f"fwd.{key}" in recorded:
            assert_recorded(value, recorded[f"fwd.{key}"], key)
    assert params.shape == (*recorded["x_uint8"].shape[:3], model.config.output_channels)


@each_network
def test_gradients_are_those_of_the_authors(name: str) -> None:
    model = network(name)
    recorded_bound(name, model).total.mean().backward()  # type: ignore[no-untyped-call]
    parameters = dict(model.named_parameters())
    for key, value in tensors(f"{name}_grads").items():
        gradient = parameters[key].grad
        assert gradient is not None
        assert_recorded(gradient, value, key)
    for key, norm in meta(name)["grad_norms"].items():
        gradient = parameters[key].grad
        assert gradient is not None
        assert gradient.norm().item() == pytest.approx(norm, rel=1e-9, abs=1e-9), key
