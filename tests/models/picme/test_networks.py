"""Networks: sizes of the paper's table, what stays in eval mode, and what leaks where."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from inpaint_cli.errors import UserError
from inpaint_cli.models.picme.blocks import Conv
from inpaint_cli.models.picme.config import PRESETS
from inpaint_cli.models.picme.networks import MixtureOfPrimitives, mask_at
from inpaint_cli.weights import load_weights, save_weights
from tests.models.picme.small import batch_of, completions, model_of

TABLE = {
    # f with 1 and 6 primitives, g, one discriminator without PIC's unused block
    "photo256": (3_604_481, 5_246_726, 2_374_016, 1_575_075 - 475_521),
    "photo128": (2_964_545, 3_785_990, 1_756_535, 1_263_395 - 475_521),
    "photo64": (2_964_545, 3_785_990, 1_756_535, 472_065),
    "photo32": (2_488_737, 2_899_782, 967_198, 118_721),
}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("side", [8, 7])
def test_a_halving_convolution_is_the_mean_of_the_plain_one(size: int, side: int) -> None:
    torch.manual_seed(0)
    halving = Conv(5, 6, size, halve=True).eval()
    plain = copy.deepcopy(halving)
    plain.halve = False
    x = torch.randn(2, 5, side, side, requires_grad=True)
    halved, expected = halving(x), F.avg_pool2d(plain(x), 2)
    torch.testing.assert_close(halved, expected)
    to_image = [torch.autograd.grad(y.square().sum(), x)[0] for y in (halved, expected)]
    torch.testing.assert_close(*to_image)


def test_a_halving_convolution_follows_its_weight() -> None:
    torch.manual_seed(0)
    halving, x = Conv(5, 6, 3, halve=True).eval(), torch.randn(2, 5, 8, 8)
    with torch.no_grad():
        before = halving(x)
        assert halving(x).equal(before)
        halving.weight.mul_(torch.linspace(0.5, 2, 6)[:, None, None, None])
        after, plain = halving(x), copy.deepcopy(halving)
        plain.halve = False
        assert not torch.allclose(after, before)
        torch.testing.assert_close(after, F.avg_pool2d(plain(x), 2))


@pytest.mark.parametrize("preset", TABLE)
def test_networks_have_as_many_parameters_as_the_backbone_says(preset: str) -> None:
    with torch.device("meta"):
        six = MixtureOfPrimitives(PRESETS[preset])
        one = MixtureOfPrimitives(replace(PRESETS[preset], primitives=1))
    counts = count(one.encoder), count(six.encoder), count(six.decoder)
    assert (*counts, count(six.discriminators["generated"])) == TABLE[preset]


def test_one_primitive_has_all_the_weight_and_no_offset() -> None:
    model = model_of(primitives=1)
    with torch.no_grad():
        q = model.encoder.mixture(torch.randn(2, 32, 2, 2))
    assert q.weights.tolist() == [[1.0], [1.0]]
    assert not model.encoder.head.mix.offset.any()


def test_a_norm_is_followed_in_training_and_stays_otherwise() -> None:
    conv = Conv(3, 4, 3)
    x = torch.randn(1, 3, 5, 5)
    before = conv.norm.u.clone()
    conv.eval()
    assert torch.equal(conv(x), conv(x))
    assert torch.equal(conv.norm.u, before)
    conv.train()
    conv(x)
    assert not torch.equal(conv.norm.u, before)


def test_a_norm_that_is_followed_for_long_is_the_largest_singular_value() -> None:
    conv = Conv(3, 4, 3)
    for _ in range(200):
        conv(torch.zeros(1, 3, 2, 2))
    weight = conv.norm(conv.weight).flatten(1)
    torch.testing.assert_close(torch.linalg.matrix_norm(weight, 2), torch.tensor(1.0))


def test_a_kept_quotient_is_made_anew_when_the_weight_changes() -> None:
    conv = Conv(3, 4, 3).eval()
    x = torch.randn(1, 3, 5, 5)
    with torch.inference_mode():
        before = conv(x)
    with torch.no_grad():
        conv.weight.mul_(torch.linspace(0.5, 2, 4).view(4, 1, 1, 1))
    fresh = copy.deepcopy(conv)
    with torch.inference_mode():
        after = conv(x)
        assert not torch.allclose(before, after)
        assert torch.equal(after, fresh(x))
    assert conv(x).requires_grad  # and what inference kept is not taken where gradients count


@pytest.mark.parametrize(
    "changes", [{"upsampling": "interpolated"}, {"join": "concatenated"}, {"attention": 0}]
)
def test_every_form_of_the_decoder_gives_images_of_growing_side(changes: dict[str, Any]) -> None:
    config = replace(PRESETS["digits"], size=16, layers=3, **changes)
    model = MixtureOfPrimitives(config)
    with torch.no_grad():
        features = model.encoder(torch.zeros(2, 1, 16, 16))
        z_m, e = model.seen(features)
        z_c = torch.zeros(2, config.latent_channels, 2, 2)
        images = model.decoder(z_m, z_c, e, mask_at(torch.ones(2, 1, 16, 16), e))
    assert [image.shape for image in images] == [(2, 1, 8, 8), (2, 1, 16, 16)]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"size": 10}, "size"),
        ({"layers": 1}, "layers"),
        ({"primitives": 0}, "primitives"),
        ({"weight_floor": 1.0}, "weight_floor"),
        ({"sigma_clamp": (2.0, -4.0)}, "sigma_clamp"),
        ({"attention": 3}, "attention"),
        ({"disc_layers": 5}, "disc_layers"),
        ({"kl_weight": -1.0}, "kl_weight"),
        ({"widest": 24}, "widest"),
        ({"width": 1, "widest": 8}, "width: 1 gives 2 channels to the attention"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(UserError, match=word):
        replace(PRESETS["digits"], **changes)


def test_what_ships_loads_lean_and_completes_as_the_whole_model_does(tmp_path: Path) -> None:
    model, batch = model_of(), batch_of(1)
    lean, path = model.for_completion(), tmp_path / "lean.safetensors"
    save_weights(path, lean, family="picme", preset="digits")
    assert count(lean) < count(model)
    left_out = {name.split(".")[0] for name in model.state_dict().keys() - lean.state_dict().keys()}
    assert left_out == {"discriminators", "encoder"}
    assert not any("posterior" in name for name in lean.state_dict())
    completed = [
        one.complete(batch.image, batch.visible, completions(3), by_primitive=True)
        for one in (model, lean, load_weights(path))
    ]
    for other in completed[1:]:
        assert torch.equal(other.images, completed[0].images)
        assert torch.equal(other.details["by_primitive"], completed[0].details["by_primitive"])


def test_completing_leaves_the_mode_as_it_was() -> None:
    model, batch = model_of().train(), batch_of(1)
    model.complete(batch.image, batch.visible, completions(1))
    assert model.training
