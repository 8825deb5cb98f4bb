"""How typical what is visible is: recorded gradients, autograd, a chain in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inpaint_cli.family import Typicality
from inpaint_cli.models.ipa.gaussians import Gaussian
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.posterior import REVERSE, LayerStep, walk
from inpaint_cli.models.ipa.typicality import temperature_gradients
from inpaint_cli.randomness import Noise, content_key
from tests.models.ipa import recorded
from tests.models.ipa.linear_toy import Toy, Truth
from tests.models.ipa.linear_toy import recorded as recorded_toy
from tests.models.ipa.small_vaes import random_vae

RNG = torch.Generator().manual_seed(0)


def normals(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=RNG, dtype=torch.float64)


def some_steps(layers: int = 3) -> list[LayerStep]:
    steps = []
    for _ in range(layers):
        first, second = (Gaussian(normals(5, 2, 4, 4), 0.3 * normals(5, 2, 4, 4)) for _ in "cp")
        steps.append(LayerStep(first, second, first.sample(normals(5, 2, 4, 4))))
    return steps


def told(model: CompletingVae, image: Tensor, visible: Tensor, passes: int = 3) -> Typicality:
    noise = Noise.of_completions(0, content_key(image, visible), range(passes))
    one = model.typicality(image, visible, [noise])
    return Typicality(one.gradients[0], one.log_weights[0])


def an_image(model: CompletingVae) -> tuple[Tensor, Tensor]:
    shape = (1, model.channels, model.size, model.size)
    image = torch.randint(0, 256, shape, generator=RNG, dtype=torch.uint8)
    return image, torch.rand(1, 1, *shape[2:], generator=RNG) < 0.4


@pytest.mark.golden
@pytest.mark.ipa
@pytest.mark.parametrize("form", ["analytic", "sampled"])
def test_the_gradients_are_the_recorded_ones(form: str) -> None:
    stored = recorded.tensors("m16_io")
    model = recorded.model("m16").requires_grad_(False)
    image, seen = recorded.pictures(stored["x_uint8"]), recorded.visible(stored)
    draw = recorded.Replay(*recorded.listed(stored, "rev.eps")).as_noise().normal
    sides = model.partial_sides(image, seen)
    walked = walk(model, len(image), {"c": sides}, draw, REVERSE, keep=True, ceiling=4.0)
    ours = temperature_gradients(walked.steps, sampled=form == "sampled")
    theirs = stored[f"ood.temp_gradient_{form}"]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize("sampled", [False, True])
def test_the_gradients_are_those_of_the_bound_by_the_heat_of_the_prior(sampled: bool) -> None:
    steps = some_steps()
    heats = torch.ones(len(steps), dtype=torch.float64, requires_grad=True)
    total: Tensor = torch.zeros((), dtype=torch.float64)
    for heat, (c, p, z) in zip(heats, ((s.first, s.second, s.z) for s in steps), strict=True):
        hot = Gaussian(p.mean, p.log_std + heat.log())
        total = total + (hot.log_prob(z) if sampled else -c.kl(hot)).sum()
    total.backward()  # type: ignore[no-untyped-call]
    ours = temperature_gradients(steps, sampled=sampled).sum(0)
    assert heats.grad is not None
    torch.testing.assert_close(ours, heats.grad, atol=1e-9, rtol=1e-9)


def test_where_the_encoder_is_the_prior_there_is_no_gradient_at_all() -> None:
    steps = [LayerStep(step.first, step.first, step.z) for step in some_steps()]
    assert not temperature_gradients(steps).any()


@pytest.mark.golden
@pytest.mark.ipa
def test_of_a_linear_gaussian_chain_the_gradients_have_a_closed_form() -> None:
    chain = recorded_toy()["chain"]
    truth, seen = Truth.of(chain), torch.tensor(chain["visible"], dtype=torch.bool)
    toy, n = Toy(truth).requires_grad_(False), 200_000
    toy.partial.set_exact(truth, seen)
    x = torch.tensor(chain["x"], dtype=torch.float64).view(1, 1, 1, -1)
    sides = {"c": toy.partial_sides(x, seen.view(1, 1, 1, -1))}

    def draw(*shape: int) -> Tensor:
        return normals(n, *shape)

    walked = walk(toy.as_vae(), n, sides, draw, REVERSE, keep=True)
    ours = temperature_gradients(walked.steps)
    mean, cov = truth.posterior(x.flatten(1), seen)
    first = mean[0, 0] ** 2 + cov[0, 0] - 1  # prior N(0, 1)
    # E[(z2 - a z1 - b)^2] / s2 - 1 under the joint posterior.
    rest = mean[0, 1] - truth.a * mean[0, 0] - truth.b
    spread = cov[1, 1] - 2 * truth.a * cov[0, 1] + truth.a**2 * cov[0, 0]
    second = (rest**2 + spread) / truth.s2 - 1
    torch.testing.assert_close(ours[:, 0], first.expand(n), atol=1e-9, rtol=0)
    assert abs(ours[:, 1].mean() - second) < 4 * ours[:, 1].std() / n**0.5


def test_hidden_values_do_not_count_and_the_weights_stay_as_they_are() -> None:
    model = random_vae()
    image, visible = an_image(model)
    other = torch.where(visible, image, 255 - image)
    for one, two in zip(
        (told(model, image, visible).gradients, told(model, image, visible).log_weights),
        (told(model, other, visible).gradients, told(model, other, visible).log_weights),
        strict=True,
    ):
        assert torch.equal(one, two)
        assert one.dtype == torch.float64
    assert next(model.parameters()).dtype == torch.float32


def test_a_pass_does_not_depend_on_how_many_there_are() -> None:
    model = random_vae()
    image, visible = an_image(model)
    few, many = told(model, image, visible, 1), told(model, image, visible, 5)
    torch.testing.assert_close(few.gradients, many.gradients[:1], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(few.log_weights, many.log_weights[:1], rtol=1e-9, atol=1e-9)


def test_a_picture_in_a_batch_is_told_what_it_is_told_alone() -> None:
    model = random_vae()
    cases = [an_image(model) for _ in range(5)]
    noises = [Noise.of_completions(0, content_key(*case), range(3)) for case in cases]
    images, visible = (torch.cat(part) for part in zip(*cases, strict=True))
    together = model.typicality(images, visible, noises)
    assert (together.gradients.shape[:2], together.log_weights.shape) == ((5, 3), (5, 3))
    for row, case in enumerate(cases):
        alone = told(model, *case)
        torch.testing.assert_close(together.gradients[row], alone.gradients, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(
            together.log_weights[row], alone.log_weights, rtol=1e-12, atol=1e-12
        )


def test_a_picture_with_nothing_hidden_is_seen_by_the_full_encoder() -> None:
    model = random_vae()
    image, _ = an_image(model)
    visible = torch.ones(1, 1, *image.shape[2:], dtype=torch.bool)
    before = told(model, image, visible)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "part_enc" in name:
                parameter.zero_()
    assert torch.equal(told(model, image, visible).gradients, before.gradients)


def test_deviations_beyond_all_measure_give_no_error() -> None:
    model = random_vae()
    image, visible = an_image(model)
    with torch.no_grad():
        for block in model.decoder.blocks():
            block.part_enc.c4.weight.mul_(torch.tensor(20.0).exp())
            block.prior.c4.weight.add_(torch.tensor(20.0).exp())
    assert not told(model, image, visible).gradients.isfinite().all()


def test_what_is_of_edges_or_of_no_latents_has_none() -> None:
    assert random_vae(condition="edges").typicality_layers() == 0
    model = random_vae()
    assert model.typicality_layers() == told(model, *an_image(model)).gradients.shape[1]
