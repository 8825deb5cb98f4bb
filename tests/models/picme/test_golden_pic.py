"""The backbone beside PIC's own modules: one forward pass, and one training step."""

import json
from dataclasses import replace
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli.models.picme import losses
from inpaint_cli.models.picme.blocks import Conv, UpConv
from inpaint_cli.models.picme.config import PRESETS
from inpaint_cli.models.picme.convert import their_name, translate
from inpaint_cli.models.picme.mixture import Gaussian, kl, sample
from inpaint_cli.models.picme.networks import MixtureOfPrimitives, mask_at
from tests.models.picme.recorded import FOLDER, iterated, of_pic, recorded, recorded_in_double

pytestmark = [pytest.mark.golden, pytest.mark.picme]
SCALE = 20
"""PIC's weight of L1 and KL terms."""


def near(actual: Tensor, expected: Tensor) -> None:
    """Assert the README's tolerance: float32, values up to 5, another order of summation."""
    torch.testing.assert_close(actual.detach(), expected, rtol=0, atol=2e-5, check_stride=False)


class Step:
    """What one training step of PIC computes, by our modules, in the recorded order.

    In float64, so that no order of summation takes a rectifier to another side than the record.
    """

    def __init__(self, model: MixtureOfPrimitives, data: dict[str, Tensor]) -> None:
        shown = recorded_in_double("pic_forward")
        self.x, self.m = 2 * shown["img"] - 1, shown["mask"]
        count = len(self.x)
        features = model.encoder(torch.cat([self.m * self.x, (1 - self.m) * self.x]))
        z_m, e = model.seen([feature[:count] for feature in features])
        self.post = model.encoder.posterior(features[-1][count:])
        mixture = model.encoder.mixture(z_m)
        self.prior = mixture.component(torch.zeros(count, dtype=torch.int64))
        z = [sample(self.post, data["eps_post"]), sample(self.prior, data["eps_prior"])]
        m = mask_at(self.m, e)
        twice = [torch.cat([one, one]) for one in (z_m, e, m)]
        images = model.decoder(twice[0], torch.cat(z), twice[1], twice[2])
        self.rec = [image[:count] for image in images]
        self.gen = [image[count:] for image in images]

    def losses(self) -> dict[str, Tensor]:
        """Return the terms without discriminators, with PIC's weights."""
        hole, scales = losses.hole_prior(self.m, self.post), len(self.rec)
        return {
            "kl_rec": SCALE * scales * kl(hole, self.post).mean(),
            "kl_g": SCALE * scales * kl(self.post.stopped(), self.prior).mean(),
            "app_rec": SCALE * losses.reconstruction(self.rec, self.x),
            "app_g": SCALE * losses.visible_reconstruction(self.gen, self.x, self.m),
        }


def test_a_training_step_gives_the_recorded_distributions_and_images() -> None:
    data = recorded_in_double("pic_step")
    step = Step(of_pic().train().double(), data)
    for name, part in (("post", step.post), ("prior", step.prior)):
        near(part.mu, data[f"{name}_mu"])
        near(part.sigma, data[f"{name}_sigma"])
    for name, images in (("rec", step.rec), ("gen", step.gen)):
        for i, image in enumerate(images):
            near(image, data[f"{name}{i}"])


def test_a_training_step_gives_the_recorded_losses_of_images_and_latents() -> None:
    data = recorded_in_double("pic_step")
    for name, loss in Step(of_pic().train().double(), data).losses().items():
        torch.testing.assert_close(loss.detach(), data[f"loss.{name}"], rtol=1e-4, atol=0)


def test_a_training_step_gives_the_recorded_adversarial_losses_and_gradients() -> None:
    data = recorded_in_double("pic_step")
    model = of_pic().train().double()
    step = Step(model, data)
    rivals = [model.discriminators[name] for name in ("generated", "reconstructed")]
    images = (step.gen[-1], step.rec[-1])
    of_rivals = [
        losses.discrimination(rival(step.x), rival(image.detach()))
        for rival, image in zip(rivals, images, strict=True)
    ]
    terms = step.losses()
    terms["ad_g"] = losses.one(rivals[0](images[0]))
    fake, real = rivals[1](images[1]), rivals[1](step.x)
    terms["ad_rec"] = (fake - real).square().mean()
    for name, loss in zip(("img_d", "img_d_rec"), of_rivals, strict=True):
        torch.testing.assert_close(loss.detach(), data[f"loss.{name}"], rtol=1e-4, atol=0)
    for name in ("ad_g", "ad_rec"):
        rtol = 1e-2 if name == "ad_rec" else 1e-4
        torch.testing.assert_close(terms[name].detach(), data[f"loss.{name}"], rtol=rtol, atol=0)
    check_gradients(of_rivals[0], model, "D", data)
    total = torch.stack(list(terms.values())).sum()
    check_gradients(total, model, "EG", data)


