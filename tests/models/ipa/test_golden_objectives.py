"""Recorded c, bounds, losses and gradients of the authors' code (plai-group/ipa)."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.family import Batch
from inpaint_cli.models.ipa.bounds import LogBound, log_weights
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.objective import PartialEncoderStage
from inpaint_cli.models.ipa.partial_encoder import (
    drawing_and_photo,
    is_partial,
    partial_input,
    start_from_encoder,
)
from inpaint_cli.models.ipa.posterior import FORWARD, REVERSE, walk
from tests.models.ipa.recorded import (
    MODELS,
    Replay,
    assert_recorded,
    error,
    listed,
    meta,
    model,
    pictures,
    tensors,
    visible,
)

pytestmark = [pytest.mark.golden, pytest.mark.ipa]
each_model = pytest.mark.parametrize("name", MODELS)
MASKED = [name for name in MODELS if meta()[name]["config"]["conditioning"] != "image"]
each_masked = pytest.mark.parametrize("name", MASKED)
LOSSES = [
    (name, key)
    for name in MODELS
    for key in meta()[name]["values"]
    if key.startswith(("O_for train", "O_rev"))
]


def batch_of(name: str, prefix: str = "", file: str = "io") -> Batch:
    recorded = tensors(f"{name}_{file}")
    return Batch(pictures(recorded[f"{prefix}x_uint8"]), visible(recorded, prefix))


def conditions(vae: CompletingVae, batch: Batch) -> tuple[Tensor, Tensor]:
    if vae.config.condition == "edges":
        return drawing_and_photo(batch.image, draw_edges=False)
    return batch.image, batch.image


@each_model
def test_the_partial_encoder_sees_and_gives_what_is_recorded(name: str) -> None:
    vae, batch, recorded = model(name), batch_of(name), tensors(f"{name}_io")
    seen = partial_input(vae, conditions(vae, batch)[0], batch.visible)
    assert_recorded(seen, pictures(recorded["part_x"]))
    with torch.no_grad():
        activations = vae.part_encoder(seen)
    for res, activation in activations.items():
        assert_recorded(activation, recorded[f"part.act.{res}"], str(res))


@each_model
@torch.no_grad()
def test_along_z_from_q_both_distributions_are_recorded(name: str) -> None:
    vae, batch, recorded = model(name), batch_of(name), tensors(f"{name}_io")
    drawing, photo = conditions(vae, batch)
    sides = {"q": vae.full_sides(photo), "c": vae.partial_sides(drawing, batch.visible)}
    draw = Replay(*listed(recorded, "for.eps")).normal
    walked = walk(vae, len(photo), sides, draw, FORWARD, keep=True)
    for index, step in enumerate(walked.steps):
        values = (*step.first, *step.second)
        for part, value in zip(("qm", "qlogs", "cm", "clogs"), values, strict=True):
            assert_recorded(value, recorded[f"for.{part}.{index}"], f"{part}.{index}")
    assert_recorded(walked.nats, recorded["for.kl_per_layer"])
    px_z = vae.decoder.finish(walked.states)
    assert_recorded(px_z, recorded["for.px_z"])
    nll = -vae.log_pixels(px_z, photo) / photo[0].numel()
    counted = {"whole": torch.ones_like(batch.visible), "visible": batch.visible}
    for key, pixels in {**counted, "missing": ~batch.visible}.items():
        if f"for.distortion_{key}" in recorded:
            ours = (nll * pixels[:, 0]).sum((1, 2))
            assert_recorded(ours, recorded[f"for.distortion_{key}"], key)


@each_masked
@torch.no_grad()
def test_along_z_from_c_everything_is_recorded(name: str) -> None:
    vae, batch, recorded = model(name), batch_of(name), tensors(f"{name}_io")
    sides = {"c": vae.partial_sides(batch.image, batch.visible)}
    draw = Replay(*listed(recorded, "rev.eps")).normal
    walked = walk(vae, len(batch.image), sides, draw, REVERSE, keep=True)
    for index, step in enumerate(walked.steps):
        assert_recorded(step.first.mean, recorded[f"rev.cm.{index}"])
        assert_recorded(step.first.log_std, recorded[f"rev.clogs.{index}"])
    assert_recorded(walked.nats, recorded["rev.kl_per_layer"])
    nats = vae.log_pixels(vae.decoder.finish(walked.states), batch.image)
    ours = -(nats * batch.visible[:, 0]).sum((1, 2)) / batch.image[0].numel()
    assert_recorded(ours, recorded["rev.distortion_visible"])


def settings_of(key: str) -> tuple[dict[str, Any], int]:
    """Return our settings, and the step, for the name of a recorded loss."""
    if key.startswith("O_rev"):
        numbers = [float(text) for text in re.findall(r"[\d.]+", key)]
        return {"objective": "reverse", "annealing": tuple(numbers[:3])}, int(numbers[3])
    trained = "all" if "'all'" in key else "partial-encoder"
    whole = "mask_distortion=False" in key
    return {"trained": trained, "predicted": "whole" if whole else "hidden"}, 0


@pytest.mark.parametrize(("name", "key"), LOSSES)
def test_losses_and_their_parts_are_recorded(name: str, key: str) -> None:
    changes, step = settings_of(key)
    vae, expected = model(name, **changes), meta()[name]["values"][key]
    kind = "rev" if key.startswith("O_rev") else "for"
    noise = Replay(*listed(tensors(f"{name}_io"), f"{kind}.eps")).as_noise()
    result = PartialEncoderStage().loss(vae, batch_of(name), step, noise)
    assert result.losses["partial-encoder"].item() == pytest.approx(expected["loss"], rel=1e-9)
    for part in ("distortion", "rate"):
        assert result.scalars[part].item() == pytest.approx(expected[part], rel=1e-9), part
    for layer in (1, 2, 3):
        if f"kl{layer}" in expected:
            ours = result.scalars[f"layer{layer}_nats"].item()
            assert ours == pytest.approx(expected[f"kl{layer}"], rel=1e-9)


@each_model
@pytest.mark.parametrize("trained", ["partial-encoder", "all"])
def test_the_sampled_rate_is_recorded(name: str, trained: str) -> None:
    vae = model(name, noisy_kl=True, trained=trained)
    noise = Replay(*listed(tensors(f"{name}_io"), "for.eps")).as_noise()
    result = PartialEncoderStage().loss(vae, batch_of(name), 0, noise)
    expected = meta()[name]["values"]["O_for noisy_kl rate"]
    assert result.scalars["rate"].item() == pytest.approx(expected, rel=1e-9)


GRADIENTS: dict[str, dict[str, Any]] = {
    "for_frozen": {},
    "for_slightly": {"trained": "likelihood-head", "predicted": "whole"},
    "for_joint_whole": {"trained": "all", "predicted": "whole"},
    "for_joint_missing": {"trained": "all", "predicted": "hidden"},
    "rev_frozen": {"objective": "reverse"},
}


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        (name, tag)
        for name in MODELS
        for tag in GRADIENTS
        if f"grad_norms {tag}" in meta()[name]["values"]
    ],
)
def test_gradients_are_recorded_and_frozen_parts_have_none(name: str, tag: str) -> None:
    vae, recorded = model(name, **GRADIENTS[tag]), tensors(f"{name}_grads")
    stage = PartialEncoderStage()
    trained = {id(p) for p in stage.trainable(vae)[0].parameters}
    for parameter in vae.parameters():
        parameter.requires_grad_(id(parameter) in trained)
    noise = Replay(*listed(tensors(f"{name}_io"), f"{tag[:3]}.eps")).as_noise()
    loss = stage.loss(vae, batch_of(name), 0, noise).losses["partial-encoder"]
    loss.backward()  # type: ignore[no-untyped-call]
    values = meta()[name]["values"]
    norms = values[f"grad_norms {tag}"]
    gradients = {n: p.grad for n, p in vae.named_parameters() if p.grad is not None}
    assert gradients.keys() == norms.keys()
    for key, gradient in gradients.items():
        assert gradient.norm().item() == pytest.approx(norms[key], rel=1e-8, abs=1e-12)
        if f"{tag}.{key}" in recorded:
            assert error(gradient, recorded[f"{tag}.{key}"]) < 2e-7
    total = torch.stack([g.norm() for g in gradients.values()]).norm().item()
    assert total == pytest.approx(values[f"grad_norm_total {tag}"], rel=1e-9)


@each_masked
@pytest.mark.parametrize(("kind", "pair"), [("for", FORWARD), ("rev", REVERSE)])
@torch.no_grad()
def test_importance_weights_and_their_bounds_are_recorded(name: str, kind: str, pair: Any) -> None:
    vae, batch, recorded = model(name), batch_of(name), tensors(f"{name}_io")
    samples = recorded[f"iw.{kind}.logw"].shape[1]
    for row in range(len(batch.image)):
        image, seen = batch.image[row : row + 1], batch.visible[row : row + 1]
        sides = {"q": vae.full_sides(image), "c": vae.partial_sides(image, seen)}
        each = [listed(recorded, f"iw.{kind}.eps.{k}") for k in range(samples)]
        eps = [torch.stack([e[row] for e in layer]) for layer in zip(*each, strict=True)]
        counted = ~seen if kind == "for" else seen
        ours = log_weights(vae, sides, image, counted, Replay(*eps).normal, pair, samples)
        assert_recorded(ours, recorded[f"iw.{kind}.logw"][row])
        bound = LogBound.of(ours[None]).nats
        assert_recorded(bound, recorded[f"iw.{kind}.bound_nats"][row : row + 1])


@each_masked
@pytest.mark.parametrize("start", ["mostly", "all"])
def test_the_start_from_the_encoder_takes_the_recorded_parameters(name: str, start: str) -> None:
    vae, expected = model(name), meta()[name]["values"][f"init_map {start}"]
    before = {n: t.clone() for n, t in vae.state_dict().items()}
    start_from_encoder(vae, heads=start == "all")
    after = vae.state_dict()
    changed = {n for n in after if is_partial(n) and not torch.equal(after[n], before[n])}
    assert changed == expected.keys()
    for target, source in expected.items():
        width = before[source].shape[1] if before[source].ndim > 1 else None
        cut = after[target][:, :width] if width else after[target]
        assert torch.equal(cut, before[source])
        if cut.shape != after[target].shape:
            assert not after[target][:, width:].any()
