"""Terms of the latent variables beside an independent computation, values and gradients."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli.models.picme import losses
from inpaint_cli.models.picme.config import PRESETS
from inpaint_cli.models.picme.mixture import (
    Gaussian,
    Mixture,
    distances,
    divergences,
    drawn_components,
    entropy,
    kl,
    kl_literal,
    kl_to_standard,
    nearest,
    sample,
)
from inpaint_cli.models.picme.networks import MixtureHead
from tests.models.picme.recorded import FOLDER, recorded, same

pytestmark = [pytest.mark.golden, pytest.mark.picme]
CONFIG = PRESETS["photo256"]
Form = Literal["exact", "literal"]


def parts(data: dict[str, Tensor], weights: str = "alpha") -> tuple[Mixture, Gaussian]:
    names = ("q_mu", "q_sigma", "p_mu", "p_sigma", weights)
    leaves = [data[name].clone().requires_grad_() for name in names]
    return Mixture(leaves[0], leaves[1], leaves[4]), Gaussian(leaves[2], leaves[3])


def gradients(value: Tensor, q: Mixture, p: Gaussian) -> dict[str, Tensor]:
    leaves = {"q_mu": q.mu, "q_sigma": q.sigma, "p_mu": p.mu, "p_sigma": p.sigma}
    of_leaves = torch.autograd.grad(value, list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, of_leaves, strict=True))


def test_divergences_of_all_components_are_the_recorded_ones() -> None:
    data = recorded("mixture")
    q, p = parts(data)
    same(divergences(q, p), data["kl_all"])
    each = Gaussian(p.mu[:, None], p.sigma[:, None])
    same(kl_literal(Gaussian(q.mu, q.sigma), each).flatten(2).sum(2), data["kl_literal_all"])
    same(kl_to_standard(Gaussian(q.mu, q.sigma)).flatten(2).sum(2), data["elbo_kl_all"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_component_of_least_divergence_is_chosen(dtype: torch.dtype) -> None:
    data = recorded("mixture")
    q, p = parts({name: t.to(dtype) for name, t in data.items()})
    assert torch.equal(nearest(q, p), data["j"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_equally_near_components_the_first_is_chosen(dtype: torch.dtype) -> None:
    data = recorded("ties")
    weights = torch.full(data["kl_all"].shape, 0.25)
    q, p = parts({name: t.to(dtype) for name, t in ({**data, "alpha": weights}).items()})
    assert torch.equal(nearest(q, p), data["j"])
    torch.testing.assert_close(divergences(q, p).double(), data["kl_all"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", ["exact", "literal"])
def test_backpropagate_max_has_the_recorded_value_and_gradients(form: Form) -> None:
    data = recorded("mixture")
    q, p = parts(data)
    config = replace(CONFIG, divergence=form)
    elements = losses.backpropagate_max(q.component(data["j"]), p, config)
    same(losses.element_mean(elements), data[f"bm_{form}_mean"])
    total = elements.flatten(1).sum(1).mean()
    same(total, data[f"bm_{form}_sum"])
    for name, gradient in gradients(total, q, p).items():
        same(gradient, data[f"bm_{form}_sum.grad.{name}"])


def test_the_share_of_the_posterior_scales_its_gradient_alone() -> None:
    data = recorded("mixture")
    q, p = parts(data)
    of_q, share = data["balance"].tolist()
    config = replace(CONFIG, posterior_share=share)
    elements = losses.backpropagate_max(q.component(data["j"]), p, config)
    total = elements.flatten(1).sum(1).mean()
    same(total, data["bm_exact_sum"])
    for name, gradient in gradients(total, q, p).items():
        same(gradient, (of_q if name[0] == "q" else share) * data[f"bm_exact_sum.grad.{name}"])


def test_free_bits_count_but_do_not_pull() -> None:
    data = recorded("mixture")
    q, p = parts(data)
    elements = kl(q.component(data["j"]), p)
    free = float(data["free_bits_lambda"])
    total = losses.element_mean(elements, free) * elements[0].numel()
    same(total, data["bm_exact_freebits_sum"])
    same(gradients(total, q, p)["q_mu"], data["bm_exact_freebits_sum.grad.q_mu"])


@pytest.mark.parametrize(("name", "floor"), [("freq", False), ("freq_floor", True)])
def test_the_frequency_loss_has_the_recorded_value_and_gradients(name: str, floor: bool) -> None:
    data = recorded("mixture")
    logits = data["logits"].clone().requires_grad_()
    weights = torch.softmax(logits, 1)
    k = logits.shape[1]
    if floor:
        epsilon = data["floor_eps"]
        weights = (1 - k * epsilon) * weights + epsilon
    same(weights, data["alpha_floor" if floor else "alpha"])
    loss = losses.frequency(weights, data["j"])
    same(loss, data[name])
    by_weight, by_logit = torch.autograd.grad(loss, [weights, logits])
    same(by_weight, data[f"{name}.grad.alpha"])
    same(by_logit, data[f"{name}.grad.logits"])


@pytest.mark.parametrize("which", ["weighted", "chosen"])
def test_the_divergence_to_the_standard_normal_is_the_recorded_one(
    which: Literal["weighted", "chosen"],
) -> None:
    data = recorded("mixture")
    q, p = parts(data)
    elements = losses.to_standard(q, data["j"], replace(CONFIG, elbo_divergence=which))
    same(losses.element_mean(elements), data[f"elbo_kl_{which}_mean"])
    total = elements.flatten(1).sum(1).mean()
    same(total, data[f"elbo_kl_{which}_sum"])
    by_name = gradients(total, q, p)
    for name in ("q_mu", "q_sigma"):
        same(by_name[name], data[f"elbo_kl_{which}_sum.grad.{name}"])
    total = losses.to_standard(q, data["j"], replace(CONFIG, elbo_divergence=which)).sum()
    (by_weight,) = torch.autograd.grad(total, q.weights, materialize_grads=True)
    assert not by_weight.any()


def test_the_true_divergence_of_the_mixture_lies_between_its_bounds() -> None:
    data = recorded("mixture")
    q, p = parts(data)
    upper = (q.weights * divergences(q, p)).sum(1)
    same(upper, data["mix_kl_upper_sum"])
    lower = upper - entropy(q.weights)
    same(lower, data["mix_kl_lower_sum"])
    true, slack = data["mix_kl_monte_carlo_sum"], 5 * data["mix_kl_monte_carlo_stderr"]
    assert bool(((lower <= true + slack) & (true - slack <= upper)).all())


def test_what_is_logged_of_a_mixture_is_what_was_recorded() -> None:
    data = recorded("mixture")
    q, _ = parts(data)
    usage = torch.nn.functional.one_hot(data["j"], q.primitives).double().mean(0)
    same(usage, data["monitor.usage"])
    same(entropy(usage), data["monitor.entropy_usage"])
    same(entropy(q.weights).mean(), data["monitor.entropy_alpha_mean"])
    same(entropy(q.weights.mean(0)), data["monitor.entropy_mean_alpha"])
    same(distances(q), data["monitor.pairwise_symmetric_kl"])


def test_pic_s_divergences_are_the_recorded_ones() -> None:
    data = recorded("mixture")
    q, p = parts(data)
    hole = losses.hole_prior(data["pic.mask_mean"].view(-1, 1, 1, 1), p)
    same(hole.sigma[:, 0, 0, 0], data["pic.m_sigma"])
    same(kl(hole, p).mean(), data["pic.kl_rec_mean"])
    first = q.component(torch.zeros_like(data["j"]))
    config = replace(CONFIG, divergence_order="posterior")
    same(losses.backpropagate_max(first, p, config).mean(), data["pic.kl_g_mean"])


def test_the_head_gives_the_recorded_mixture() -> None:
    data = recorded("head")
    k, latent = data["mix.offset"].shape
    channels = data["h"].shape[1]
    floor = k * float(data["floor_eps"])
    clamp = tuple(data[f"sigma_{bound}"].log().item() for bound in ("min", "max"))
    head = MixtureHead(channels, latent, k, floor, clamp).double()
    for conv in (head.prior.conv1, head.prior.conv2, head.prior.bypass):
        # The record has plain convolutions.
        conv.norm = nn.Identity()  # type: ignore[assignment]
    weights = {name: t for name, t in data.items() if name.startswith(("prior.", "mix."))}
    head.load_state_dict(weights)
    mixture = head(data["h"])
    same(mixture.mu, data["mu"])
    same(mixture.sigma, data["sigma"])
    same(mixture.weights, data["alpha"])


def test_components_and_latents_are_drawn_as_recorded() -> None:
    data = recorded("sampling")
    q = Mixture(data["q_mu"], data["q_sigma"], data["alpha"])
    index = drawn_components(q.weights, data["uniform"])
    assert torch.equal(index, data["index"])
    for temperature, name in ((1.0, "z"), (float(data["temperature"]), "z_temperature")):
        z = [
            sample(q.component(index[:, i]), data["normal"][:, i], temperature)
            for i in range(index.shape[1])
        ]
        same(torch.stack(z, 1), data[name])


def test_the_recorded_set_is_where_the_tests_look() -> None:
    assert (FOLDER / "README.md").is_file()
