"""Losses and gradients of both autoencoders against recorded ones."""

import json
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.adversarial import frozen
from inpaint_cli.models.latent_codes import discriminator as adversarial
from inpaint_cli.models.latent_codes.decoding import ImageDecoder, composite
from inpaint_cli.models.latent_codes.discriminator import PatchDiscriminator
from inpaint_cli.models.latent_codes.vqgan import VQGAN
from inpaint_cli.models.pixels import to_unit
from tests.models.latent_codes.golden_parts import (
    FOLDER,
    close,
    close_in_double,
    part,
    recorded,
    shape_of,
)

pytestmark = [pytest.mark.golden, pytest.mark.latent_codes]
DISCRIMINATOR = "loss.discriminator."
UNLIMITED = 1e4
"""The largest adaptive weight in the authors' code."""


def split(weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of the network and those of its discriminator."""
    network = {name: tensor for name, tensor in weights.items() if not name.startswith("loss.")}
    rival = {
        name.removeprefix(DISCRIMINATOR): tensor
        for name, tensor in weights.items()
        if name.startswith(DISCRIMINATOR)
    }
    return network, rival


def rival_of(config: dict[str, Any], weights: dict[str, Tensor]) -> PatchDiscriminator:
    loss = config["loss"]
    network = PatchDiscriminator(
        loss["disc_in_channels"], loss["disc_ndf"], loss["disc_num_layers"], "batch"
    )
    network.load_state_dict(weights)
    return network.train().double()


def vqgan() -> tuple[dict[str, Any], VQGAN, PatchDiscriminator]:
    config, weights = part("vqgan")
    of_network, rival = split(weights)
    channels = config["ddconfig"]["in_channels"]
    network = VQGAN(
        channels, shape_of(config["ddconfig"]), config["embed_dim"], config["n_embed"], "gradient"
    )
    network.load_state_dict(of_network)
    return config, network, rival_of(config, rival)


def stand_in(a: Tensor, b: Tensor) -> Tensor:
    """What the recorded runs called in the place of LPIPS."""
    return (F.avg_pool2d(a, 4) - F.avg_pool2d(b, 4)).square().mean((1, 2, 3))


def norms_of(network: nn.Module, name: str) -> None:
    """Compare the norm of every parameter's gradient with the recorded one."""
    wanted = json.loads((FOLDER / f"{name}.grad_norms.json").read_text())
    wanted = wanted.get("norms", wanted)
    norms = {n: p.grad.norm().item() for n, p in network.named_parameters() if p.grad is not None}
    assert wanted.keys() == norms.keys()
    largest = max(wanted.values())
    assert all(abs(norms[n] - wanted[n]) <= 1e-4 * wanted[n] + 1e-6 * largest for n in wanted)


def test_the_vqgan_encodes_quantises_and_decodes_as_recorded() -> None:
    config, network, _ = vqgan()
    io = recorded("vqgan")
    with torch.no_grad():
        x = to_unit(io["image_u8"])
        z = network.encode(x)
        close(z, io["z"])
        assert torch.equal(network.tokens(x), io["indices"].long())
        output, quantised = network(x)
        close(quantised.vectors, io["quant"])
        close(quantised.loss, io["codebook_loss"])
        close(output, io["recon"])
        side = io["decode_ramp"].shape[-1] // shape_of(config["ddconfig"]).factor
        ramp = (torch.arange(side**2) % config["n_embed"]).view(1, side, side)
        close(network.decode(network.quantize.vectors(ramp)), io["decode_ramp"])


def terms_and_gradients(network: nn.Module, io: dict[str, Tensor], **terms: Tensor) -> None:
    """Compare terms of a loss, and the gradients of a network, with what is recorded."""
    for name, value in terms.items():
        close(value.detach(), io[name])
    for name, parameter in network.named_parameters():
        if f"grad.{name}" in io:
            assert parameter.grad is not None
            close_in_double(parameter.grad, io[f"grad.{name}"])


def test_the_losses_of_the_vqgan_and_their_gradients_are_the_recorded_ones() -> None:
    config, network, rival = vqgan()
    network.double()
    io, loss = recorded("vqgan"), config["loss"]
    x = to_unit(io["image_u8"]).double()
    output, quantised = network(x)
    distance = stand_in(x, output)
    nll = F.l1_loss(output, x) + loss["perceptual_weight"] * distance.mean()
    game = -frozen(rival, output)[-1].mean()
    last = network.decoder.conv_out.weight
    weight = loss["disc_weight"] * adversarial.adaptive_weight(nll, game, last, UNLIMITED)
    total = nll + weight * game + loss["codebook_weight"] * quantised.loss
    total.backward()
    terms = {"nll_loss": nll, "p_loss": distance.mean(), "g_loss": game, "d_weight": weight}
    terms_and_gradients(network, io, **terms, ae_loss=total)
    norms_of(network, "vqgan")
    assert all(p.grad is None for p in rival.parameters())
    real, fake = (rival(image)[-1] for image in (x, output.detach()))
    disc = adversarial.hinge([real], [fake])
    disc.backward()  # type: ignore[no-untyped-call]
    close(disc.detach(), io["disc_loss"])
    close(real.mean().detach(), io["logits_real_mean"])
    close(fake.mean().detach(), io["logits_fake_mean"])
    first = rival.main[0].weight.grad
    assert isinstance(first, Tensor)
    close_in_double(first, io["grad_disc_first"])


def test_the_losses_of_the_generator_and_their_gradients_are_the_recorded_ones() -> None:
    config, weights = part("decoder_plain")
    of_network, rivals = split(weights)
    loss, io = config["loss"], recorded("decoder_plain")
    channels = config["ddconfig"]["in_channels"]
    network = ImageDecoder(channels, shape_of(config["ddconfig"]), config["embed_dim"], False)
    network.load_state_dict(of_network)
    network.double()
    rival = rival_of(config, rivals)
    x, visible = to_unit(io["image_u8"]).double(), io["visible"].bool()
    output = network(x, visible, io["quant"].double(), io["token_visible"].bool())
    whole = composite(x, visible, output)
    distance = stand_in(x, whole)
    nll = loss["pixelloss_weight"] * F.l1_loss(whole, x)
    nll = nll + loss["perceptual_weight"] * distance.mean()
    mask = visible.double() - 0.5
    game = -frozen(rival, torch.cat([mask, whole], 1))[-1].mean()
    last = network.decoder.conv_out.weight
    weight = loss.get("disc_weight", 1.0) * adversarial.adaptive_weight(nll, game, last, UNLIMITED)
    total = nll + weight * game
    total.backward()
    terms = {"nll_loss": nll, "p_loss": distance.mean(), "g_loss": game, "d_weight": weight}
    terms_and_gradients(network, io, **terms, ae_loss=total)
    norms_of(network, "decoder_plain")
    real, fake = (torch.cat([mask, image], 1) for image in (x, whole.detach()))
    penalty = adversarial.gradient_penalty(rival, real)
    close(penalty.detach(), io["r1_penalty"])
    disc = adversarial.hinge(rival(real)[-1:], rival(fake)[-1:]) + loss["r1_weight"] * penalty
    disc.backward()
    close(disc.detach(), io["disc_loss"])
    first = rival.main[0].weight.grad
    assert isinstance(first, Tensor)
    close_in_double(first, io["grad_disc_first"])
