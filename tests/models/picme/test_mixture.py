"""Divergences and mixtures: closed forms, bounds, and agreement with drawing."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inpaint_cli.models.picme import losses
from inpaint_cli.models.picme.config import PRESETS
from inpaint_cli.models.picme.mixture import (
    Gaussian,
    Mixture,
    clamped,
    divergences,
    drawn_components,
    kl,
    kl_literal,
    kl_to_standard,
    nearest,
    sample,
)
from inpaint_cli.models.picme.networks import MixingWeights
from tests.models.picme.small import mixture_of

means = st.floats(-5, 5)
deviations = st.floats(math.exp(-4), math.exp(2))


def gaussian(mu: float, sigma: float) -> Gaussian:
    return Gaussian(*(torch.tensor([[value]], dtype=torch.float64) for value in (mu, sigma)))


@given(means, deviations, means, deviations)
def test_a_divergence_is_never_negative(m: float, s: float, n: float, t: float) -> None:
    assert kl(gaussian(m, s), gaussian(n, t)).item() >= -1e-12  # rounding of terms near 1


@given(means, deviations)
def test_the_divergence_of_equal_gaussians_is_zero(m: float, s: float) -> None:
    assert kl(gaussian(m, s), gaussian(m, s)).item() == 0


def test_the_divergence_of_unequal_gaussians_is_not_zero() -> None:
    assert kl(gaussian(0, 1), gaussian(0, 1.01)).item() > 1e-5
    assert kl(gaussian(0, 1), gaussian(0.01, 1)).item() > 1e-5


def log_density(p: Gaussian, z: Tensor) -> Tensor:
    density: Tensor = torch.distributions.Normal(p.mu, p.sigma).log_prob(z)  # type: ignore[no-untyped-call]
    return density


def test_the_divergence_is_the_mean_log_ratio_of_draws() -> None:
    q, p = gaussian(0.3, 0.7), gaussian(-0.5, 1.2)
    generator = torch.Generator().manual_seed(0)
    z = sample(q, torch.randn(40_000, 1, generator=generator, dtype=torch.float64))
    ratio = log_density(q, z) - log_density(p, z)
    error = 5 * ratio.std().item() / math.sqrt(len(z))
    assert abs(ratio.mean().item() - kl(q, p).item()) < error


def test_the_divergence_to_the_standard_normal_is_that_to_a_gaussian_of_0_and_1() -> None:
    q = gaussian(0.3, 0.7)
    torch.testing.assert_close(kl_to_standard(q), kl(q, gaussian(0, 1)))


def test_equation_5_as_printed_has_no_lower_bound() -> None:
    assert kl_literal(gaussian(1000, 1), gaussian(0, 1)).item() < -1e5


def test_gradients_pass_a_clamp_only_towards_the_inside() -> None:
    x = torch.tensor([-2.0, -2.0, 0.5, 2.0, 2.0], requires_grad=True)
    clamped(x, -1, 1).backward(torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0]))  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, -1.0, 1.0, 1.0, 0.0]


@given(st.integers(1, 8), st.integers(0, 10_000))
def test_mixing_weights_sum_to_1_and_stay_above_their_floor(k: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mix = MixingWeights(4, k, 2, 0.01)
    with torch.no_grad():
        mix.weight.copy_(20 * torch.randn(k, 4, generator=generator))
        weights = mix(torch.randn(3, 4, 2, 2, generator=generator))
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    assert weights.min() >= 0.01 / k * 0.999


def test_a_component_without_weight_is_never_drawn() -> None:
    weights = torch.tensor([[0.0, 0.4, 0.0, 0.6, 0.0]])
    uniform = torch.linspace(0, 1 - 1e-12, 101, dtype=torch.float64)[None]
    assert set(drawn_components(weights, uniform).flatten().tolist()) == {1, 3}


def test_components_are_drawn_as_often_as_they_weigh() -> None:
    weights = torch.tensor([[0.1, 0.2, 0.7]])
    uniform = torch.rand(1, 20_000, generator=torch.Generator().manual_seed(0))
    index = drawn_components(weights, uniform)[0]
    share = torch.bincount(index, minlength=3) / index.numel()
    torch.testing.assert_close(share, weights[0], rtol=0, atol=5 * 0.5 / math.sqrt(20_000))


def test_the_frequency_loss_pulls_each_weight_to_its_one_hot_target() -> None:
    weights = torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64, requires_grad=True)
    losses.frequency(weights, torch.tensor([1])).backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    torch.testing.assert_close(weights.grad, 2 * torch.tensor([[0.2, -0.7, 0.5]]).double())


def test_components_that_are_not_chosen_get_no_gradient_of_back_propagate_max() -> None:
    q, p = mixture_of()
    mu = q.mu.clone().requires_grad_()
    mixture = Mixture(mu, q.sigma, q.weights)
    chosen = nearest(mixture, p)
    elements = losses.backpropagate_max(mixture.component(chosen), p, PRESETS["photo256"])
    elements.sum().backward()  # type: ignore[no-untyped-call]
    assert mu.grad is not None
    moved = mu.grad.abs().sum(2) > 0
    assert torch.equal(moved, torch.nn.functional.one_hot(chosen, 3).bool())


def test_the_chosen_component_is_the_one_of_least_divergence() -> None:
    q, p = mixture_of(5)
    assert torch.equal(nearest(q, p), divergences(q, p).argmin(1))


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_the_temperature_scales_the_distance_from_the_mean(temperature: float) -> None:
    q, _ = mixture_of()
    one, normal = q.component(torch.tensor([0, 1])), torch.ones(2, 4)
    expected = temperature * (sample(one, normal) - one.mu)
    torch.testing.assert_close(sample(one, normal, temperature) - one.mu, expected)
