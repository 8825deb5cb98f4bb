"""A linear-Gaussian model behind the family's own objectives: every bound is known exactly."""

from collections import defaultdict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.ipa.bounds import LogBound, log_weights
from inpaint_cli.models.ipa.posterior import (
    FORWARD,
    REVERSE,
    Name,
    forward_bound,
    frozen_rate,
    reverse_bound,
    walk,
)
from tests.models.ipa.linear_toy import Toy, Truth, recorded
from tests.models.ipa.small_vaes import ALONE

pytestmark = [pytest.mark.golden, pytest.mark.ipa]
CHAIN = recorded()["chain"]
SEEN = torch.tensor(CHAIN["visible"], dtype=torch.bool)
ALL = torch.ones_like(SEEN)
WIDTH = len(SEEN)


def exact() -> Toy:
    toy = Toy(Truth.of(CHAIN))
    toy.full.set_exact(toy.truth, ALL)
    toy.partial.set_exact(toy.truth, SEEN)
    return toy.requires_grad_(False)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(n: int, seed: int) -> Callable[..., Tensor]:
    generator = rng(seed)
    return lambda *shape: torch.randn(n, *shape, generator=generator, dtype=torch.float64)


def the_image(n: int = 1) -> tuple[Tensor, Tensor]:
    image = torch.tensor(CHAIN["x"], dtype=torch.float64).expand(n, 1, 1, -1)
    return image, SEEN.expand(n, 1, 1, -1)


def weights(
    toy: Toy, pair: tuple[Name, Name], samples: int, seed: int = 0, pull: float | None = None
) -> Tensor:
    image, seen = the_image()
    sides = {"q": toy.full_sides(image), "c": toy.partial_sides(image, seen)}
    counted = ~seen if pair == FORWARD else seen
    return log_weights(
        toy.as_vae(),
        sides,
        image,
        counted,
        draw(samples, seed),
        pair,
        samples,
        None if pull is None else defaultdict(lambda: torch.tensor(pull, dtype=torch.float64)),
    )


def test_the_exact_posteriors_are_the_recorded_chains() -> None:
    toy, (image, _) = exact(), the_image()
    for chain, key in ((toy.full, "posterior_x"), (toy.partial, "posterior_y")):
        wanted = CHAIN[key]["chain"]
        first = chain.layer(0, torch.zeros(1), image.flatten(1))
        second = chain.layer(1, torch.zeros(1).double(), image.flatten(1))
        ours = [first.mean.item(), second.mean.item(), chain.slope.item()]
        assert ours == pytest.approx([wanted[k] for k in ("z1_mean", "z2_intercept", "z2_slope")])
        variances = (2 * chain.log_std).exp().tolist()
        assert variances == pytest.approx([wanted["z1_var"], wanted["z2_var"]])


def test_with_exact_posteriors_every_single_weight_is_the_likelihood() -> None:
    toy = exact()
    missing, seen = weights(toy, FORWARD, 20), weights(toy, REVERSE, 20)
    assert missing.tolist() == pytest.approx([CHAIN["log_p_missing_given_visible"]] * 20, abs=1e-9)
    assert seen.tolist() == pytest.approx([CHAIN["log_p_y"]] * 20, abs=1e-9)


@pytest.mark.parametrize(("key", "counted"), [("O_for_missing", ~SEEN), ("O_for_whole", ALL)])
def test_the_forward_objective_is_the_exact_one_on_average(key: str, counted: Tensor) -> None:
    n, toy = 200_000, exact()
    image, seen = the_image(n)
    sides = toy.partial_sides(image, seen)
    bound = forward_bound(toy.as_vae(), image, sides, draw(n, 1), counted.expand_as(seen))
    ours = -bound.total * WIDTH
    assert abs(ours.mean().item() - CHAIN[key]) < 4 * ours.std().item() / n**0.5
    rates = (bound.rates * WIDTH).mean(0).tolist()
    assert rates == pytest.approx(CHAIN["layer_kl_q_c"], abs=5e-3)


def test_the_reverse_objective_is_the_exact_one_on_average() -> None:
    n, toy = 200_000, exact()
    image, seen = the_image(n)
    bound = reverse_bound(toy.as_vae(), image, toy.partial_sides(image, seen), draw(n, 2), seen)
    ours = -bound.total * WIDTH
    assert abs(ours.mean().item() - CHAIN["O_rev"]) < 4 * ours.std().item() / n**0.5
    rates = (bound.rates * WIDTH).mean(0).tolist()
    assert rates == pytest.approx(CHAIN["layer_kl_c_p"], abs=1e-2)


