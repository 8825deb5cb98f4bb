"""The mixture of logistics is a distribution, and its draws follow it."""

import itertools

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.ipa import dmol

LEVELS: list[tuple[dmol.Likelihood, int]] = [("8-bit", 256), ("5-bit", 32)]


def parameters(seed: int, channels: int, mixtures: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    count = mixtures * (10 if channels == 3 else 3)
    return torch.randn(count, generator=generator, dtype=torch.float64)


def masses(params: Tensor, likelihood: dmol.Likelihood) -> Tensor:
    """Return the probability of each of the 256 bytes, as if it were the only one of its level."""
    every_byte = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    target = dmol.to_target(every_byte, likelihood, torch.float64)
    return dmol.log_prob(params.expand(256, 1, 1, -1), target, likelihood).exp().flatten()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("likelihood", "levels"), LEVELS)
@pytest.mark.parametrize("log_scale", [-9.0, -4.0, -1.0, 2.0])
def test_the_masses_of_all_grey_levels_add_up_to_one(
    seed: int, likelihood: dmol.Likelihood, levels: int, log_scale: float
) -> None:
    params = parameters(seed, 1, 4)
    params[8:] = log_scale + 0.5 * params[8:]
    per_byte = masses(params, likelihood).view(levels, -1)
    assert torch.equal(per_byte[:, 0], per_byte[:, -1])
    # Bins of less than MIN_MASS take their density, a little off: at most 256 x 1e-5 in all.
    assert per_byte[:, 0].sum().item() == pytest.approx(1, abs=2e-4)


def test_the_joint_masses_of_all_colours_add_up_to_one() -> None:
    params = parameters(0, 3, 3)
    levels = torch.arange(32, dtype=torch.float64) / 15.5 - 1
    colours = torch.cartesian_prod(levels, levels, levels).view(-1, 1, 1, 3)
    nats = dmol.log_prob(params.expand(len(colours), 1, 1, -1), colours, "5-bit")
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_the_published_five_bit_levels_do_not_add_up_to_one_and_ours_do() -> None:
    params = torch.tensor([0.0, 0.9, -3.0], dtype=torch.float64)
    published = masses(params, "5-bit-published").view(32, 8)[:, 0].sum().item()
    ours = masses(params, "5-bit").view(32, 8)[:, 0].sum().item()
    assert abs(published - 1) > 0.01
    assert ours == pytest.approx(1, abs=1e-4)


def test_targets_lie_at_the_levels_of_their_bins() -> None:
    image = torch.tensor([0, 7, 8, 255], dtype=torch.uint8).view(1, 1, 2, 2)
    five = dmol.to_target(image, "5-bit", torch.float64).flatten()
    torch.testing.assert_close(five, torch.tensor([-1, -1, 2 / 31 - 1, 1], dtype=torch.float64))
    eight = dmol.to_target(image, "8-bit", torch.float64).flatten()
    assert torch.equal(dmol.to_bytes(eight.view(1, 2, 2, 1)), image)
    published = dmol.to_target(image, "5-bit-published", torch.float64).flatten()
    assert published[-1].item() == pytest.approx(0.94510, abs=1e-5)


def drawn(params: Tensor, channels: int, count: int = 40_000) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    mixtures = params.numel() // (10 if channels == 3 else 3)
    u_mixture, u_logistic = (
        dmol.bounded(torch.rand(count, 1, 1, size, generator=generator, dtype=torch.float64))
        for size in (mixtures, channels)
    )
    return dmol.sample(params.expand(count, 1, 1, -1), u_mixture, u_logistic)


def test_draws_of_grey_pixels_follow_their_masses() -> None:
    params = torch.tensor([0.3, 1.0, -0.4, 0.5, -2.5, -1.5], dtype=torch.float64)
    counts = torch.bincount(dmol.to_bytes(drawn(params, 1)).flatten().long(), minlength=256)
    expected = masses(params, "8-bit").cumsum(0)
    distance = (counts.cumsum(0) / counts.sum() - expected).abs().max().item()
    assert distance < 1.95 / 40_000**0.5  # Kolmogorov-Smirnov, p = 0.001


def test_later_colours_follow_the_true_earlier_ones_in_draws_as_in_the_likelihood() -> None:
    params = torch.zeros(10, dtype=torch.float64)
    scales = [2, 5, 8]
    params[scales] = torch.tensor([-1.5, -6.0, -6.0], dtype=torch.float64)
    params[[3, 6, 9]] = torch.tensor([0.5, -0.4, 0.8], dtype=torch.float64)  # one slot a colour
    k = torch.tanh(params[[3, 6, 9]])
    red, green, blue = drawn(params, 3, 1000).flatten(0, 2).unbind(-1)
    torch.testing.assert_close(green, k[0] * red, rtol=0, atol=0.05)
    torch.testing.assert_close(blue, k[1] * red + k[2] * green, rtol=0, atol=0.05)
    likely = torch.stack([red[:1], k[0] * red[:1], (k[1] + k[2] * k[0]) * red[:1]], -1)
    best = dmol.log_prob(params.view(1, 1, 1, -1), likely.view(1, 1, 1, 3))
    for colour, sign in itertools.product((1, 2), (-0.1, 0.1)):
        other = likely.clone()
        other[0, colour] += sign
        assert (dmol.log_prob(params.view(1, 1, 1, -1), other.view(1, 1, 1, 3)) < best).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_likeliest_logistic_is_the_one_of_the_largest_weight_at_its_mean(channels: int) -> None:
    params = parameters(3, channels, 5).view(1, 1, 1, -1)
    chosen = int(params[0, 0, 0, :5].argmax())
    mixture = dmol.LogisticMixture.of(params, channels)
    alone = mixture.means[0, 0, 0, :, chosen].clamp(-1, 1)
    pixel = dmol.likeliest(params, channels)
    assert pixel.shape == (1, 1, 1, channels)
    assert pixel[0, 0, 0, 0] == alone[0]  # later colours also follow the earlier ones
    params[..., chosen] = 1e3  # certain to be drawn
    half = [torch.full((1, 1, 1, k), 0.5) for k in (5, channels)]
    assert torch.equal(pixel, dmol.sample(params, *half, noise=0.0))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0, 300.0])
def test_no_parameter_gives_a_likelihood_or_gradient_that_is_no_number(
    channels: int, size: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.tensor([0, 255, 1, 254, 128, 7] * 3, dtype=torch.uint8).view(6, 3, 1, 1)
    image = image[:, :channels]
    count = 20 if channels == 3 else 6
    params = (size * torch.randn(6, 1, 1, count, generator=generator)).requires_grad_()
    for likelihood in ("8-bit", "5-bit", "5-bit-published"):
        target = dmol.to_target(image, likelihood, torch.float32)
        nats = dmol.log_prob(params, target, likelihood)
        (gradient,) = torch.autograd.grad(nats.sum(), params)
        assert nats.isfinite().all()
        assert gradient.isfinite().all()


def test_half_precision_is_computed_in_float32() -> None:
    params = parameters(0, 3, 2).view(1, 1, 1, -1).bfloat16()
    assert dmol.log_prob(params, torch.zeros(1, 1, 1, 3)).dtype == torch.float32


def test_bytes_are_rounded_or_cut_and_stay_in_range() -> None:
    pixels = torch.tensor([-2.0, -1.0, 0.0, 0.999, 2.0]).view(1, 5, 1, 1)
    assert dmol.to_bytes(pixels).flatten().tolist() == [0, 0, 128, 255, 255]
    assert dmol.to_bytes(pixels, "trunc").flatten().tolist() == [0, 0, 127, 254, 255]
