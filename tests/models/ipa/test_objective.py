"""The two stages: what they train, what they keep in memory, how one pass serves several masks."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.family import Batch
from inpaint_cli.models.ipa.elbo import bound
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.objective import VaeStage
from inpaint_cli.models.ipa.partial_encoder import is_partial
from inpaint_cli.weights import save_weights
from tests.models.ipa.small_vaes import random_images, random_vae
from tests.models.ipa.training_steps import (
    STAGE,
    batch,
    freeze,
    gradients,
    kept_by,
    loss_of,
    noise,
)


def test_the_vae_stage_trains_all_but_the_partial_encoder() -> None:
    model = random_vae()
    trained = {id(p) for p in VaeStage().trainable(model)[0].parameters}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in trained) != is_partial(name)


@torch.no_grad()
def test_divergences_of_the_coarsest_layers_are_logged_in_nats() -> None:
    model, given = random_vae(), batch()
    logged = VaeStage().loss(model, given, 0, noise()).scalars
    layers = bound(model, given.image, noise().normal, keep=True).layers
    for number, layer in enumerate(layers[:3], 1):
        nats = layer.kl.flatten(1).sum(1).mean()
        torch.testing.assert_close(logged[f"layer{number}_nats"], nats)
    walked = STAGE.loss(model, given, 0, noise()).scalars
    assert sum(walked[f"layer{n}_nats"] for n in (1, 2, 3)) <= walked["rate"] * 3 * 8 * 8 + 1e-3


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, []),
        ({"trained": "likelihood-head"}, ["decoder.out_net.out_conv.bias"]),
        ({"trained": "all"}, ["decoder.gain", "encoder.in_conv.bias"]),
        ({"trained": "all", "objective": "reverse"}, ["decoder.gain"]),
    ],
)
def test_what_is_trained_gets_a_gradient_and_nothing_else_does(
    changes: dict[str, Any], more: list[str]
) -> None:
    model = freeze(random_vae(**changes))
    by_name = gradients(model, batch())
    assert by_name.keys() == {n for n, p in model.named_parameters() if p.requires_grad}
    assert set(more) <= by_name.keys()
    assert ("encoder.in_conv.bias" in by_name) == ("encoder.in_conv.bias" in more)


def test_with_a_frozen_vae_only_the_partial_encoders_trunk_is_kept_for_the_backward_pass() -> None:
    model, given = freeze(random_vae()), batch()

    def trunk() -> Tensor:
        sides = model.partial_sides(given.image, given.visible)
        return torch.stack([side.sum() for side in sides.values()]).sum()

    whole = kept_by(model, lambda: loss_of(model, given))
    assert whole <= kept_by(model, trunk)
    joint = freeze(random_vae(trained="all"))
    everything = kept_by(joint, lambda: loss_of(joint, given))
    assert whole < 0.4 * everything


def test_under_bfloat16_the_gradient_is_about_that_of_float32() -> None:
    model, given = freeze(random_vae()), batch()
    exact = gradients(model, given)
    with torch.autocast("cpu", torch.bfloat16):
        loss = STAGE.loss(model, given, 0, noise()).losses["partial-encoder"]
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.dtype == torch.float32
    ours = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    theirs = torch.cat([gradient.flatten() for gradient in exact.values()])
    assert torch.cosine_similarity(ours, theirs, dim=0) > 0.99


def test_one_pass_of_the_vae_serves_several_masks_with_the_same_gradient() -> None:
    model = freeze(random_vae(masks_per_image=2).double())
    given = batch()
    shared = gradients(model, given)
    one = freeze(random_vae().double())
    first = gradients(one, given)
    second = gradients(one, Batch(given.image, given.visible.roll(1, 0)))
    for name, gradient in shared.items():
        torch.testing.assert_close(gradient, (first[name] + second[name]) / 2, msg=name)


def test_several_masks_cost_one_pass_of_the_vae(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = freeze(random_vae(masks_per_image=4)), batch()
    head = model.decoder.blocks()[0].enc
    inner, seen = head.inner, []

    def counted(t: Tensor) -> Tensor:
        seen.append(len(t))
        return inner(t)

    monkeypatch.setattr(head, "inner", counted)
    STAGE.loss(model, given, 0, noise())
    assert seen == [3]


def test_the_weight_of_the_likelihood_follows_the_step() -> None:
    changes: dict[str, Any] = {"objective": "reverse", "annealing": (4.0, 0.01, 1.0)}
    model = random_vae(**changes)
    losses = [STAGE.loss(model, batch(), step, noise()) for step in (0, 2, 4, 9)]
    for result, weight in zip(losses, (0.01, 0.1, 1.0, 1.0), strict=True):
        expected = weight * result.scalars["distortion"] + result.scalars["rate"]
        torch.testing.assert_close(result.losses["partial-encoder"].detach(), expected)
        torch.testing.assert_close(
            result.scalars["bound"], result.scalars["distortion"] + result.scalars["rate"]
        )


def test_the_reverse_objective_does_not_look_at_what_is_hidden() -> None:
    model, given = random_vae(objective="reverse"), batch()
    other = torch.where(given.visible, given.image, 255 - given.image)
    one, two = (
        STAGE.loss(model, Batch(x, given.visible), 0, noise()) for x in (given.image, other)
    )
    assert torch.equal(one.losses["partial-encoder"], two.losses["partial-encoder"])


@pytest.mark.parametrize("objective", ["forward", "reverse"])
@torch.no_grad()
def test_validation_gives_nats_per_hidden_value_and_nothing_where_none_is_hidden(
    objective: str,
) -> None:
    model, given = random_vae(objective=objective), batch()
    visible = given.visible.clone()
    visible[1] = True
    figures = STAGE.validate(model, Batch(given.image, visible), noise())
    per_hidden = figures["nats_per_hidden"]
    assert per_hidden.isnan().tolist() == [False, True, False]
    if objective == "forward":
        share = (~visible).double().mean((1, 2, 3))
        torch.testing.assert_close(per_hidden[::2], (figures["nats_per_dim"] / share)[::2])


def test_an_untrained_vae_is_refused_unless_all_is_trained() -> None:
    model = CompletingVae(random_vae().config)
    with pytest.raises(UserError, match="stands on a trained VAE"):
        STAGE.begin(model)
    STAGE.begin(CompletingVae(dataclasses.replace(model.config, trained="all")))


def test_both_stages_take_over_the_vae_of_a_file(tmp_path: Path) -> None:
    source, path = random_vae(3), tmp_path / "vae.safetensors"
    save_weights(path, source, family="ipa", preset="own")
    for stage in (STAGE, VaeStage()):
        model = CompletingVae(dataclasses.replace(source.config, vae=str(path)))
        stage.begin(model)
        theirs = source.state_dict()
        for name, tensor in model.state_dict().items():
            if not is_partial(name):
                assert torch.equal(tensor, theirs[name]), name
        assert not torch.equal(
            model.part_encoder.in_conv.weight, source.part_encoder.in_conv.weight
        )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"channels": 1}, "channels 3 and 1"),
        ({"zdim": 3}, "zdim 2 and 3"),
        (
            {
                "size": 16,
                "enc_blocks": "16d2,8x1,8d2,4x1,4d4,1x1",
                "dec_blocks": "1x1,4m1,8m4,16m8",
            },
            "size 8 and 16",
        ),
    ],
)
def test_the_vae_of_another_model_is_refused_with_both_sides_named(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    path = tmp_path / "vae.safetensors"
    save_weights(path, random_vae(), family="ipa", preset="own")
    model = CompletingVae(random_vae(**changes, vae=str(path)).config)
    with pytest.raises(UserError, match=told) as caught:
        STAGE.begin(model)
    assert str(path) in str(caught.value)
    assert "this model" in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "foreign", "damaged"])
def test_a_vae_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "vae.safetensors"
    if kind == "damaged":
        path.write_bytes(b"no weights")
    elif kind == "foreign":
        save_file({"a": torch.zeros(1)}, path, {"family": "pcnn", "config": '{"size": 8}'})
    with pytest.raises(UserError, match=r"vae: .*vae\.safetensors"):
        STAGE.begin(CompletingVae(random_vae(vae=str(path)).config))


def test_edges_are_trained_on_pairs_or_on_drawings_made_of_photos() -> None:
    model = freeze(random_vae(condition="edges", predicted="whole"))
    photos = random_images(3)
    visible = torch.ones(3, 1, 8, 8, dtype=torch.bool)
    pairs = torch.cat([random_images(3, 5), photos], -1)
    one = gradients(model, Batch(photos, visible))
    two = gradients(model, Batch(pairs, visible))
    assert one.keys() == two.keys()
    assert not torch.equal(one["part_encoder.in_conv.weight"], two["part_encoder.in_conv.weight"])
    with torch.no_grad():
        figures = STAGE.validate(model, Batch(pairs, visible), noise())
        vae = VaeStage().validate(model, Batch(pairs, visible), noise())
        alone = VaeStage().validate(model, Batch(photos, visible), noise())
    assert figures["nats_per_dim"].isfinite().all()
    assert torch.equal(vae["bits_per_dim"], alone["bits_per_dim"])
