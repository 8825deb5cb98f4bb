"""Divergences and densities of the latents against closed forms."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from inpaint_cli.models.ipa.gaussians import Gaussian


def gaussian(seed: int, spread: float = 1.0) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    return Gaussian.of(spread * torch.randn(2, 6, 4, 4, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_divergences_and_densities_are_those_of_normal_distributions(spread: float) -> None:
    one, other = gaussian(0, spread), gaussian(1, spread)
    known = [Normal(g.mean, g.log_std.exp()) for g in (one, other)]
    torch.testing.assert_close(one.kl(other), kl_divergence(*known), rtol=1e-10, atol=1e-12)
    z = torch.linspace(-3, 3, 2 * 3 * 16, dtype=torch.float64).view(2, 3, 4, 4)
    torch.testing.assert_close(one.log_prob(z), known[0].log_prob(z), rtol=1e-10, atol=1e-10)  # type: ignore[no-untyped-call]


def test_a_divergence_is_never_negative_and_zero_for_equals() -> None:
    one = gaussian(0)
    assert (one.kl(gaussian(1)) > 0).all()
    assert (one.kl(one) == 0).all()
    near = Gaussian(one.mean, one.log_std + 1e-6)
    assert (one.kl(near) >= 0).all()


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_between_two_lies_the_normalised_product_of_their_powers(weight: float) -> None:
    one, other, w = gaussian(0), gaussian(1), torch.tensor(weight, dtype=torch.float64)
    between = one.towards(other, w)
    z = torch.randn(5, *one.mean.shape, generator=torch.Generator().manual_seed(2)).double()
    product = (1 - w) * one.log_prob(z) + w * other.log_prob(z)
    constant = between.log_prob(z) - product
    torch.testing.assert_close(constant, constant[:1].expand_as(constant), rtol=0, atol=1e-9)
    if weight in (0.0, 1.0):
        end = other if weight else one
        assert torch.equal(between.mean, end.mean)
        assert torch.equal(between.log_std, end.log_std)


def test_far_scales_overflow_later_than_their_squares_would() -> None:
    far = Gaussian(torch.zeros(1), torch.full((1,), 50.0))
    wider = Gaussian(torch.zeros(1), torch.full((1,), 60.0))
    assert far.kl(wider).isfinite().all()
    narrow = Gaussian(torch.zeros(1), torch.full((1,), -60.0))
    assert narrow.towards(far, torch.tensor(0.5)).log_std.item() == pytest.approx(-60, abs=0.4)


def test_temperature_scales_the_deviation_and_zero_gives_the_mean() -> None:
    one, eps = gaussian(0), torch.ones(2, 3, 4, 4, dtype=torch.float64)
    assert torch.equal(one.sample(eps, 0.0), one.mean)
    torch.testing.assert_close(one.sample(eps, 0.5) - one.mean, 0.5 * one.log_std.exp())


def test_half_precision_becomes_float32() -> None:
    assert Gaussian.of(torch.zeros(1, 4, 2, 2, dtype=torch.bfloat16)).mean.dtype == torch.float32
