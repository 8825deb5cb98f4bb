"""Exploration, running usage and revival of components."""

import torch

from inpaint_cli.models.picme.usage import explored, follow, revive, revive_idle
from tests.models.picme.small import model_of, samples


def test_exploration_replaces_half_of_the_choices_at_first_and_none_at_its_end() -> None:
    chosen = torch.zeros(2000, dtype=torch.int64)
    draws = samples(2000).uniform(2)
    shares = [explored(chosen, draws, 6, at, 100).ne(0).float().mean() for at in (0, 50, 100)]
    # Of the replaced a sixth is component 0 again; 5 standard errors of 2000 draws.
    torch.testing.assert_close(
        torch.stack(shares), torch.tensor([0.5, 0.25, 0.0]) * 5 / 6, rtol=0, atol=0.056
    )


def test_usage_follows_the_nearest_components_and_counts_idle_steps() -> None:
    model = model_of(primitives=3)
    for _ in range(4000):
        follow(model, torch.tensor([0, 0, 1]))
    torch.testing.assert_close(model.usage, torch.tensor([2 / 3, 1 / 3, 0.0]), rtol=0, atol=0.02)
    assert model.idle[:2].tolist() == [0, 0]
    assert model.idle[2] > 1000


def test_an_idle_component_starts_anew_near_the_most_used_one() -> None:
    model = model_of(primitives=3, revive_steps=10)
    model.usage.copy_(torch.tensor([0.2, 0.8, 0.0]))
    model.idle.copy_(torch.tensor([0, 0, 10]))
    z = torch.randn(2, 32, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model.encoder.mixture(z)
        revive_idle(model, 10, 0)
        after = model.encoder.mixture(z)
    assert model.idle.tolist() == [0, 0, 0]
    torch.testing.assert_close(model.usage, torch.tensor([0.2, 0.4, 0.4]))
    # Both weigh the same, and together about what the copied one weighed.
    torch.testing.assert_close(after.weights[:, 1], after.weights[:, 2])
    apart = (after.mu[:, 2] - after.mu[:, 1]).abs().mean()
    assert 0 < apart < (before.mu[:, 2] - before.mu[:, 1]).abs().mean()


def test_revival_depends_on_the_seed_and_the_step_alone() -> None:
    offsets = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        model = model_of(primitives=3)
        revive(model, 2, 7, 5)
        offsets.append(model.encoder.head.mix.offset.detach().clone())
    assert torch.equal(*offsets)


def test_a_component_that_is_used_is_left_alone() -> None:
    model = model_of(primitives=3, revive_steps=10)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.idle.copy_(torch.tensor([0, 0, 9]))
    revive_idle(model, 10, 0)
    changed = [n for n, t in model.state_dict().items() if not torch.equal(t, before[n])]
    assert changed == ["idle"]