def check_gradients(
    loss: Tensor, model: MixtureOfPrimitives, networks: str, data: dict[str, Tensor]
) -> None:
    """Compare the recorded gradients of some networks: within 1e-4 of each one's largest."""
    roots = {"E": "encoder.", "G": "decoder.", "D": "discriminators.generated."}
    named = dict(model.named_parameters())
    for network in networks:
        ours = {their_name(name): named[name] for name in named if name.startswith(roots[network])}
        # PIC's second call replaces the singular vectors that the gradient of its first one needs:
        # within D only the last layer, which has a single row, keeps the gradient of its loss.
        known = "grad.D.conv." if network == "D" else f"grad.{network}."
        wanted = {n[7:]: t for n, t in data.items() if n.startswith(known)}
        assert wanted
        gradients = torch.autograd.grad(loss, [ours[name] for name in wanted], retain_graph=True)
        for gradient, (name, expected) in zip(gradients, wanted.items(), strict=True):
            error = (gradient - expected).abs().max() / expected.abs().max()
            assert error < 1e-4, name


def test_inference_gives_the_recorded_features_attention_and_images() -> None:
    data, model = recorded("pic_forward"), of_pic()
    with torch.no_grad():
        features = model.encoder(data["I_m"])
        for i, feature in enumerate(features):
            near(feature, data[f"feature{i}"])
        z_m, e = model.seen(features)
        mixture = model.encoder.mixture(z_m)
        near(mixture.mu[:, 0], data["prior_mu"])
        near(mixture.sigma[:, 0], data["prior_sigma"])
        z = sample(Gaussian(mixture.mu[:, 0], mixture.sigma[:, 0]), data["eps"])
        near(z, data["z"])
        m = mask_at(data["mask"], e)
        near(m, data["scale_mask"])
        near(model.decoder.attention.likeness(data["act.G.decoder1"]), data["attention"])
        attended = model.decoder.attention(data["act.G.decoder1"], e, m)
        near(attended, data["act.G.attn1.out"])
        for i, image in enumerate(model.decoder(z_m, z, e, m)):
            near(image, data[f"out{i}"])


def test_the_discriminator_gives_the_recorded_scores() -> None:
    data, model = recorded("pic_forward"), of_pic()
    with torch.no_grad():
        near(model.discriminators["generated"](data["out3"]), data["score"])


def used(conv: nn.Module) -> Tensor:
    """Return the weight of a convolution over its norm."""
    assert isinstance(conv, (Conv, UpConv))
    return cast(Tensor, conv.norm(conv.weight))


def test_spectral_normalisation_gives_the_recorded_weights() -> None:
    data, model = recorded("pic_forward"), of_pic()
    with torch.no_grad():
        near(used(model.encoder.block0.conv1), data["effective.E.block0.conv1.weight"])
        last = model.decoder.get_submodule("up.4.conv2")
        near(used(last), data["effective.G.decoder4.conv2.weight"])


def test_weights_are_divided_as_by_one_power_iteration_from_pic_s_vectors() -> None:
    model = of_pic()
    with torch.no_grad():
        near(used(model.decoder.get_submodule("up.1.bypass")), iterated("decoder1.bypass", "G"))


def test_every_tensor_of_the_published_network_of_256_pixels_has_its_place() -> None:
    keys = json.loads((FOLDER / "pic_keys_256.json").read_text())
    config = PRESETS["photo256"]
    with torch.device("meta"):
        model = MixtureOfPrimitives(replace(config, primitives=1))
        roots = {"E": "encoder.", "G": "decoder.", "D": "discriminators.generated."}
        for network, root in roots.items():
            listed = keys[network]
            state = {
                name: torch.empty(listed[entry.get("alias_of", name)]["shape"])
                for name, entry in listed.items()
            }
            expected = {n: t for n, t in model.state_dict().items() if n.startswith(root)}
            mine = [n for n in expected if their_name(n) is not None]
            assert set(translate(state, expected, FOLDER)) == set(mine)
