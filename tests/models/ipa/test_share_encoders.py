"""One encoder for both: the partial one, which sees whole images with a mask of ones."""

import dataclasses
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.objective import VaeStage
from inpaint_cli.models.ipa.posterior import Sides, forward_bound
from inpaint_cli.randomness import Noise
from inpaint_cli.weights import load_weights, save_weights
from tests.models.ipa.small_vaes import random_images, random_vae
from tests.models.ipa.training_steps import STAGE, batch, freeze, gradients, noise


def shared() -> CompletingVae:
    return random_vae(share_encoders=True, trained="all")


def test_the_full_encoder_is_left_out_and_the_heads_stay_two() -> None:
    ours, usual = (list(model.state_dict()) for model in (shared(), random_vae()))
    assert ours == [name for name in usual if not name.startswith("encoder.")]
    block = shared().decoder.blocks()[0]
    assert not torch.equal(block.enc.c1.weight, block.part_enc.c1.weight)


def test_whole_images_are_seen_with_a_mask_of_ones() -> None:
    model, image = shared(), random_images(2)
    whole = model.full_sides(image)
    visible = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    for res, side in model.partial_sides(image, visible).items():
        assert torch.equal(side, whole[res])
    half = visible.clone()
    half[..., 4:] = False
    assert not torch.equal(model.partial_sides(image, half)[1], whole[1])


def detached(sides: Sides) -> Sides:
    return {res: side.detach() for res, side in sides.items()}


def test_the_gradient_of_the_encoder_is_that_of_both_its_roles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, given = shared().double(), batch()
    weight = model.part_encoder.in_conv.weight

    def gradient(condition: Sides) -> Tensor:
        bound = forward_bound(model, given.image, condition, noise().normal, ~given.visible)
        return torch.autograd.grad(bound.total.mean(), weight)[0]

    condition = model.partial_sides(given.image, given.visible)
    of_q = gradient(detached(condition))
    full = model.full_sides
    both = gradient(condition)
    monkeypatch.setattr(model, "full_sides", lambda image: detached(full(image)))
    of_c = gradient(model.partial_sides(given.image, given.visible))
    assert of_q.abs().max() > 0
    assert of_c.abs().max() > 0
    torch.testing.assert_close(of_q + of_c, both)
    torch.testing.assert_close(
        gradients(freeze(shared().double()), given)["part_encoder.in_conv.weight"], both
    )


def test_both_stages_train_the_encoder() -> None:
    model = shared()
    for stage, left_out in ((VaeStage(), ".part_enc."), (STAGE, "none")):
        trained = {id(p) for p in stage.trainable(model)[0].parameters}
        for name, parameter in model.named_parameters():
            assert (id(parameter) in trained) == (left_out not in name), name
    by_name = gradients(freeze(shared()), batch())
    assert by_name.keys() == {name for name, _ in model.named_parameters()}
    by_name = gradients(freeze(shared(), VaeStage()), batch(), VaeStage())
    assert "part_encoder.in_conv.weight" in by_name


def test_it_is_saved_and_read_back_completes_and_bounds(tmp_path: Path) -> None:
    model, path = shared(), tmp_path / "shared.safetensors"
    save_weights(path, model, family="ipa", preset="own")
    again = cast(CompletingVae, load_weights(path))
    assert again.config == model.config
    image, visible = batch(1).image, batch(1).visible
    other = torch.where(visible, image, 255 - image)
    keyed = Noise.of_completions(0, b"test", range(3))
    one, two = (m.complete(x, visible, keyed, bound=2) for m, x in ((model, image), (again, other)))
    assert torch.equal(one.images, two.images)
    assert one.log_prob is not None
    assert two.log_prob is not None
    assert torch.equal(one.log_prob, two.log_prob)
    assert model.log_prob(image, visible).item() < 0


def test_its_vae_is_another_than_that_of_two_encoders(tmp_path: Path) -> None:
    path = tmp_path / "shared.safetensors"
    save_weights(path, shared(), family="ipa", preset="own")
    usual = CompletingVae(dataclasses.replace(random_vae().config, vae=str(path)))
    with pytest.raises(UserError, match="share_encoders True and False"):
        STAGE.begin(usual)
