"""Terms of images beside an independent computation, values and gradients."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.picme import losses
from inpaint_cli.models.picme.config import PRESETS
from tests.models.picme.recorded import recorded, same

pytestmark = [pytest.mark.golden, pytest.mark.picme]
CONFIG = PRESETS["photo256"]


def scales(data: dict[str, Tensor], name: str) -> list[Tensor]:
    count = int(data["combo.n_scales"])
    return [data[f"{name}_scale{i}"].clone().requires_grad_() for i in range(count)]


def test_images_and_masks_are_reduced_as_recorded() -> None:
    data = recorded("images")
    for name in ("image", "mask"):
        wanted = scales(data, name)
        for one, other in zip(losses.at_sides(data[name], wanted), wanted, strict=True):
            same(one, other)


def test_the_reconstruction_has_the_recorded_value_and_gradients() -> None:
    data = recorded("images")
    images = scales(data, "rec")
    loss = losses.reconstruction(images, data["image"])
    same(loss, data["L_R_rec"])
    same(losses.reconstruction(images[-1:], data["image"]), data["L_R_rec_full_scale_only"])
    for i, gradient in enumerate(torch.autograd.grad(loss, images)):
        same(gradient, data[f"L_R_rec.grad.rec_scale{i}"])


def test_the_visible_reconstruction_has_the_recorded_value_and_gradients() -> None:
    data = recorded("images")
    images = scales(data, "gen")
    loss = losses.visible_reconstruction(images, data["image"], data["mask"])
    same(loss, data["L_R_vis"])
    for i, gradient in enumerate(torch.autograd.grad(loss, images)):
        same(gradient, data[f"L_R_vis.grad.gen_scale{i}"])


@pytest.mark.parametrize("form", ["paper", "pic"])
def test_the_adversarial_loss_has_the_recorded_value_and_gradients(
    form: Literal["paper", "pic"],
) -> None:
    data = recorded("images")
    outputs = [data[name].clone().requires_grad_() for name in ("D_gen", "Drec_rec")]
    loss = losses.adversarial(
        outputs[0], data["D_real"], outputs[1], data["Drec_real"], replace(CONFIG, adversarial=form)
    )
    same(loss, data[f"L_A_{form}"])
    for name, gradient in zip(
        ("D_gen", "Drec_rec"), torch.autograd.grad(loss, outputs), strict=True
    ):
        same(gradient, data[f"L_A_{form}.grad.{name}"])


@pytest.mark.parametrize(
    ("loss", "names"), [("L_D", ("D_real", "D_gen")), ("L_Drec", ("Drec_real", "Drec_rec"))]
)
def test_the_loss_of_a_discriminator_has_the_recorded_value_and_gradients(
    loss: str, names: tuple[str, str]
) -> None:
    data = recorded("images")
    scores = [data[name].clone().requires_grad_() for name in names]
    value = losses.discrimination(*scores)
    same(value, data[loss])
    for name, gradient in zip(names, torch.autograd.grad(value, scores), strict=True):
        same(gradient, data[f"{loss}.grad.{name}"])
