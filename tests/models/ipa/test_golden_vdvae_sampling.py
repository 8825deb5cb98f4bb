"""Recorded samples of openai/vdvae at several temperatures, and its mixture of logistics."""

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.elbo import Draw
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.sampling import CompletionDecoder, CompletionPlan, LayerNoise
from inpaint_cli.models.ipa.vdvae import DecBlock
from tests.models.ipa.vdvae_recordings import (
    assert_recorded,
    each_network,
    in_turn,
    network,
    tensors,
)

pytestmark = [pytest.mark.golden, pytest.mark.vdvae]
BITS: list[tuple[str, dmol.Likelihood]] = [("8bit", "8-bit"), ("5bit", "5-bit-published")]


class FixedLatents(CompletionDecoder):
    """A walk down the prior whose first latents are given."""

    def __init__(
        self, model: CompletingVae, temperatures: list[float], latents: list[Tensor]
    ) -> None:
        image = torch.zeros(1, model.channels, model.size, model.size, dtype=torch.uint8)
        plan = CompletionPlan(temperatures, fixed=0, prior_from=0)
        super().__init__(model, image, torch.zeros_like(image[:, :1], dtype=torch.bool), plan)
        self.latents = latents

    def _drawn(
        self, index: int, block: DecBlock, state: Tensor, normal: LayerNoise
    ) -> tuple[Tensor, Tensor]:
        if index < len(self.latents):
            return self.latents[index], block.skip(state)
        return super()._drawn(index, block, state, normal)


def sampled(
    model: CompletingVae, draw: Draw, temperatures: list[float], latents: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Return the decoder's last state and the latents of the prior, for recorded noise."""
    decoder = FixedLatents(model, temperatures, latents)
    with torch.no_grad():
        return decoder.walk(2, lambda _, shape: draw(*shape))


def compare(
    model: CompletingVae, px_z: Tensor, latents: list[Tensor], recorded: dict[str, Tensor], tag: str
) -> None:
    params = model.decoder.read(px_z)
    uniform = [recorded[f"samp.u_{kind}"].to(params) for kind in ("mixture", "logistic")]
    pixels = dmol.sample(params, *uniform)
    ours = {"px_z": px_z, "float": pixels}
    ours |= {f"z.{number}": z for number, z in enumerate(latents)}
    exact = pixels.dtype == torch.float64
    for key, value in ours.items():
        if f"samp.{tag}.{key}" in recorded and exact:
            assert_recorded(value, recorded[f"samp.{tag}.{key}"], f"{tag}.{key}")
    theirs = recorded[f"samp.{tag}.uint8"].int()
    off = (dmol.to_bytes(pixels, "trunc").permute(0, 2, 3, 1).int() - theirs).abs()
    assert off.max() <= (0 if exact else 1)
    assert (off > 0).float().mean() <= 0.005


@each_network
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("tag", ["t1.0", "t0.85", "t0.7", "perlayer"])
def test_samples_of_recorded_noise_are_those_of_the_authors(
    name: str, tag: str, dtype: torch.dtype
) -> None:
    recorded, model = tensors(f"{name}_io"), network(name, dtype)
    layers = len(model.decoder.blocks())
    each = recorded["samp.perlayer.t"].tolist() if tag == "perlayer" else [float(tag[1:])] * layers
    px_z, latents = sampled(model, in_turn(recorded, "samp.eps."), each, [])
    compare(model, px_z, latents, recorded, tag)


@each_network
def test_with_the_first_latents_fixed_the_rest_is_drawn_from_the_prior(name: str) -> None:
    recorded, model = tensors(f"{name}_io"), network(name)
    layers = len(model.decoder.blocks())
    fixed = [recorded[f"fwd.z.{number}"].double() for number in range(layers // 2)]
    draw = in_turn(recorded, "samp.eps.", layers // 2)
    px_z, latents = sampled(model, draw, [0.1] * layers, fixed)
    compare(model, px_z, latents, recorded, "fixed_first_half_t0.1")


@pytest.mark.parametrize(("tag", "likelihood"), BITS)
def test_likelihoods_and_gradients_of_the_mixture_are_those_of_the_authors(
    tag: str, likelihood: dmol.Likelihood
) -> None:
    recorded = tensors("dmol")
    image = recorded["x_uint8"].permute(0, 3, 1, 2)
    target = dmol.to_target(image, likelihood, torch.float64)
    assert_recorded(target, recorded[f"{tag}.target"], "target")
    params = recorded["params"].double().requires_grad_()
    nats = dmol.log_prob(params, target, likelihood)
    assert_recorded(nats, recorded[f"{tag}.logp_per_pixel"], "log p")
    per_image = -nats.flatten(1).sum(1) / image[0].numel()
    assert_recorded(per_image, recorded[f"{tag}.nll_per_image"], "nll")
    (gradient,) = torch.autograd.grad(per_image.sum(), params)
    assert_recorded(gradient, recorded[f"{tag}.grad_params"], "gradient")


def test_draws_of_the_mixture_are_those_of_the_authors() -> None:
    recorded = {key: value.double() for key, value in tensors("dmol").items()}
    pixels = dmol.sample(recorded["params"], recorded["u_mixture"], recorded["u_logistic"])
    assert_recorded(pixels, recorded["sample_float"], "sample", 1e-9)
    drawn = dmol.to_bytes(pixels, "trunc").permute(0, 2, 3, 1)
    assert torch.equal(drawn, recorded["sample_uint8"].to(torch.uint8))