def disturbed(name: str) -> Toy:
    toy = exact()
    chain = getattr(toy, name)
    chain.first[0] += 0.3 * chain.log_std[0].exp()
    chain.log_std += torch.tensor([0.4, 0.2]).double()
    return toy


@pytest.mark.parametrize(
    ("pair", "wrong", "key", "pull"),
    [
        (FORWARD, "full", "log_p_missing_given_visible", None),
        (FORWARD, "full", "log_p_missing_given_visible", 0.7),
        (REVERSE, "partial", "log_p_y", None),
        (ALONE, "full", "log_p_y", 0.2),
    ],
)
def test_importance_bounds_rise_to_the_likelihood_though_z_comes_from_elsewhere(
    pair: tuple[Name, Name], wrong: str, key: str, pull: float | None
) -> None:
    drawn = weights(disturbed(wrong), pair, 40_000, pull=pull)
    means = [LogBound.of(drawn.view(-1, k)).nats.mean().item() for k in (1, 10, 100)]
    truth = CHAIN[key]
    assert means[0] < means[1] < means[2] < truth + 0.003
    assert truth - means[2] < 0.02 < truth - means[0]


def test_a_wrong_c_lowers_the_forward_objective_by_its_divergence() -> None:
    n, right, wrong = 100_000, exact(), disturbed("partial")
    _, x = right.truth.draw(n, rng(3))
    image, seen = x[:, None, None], SEEN.expand(n, 1, 1, -1)
    totals = [
        forward_bound(t.as_vae(), image, t.partial_sides(image, seen), draw(n, 4), ~seen).total
        for t in (right, wrong)
    ]
    lost = (totals[1] - totals[0]) * WIDTH
    # z ~ p(z|y) on average over x given y, so the loss is KL(p(z|y) || c) on average over y.
    sides = {"q": right.partial_sides(image, seen), "c": wrong.partial_sides(image, seen)}
    right.full = right.partial
    for block in right.decoder.blocks():
        block.enc.chain, block.part_enc.chain = right.partial, wrong.partial
    expected = walk(right.as_vae(), n, sides, draw(n, 5), FORWARD).nats.sum(1)
    spread = (lost.var() + expected.var()).sqrt().item() / n**0.5
    assert abs((lost.mean() - expected.mean()).item()) < 4 * spread
    assert expected.mean().item() > 0.05


@pytest.mark.parametrize("objective", ["forward", "reverse"])
def test_training_finds_the_posterior(objective: str) -> None:
    toy, target = Toy(Truth.of(CHAIN)), exact().partial
    toy.full.set_exact(toy.truth, ALL)
    toy.full.requires_grad_(False)
    optimiser = torch.optim.Adam(toy.partial.parameters(), betas=(0.9, 0.98))
    n, steps = 256, 500
    generator = rng(6)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
        _, x = toy.truth.draw(n, generator)
        image, seen = x[:, None, None], SEEN.expand(n, 1, 1, -1)
        sides = toy.partial_sides(image, seen)
        optimiser.zero_grad()
        if objective == "forward":
            loss = frozen_rate(toy.as_vae(), image, sides, draw(n, 100 + step)).total / n
        else:
            bound = reverse_bound(toy.as_vae(), image, sides, draw(n, 100 + step), seen)
            loss = bound.total.mean() * WIDTH
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    ours, theirs = toy.partial.state_dict(), target.state_dict()
    for name, tensor in ours.items():
        assert (tensor - theirs[name]).abs().max().item() < 2e-2, name


def test_nine_tenths_of_the_truth_lies_in_intervals_of_nine_tenths_of_the_completions() -> None:
    n, k, toy = 2000, 200, exact()
    _, x = toy.truth.draw(n, rng(7))
    image, seen = x[:, None, None].repeat_interleave(k, 0), SEEN.expand(n * k, 1, 1, -1)
    walked = walk(
        toy.as_vae(), n * k, {"c": toy.partial_sides(image, seen)}, draw(n * k, 8), REVERSE
    )
    z = toy.decoder.finish(walked.states)[:, :, 0, 0] - 64.0
    mean = z @ toy.truth.weight.T + toy.truth.mu
    noise = torch.randn(mean.shape, generator=rng(9), dtype=torch.float64)
    completed = (mean + toy.truth.sigma2**0.5 * noise).view(n, k, WIDTH)
    # The middle 180 of 200 leave 10.5 / 201 of the mass outside on each side.
    ordered = completed.sort(1).values
    inside = (x >= ordered[:, 9]) & (x <= ordered[:, 190])
    covered = inside[:, ~SEEN].double().mean(0)
    assert ((covered - 0.9).abs() < 0.02).all(), covered
