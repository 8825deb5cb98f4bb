"""The networks: published layouts and costs, nothing computed twice, safe in half precision."""

import json
import math
from typing import cast
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from inpaint_cli.models.ipa.elbo import bound
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.presets import PUBLISHED
from inpaint_cli.models.ipa.vdvae import ResidualBlock, activated
from tests.golden_files import golden
from tests.models.ipa.small_vaes import random_images, random_vae, small_config

LAYOUTS: dict[str, dict[str, list[int]]] = json.loads(
    (golden("vdvae") / "layouts.json").read_text()
)
COUNTS = {
    "cifar10": (39_145_700, 7_497_888, 10_301_888, 7_501_344, 56_948_932),
    "imagenet32": (119_280_868, 18_931_712, 33_054_400, 18_936_320, 171_271_588),
    "imagenet64": (125_005_860, 26_450_816, 31_762_912, 26_455_424, 183_224_196),
    "ffhq256": (114_874_852, 27_993_600, 27_888_448, 27_998_208, 170_761_508),
    "ffhq1024": (109_366_904, 23_759_288, 27_482_260, 23_759_432, 160_608_596),
}
"""Of the published files: VAE, its encoder, its heads, partial encoder without heads, all."""
each_published = pytest.mark.parametrize("name", LAYOUTS)


def shapes_of(name: str) -> dict[str, list[int]]:
    with torch.device("meta"):
        model = CompletingVae(PUBLISHED[name])
    return {key: list(tensor.shape) for key, tensor in model.state_dict().items()}


@pytest.mark.golden
@pytest.mark.vdvae
@each_published
def test_names_shapes_order_and_counts_are_those_of_the_published_files(name: str) -> None:
    ours, theirs = shapes_of(name), LAYOUTS[name]
    vae = {k: v for k, v in ours.items() if "part_enc" not in k}
    assert vae == theirs
    for part in ("encoder.", "decoder."):
        named = [[k for k in keys if k.startswith(part)] for keys in (vae, theirs)]
        assert named[0] == named[1]
    heads = {k.replace(".part_enc.", ".enc."): v for k, v in ours.items() if ".part_enc." in k}
    assert heads == {k: v for k, v in theirs.items() if ".enc." in k}
    trunk = {k.removeprefix("part_"): v for k, v in ours.items() if k.startswith("part_encoder.")}
    encoder = {k: v for k, v in theirs.items() if k.startswith("encoder.")}
    trunk["encoder.in_conv.weight"][1] -= 1
    assert trunk == encoder
    assert [k.partition(".")[0] for k in ours] == sorted(k.partition(".")[0] for k in ours)
    trunk["encoder.in_conv.weight"][1] += 1
    counted = [sum(map(math.prod, part.values())) for part in (vae, encoder, heads, trunk, ours)]
    assert tuple(counted) == COUNTS[name]


def test_a_pass_costs_what_the_networks_must_cost_and_no_more() -> None:
    with torch.device("meta"):
        model = CompletingVae(PUBLISHED["cifar10"])
        image = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
        giga = []
        for part in (
            lambda: model.encoder(model.scaled(image)),
            lambda: bound(model, image, lambda *shape: torch.zeros(1, *shape)),
        ):
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                part()
            giga.append(counter.get_total_flops() / 2e9)
    # Multiplications counted by hand from the block strings: E, and E + Q + P + R + Z + O.
    assert giga == pytest.approx([3.51, 22.4], rel=0.005)


def test_gelu_is_taken_once_of_everything() -> None:
    model, image = random_vae(), random_images(1)
    with mock.patch.object(F, "gelu", wraps=F.gelu) as gelu, torch.no_grad():
        bound(model, image, lambda *shape: torch.zeros(1, *shape))
    blocks, sides = len(model.decoder.blocks()), 3
    # Of a state once, though enc and prior see it; then three in each of these, four in resnet.
    expected = 4 * len(model.config.encoder_places) + sides + blocks * (1 + 3 + 3 + 4)
    assert gelu.call_count == expected


