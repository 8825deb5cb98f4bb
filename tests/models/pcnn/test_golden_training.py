"""Recorded losses, gradients and Adam steps of the authors' code."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inpaint_cli.family import Batch
from inpaint_cli.models.pcnn.convert import our_mask, their_names
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from inpaint_cli.models.pcnn.objective import PixelStage, cross_entropy
from inpaint_cli.models.quantise import to_bytes, to_levels
from inpaint_cli.randomness import Noise
from tests.models.pcnn.golden_folders import folders, network, tensors

pytestmark = [pytest.mark.golden, pytest.mark.pcnn]
each_folder = pytest.mark.parametrize("folder", folders(), ids=lambda path: path.name)


def in_training(folder: Path) -> PixelConstrainedCNN:
    """Return the recorded network in float64, as its results were computed."""
    return network(folder).double().train()


def batch_of(folder: Path, model: PixelConstrainedCNN) -> Batch:
    recorded = tensors(folder, "forward")
    image = to_bytes(recorded["image_levels"], model.levels)
    return Batch(image, recorded["mask_visible"].bool())


def loss_of(model: PixelConstrainedCNN, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    result = PixelStage().loss(model, batch, 0, Noise(0, "test", []))
    return result.losses["all"], dict(result.scalars)


def under_their_names(values: dict[str, Tensor], model: PixelConstrainedCNN) -> dict[str, Tensor]:
    """Cut our entries into the authors', with zeros at masked positions."""
    theirs: dict[str, Tensor] = {}
    for name, value in values.items():
        parts = their_names(name, model.channels == 3)
        theirs.update(zip(parts, value.chunk(len(parts)), strict=True))
    for name in theirs:
        masked = [".vertical_conv.", ".horizontal_conv.", "_conv_2.conv_", "logits.0.conv_"]
        masked += ["logits.2.conv_"]
        if (
            name.endswith("weight")
            and name.startswith("prior_net")
            and any(m in name for m in masked)
        ):
            mask = our_mask(name.removesuffix("weight") + "mask", theirs[name], model)
            theirs[name] = theirs[name] * mask
    return theirs


@each_folder
def test_losses_of_five_adam_steps_are_recorded(folder: Path) -> None:
    model, recorded = in_training(folder), tensors(folder, "train")["losses_5_steps"]
    batch, optimiser = batch_of(folder, model), torch.optim.Adam(model.parameters(), lr=4e-4)
    for step, expected in enumerate(recorded):
        total, terms = loss_of(model, batch)
        with torch.no_grad():
            prior, _ = model(*inputs_of(batch, model))
        ours = torch.stack([total, terms["ce"], terms["ce_cond"]]).double().detach()
        tolerance = 1e-5 if step == 0 else 2e-4
        torch.testing.assert_close(ours, expected[:3], rtol=0, atol=tolerance)
        levels = inputs_of(batch, model)[0]
        torch.testing.assert_close(
            cross_entropy(prior, levels).double(), expected[3], rtol=0, atol=tolerance
        )
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def inputs_of(batch: Batch, model: PixelConstrainedCNN) -> tuple[Tensor, Tensor]:
    return to_levels(batch.image, model.levels), batch.visible


@each_folder
def test_logits_in_train_mode_use_the_statistics_of_the_batch(folder: Path) -> None:
    model, recorded = network(folder).train(), tensors(folder, "train")
    with torch.no_grad():
        prior, cond = model(*inputs_of(batch_of(folder, model), model))
    for name, logits in {
        "prior_logits": prior,
        "cond_logits": cond,
        "logits": prior + cond,
    }.items():
        if f"train.{name}" in recorded:
            torch.testing.assert_close(logits, recorded[f"train.{name}"], rtol=0, atol=5e-5)
    after = under_their_names(
        {k: v for k, v in model.state_dict().items() if "running" in k}, model
    )
    for name, expected in recorded.items():
        if name.startswith("bn_after.") and "running" in name:
            ours = after[name.removeprefix("bn_after.")]
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5, msg=name)


@each_folder
def test_loss_over_hidden_pixels_is_recorded(folder: Path) -> None:
    model, recorded = in_training(folder), tensors(folder, "train")
    batch = batch_of(folder, model)
    levels, visible = inputs_of(batch, model)
    with torch.no_grad():
        prior, cond = model(levels, visible)
    means = [cross_entropy(x, levels, ~visible) for x in (prior + cond, cond, prior)]
    expected = recorded["loss_hidden_mean"]
    torch.testing.assert_close(torch.stack(means).double(), expected, rtol=0, atol=1e-5)
    entries = torch.nn.functional.cross_entropy(prior + cond, levels, reduction="none")
    sums = (entries * ~visible).sum((1, 2, 3)).double()
    torch.testing.assert_close(sums, recorded["loss_hidden_sum_per_image"], rtol=1e-5, atol=1e-6)


@each_folder
def test_gradients_are_recorded(folder: Path) -> None:
    model, recorded = in_training(folder), tensors(folder, "train")
    total, _ = loss_of(model, batch_of(folder, model))
    total.backward()  # type: ignore[no-untyped-call]
    ours = under_their_names(
        {name: p.grad for name, p in model.named_parameters() if p.grad is not None}, model
    )
    for name, expected in recorded.items():
        if name.startswith("grad."):
            gradient = ours[name.removeprefix("grad.")]
            torch.testing.assert_close(gradient, expected.double(), rtol=1e-6, atol=1e-9, msg=name)
    order = json.loads((folder / "param_order.json").read_text())
    norms = torch.stack([ours[name].double().norm() for name in order])
    torch.testing.assert_close(norms, recorded["grad_norms"], rtol=1e-6, atol=1e-9)


@each_folder
def test_parameters_after_one_adam_step_are_recorded(folder: Path) -> None:
    model, recorded = in_training(folder), tensors(folder, "train")
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-4)
    loss_of(model, batch_of(folder, model))[0].backward()  # type: ignore[no-untyped-call]
    grads = under_their_names(
        {name: p.grad for name, p in model.named_parameters() if p.grad is not None}, model
    )
    optimiser.step()
    ours = under_their_names(dict(model.named_parameters()), model)
    # A bias in front of a BatchNorm has no gradient but rounding noise, whose sign Adam follows.
    silent = tuple(f"convs.{i}.bias" for i in (0, 3, 6))
    for key, expected in recorded.items():
        name = key.removeprefix("adam1.")
        if key.startswith("adam1.") and not name.endswith(silent):
            error = (ours[name] - expected).abs()
            clear = grads[name].abs() > 1e-5
            assert (error[clear] <= 1e-5).all(), name
            assert (error <= 8.1e-4).all(), name
