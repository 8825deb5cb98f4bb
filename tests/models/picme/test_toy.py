"""A toy with three known modes: a mixture must find them, and one Gaussian cannot."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli.models.picme import losses
from inpaint_cli.models.picme.config import PRESETS
from inpaint_cli.models.picme.mixture import (
    Gaussian,
    Mixture,
    drawn_components,
    entropy,
    nearest,
    sample,
)
from inpaint_cli.models.picme.usage import explored

CONTEXTS, LATENT, STEPS, BATCH, KL_WEIGHT = 4, 8, 1200, 64, 0.02
SHARES = torch.tensor([0.5, 0.3, 0.2])
SPREAD = 0.3


def centres() -> Tensor:
    """Return the modes, [contexts, 3, 2]: a triangle that turns with the context."""
    angle = torch.arange(3) * 2 * math.pi / 3 + torch.arange(CONTEXTS)[:, None] * math.pi / 8
    return 3 * torch.stack([angle.cos(), angle.sin()], -1)


def layers(c_in: int, c_out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(c_in, 64), nn.LeakyReLU(0.1), nn.Linear(64, c_out))


class Toy(nn.Module):
    """The paper's graph in a plane: a context, a posterior of x, a mixture, a decoder."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.posterior_head = layers(2 + CONTEXTS, 2 * LATENT)
        self.prior = layers(CONTEXTS, 2 * k * LATENT)
        self.mix = nn.Linear(CONTEXTS, k)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)
        self.offset = nn.Parameter(0.5 * torch.randn(k, LATENT))
        self.g = layers(CONTEXTS + LATENT, 2)

    def mixture(self, c: Tensor) -> Mixture:
        mean, raw = self.prior(c).unflatten(1, (2, self.k, LATENT)).unbind(1)
        weights = 0.99 * self.mix(c).softmax(1) + 0.01 / self.k
        return Mixture(mean + self.offset, nn.functional.softplus(raw).clamp_min(0.02), weights)

    def posterior(self, x: Tensor, c: Tensor) -> Gaussian:
        mean, raw = self.posterior_head(torch.cat([x, c], 1)).chunk(2, 1)
        return Gaussian(mean, nn.functional.softplus(raw).clamp_min(0.02))


def trained(k: int) -> tuple[Toy, Tensor]:
    """Return a trained toy, and how often each component was the nearest at the end."""
    torch.manual_seed(0)
    toy, config = Toy(k), replace(PRESETS["photo256"], primitives=k)
    optimiser = torch.optim.Adam(toy.parameters(), lr=2e-3, betas=(0.0, 0.999))
    usage = torch.zeros(k)
    for step in range(STEPS):
        where = torch.randint(CONTEXTS, (BATCH,))
        mode = torch.multinomial(SHARES, BATCH, replacement=True)
        x = centres()[where, mode] + SPREAD * torch.randn(BATCH, 2)
        c = nn.functional.one_hot(where, CONTEXTS).float()
        q, p = toy.mixture(c), toy.posterior(x, c)
        best = nearest(q, p)
        chosen = explored(best, torch.rand(BATCH, 2), k, step, STEPS // 4)
        points = toy.g(torch.cat([c, sample(p, torch.randn_like(p.mu))], 1))
        divergence = losses.backpropagate_max(q.component(chosen), p, config).mean()
        standard = losses.to_standard(q, chosen, config).mean()
        loss = losses.frequency(q.weights, chosen) + (points - x).abs().mean()
        optimiser.zero_grad()
        (loss + KL_WEIGHT * (divergence + standard)).backward()
        optimiser.step()
        if step > STEPS // 2:
            usage += nn.functional.one_hot(best, k).sum(0)
    return toy, usage / usage.sum()


@torch.no_grad()
def distance_of_modes(toy: Toy) -> float:
    """Return the total variation between drawn and true shares of the modes, mean over contexts.

    What is drawn far from every mode counts as a fourth.
    """
    count, total = 1000, 0.0
    for where in range(CONTEXTS):
        c = nn.functional.one_hot(torch.full((count,), where), CONTEXTS).float()
        q = toy.mixture(c)
        index = drawn_components(q.weights, torch.rand(count, 1))[:, 0]
        x = toy.g(torch.cat([c, sample(q.component(index), torch.randn(count, LATENT))], 1))
        far, mode = torch.cdist(x, centres()[where]).min(1)
        mode = torch.where(far < 1, mode, 3)
        shares = torch.bincount(mode, minlength=4) / count
        total += 0.5 * float((shares - torch.cat([SHARES, torch.zeros(1)])).abs().sum())
    return total / CONTEXTS


@pytest.mark.slow
def test_six_primitives_find_three_modes_in_their_shares_and_one_does_not() -> None:
    with torch.random.fork_rng():
        toy, usage = trained(6)
        distance = distance_of_modes(toy)
        alone = distance_of_modes(trained(1)[0])
    assert entropy(usage).exp() > 3
    assert distance < 0.3
    assert alone > 0.3