def test_a_head_is_one_convolution_of_state_and_activations_in_two_halves() -> None:
    block = random_vae().double().decoder.blocks()[1]
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(3, 12, 4, 4, generator=generator, dtype=torch.float64)
    activations = torch.randn(1, 12, 4, 4, generator=generator, dtype=torch.float64)
    side = block.enc.side(F.gelu(activations))
    halves = block.enc(F.gelu(states), side)
    whole = torch.cat([states, activations.expand(3, -1, -1, -1)], 1)
    expected = block.enc.after_gelu(F.gelu(whole))
    torch.testing.assert_close(torch.cat(halves, 1), expected, rtol=0, atol=1e-12)


def test_the_skip_alone_is_that_of_the_whole_prior() -> None:
    block = random_vae().double().decoder.blocks()[2]
    seen = torch.randn(2, 12, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(block.skip(seen), block.describe(seen)[1], rtol=0, atol=1e-12)


def test_a_fresh_model_starts_with_a_standard_normal_prior_and_scaled_last_layers() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CompletingVae(small_config(width=64, custom_widths=""))
    blocks = model.decoder.blocks()
    for block in blocks:
        prior, skip = block.describe(torch.randn(2, 64, block.res, block.res))
        assert not prior.mean.any()
        assert not prior.log_std.any()
        assert not skip.any()
    biases = [p for n, p in model.named_parameters() if n.endswith("bias") or "bias_xs" in n]
    assert not any(bias.any() for bias in biases)
    assert (model.decoder.gain == 1).all()
    count = len(model.encoder.enc_blocks)
    for block_count, weights in (
        (len(blocks), [b.resnet.c4.weight for b in blocks]),
        (len(blocks), [b.z_proj.weight for b in blocks]),
        (count, [cast(ResidualBlock, b).c4.weight for b in model.encoder.enc_blocks]),
        (1, [b.enc.c4.weight for b in blocks]),
    ):
        limit = weights[0][0].numel() ** -0.5 * block_count**-0.5
        largest = max(weight.abs().max().item() for weight in weights)
        assert 0.9 * limit < largest <= limit * (1 + 1e-6)


def test_half_precision_keeps_divergences_likelihoods_and_states_in_float32() -> None:
    model, image = random_vae(), random_images(4)
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(4, *shape, generator=generator) for shape in model.config.latent_shapes]
    exact, half = (iter(noise) for _ in range(2))
    with torch.no_grad():
        expected = bound(model, image, lambda *shape: next(exact))
        with torch.autocast("cpu", torch.bfloat16):
            elbo = bound(model, image, lambda *shape: next(half), keep=True)
            params = model.decoder.read(elbo.layers[-1].state)
    assert elbo.total.dtype == elbo.rates.dtype == params.dtype == torch.float32
    for layer in elbo.layers:
        tensors: list[Tensor] = [*layer.posterior, *layer.prior, layer.z, layer.kl, layer.state]
        assert {tensor.dtype for tensor in tensors} == {torch.float32}
    torch.testing.assert_close(elbo.total, expected.total, rtol=0.02, atol=0)


def test_all_feature_maps_are_in_channels_last() -> None:
    model, image = random_vae(), random_images(2)
    with torch.no_grad():
        maps = list(model.encoder(model.scaled(image)).values())
        layers = bound(model, image, lambda *shape: torch.zeros(2, *shape), keep=True).layers
    maps += [layer.state for layer in layers]
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in maps)


def test_a_frozen_trunk_leaves_no_graph_but_that_of_what_is_trained() -> None:
    model, image = random_vae().requires_grad_(False), random_images(2)
    block = model.decoder.blocks()[0]
    block.part_enc.requires_grad_(True)
    activations = activated(model.encoder(model.scaled(image)))
    x = block.enter(model.decoder.start(2))
    seen = F.gelu(x)
    q = block.enc(seen, block.enc.side(activations[block.res]))
    c = block.part_enc(seen, block.part_enc.side(activations[block.res]))
    assert not q.mean.requires_grad
    assert not block.leave(x, block.skip(seen), q.mean).requires_grad
    assert q.kl(c).requires_grad
